//! BITPOS key bit [start [end [BYTE | BIT]]]: the first bit of a string that is set, or clear. <https://redis.io/commands/bitpos>

use std::ops::{ControlFlow, Range};

use dunlin_store::StrRef;
use dunlin_structures::bits;

use super::bitcount::{BYTES_PER_ELEMENT, UNIT};
use super::{READ, bit_range, counts_bits};
use crate::command::{ArgKind, Argument, Command};
use crate::number::parse_i64;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// BITPOS.
pub(super) const BITPOS: Command = Command {
    name: "bitpos",
    full_name: "bitpos",
    arity: -3,
    since: "2.8.7",
    complexity: "O(N) in the bytes looked at",
    summary: "Finds the first bit of a string that is set, or that is clear.",
    history: &[("7.0.0", "Takes BYTE and BIT.")],
    arguments: &[
        Argument::KEY,
        Argument::new("bit", ArgKind::Integer),
        Argument::block(
            "range",
            &[
                Argument::new("start", ArgKind::Integer),
                Argument::block(
                    "end-unit-block",
                    &[Argument::new("end", ArgKind::Integer), UNIT],
                )
                .optional(),
            ],
        )
        .optional(),
    ],
    handler: bitpos,
    ..READ
};

fn bitpos(cx: &mut Ctx<'_>) -> Outcome {
    let bit = match parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)? {
        bit @ (0 | 1) => bit == 1,
        _ => return Err(ReplyError::err("The bit argument must be 1 or 0.")),
    };
    let (db, key, args, may_defer) = (cx.db(), cx.key(1), cx.args, cx.may_defer);
    let Some(entry) = cx.keys.read(db, &key) else {
        // Clear bits without end; the other arguments are not looked at.
        cx.reply.integer(if bit { -1 } else { 0 });
        return Ok(Flow::Done);
    };
    let text = entry.as_string().ok_or(ReplyError::WrongType)?;
    let range = range(args, text.len())?;
    let bytes = ((range.end - range.start) / 8) as usize;
    if may_defer && Ctx::is_many(bytes / BYTES_PER_ELEMENT) {
        return Ok(Flow::HeavyRead);
    }
    let found = first(text, range.clone(), bit);
    let at = match found {
        Some(at) => at as i64,
        // Without an end, clear bits follow the string.
        None if !bit && args.len() < 5 && !range.is_empty() => range.end as i64,
        None => -1,
    };
    cx.reply.integer(at);
    Ok(Flow::Done)
}

fn range(args: Args<'_>, len: usize) -> Result<Range<u64>, ReplyError> {
    let integer = |i: usize| parse_i64(args.at(i)).ok_or(ReplyError::NotInteger);
    match args.len() {
        3 => Ok(bit_range(0, -1, len, false)),
        4..=6 => {
            let start = integer(3)?;
            let counts_bits = args.len() == 6 && counts_bits(args, 5)?;
            let end = if args.len() > 4 { integer(4)? } else { -1 };
            Ok(bit_range(start, end, len, counts_bits))
        }
        _ => Err(ReplyError::Syntax),
    }
}

/// The first such bit in a range, which lies inside the text.
fn first(text: StrRef<'_>, range: Range<u64>, bit: bool) -> Option<u64> {
    let mut at = range.start;
    if !at.is_multiple_of(8) {
        // The bits before the range count as bits of the other kind.
        let before = !(0xff_u8 >> (at % 8));
        let byte = text.byte_at((at / 8) as usize);
        let byte = if bit { byte & !before } else { byte | before };
        at -= at % 8;
        if let Some(found) = bits::first(&[byte], bit) {
            return Some(at + found).filter(|at| range.contains(at));
        }
        at += 8;
    }
    let (from, to) = ((at / 8) as usize, range.end.div_ceil(8) as usize);
    let found = text.visit(from, to, |piece| match bits::first(piece, bit) {
        Some(found) => ControlFlow::Break(at + found),
        None => {
            at += piece.len() as u64 * 8;
            ControlFlow::Continue(())
        }
    });
    found.filter(|at| range.contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Console, check};

    #[test]
    fn finds() {
        check(
            r#"SET k "\xff\xf0\x00"; BITPOS k 0; BITPOS k 1; BITPOS k 1 2; BITPOS k 0 0 0; BITPOS k 0 1 -1 BIT; BITPOS k 1 -1; BITPOS k 0 -1"#,
            "OK; 12; 0; -1; -1; 12; -1; 16",
        );
        check(
            r#"SET k "\xff\xff"; BITPOS k 0; BITPOS k 0 1; BITPOS k 0 0 -1; BITPOS k 0 5; BITPOS k 1 9 9 BIT; SET k ""; BITPOS k 0; BITPOS k 1"#,
            "OK; 16; 16; -1; -1; 9; OK; -1; -1",
        );
        check(
            "BITPOS none 0; BITPOS none 1; BITPOS none 1 x; SET k 5; BITPOS k 1; BITPOS k 0 2 3 BIT; BITPOS k 1 -100 -200",
            "0; -1; -1; OK; 2; -1; 2",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let integer = "(error) ERR value is not an integer or out of range";
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "BITPOS k x; BITPOS k 2; SET k v; BITPOS k 1 a; BITPOS k 1 1 b; BITPOS k 1 1 b x; BITPOS k 1 1 1 bit x; LPUSH l a; \
             BITPOS l 1 x",
            &format!(
                "{integer}; (error) ERR The bit argument must be 1 or 0.; OK; {integer}; {integer}; (error) ERR syntax error; \
                 (error) ERR syntax error; 1; {wrong}"
            ),
        );
    }

    #[test]
    fn every_range_is_searched_as_bit_by_bit() {
        for bytes in [[0u8, 0, 4, 0, 0x81], [0xff, 0xff, 0xef, 0xff, 0xff]] {
            let is_set = |i: u64| bytes[(i / 8) as usize] >> (7 - i % 8) & 1 == 1;
            for start in 0..40 {
                for end in start..=40 {
                    for bit in [false, true] {
                        let expected = (start..end).find(|i| is_set(*i) == bit);
                        let found = first(StrRef::Bytes(&bytes), start..end, bit);
                        assert_eq!(found, expected, "{start}..{end} {bit}");
                    }
                }
            }
        }
    }

    #[test]
    fn searches_chunk_by_chunk_on_the_auxiliary_thread() {
        let mut console = Console::default();
        let mut value = vec![0; 6_000_000];
        value[5_555_555] = 1;
        console.call(1, &[b"SET", b"k", &value]);
        assert_eq!(
            console.run("BITPOS k 1; BITPOS k 0 5555555; BITPOS k 1 44444447; BITPOS k 1 44444447 -1 BIT; BITPOS k 1 44444448 -1 BIT"),
            "44444447; 44444440; -1; 44444447; -1"
        );
    }
}
