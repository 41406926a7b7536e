//! GETRANGE key start end and its old name SUBSTR: part of a string. <https://redis.io/commands/getrange>

use dunlin_store::StrRef;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// GETRANGE.
pub(super) const GETRANGE: Command = Command {
    name: "getrange",
    full_name: "getrange",
    arity: 4,
    flags: Flags::READONLY,
    categories: Categories::READ
        .and(Categories::STRING)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "string",
    since: "2.4.0",
    complexity: "O(N) in the bytes returned",
    summary: "Returns the bytes of a string between two indices, both included.",
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::Integer),
        Argument::new("end", ArgKind::Integer),
    ],
    handler: getrange,
    ..Command::BASE
};

/// SUBSTR.
pub(super) const SUBSTR: Command = Command {
    name: "substr",
    full_name: "substr",
    since: "1.0.0",
    deprecated: Some(("2.0.0", "`GETRANGE`")),
    ..GETRANGE
};

fn getrange(cx: &mut Ctx<'_>) -> Outcome {
    let start = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let end = parse_i64(cx.args.at(3)).ok_or(ReplyError::NotInteger)?;
    let key = cx.key(1);
    let Some(entry) = cx.keys.read(cx.session.db, &key) else {
        cx.reply.bulk(b"");
        return Ok(Flow::Done);
    };
    match entry.as_string().ok_or(ReplyError::WrongType)? {
        StrRef::Int(n) => {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(n).as_bytes();
            let (from, to) = bounds(start, end, text.len());
            cx.reply.bulk(&text[from..to]);
        }
        StrRef::Bytes(bytes) => {
            let (from, to) = bounds(start, end, bytes.len());
            cx.reply.bulk(&bytes[from..to]);
        }
        StrRef::Chunked(chunked) => {
            let (from, to) = bounds(start, end, chunked.len());
            cx.reply.chunked(chunked, from, to);
        }
    }
    Ok(Flow::Done)
}

/// The half-open range that two inclusive indices name in a string of `len` bytes. Negative ones count from the end; what
/// lies outside is cut off. `(0, 0)` when nothing is left.
fn bounds(start: i64, end: i64, len: usize) -> (usize, usize) {
    if start < 0 && end < 0 && start > end {
        return (0, 0);
    }
    let len = len as i64;
    let from_start = |index: i64| {
        if index < 0 {
            (len + index).max(0)
        } else {
            index
        }
    };
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    if start > end {
        (0, 0)
    } else {
        (start as usize, end as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::bounds;
    use crate::testing::{Console, check};

    #[test]
    fn takes_indices_from_both_ends() {
        check(
            "SET k \"Hello World\"; GETRANGE k 0 3; GETRANGE k 0 -1; GETRANGE k -4 -1; SUBSTR k 5 3; GETRANGE k 5 5000",
            "OK; Hell; Hello World; orld; ;  World",
        );
        check(
            "SET k Hello; GETRANGE k -5000 10000; GETRANGE k -1 -2; GETRANGE k 9 9; GETRANGE k 0 -100",
            "OK; Hello; ; ; H",
        );
        check(
            "SET k 1234; GETRANGE k 0 2; GETRANGE k -3 -1; SUBSTR k 3 9; GETRANGE none 0 -1",
            "OK; 123; 234; 4; ",
        );
        check(
            "GETRANGE k 0 9223372036854775807; SET k v; GETRANGE k 0 4294967297",
            "; OK; v",
        );
    }

    #[test]
    fn the_bounds_are_those_of_the_wide_integers() {
        assert_eq!(bounds(i64::MIN, i64::MAX, 5), (0, 5));
        assert_eq!(bounds(i64::MAX, i64::MIN, 5), (0, 0));
        assert_eq!(bounds(0, -1, 0), (0, 0));
        assert_eq!(
            bounds(i64::MIN, i64::MIN, 3),
            (0, 1),
            "both are cut off to the first byte, as in Redis"
        );
    }

    #[test]
    fn wants_integers() {
        let error = "(error) ERR value is not an integer or out of range";
        check(
            "GETRANGE k a 0; GETRANGE k 0 b; SUBSTR k 0 1.5",
            &[error; 3].join("; "),
        );
    }

    #[test]
    fn cuts_across_chunks() {
        let value: Vec<u8> = (0..300_000).map(|i| (i * 13 % 249) as u8).collect();
        let mut console = Console::default();
        console.call(1, &[b"SET", b"k", &value]);
        for (start, end) in [
            (0, 10),
            (65_530, 65_540),
            (65_536, 131_071),
            (1, 299_998),
            (299_999, 400_000),
            (300_000, 300_001),
        ] {
            let expected = &value[start.min(value.len())..(end + 1).min(value.len())];
            let reply = console.call(
                1,
                &[
                    b"GETRANGE",
                    b"k",
                    start.to_string().as_bytes(),
                    end.to_string().as_bytes(),
                ],
            );
            assert_eq!(
                reply,
                [
                    format!("${}\r\n", expected.len()).as_bytes(),
                    expected,
                    b"\r\n"
                ]
                .concat()
            );
        }
    }
}
