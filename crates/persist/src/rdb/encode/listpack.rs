//! Redis's packed form of collections: writing.
//!
//! ```text
//! all bytes, 4 | elements, 2 (65535: to be counted) | element | element | ... | 255
//! element   | head and content | their length, for reading backwards |
//! head      0xxxxxxx: an integer from 0 to 127    110xxxxx + 1: an integer of 13 bits    241 to 244: an integer of 2, 3, 4, 8 bytes follows
//!           10xxxxxx: a string of so many bytes   1110xxxx + 1: a string's length in 12 bits    240: a string's length follows in 4 bytes
//! back      7 bits a byte, high bits first; all bytes but the first have the highest bit set
//! ```
//!
//! Numbers are little-endian, but for those of 12 and 13 bits.

use dunlin_structures::packed::{Element, canonical_int};

const HEAD_BYTES: usize = 6;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;

const INT_13: u8 = 0b1100_0000;
const STRING_6: u8 = 0b1000_0000;
const STRING_12: u8 = 0b1110_0000;
const STRING_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

/// Bytes of a listpack without elements.
pub(super) const FRAME_BYTES: usize = HEAD_BYTES + 1;

/// A listpack that is being written at the end of a buffer.
pub(super) struct Listpack<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    count: usize,
}

/// Bytes that a text takes at most as an element, be it an integer or not.
#[inline]
pub(super) fn element_bytes_max(text: usize) -> usize {
    match text {
        0..64 => text + 2,
        64..4096 => text + 4,
        _ => text + 10,
    }
}

