//! BITOP AND | OR | XOR | NOT destination key [key ...]: combines strings bit by bit. <https://redis.io/commands/bitop>
//!
//! A string that is shorter than the longest counts as filled up with zeros. The result is made chunk by chunk.

use std::ops::ControlFlow;
use std::sync::Arc;

use dunlin_store::chunked::Chunked;
use dunlin_store::entry::INLINE_BYTES_MAX;
use dunlin_store::{Event, Image, NewString, StrRef, Ttl};
use dunlin_structures::bits::{self, Operation};
use smallvec::SmallVec;

use super::{WRITE, empty};
use crate::command::{ArgKind, Argument, Command, KeySpec};
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// So many bytes of sources take about as long as touching one element of a collection; the result is fresh memory.
const BYTES_PER_ELEMENT: usize = 64;

/// BITOP.
pub(super) const BITOP: Command = Command {
    name: "bitop",
    full_name: "bitop",
    arity: -4,
    keys: &[
        KeySpec::one(2, &["OW", "update"]),
        KeySpec::rest(3, 1, &["RO", "access"]),
    ],
    since: "2.6.0",
    complexity: "O(N) in the bytes of all strings",
    summary: "Combines strings bit by bit and stores the result.",
    arguments: &[
        Argument::one_of(
            "operation",
            &[
                Argument::token("and", "AND"),
                Argument::token("or", "OR"),
                Argument::token("xor", "XOR"),
                Argument::token("not", "NOT"),
            ],
        ),
        Argument::new("destkey", ArgKind::Key(0)),
        Argument::new("key", ArgKind::Key(1)).multiple(),
    ],
    handler: bitop,
    ..WRITE
};

/// The operation between strings; `None` for NOT.
fn operation(args: Args<'_>) -> Result<Option<Operation>, ReplyError> {
    let operations = [
        ("and", Some(Operation::And)),
        ("or", Some(Operation::Or)),
        ("xor", Some(Operation::Xor)),
        ("not", None),
    ];
    let found = operations.into_iter().find(|(name, _)| args.is(1, name));
    let (_, operation) = found.ok_or(ReplyError::Syntax)?;
    if operation.is_none() && args.len() != 4 {
        return Err(ReplyError::err(
            "BITOP NOT must be called with a single source key.",
        ));
    }
    Ok(operation)
}

fn bitop(cx: &mut Ctx<'_>) -> Outcome {
    let operation = operation(cx.args)?;
    let (db, destination) = (cx.db(), cx.key(2));
    let (mut longest, mut total) = (0, 0_usize);
    for i in 3..cx.args.len() {
        let key = cx.key(i);
        if let Some(entry) = cx.keys.peek(db, &key) {
            let len = entry.as_string().ok_or(ReplyError::WrongType)?.len();
            longest = longest.max(len);
            total = total.saturating_add(len);
        }
    }
    if cx.is_heavy((total / BYTES_PER_ELEMENT).max(cx.args.len())) {
        return Ok(Flow::Heavy);
    }
    let mut images = SmallVec::<[Option<Image>; 4]>::new();
    for i in 3..cx.args.len() {
        let key = cx.key(i);
        images.push(cx.keys.read(db, &key).map(|entry| entry.image()));
    }
    cx.reply.count(longest);
    if longest == 0 {
        if let Some(entry) = cx.keys.remove(db, &destination) {
            cx.keys.discard(entry);
            cx.record_verbatim(destination.bytes, Event::generic("del"));
        }
        return Ok(Flow::Done);
    }
    let sources: SmallVec<[StrRef<'_>; 4]> = images
        .iter()
        .map(|image| {
            let text = image.as_ref().and_then(Image::as_string);
            text.unwrap_or(StrRef::Bytes(b""))
        })
        .collect();
    if longest <= INLINE_BYTES_MAX {
        let mut result = vec![0; longest];
        fill(operation, &sources, 0, &mut result);
        let value = NewString::Raw(&result);
        cx.keys.put_string(db, &destination, value, Ttl::Clear);
    } else {
        let result = Chunked::filled(longest, |at, out| fill(operation, &sources, at, out));
        let entry = empty(cx, destination.bytes).with_chunked(Arc::new(result));
        cx.keys.put_entry(db, &destination, entry, None);
    }
    cx.record_verbatim(destination.bytes, Event::string("set"));
    Ok(Flow::Done)
}

/// The bytes of the result from `at` on.
fn fill(operation: Option<Operation>, sources: &[StrRef<'_>], at: usize, out: &mut [u8]) {
    let (first, others) = sources.split_first().expect("the arity asks for a source");
    first.copy_to(at, out);
    let Some(operation) = operation else {
        bits::invert(out);
        return;
    };
    for other in others {
        let mut done = 0;
        other.visit(at, at + out.len(), |piece| {
            bits::combine(operation, &mut out[done..done + piece.len()], piece);
            done += piece.len();
            ControlFlow::<()>::Continue(())
        });
        if operation == Operation::And {
            out[done..].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn combines() {
        check(
            r#"SET a "\xf0\xff"; SET b "\x3c"; BITOP AND d a b; GET d; BITOP or d a b; GET d; BITOP XOR d a b; GET d; BITOP NOT d a; GET d"#,
            r"OK; OK; 2; 0\x00; 2; \xfc\xff; 2; \xcc\xff; 2; \x0f\x00",
        );
        check(
            r#"SET a "\xaa"; BITOP AND d a none; GET d; BITOP OR d none a; GET d; BITOP XOR a a a; GET a; OBJECT ENCODING a; BITOP OR d d"#,
            r"OK; 1; \x00; 1; \xaa; 1; \x00; raw; 1",
        );
        check("SET n 12; BITOP OR d n; GET d", "OK; 2; 12");
    }

    #[test]
    fn an_empty_result_removes_the_destination() {
        check(
            r#"SET d v PX 9; SET e ""; BITOP OR d none e; EXISTS d; BITOP NOT d none; SET d v PX 9; BITOP NOT d d; PTTL d"#,
            "OK; OK; 0; 0; 0; OK; 1; -1",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "BITOP no d a; BITOP NOT d a b; SET d v; LPUSH l a; BITOP OR d none l; GET d; BITOP OR l d; TYPE l",
            &format!(
                "(error) ERR syntax error; (error) ERR BITOP NOT must be called with a single source key.; OK; 1; {wrong}; v; 1; string"
            ),
        );
    }

    #[test]
    fn long_strings_are_combined_chunk_by_chunk() {
        let mut console = Console::default();
        let a: Vec<u8> = (0..1_500_000).map(|i| (i % 251) as u8).collect();
        let b: Vec<u8> = (0..200_001).map(|i| (i % 13) as u8).collect();
        console.call(1, &[b"SET", b"a", &a]);
        console.call(1, &[b"SET", b"b", &b]);
        let byte = |i: usize| b.get(i).copied().unwrap_or(0);
        for (name, f) in [
            ("AND", (|a, b| a & b) as fn(u8, u8) -> u8),
            ("OR", |a, b| a | b),
            ("XOR", |a, b| a ^ b),
        ] {
            let expected: Vec<u8> = a.iter().enumerate().map(|(i, a)| f(*a, byte(i))).collect();
            for order in ["a b", "b a"] {
                assert_eq!(console.run(&format!("BITOP {name} d {order}")), "1500000");
                let reply = console.call(1, &[b"GET", b"d"]);
                assert!(reply[10..reply.len() - 2] == expected, "{name} {order}");
            }
        }
    }
}
