//! Redis's listpacks.
//!
//! ```text
//! bytes in all, 4 | elements, 2 (65535: not told) | element | ... | 255
//! element   head and content | length of both for reading backwards, 7 bits a byte
//! head      0-127: that number             10nnnnnn: text of n bytes     110nnnnn +1: number of 13 bits
//!           1110nnnn +1: text of n bytes   240: text, length in 4 bytes   241-244: number of 2, 3, 4, 8 bytes
//! ```

use dunlin_structures::packed::Element;

use super::super::cursor::{Cursor, Fault, Take};
use super::elements::Elements;

const HEAD_BYTES: usize = 6;
const END: u8 = 255;
/// The number of elements when it is not told.
const UNTOLD: u16 = u16::MAX;

/// Appends all elements of a listpack, of which each byte has to be right.
pub(super) fn read(bytes: &[u8], into: &mut Elements) -> Take<()> {
    let mut cursor = Cursor::new(bytes);
    let total = cursor.u32("a listpack")?;
    let told = cursor.u16("a listpack")?;
    if total as usize != bytes.len() {
        return Err(Fault::bad(0, "a listpack of another length than it claims"));
    }
    let before = into.count;
    loop {
        let start = cursor.at();
        let head = cursor.byte("a listpack")?;
        if head == END {
            break;
        }
        into.push(element(head, &mut cursor)?);
        back_length(&mut cursor, start)?;
    }
    if cursor.left() > 0 {
        return Err(Fault::bad(
            cursor.at(),
            "bytes behind the end of a listpack",
        ));
    }
    if told != UNTOLD && usize::from(told) != into.count - before {
        return Err(Fault::bad(
            HEAD_BYTES - 2,
            "a listpack of another number of elements than it claims",
        ));
    }
    Ok(())
}

#[inline]
fn element<'a>(head: u8, cursor: &mut Cursor<'a>) -> Take<Element<'a>> {
    const WHAT: &str = "an element of a listpack";
    Ok(match head {
        0..=0x7f => Element::Int(head.into()),
        0x80..=0xbf => Element::of(cursor.take((head & 0x3f).into(), WHAT)?),
        0xc0..=0xdf => {
            let n = i64::from(head & 0x1f) << 8 | i64::from(cursor.byte(WHAT)?);
            // The 13th bit is the sign.
            Element::Int(if n >= 1 << 12 { n - (1 << 13) } else { n })
        }
        0xe0..=0xef => {
            let len = usize::from(head & 0x0f) << 8 | usize::from(cursor.byte(WHAT)?);
            Element::of(cursor.take(len, WHAT)?)
        }
        0xf0 => {
            let len = cursor.u32(WHAT)? as usize;
            Element::of(cursor.take(len, WHAT)?)
        }
        0xf1 => Element::Int(signed(cursor.take(2, WHAT)?)),
        0xf2 => Element::Int(signed(cursor.take(3, WHAT)?)),
        0xf3 => Element::Int(signed(cursor.take(4, WHAT)?)),
        0xf4 => Element::Int(signed(cursor.take(8, WHAT)?)),
        _ => {
            return Err(Fault::bad(
                cursor.at() - 1,
                format!("no element of a listpack: {head:#04x}"),
            ));
        }
    })
}

/// A little-endian number of up to eight bytes with its sign.
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(wide) >> (64 - 8 * bytes.len())
}

/// The length for reading backwards, of the element that began at `start`.
#[inline]
fn back_length(cursor: &mut Cursor<'_>, start: usize) -> Take<()> {
    let at = cursor.at();
    let len = at - start;
    // Written without the greatest values of two, three and four bytes.
    let size = match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    };
    let stored = cursor.take(size, "an element of a listpack")?;
    let is_right = stored.iter().enumerate().all(|(place, byte)| {
        let digits = (len >> (7 * (size - 1 - place)) & 0x7f) as u8;
        *byte == if place == 0 { digits } else { digits | 0x80 }
    });
    if is_right {
        Ok(())
    } else {
        Err(Fault::bad(
            at,
            "an element of a listpack of another length than it claims",
        ))
    }
}
