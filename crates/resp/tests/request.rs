//! The request parser as a server uses it: what it accepts, what it refuses in which words, and that no byte is read twice.

mod invariants;

use dunlin_resp::request::{
    LINE_BYTES_MAX, UNAUTHENTICATED_ARGS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX,
};
use dunlin_resp::{Limits, Outcome, ProtocolError, RequestParser, Span, reply};
use invariants::{End, Request, check_requests, parse_in_pieces, parse_naively};
use proptest::prelude::*;

/// Parses under Redis's limits and shows the requests as words with `|` between them, then what ended the stream.
fn session(stream: &[u8]) -> String {
    show(parse_in_pieces(stream, &Limits::default(), &[usize::MAX]))
}

fn show((requests, end): (Vec<Request>, End)) -> String {
    let mut lines: Vec<String> = requests
        .iter()
        .map(|request| {
            let words: Vec<_> = request
                .iter()
                .map(|w| w.escape_ascii().to_string())
                .collect();
            words.join("|")
        })
        .collect();
    lines.extend(end.map(|error| format!("! {}", sent(error))));
    lines.join("; ")
}

fn sent(error: ProtocolError) -> String {
    let mut out = Vec::new();
    error.reply(&mut out);
    let text = out
        .strip_prefix(b"-ERR Protocol error: ")
        .expect("the code of Redis");
    text.trim_ascii_end().escape_ascii().to_string()
}

#[track_caller]
fn check(stream: impl AsRef<[u8]>, expected: &str) {
    let stream = stream.as_ref();
    assert_eq!(session(stream), expected, "{}", stream.escape_ascii());
    check_requests(stream, &[2, 3]);
}

#[test]
fn arrays() {
    check("*1\r\n$4\r\nPING\r\n", "PING");
    check(
        "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nb\0\r\n",
        r"SET||a\r\nb\x00",
    );
    check(
        "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n",
        "PING; ECHO|x",
    );
    let long = "v".repeat(12_345);
    check(
        format!("*2\r\n$4\r\nECHO\r\n$12345\r\n{long}\r\n"),
        &format!("ECHO|{long}"),
    );
    for count in [10, 11, 99, 100, 999, 1000, 12_345] {
        let request = format!("*{count}\r\n{}", "$1\r\na\r\n".repeat(count));
        check(request, &["a"].repeat(count).join("|"));
    }
}

#[test]
fn empty_requests_are_skipped() {
    check("*0\r\n*-1\r\n*-5\r\n\r\n\n   \r\nPING\r\n", "PING");
    check("\r\n", "");
}

#[test]
fn what_redis_does_not_check() {
    check("*1\rX$4\rYPINGZZ*1\r\n$1\r\na\r\n", "PING; a");
}

#[test]
fn lines_of_words() {
    check(
        "PING\r\nping\nset k \"a b\\x00\"\r\n",
        r"PING; ping; set|k|a b\x00",
    );
    check("a\rb\r\r\n", "a|b");
    check("\0 x\n", r"\x00|x");
    check("set 'a\n", "! unbalanced quotes in request");
    check("set \"a\"b\nPING\r\n", "! unbalanced quotes in request");
}

#[test]
fn refused_counts() {
    for count in [
        "",
        "-",
        "-0",
        "+1",
        "01",
        "1x",
        " 1",
        "2147483648",
        "99999999999999999999",
        "123456789012345678901",
    ] {
        check(
            format!("PING\r\n*{count}\r\n"),
            "PING; ! invalid multibulk length",
        );
    }
    for count in ["00", "01", "010", "1x", "12x", "1234x"] {
        // With more bytes behind them these take the short way.
        check(
            format!("*{count}\r\n$1\r\na\r\n"),
            "! invalid multibulk length",
        );
        check(
            format!("*1\r\n${count}\r\naaaaaaaa"),
            "! invalid bulk length",
        );
    }
    check("*2147483647\r\n", "");
    check("*-9223372036854775808\r\nPING\n", "PING");
}

