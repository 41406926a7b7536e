//! What must hold for any bytes from a peer. Shared by the property tests, the bolero targets and the cargo-fuzz crate.
//!
//! The request parser is compared with a naive one, which sees all bytes at once, copies and allocates freely, and was written from the
//! protocol and not from the parser.

// Each of the targets that include this file uses its own part of it.
#![allow(dead_code, unreachable_pub)]

use dunlin_resp::{
    Limits, Outcome, ProtocolError, ReplyLimits, ReplyParser, RequestParser, Span, Value, Version,
    split_words,
};

pub type Request = Vec<Vec<u8>>;

/// How a stream of requests ended: with an error, or waiting (for the rest of a request, or the next).
pub type End = Option<ProtocolError>;

/// Small enough that a fuzzer reaches every limit.
pub const SMALL_LIMITS: Limits = Limits {
    bulk_bytes_max: 5000,
    line_bytes_max: 40,
    args_max: 200,
    authenticated: true,
};

/// Parses a stream that arrives in pieces, as a server does: what is parsed is consumed, what is not is shown again.
///
/// `pieces` are the sizes of the pieces, repeated; 0 counts as 1.
pub fn parse_in_pieces(stream: &[u8], limits: &Limits, pieces: &[usize]) -> (Vec<Request>, End) {
    let mut parser = RequestParser::new();
    let mut requests = Vec::new();
    let mut sizes = pieces.iter().cycle();
    let (mut consumed, mut arrived) = (0, 0);
    // Arguments of an earlier request stay in front, as in a batch.
    let mut args = vec![Span { start: 1, len: 2 }];
    while arrived < stream.len() {
        let size = sizes.next().map_or(usize::MAX, |&size| size.max(1));
        arrived = arrived.saturating_add(size).min(stream.len());
        loop {
            let input = &stream[consumed..arrived];
            match parser.next(input, limits, &mut args) {
                Outcome::Request { end } => {
                    assert!(end > 0 && end <= input.len());
                    assert!(args[1..].iter().all(|s| (s.start + s.len) as usize <= end));
                    let spans = args.drain(1..);
                    let request: Request = spans.map(|span| span.of(input).to_vec()).collect();
                    if !request.is_empty() {
                        requests.push(request);
                    }
                    assert!(!parser.is_partial());
                    consumed += end;
                }
                Outcome::Inline { end, words } => {
                    assert!(end > 0 && end <= input.len() && !words.is_empty());
                    requests.push(words);
                    consumed += end;
                }
                Outcome::NeedMore { hint } => {
                    assert!(hint > 0 && hint <= limits.bulk_bytes_max + 2);
                    break;
                }
                Outcome::Error(error) => return (requests, Some(error)),
            }
            assert_eq!(args.len(), 1);
        }
        assert_eq!(args.len(), 1);
    }
    (requests, None)
}

/// The naive parser.
pub fn parse_naively(mut stream: &[u8], limits: &Limits) -> (Vec<Request>, End) {
    let mut requests = Vec::new();
    loop {
        match naive_request(stream, limits) {
            Ok(Some((request, rest))) => {
                stream = rest;
                requests.extend(Some(request).filter(|request| !request.is_empty()));
            }
            Ok(None) => return (requests, None),
            Err(error) => return (requests, Some(error)),
        }
    }
}

type Naive<'a, T> = Result<Option<(T, &'a [u8])>, ProtocolError>;

fn naive_request<'a>(stream: &'a [u8], limits: &Limits) -> Naive<'a, Request> {
    if stream.is_empty() {
        return Ok(None);
    }
    if stream[0] != b'*' {
        let text = naive_until(stream, b'\n', limits, ProtocolError::TooBigInline)?;
        let Some((line, rest)) = text else {
            return Ok(None);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        return Ok(Some((split_words(line)?, rest)));
    }
    let Some((line, mut rest)) = naive_line(stream, limits, ProtocolError::TooBigMultibulkCount)?
    else {
        return Ok(None);
    };
    let count = naive_integer(&line[1..])
        .filter(|&count| count <= limits.args_max as i64)
        .ok_or(ProtocolError::InvalidMultibulkLength)?;
    if count > 10 && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedMultibulkLength);
    }
    let mut request = Vec::new();
    for _ in 0..count {
        let Some((line, behind)) = naive_line(rest, limits, ProtocolError::TooBigBulkCount)? else {
            return Ok(None);
        };
        if line.first() != Some(&b'$') {
            return Err(ProtocolError::ExpectedBulk(rest[0]));
        }
        let len = naive_integer(&line[1..])
            .filter(|&len| (0..=limits.bulk_bytes_max as i64).contains(&len))
            .ok_or(ProtocolError::InvalidBulkLength)? as usize;
        if len > 16384 && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        if behind.len() < len + 2 {
            return Ok(None);
        }
        request.push(behind[..len].to_vec());
        rest = &behind[len + 2..];
    }
    Ok(Some((request, rest)))
}

/// A line that ends in CR and any other byte.
fn naive_line<'a>(
    stream: &'a [u8],
    limits: &Limits,
    too_big: ProtocolError,
) -> Naive<'a, &'a [u8]> {
    Ok(match naive_until(stream, b'\r', limits, too_big)? {
        Some((line, rest)) if !rest.is_empty() => Some((line, &rest[1..])),
        _ => None,
    })
}

