//! BITCOUNT key [start end [BYTE | BIT]]: how many bits of a string are set. <https://redis.io/commands/bitcount>

use std::ops::{ControlFlow, Range};

use dunlin_store::StrRef;
use dunlin_structures::bits;

use super::{READ, bit_range, counts_bits};
use crate::command::{ArgKind, Argument, Command};
use crate::number::parse_i64;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// So many bytes take about as long as touching one element of a collection.
pub(super) const BYTES_PER_ELEMENT: usize = 256;

/// `BYTE | BIT`.
pub(super) const UNIT: Argument = Argument::one_of(
    "unit",
    &[
        Argument::token("byte", "BYTE"),
        Argument::token("bit", "BIT"),
    ],
)
.optional()
.since("7.0.0");

/// BITCOUNT.
pub(super) const BITCOUNT: Command = Command {
    name: "bitcount",
    full_name: "bitcount",
    arity: -2,
    since: "2.6.0",
    complexity: "O(N) in the bytes looked at",
    summary: "Counts the bits that are set in a string.",
    history: &[("7.0.0", "Takes BYTE and BIT.")],
    arguments: &[
        Argument::KEY,
        Argument::block(
            "range",
            &[
                Argument::new("start", ArgKind::Integer),
                Argument::new("end", ArgKind::Integer),
                UNIT,
            ],
        )
        .optional(),
    ],
    handler: bitcount,
    ..READ
};

fn bitcount(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args, may_defer) = (cx.db(), cx.key(1), cx.args, cx.may_defer);
    let Some(entry) = cx.keys.read(db, &key) else {
        // Without a key nothing is looked at, not even the arguments.
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let text = entry.as_string().ok_or(ReplyError::WrongType)?;
    let range = range(args, text.len())?;
    let bytes = ((range.end - range.start) / 8) as usize;
    if may_defer && Ctx::is_many(bytes / BYTES_PER_ELEMENT) {
        return Ok(Flow::HeavyRead);
    }
    cx.reply.integer(count(text, range) as i64);
    Ok(Flow::Done)
}

fn range(args: Args<'_>, len: usize) -> Result<Range<u64>, ReplyError> {
    match args.len() {
        2 => Ok(0..len as u64 * 8),
        4 | 5 => {
            let start = parse_i64(args.at(2)).ok_or(ReplyError::NotInteger)?;
            let end = parse_i64(args.at(3)).ok_or(ReplyError::NotInteger)?;
            // As in Redis, this is seen before the unit is.
            if start < 0 && end < 0 && start > end {
                return Ok(0..0);
            }
            let counts_bits = args.len() == 5 && counts_bits(args, 4)?;
            Ok(bit_range(start, end, len, counts_bits))
        }
        _ => Err(ReplyError::Syntax),
    }
}

/// Bits set in a range, which lies inside the text.
fn count(text: StrRef<'_>, range: Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let (first, end) = ((range.start / 8) as usize, range.end.div_ceil(8) as usize);
    let mut count = 0;
    text.visit(first, end, |piece| {
        count += bits::count(piece);
        ControlFlow::<()>::Continue(())
    });
    // What whole bytes counted too many.
    let before = !(0xff_u8 >> (range.start % 8));
    let behind = (0xff_u16 >> ((range.end - 1) % 8 + 1)) as u8;
    let outside = |index, mask: u8| u64::from((text.byte_at(index) & mask).count_ones());
    count - outside(first, before) - outside(end - 1, behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Console, check};

    #[test]
    fn counts() {
        check(
            "SET k foobar; BITCOUNT k; BITCOUNT k 0 0; BITCOUNT k 1 1; BITCOUNT k 0 -5; BITCOUNT k 5 30 BIT; BITCOUNT k 1 1 byte; \
             BITCOUNT k -6 -7; BITCOUNT k -1 -2 nothing; BITCOUNT k 1000 2000; BITCOUNT none; BITCOUNT none 1",
            "OK; 26; 4; 6; 10; 17; 6; 0; 0; 0; 0; 0",
        );
        check(
            r#"SET k 1234; BITCOUNT k; BITCOUNT k 0 7 BIT; BITCOUNT k 2 2 BIT; BITCOUNT k -1 -1 BIT; SET k ""; BITCOUNT k 0 -1"#,
            "OK; 13; 3; 1; 0; OK; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let integer = "(error) ERR value is not an integer or out of range";
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SET k v; BITCOUNT k 1; BITCOUNT k a 1; BITCOUNT k 1 b; BITCOUNT k 1 2 x; BITCOUNT k 1 2 bit x; LPUSH l a; BITCOUNT l; \
             BITCOUNT l x",
            &format!(
                "OK; (error) ERR syntax error; {integer}; {integer}; (error) ERR syntax error; (error) ERR syntax error; 1; \
                 {wrong}; {wrong}"
            ),
        );
    }

    #[test]
    fn every_range_is_counted_as_bit_by_bit() {
        let bytes: Vec<u8> = (0..11u32).map(|i| (i * 97 % 251) as u8).collect();
        let is_set = |i: u64| bytes[(i / 8) as usize] >> (7 - i % 8) & 1 == 1;
        for start in 0..88 {
            for end in start..=88 {
                let expected = (start..end).filter(|i| is_set(*i)).count() as u64;
                assert_eq!(count(StrRef::Bytes(&bytes), start..end), expected);
            }
        }
    }

    #[test]
    fn a_long_one_is_counted_on_the_auxiliary_thread() {
        let mut console = Console::default();
        console.call(1, &[b"SET", b"k", &vec![0x81; 6_000_000]]);
        assert_eq!(
            console.run("BITCOUNT k; BITCOUNT k 524287 524288 BIT; BITCOUNT k 1 -2"),
            "12000000; 2; 11999996"
        );
    }
}