#[test]
fn refused_lengths() {
    for len in [
        "",
        "-1",
        "-0",
        "+1",
        "01",
        "1x",
        "536870913",
        "9223372036854775808",
    ] {
        check(format!("*1\r\n${len}\r\n"), "! invalid bulk length");
    }
    check("*1\r\n$536870912\r\n", "");
    check("*1\r\nX\r\n", "! expected \\'$\\', got \\'X\\'");
    check("*2\r\n$1\r\na\r\n:1\r\n", "! expected \\'$\\', got \\':\\'");
    check("*1\r\n\r\n", "! expected \\'$\\', got \\' \\'");
    check("*1\r\n\n\r\n", "! expected \\'$\\', got \\' \\'");
    check(b"*1\r\n\xffff\r\n", "! expected \\'$\\', got \\'\\xff\\'");
    // Redis judges the first byte once the line is complete.
    check("*1\r\nX", "");
}

#[test]
fn refused_lines() {
    let at_most = "x".repeat(LINE_BYTES_MAX);
    check(format!("{at_most}\n"), &at_most);
    check(&at_most, "");
    for end in ["x", "x\n"] {
        check(format!("{at_most}{end}"), "! too big inline request");
    }
    let digits = "1".repeat(LINE_BYTES_MAX);
    check(format!("*{digits}"), "! too big mbulk count string");
    check(format!("*1\r\n${digits}"), "! too big bulk count string");
    check(format!("*1\r\nX{digits}"), "! too big bulk count string");
    check(
        format!("*{}\r\n", &digits[1..]),
        "! invalid multibulk length",
    );
}

#[test]
fn before_authentication() {
    let limits = Limits {
        authenticated: false,
        ..Limits::default()
    };
    let parse = |stream: String| show(parse_in_pieces(stream.as_bytes(), &limits, &[7]));
    let (args, bytes) = (UNAUTHENTICATED_ARGS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX);
    assert_eq!(parse(format!("*{args}\r\n")), "");
    assert_eq!(
        parse(format!("*{}\r\n", args + 1)),
        "! unauthenticated multibulk length"
    );
    assert_eq!(parse(format!("*1\r\n${bytes}\r\n")), "");
    assert_eq!(
        parse(format!("*1\r\n${}\r\n", bytes + 1)),
        "! unauthenticated bulk length"
    );
    assert_eq!(
        parse("*1\r\n$536870913\r\n".into()),
        "! invalid bulk length"
    );
}

#[test]
fn need_more_says_how_much_of_a_bulk_is_missing() {
    let mut parser = RequestParser::new();
    let mut args = Vec::new();
    let mut next = |input: &[u8]| parser.next(input, &Limits::default(), &mut args);
    assert_eq!(next(b""), Outcome::NeedMore { hint: 1 });
    assert_eq!(next(b"*1\r\n$10"), Outcome::NeedMore { hint: 1 });
    assert_eq!(next(b"*1\r\n$1000\r\nab"), Outcome::NeedMore { hint: 1000 });
    assert_eq!(next(b"*1\r\n$1000\r\nabc"), Outcome::NeedMore { hint: 999 });
    assert_eq!(size_of::<RequestParser>(), 8);
}

#[test]
fn an_announced_count_reserves_nothing() {
    let mut parser = RequestParser::new();
    let mut args = Vec::new();
    parser.next(b"*1000000000\r\n$3\r\n", &Limits::default(), &mut args);
    assert!(parser.is_partial());
    assert_eq!(args.capacity(), 0);
    // What the parser keeps shows in its debug text: no argument yet.
    assert!(format!("{parser:?}").contains("spans: []"), "{parser:?}");
}

/// A parser that started over would look at 50 GB here.
#[test]
fn a_long_request_byte_by_byte_takes_linear_time() {
    let args: Vec<_> = (0..50_000).map(|n| n.to_string()).collect();
    let mut stream = Vec::new();
    reply::request(&mut stream, &args);
    let (requests, end) = parse_in_pieces(&stream, &Limits::default(), &[1]);
    assert_eq!(end, None);
    assert_eq!(requests.len(), 1);
    assert!(requests[0].iter().eq(args.iter().map(String::as_bytes)));
}

/// A request, and where each of its lines with a count or length begins, and the end.
fn request_with_marks(args: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let mut stream = Vec::new();
    let mut marks = vec![0];
    reply::array(&mut stream, args.len());
    for arg in args {
        marks.push(stream.len());
        reply::bulk(&mut stream, arg);
    }
    marks.push(stream.len());
    (stream, marks)
}

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 90..110),
        1 => prop::collection::vec(any::<u8>(), 990..1010),
        1 => prop::collection::vec(prop::sample::select(&b"\r\n$*01 \"'\\"[..]), 0..20),
    ]
}