fn naive_until<'a>(
    stream: &'a [u8],
    end: u8,
    limits: &Limits,
    too_big: ProtocolError,
) -> Naive<'a, &'a [u8]> {
    match stream.iter().position(|&byte| byte == end) {
        Some(at) if at > limits.line_bytes_max => Err(too_big),
        Some(at) => Ok(Some((&stream[..at], &stream[at + 1..]))),
        None if stream.len() > limits.line_bytes_max => Err(too_big),
        None => Ok(None),
    }
}

/// An integer that prints as it was written.
fn naive_integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: i64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// Any bytes as requests: in one piece, byte by byte and in pieces the result is that of the naive parser.
pub fn check_requests(stream: &[u8], pieces: &[usize]) {
    let unauthenticated = Limits {
        authenticated: false,
        bulk_bytes_max: 20_000,
        ..SMALL_LIMITS
    };
    for limits in [Limits::default(), SMALL_LIMITS, unauthenticated] {
        let expected = parse_naively(stream, &limits);
        for pieces in [&[usize::MAX], &[1], pieces] {
            let found = parse_in_pieces(stream, &limits, pieces);
            assert_eq!(found, expected, "in pieces of {pieces:?} under {limits:?}");
        }
    }
}

/// Decodes a stream of replies that arrives in pieces. `pieces` as above.
pub fn decode_in_pieces(
    stream: &[u8],
    limits: ReplyLimits,
    pieces: &[usize],
) -> (Vec<Value>, End, bool) {
    let mut parser = ReplyParser::new(limits);
    let mut values = Vec::new();
    let mut sizes = pieces.iter().cycle();
    let mut at = 0;
    while at < stream.len() {
        let size = sizes.next().map_or(usize::MAX, |&size| size.max(1));
        let mut piece = &stream[at..at.saturating_add(size).min(stream.len())];
        at += piece.len();
        while !piece.is_empty() {
            match parser.feed(piece) {
                Ok(decoded) => {
                    assert!(decoded.consumed > 0 && decoded.consumed <= piece.len());
                    assert!(decoded.value.is_some() || decoded.consumed == piece.len());
                    values.extend(decoded.value);
                    piece = &piece[decoded.consumed..];
                }
                Err(error) => return (values, Some(error), true),
            }
        }
    }
    (values, None, parser.is_partial())
}

/// Any bytes as replies: pieces change nothing, and what was decoded encodes to something that decodes to the same.
pub fn check_replies(stream: &[u8], pieces: &[usize]) {
    let small = ReplyLimits {
        depth_max: 3,
        line_bytes_max: 20,
        bulk_bytes_max: 100,
        reply_bytes_max: 200,
    };
    for limits in [ReplyLimits::default(), small] {
        let expected = decode_in_pieces(stream, limits, &[usize::MAX]);
        for pieces in [&[1], pieces] {
            let found = decode_in_pieces(stream, limits, pieces);
            // Debug texts, as NaN is not equal to itself.
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{pieces:?}");
        }
        for value in expected.0 {
            check_round_trip(&value);
        }
    }
}

/// What RESP3 encodes decodes to the same value, and RESP2 to something.
pub fn check_round_trip(value: &Value) {
    let mut encoded = Vec::new();
    value.encode(&mut encoded, Version::Resp3);
    let (values, error, partial) =
        decode_in_pieces(&encoded, ReplyLimits::default(), &[usize::MAX]);
    assert_eq!((error, partial), (None, false), "{value:?}");
    let expected = format!("{:?}", [value]).replace("NullArray", "Null");
    assert_eq!(format!("{values:?}"), expected);

    let mut encoded = Vec::new();
    value.encode(&mut encoded, Version::Resp2);
    let (values, error, partial) =
        decode_in_pieces(&encoded, ReplyLimits::default(), &[usize::MAX]);
    assert_eq!(
        (values.len(), error, partial),
        (1, None, false),
        "{value:?}"
    );
}

/// Turns random bytes into something like RESP, as purely random bytes hardly ever get past the first line.
pub fn resp_like(bytes: &[u8]) -> Vec<u8> {
    const PIECES: [&[u8]; 52] = [
        b"*1\r\n",
        b"*2\r\n",
        b"*3\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*",
        b"$0\r\n\r\n",
        b"$3\r\nSET\r\n",
        b"$1\r\nk\r\n",
        b"$12\r\nabcdefghijkl\r\n",
        b"$-1\r\n",
        b"$",
        b"$5\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"0",
        b"1",
        b"7",
        b"12",
        b"999",
        b"1000",
        b"16385",
        b"99999999999999999999",
        b"-",
        b" ",
        b"PING\r\n",
        b"\"a b\"",
        b"\"",
        b"'",
        b"'it'",
        b"\\x41",
        b"\\",
        b"\t",
        b"\0",
        b"\xff",
        b"+OK\r\n",
        b"-ERR x\r\n",
        b":1\r\n",
        b",1.5\r\n",
        b",nan\r\n",
        b"#t\r\n",
        b"_\r\n",
        b"(-12\r\n",
        b"!3\r\nERR\r\n",
        b"=6\r\ntxt:hi\r\n",
        b"%1\r\n",
        b"~1\r\n",
        b">2\r\n",
        b"|1\r\n",
        b"%",
        b"*2147483648\r\n",
    ];
    bytes
        .iter()
        .flat_map(|&byte| PIECES[usize::from(byte) % PIECES.len()])
        .copied()
        .collect()
}

/// Fuzzed bytes as the sizes of pieces, and the stream that is cut into them.
pub fn cut(bytes: &[u8]) -> (Vec<usize>, &[u8]) {
    let (pieces, stream) = bytes.split_at(bytes.len().min(3));
    (
        pieces.iter().map(|&size| usize::from(size % 16)).collect(),
        stream,
    )
}
