//! Commands on strings as bitmaps: the first bit is the highest of the first byte.

mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod field;
mod setbit;

use std::ops::Range;

use dunlin_store::{Entry, NewString};

use crate::command::{Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Args, Ctx, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &bitcount::BITCOUNT,
    &bitfield::BITFIELD,
    &bitfield::BITFIELD_RO,
    &bitop::BITOP,
    &bitpos::BITPOS,
    &setbit::GETBIT,
    &setbit::SETBIT,
];

/// What the constant of a reading command starts from.
const READ: Command = Command {
    flags: Flags::READONLY,
    categories: Categories::READ
        .and(Categories::BITMAP)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "bitmap",
    ..Command::BASE
};

/// What the constant of a writing command starts from.
const WRITE: Command = Command {
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::BITMAP)
        .and(Categories::SLOW),
    ..READ
};

/// A bit's offset in a string, which must lie inside the longest string that there may be. What the log says is carried out whatever
/// the limit is now.
fn bit_offset(cx: &Ctx<'_>, text: &[u8]) -> Result<u64, ReplyError> {
    in_longest_string(cx, parse_i64(text))
}

/// The offset of a field of so many bits: `#3` is that of the fourth such field.
fn field_offset(cx: &Ctx<'_>, text: &[u8], bits: u32) -> Result<u64, ReplyError> {
    let offset = match text {
        [b'#', index @ ..] => parse_i64(index).and_then(|index| index.checked_mul(bits.into())),
        _ => parse_i64(text),
    };
    in_longest_string(cx, offset)
}

fn in_longest_string(cx: &Ctx<'_>, offset: Option<i64>) -> Result<u64, ReplyError> {
    let max = cx.engine.string_bytes_max() as u64;
    offset
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| cx.session.replaying || offset / 8 < max)
        .ok_or_else(|| ReplyError::err("bit offset is not an integer or out of range"))
}

/// An empty string under `key`, for bits to be set in it.
fn empty(cx: &mut Ctx<'_>, key: &[u8]) -> Entry {
    Entry::string(key, NewString::Raw(b""), cx.keys.local().clock)
}

/// Whether the argument at `index` says that a range counts bits; else it counts bytes.
fn counts_bits(args: Args<'_>, index: usize) -> Result<bool, ReplyError> {
    match args.is(index, "bit") {
        false if !args.is(index, "byte") => Err(ReplyError::Syntax),
        counts_bits => Ok(counts_bits),
    }
}

/// The bits from `start` to `end`, both inside and negative from the end, of a string of `len` bytes. What lies outside is cut off.
fn bit_range(start: i64, end: i64, len: usize, counts_bits: bool) -> Range<u64> {
    let (total, width) = if counts_bits {
        (len as i64 * 8, 1)
    } else {
        (len as i64, 8)
    };
    let from_start = |index: i64| {
        if index < 0 {
            (total + index).max(0)
        } else {
            index
        }
    };
    let (start, end) = (from_start(start), from_start(end).min(total - 1));
    if start > end {
        return 0..0;
    }
    start as u64 * width..(end as u64 + 1) * width
}

#[cfg(test)]
mod tests {
    use super::bit_range;

    #[test]
    fn ranges() {
        for (start, end, counts_bits, expected) in [
            (0, -1, false, 0..24),
            (1, 1, false, 8..16),
            (-2, -1, false, 8..24),
            (-9, 99, false, 0..24),
            (2, 1, false, 0..0),
            (3, 9, false, 0..0),
            (-9, -7, false, 0..8),
            (i64::MIN, i64::MAX, false, 0..24),
            (i64::MAX, i64::MIN, true, 0..0),
            (3, -3, true, 3..22),
            (23, 24, true, 23..24),
            (24, 24, true, 0..0),
        ] {
            assert_eq!(
                bit_range(start, end, 3, counts_bits),
                expected,
                "{start} {end} {counts_bits}"
            );
        }
        assert_eq!(bit_range(0, -1, 0, false), 0..0);
        assert_eq!(bit_range(0, 0, 0, true), 0..0);
    }
}