fn request() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![
        8 => prop::collection::vec(argument(), 1..6),
        1 => prop::collection::vec(argument(), 1..40),
    ]
}

/// A word as redis-cli would quote it.
fn quoted(word: &[u8]) -> String {
    let escaped = |&byte: &u8| match byte {
        b'"' | b'\\' => format!("\\{}", byte as char),
        b'\n' => "\\n".into(),
        0x07 => "\\a".into(),
        b' '..=b'~' => (byte as char).to_string(),
        _ => format!("\\x{byte:02X}"),
    };
    format!("\"{}\"", word.iter().map(escaped).collect::<String>())
}

/// How a request is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    Array,
    Line(&'static str),
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![
        3 => Just(Form::Array),
        1 => prop::sample::select(vec![Form::Line("\n"), Form::Line("\r\n"), Form::Line(" \t\r\n")]),
    ]
}

fn encode(requests: &[(Vec<Vec<u8>>, Form)]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (request, form) in requests {
        match form {
            Form::Array => reply::request(&mut stream, request),
            Form::Line(end) => {
                let words: Vec<_> = request.iter().map(|word| quoted(word)).collect();
                stream.extend_from_slice(words.join(" ").as_bytes());
                stream.extend_from_slice(end.as_bytes());
            }
        }
    }
    stream
}

proptest! {
    #[test]
    fn what_is_sent_arrives_however_it_is_cut(
        requests in prop::collection::vec((request(), forms()), 0..8),
        pieces in prop::collection::vec(1usize..200, 1..8),
    ) {
        let stream = encode(&requests);
        let expected: Vec<Request> = requests.into_iter().map(|(request, _)| request).collect();
        for pieces in [&pieces[..], &[1], &[usize::MAX]] {
            let (found, end) = parse_in_pieces(&stream, &Limits::default(), pieces);
            prop_assert_eq!(end, None);
            prop_assert_eq!(&found, &expected);
        }
        prop_assert_eq!(parse_naively(&stream, &Limits::default()), (expected, None));
    }

    #[test]
    fn damaged_streams_fail_alike_however_they_are_cut(
        requests in prop::collection::vec((request(), forms()), 1..5),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        pieces in prop::collection::vec(1usize..50, 1..8),
    ) {
        let mut stream = encode(&requests);
        for (at, byte) in damage {
            *at.get_mut(&mut stream) = byte;
        }
        stream.truncate(cut.index(stream.len() + 1));
        check_requests(&stream, &pieces);
    }

    /// What was understood is overwritten before the rest is shown: a parser that read it again would notice.
    #[test]
    fn nothing_is_read_twice(args in request(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..10)) {
        let (stream, marks) = request_with_marks(&args);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| 1 + cut.index(stream.len() - 1)).collect();
        cuts.sort_unstable();
        let mut parser = RequestParser::new();
        let mut spans = Vec::new();
        for cut in cuts.into_iter().filter(|&cut| cut < stream.len()) {
            let outcome = parser.next(&stream[..cut], &Limits::default(), &mut spans);
            let waits = matches!(outcome, Outcome::NeedMore { .. });
            prop_assert!(waits);
            // The line in which the input ended is needed once more; everything before it is not, but for the `*`.
            let line = *marks.iter().rev().find(|&&mark| mark <= cut).expect("0 is a mark");
            let mut shown = stream.clone();
            shown[..line].fill(b'#');
            shown[0] = b'*';
            let mut again = Vec::new();
            let mut resumed = RequestParser::new();
            let outcome = resumed.next(&stream[..cut], &Limits::default(), &mut again);
            let waits = matches!(outcome, Outcome::NeedMore { .. });
            prop_assert!(waits);
            prop_assert_eq!(
                resumed.next(&shown, &Limits::default(), &mut again),
                Outcome::Request { end: stream.len() }
            );
            prop_assert_eq!(again, spans_of(&args, &marks));
        }
        prop_assert_eq!(
            parser.next(&stream, &Limits::default(), &mut spans),
            Outcome::Request { end: stream.len() }
        );
        prop_assert_eq!(spans, spans_of(&args, &marks));
    }
}

fn spans_of(args: &[Vec<u8>], marks: &[usize]) -> Vec<Span> {
    let ends = &marks[2..];
    args.iter()
        .zip(ends)
        .map(|(arg, end)| Span {
            start: (end - 2 - arg.len()) as u32,
            len: arg.len() as u32,
        })
        .collect()
}