impl<'a> Listpack<'a> {
    pub(super) fn begin(bytes: &'a mut Vec<u8>) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; HEAD_BYTES]);
        Listpack {
            bytes,
            start,
            count: 0,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, element: Element<'_>) {
        match element {
            Element::Int(n) => self.push_int(n),
            Element::Bytes(text) => self.push_bytes(text),
        }
    }

    /// A text: as an integer if it is one.
    #[inline]
    pub(super) fn push_text(&mut self, text: &[u8]) {
        match canonical_int(text) {
            Some(n) => self.push_int(n),
            None => self.push_bytes(text),
        }
    }

    #[inline]
    pub(super) fn push_int(&mut self, n: i64) {
        let le = n.to_le_bytes();
        let out = &mut *self.bytes;
        self.count += 1;
        // Head and content, and their length.
        match n {
            0..=127 => out.extend_from_slice(&[n as u8, 1]),
            -4096..=4095 => {
                let bits = (n & 0x1fff) as u16;
                out.extend_from_slice(&[INT_13 | (bits >> 8) as u8, bits as u8, 2]);
            }
            -0x8000..=0x7fff => out.extend_from_slice(&[INT_16, le[0], le[1], 3]),
            -0x80_0000..=0x7f_ffff => out.extend_from_slice(&[INT_24, le[0], le[1], le[2], 4]),
            -0x8000_0000..=0x7fff_ffff => {
                out.extend_from_slice(&[INT_32, le[0], le[1], le[2], le[3], 5]);
            }
            _ => {
                out.push(INT_64);
                out.extend_from_slice(&le);
                out.push(9);
            }
        }
    }

    /// A string that is no integer, or that may stand as a string though it is one.
    #[inline]
    pub(super) fn push_bytes(&mut self, text: &[u8]) {
        let out = &mut *self.bytes;
        self.count += 1;
        let head = match text.len() {
            len @ 0..64 => {
                out.push(STRING_6 | len as u8);
                1
            }
            len @ 64..4096 => {
                out.extend_from_slice(&[STRING_12 | (len >> 8) as u8, len as u8]);
                2
            }
            len => {
                out.push(STRING_32);
                let len = u32::try_from(len).expect("longer ones stand alone");
                out.extend_from_slice(&len.to_le_bytes());
                5
            }
        };
        out.extend_from_slice(text);
        put_back_length(out, head + text.len());
    }

    /// Elements so far.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Writes head and end.
    pub(super) fn finish(self) {
        self.bytes.push(END);
        let len = u32::try_from(self.bytes.len() - self.start).expect("a listpack is below 4 GiB");
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        let head = &mut self.bytes[self.start..self.start + HEAD_BYTES];
        head[..4].copy_from_slice(&len.to_le_bytes());
        head[4..].copy_from_slice(&count.to_le_bytes());
    }
}

/// Seven bits a byte. The limits are one below what the bits would hold: readers reckon the length's own length by these.
#[inline]
fn put_back_length(out: &mut Vec<u8>, len: usize) {
    let bytes = match len {
        0..=127 => return out.push(len as u8),
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    out.push((len >> (7 * (bytes - 1))) as u8);
    for byte in (0..bytes - 1).rev() {
        out.push((len >> (7 * byte)) as u8 & 0x7f | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listpack(write: impl FnOnce(&mut Listpack<'_>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut listpack = Listpack::begin(&mut bytes);
        write(&mut listpack);
        listpack.finish();
        bytes
    }

    /// Made by hand from the description of the format.
    #[test]
    fn elements_of_every_form() {
        let bytes = listpack(|list| {
            for n in [0, 127, 128, -1, -4096, 4096, -32_769, 8_388_608, i64::MIN] {
                list.push_text(n.to_string().as_bytes());
            }
            list.push_text(b"");
            list.push_text(b"hello");
            list.push_text(&[b'x'; 64]);
        });
        let mut expected = vec![0, 0, 0, 0, 12, 0];
        expected.extend([0, 1, 127, 1]);
        expected.extend([0xc0, 128, 2, 0xdf, 0xff, 2, 0xd0, 0, 2]);
        expected.extend([0xf1, 0x00, 0x10, 3, 0xf2, 0xff, 0x7f, 0xff, 4]);
        expected.extend([0xf3, 0, 0, 0x80, 0, 5]);
        expected.extend([0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]);
        expected.extend([0x80, 1, 0x85, b'h', b'e', b'l', b'l', b'o', 6]);
        expected.extend([0xe0, 64]);
        expected.extend([b'x'; 64]);
        expected.extend([66, 0xff]);
        expected[0] = expected.len() as u8;
        assert_eq!(bytes, expected);
    }

    #[test]
    fn lengths_backwards() {
        for (len, expected) in [
            (127, &[127][..]),
            (128, &[1, 0x80]),
            (16_382, &[127, 0xfe]),
            (16_383, &[0, 0xff, 0xff]),
            (2_097_151, &[0, 0xff, 0xff, 0xff]),
            (268_435_455, &[0, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let mut bytes = Vec::new();
            put_back_length(&mut bytes, len);
            assert_eq!(bytes, expected, "{len}");
        }
    }

    #[test]
    fn no_element_takes_more_than_is_reckoned_with() {
        for len in [
            0, 1, 5, 20, 63, 64, 100, 127, 4095, 4096, 16_000, 20_000, 3_000_000,
        ] {
            let bytes = listpack(|list| list.push_text(&vec![b'y'; len]));
            assert!(bytes.len() - FRAME_BYTES <= element_bytes_max(len), "{len}");
        }
        for power in 0..63 {
            for n in [1i64 << power, -(1 << power), (1 << power) - 1] {
                let text = n.to_string();
                let bytes = listpack(|list| list.push_text(text.as_bytes()));
                let max = element_bytes_max(text.len());
                assert!(bytes.len() - FRAME_BYTES <= max, "{n}");
            }
        }
    }

    #[test]
    fn many_elements_are_to_be_counted() {
        let bytes = listpack(|list| (0..65_535).for_each(|_| list.push_int(1)));
        assert_eq!(bytes[4..6], [0xff, 0xff]);
        let bytes = listpack(|list| (0..65_534).for_each(|_| list.push_int(1)));
        assert_eq!(bytes[4..6], [0xfe, 0xff]);
    }
}
