//! Ziplists, in which Redis kept small values up to 6.2, and the zipmaps of hashes before 2.6.
//!
//! ```text
//! ziplist   bytes in all, 4 | where the last entry begins, 4 | entries, 2 (65535: not told) | entry | ... | 255
//! entry     length of the entry before: 1 byte, or 254 and 4 | head | content
//! head      00nnnnnn: text of n bytes   01nnnnnn +1: text   128 +4: text, big-endian length
//!           192, 208, 224: number of 2, 4, 8 bytes   240: of 3   254: of 1   241-253: 0 to 12
//! zipmap    fields (254: not told) | length, field, length, unused bytes (1), value, unused bytes | ... | 255
//! length    1 byte up to 253, or 254 and 4
//! ```

use dunlin_structures::packed::Element;

use super::super::cursor::{Cursor, Fault, Take};
use super::elements::Elements;
use super::listpack::signed;

const HEAD_BYTES: usize = 10;
const END: u8 = 255;
/// Four bytes of a length follow.
const LONG: u8 = 254;
/// The number of entries when it is not told.
const UNTOLD: u16 = u16::MAX;

/// Appends all elements of a ziplist, of which each byte has to be right.
pub(super) fn read(bytes: &[u8], into: &mut Elements) -> Take<()> {
    let mut cursor = Cursor::new(bytes);
    let total = cursor.u32("a ziplist")?;
    let tail = cursor.u32("a ziplist")?;
    let told = cursor.u16("a ziplist")?;
    if total as usize != bytes.len() {
        return Err(Fault::bad(0, "a ziplist of another length than it claims"));
    }
    let before = into.count;
    let (mut last, mut last_len) = (HEAD_BYTES, 0);
    loop {
        let start = cursor.at();
        let first = cursor.byte("a ziplist")?;
        if first == END {
            break;
        }
        let len_before = match first {
            LONG => cursor.u32("a ziplist")? as usize,
            len => len.into(),
        };
        if len_before != last_len {
            return Err(Fault::bad(
                start,
                "an entry of a ziplist that misjudges the one before",
            ));
        }
        into.push(element(&mut cursor)?);
        (last, last_len) = (start, cursor.at() - start);
    }
    if cursor.left() > 0 {
        return Err(Fault::bad(cursor.at(), "bytes behind the end of a ziplist"));
    }
    if tail as usize != last {
        return Err(Fault::bad(4, "a ziplist whose last entry is elsewhere"));
    }
    if told != UNTOLD && usize::from(told) != into.count - before {
        return Err(Fault::bad(
            HEAD_BYTES - 2,
            "a ziplist of another number of entries than it claims",
        ));
    }
    Ok(())
}

fn element<'a>(cursor: &mut Cursor<'a>) -> Take<Element<'a>> {
    const WHAT: &str = "an entry of a ziplist";
    let head = cursor.byte(WHAT)?;
    let low = usize::from(head & 0x3f);
    Ok(match head {
        0..=0x3f => Element::of(cursor.take(low, WHAT)?),
        0x40..=0x7f => {
            let len = low << 8 | usize::from(cursor.byte(WHAT)?);
            Element::of(cursor.take(len, WHAT)?)
        }
        0x80 => {
            let len = cursor.u32(WHAT)?.swap_bytes() as usize;
            Element::of(cursor.take(len, WHAT)?)
        }
        0xc0 => Element::Int(signed(cursor.take(2, WHAT)?)),
        0xd0 => Element::Int(signed(cursor.take(4, WHAT)?)),
        0xe0 => Element::Int(signed(cursor.take(8, WHAT)?)),
        0xf0 => Element::Int(signed(cursor.take(3, WHAT)?)),
        0xfe => Element::Int(signed(cursor.take(1, WHAT)?)),
        0xf1..=0xfd => Element::Int(i64::from(head & 0x0f) - 1),
        _ => {
            return Err(Fault::bad(
                cursor.at() - 1,
                format!("no entry of a ziplist: {head:#04x}"),
            ));
        }
    })
}

/// Appends the fields and values of a zipmap in turns.
pub(super) fn read_zipmap(bytes: &[u8], into: &mut Elements) -> Take<()> {
    const WHAT: &str = "a zipmap";
    let mut cursor = Cursor::new(bytes);
    let told = cursor.byte(WHAT)?;
    let before = into.count;
    loop {
        let first = cursor.byte(WHAT)?;
        if first == END {
            break;
        }
        let len = zipmap_length(first, &mut cursor)?;
        into.push_text(cursor.take(len, WHAT)?);
        let first = cursor.byte(WHAT)?;
        if first == END {
            return Err(Fault::bad(
                cursor.at() - 1,
                "a zipmap's field without value",
            ));
        }
        let len = zipmap_length(first, &mut cursor)?;
        let unused = cursor.byte(WHAT)?;
        into.push_text(cursor.take(len, WHAT)?);
        cursor.take(unused.into(), WHAT)?;
    }
    if cursor.left() > 0 {
        return Err(Fault::bad(cursor.at(), "bytes behind the end of a zipmap"));
    }
    if into.count == before {
        return Err(Fault::bad(0, "a zipmap of nothing"));
    }
    if told != LONG && usize::from(told) != (into.count - before) / 2 {
        return Err(Fault::bad(
            0,
            "a zipmap of another number of fields than it claims",
        ));
    }
    Ok(())
}

fn zipmap_length(first: u8, cursor: &mut Cursor<'_>) -> Take<usize> {
    match first {
        LONG => {
            let at = cursor.at();
            match cursor.u32("a zipmap")? {
                short if short < u32::from(LONG) => Err(Fault::bad(
                    at,
                    "a zipmap whose short text has the length of a long one",
                )),
                len => Ok(len as usize),
            }
        }
        len => Ok(len.into()),
    }
}
