//! Reading front to back over bytes that are in memory: numbers, lengths, texts.
//!
//! **Invariant.** Nothing is taken that is not there, and nothing is allocated: a length that was read is compared with what is left before
//! anything is done with it. Positions count from the first byte of the slice; who knows where that stands in the file adds it.

use std::borrow::Cow;

use super::types::length;
use crate::Error;

/// Longest text that is read: two of them, a field and its value, stay below 4 GiB. Longer ones are possible in the format only.
pub(super) const TEXT_BYTES_MAX: u64 = (1 << 31) - 1024;

/// Why bytes can't be read on, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end; at least so many are needed, from the first one on.
    Short {
        /// How many.
        needs: usize,
        /// In the middle of what they end.
        what: &'static str,
    },
    /// They are not what they should be.
    Bad {
        /// Where.
        at: usize,
        /// What is wrong.
        what: Cow<'static, str>,
    },
    /// They are fine, but nobody here knows what they mean.
    Unknown {
        /// Where.
        at: usize,
        /// What it is.
        what: String,
    },
}

/// What reading gives.
pub(super) type Take<T> = Result<T, Fault>;

impl Fault {
    #[cold]
    pub(super) fn bad(at: usize, what: impl Into<Cow<'static, str>>) -> Fault {
        Fault::Bad {
            at,
            what: what.into(),
        }
    }

    /// The error about bytes of which the first stands at `base`, and of which there are `len` and no more.
    #[cold]
    pub(super) fn into_error(self, base: u64, len: usize) -> Error {
        match self {
            Fault::Short { what, .. } => Error::Truncated {
                offset: base + len as u64,
                what,
            },
            Fault::Bad { at, what } => Error::Corrupt {
                offset: base + at as u64,
                what: what.into_owned(),
            },
            Fault::Unknown { at, what } => Error::Unsupported {
                offset: base + at as u64,
                what,
            },
        }
    }
}

/// A text as it stands in the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// As it is.
    Plain(&'a [u8]),
    /// The decimal form of a number.
    Int(i64),
    /// Compressed.
    Lzf {
        /// The compressed form.
        packed: &'a [u8],
        /// Bytes of the text.
        len: usize,
        /// Where the compressed form begins.
        at: usize,
    },
}

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// Bytes taken so far.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next bytes; `what` they belong to.
    #[inline]
    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Take<&'a [u8]> {
        if len > self.left() {
            return Err(Fault::Short {
                needs: self.at.saturating_add(len),
                what,
            });
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Take<[u8; N]> {
        let taken = self.take(N, what)?;
        Ok(taken.try_into().expect("N bytes were taken"))
    }

    #[inline]
    pub(super) fn byte(&mut self, what: &'static str) -> Take<u8> {
        let [byte] = self.array(what)?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Take<u16> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Take<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Take<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(super) fn u64_big_endian(&mut self, what: &'static str) -> Take<u64> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// So many pieces of `size` bytes each.
    pub(super) fn skip_pieces(&mut self, count: u64, size: usize, what: &'static str) -> Take<()> {
        let len = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size));
        self.take(len.unwrap_or(usize::MAX), what).map(|_| ())
    }

    /// A length of one byte, if one is next: most are.
    #[inline]
    fn short_length(&mut self) -> Option<u8> {
        let first = *self.bytes.get(self.at)?;
        if first >> 6 != length::BITS_6 {
            return None;
        }
        self.at += 1;
        Some(first)
    }

    /// A length, or the special form of a text.
    fn length_or_form(&mut self, what: &'static str) -> Take<Result<u64, u8>> {
        let first = self.byte(what)?;
        let low = first & 0x3f;
        Ok(match first >> 6 {
            length::BITS_6 => Ok(low.into()),
            length::BITS_14 => Ok(u64::from(low) << 8 | u64::from(self.byte(what)?)),
            length::SPECIAL => Err(low),
            _ => match first {
                length::BITS_32 => Ok(u32::from_be_bytes(self.array(what)?).into()),
                length::BITS_64 => Ok(u64::from_be_bytes(self.array(what)?)),
                _ => return Err(Fault::bad(self.at - 1, format!("no length: {first:#04x}"))),
            },
        })
    }

    /// A length.
    #[inline]
    pub(super) fn length(&mut self, what: &'static str) -> Take<u64> {
        if let Some(length) = self.short_length() {
            return Ok(length.into());
        }
        let at = self.at;
        let length = self.length_or_form(what)?;
        length.map_err(|_| Fault::bad(at, "a text where a length should be"))
    }

    fn text_len(&mut self, at: usize, len: u64) -> Take<usize> {
        if len > TEXT_BYTES_MAX {
            return Err(Fault::bad(at, format!("a text of {len} bytes")));
        }
        Ok(len as usize)
    }

    /// A text.
    #[inline]
    pub(super) fn text(&mut self, what: &'static str) -> Take<Text<'a>> {
        if let Some(len) = self.short_length() {
            return Ok(Text::Plain(self.take(len.into(), what)?));
        }
        let at = self.at;
        Ok(match self.length_or_form(what)? {
            Ok(len) => {
                let len = self.text_len(at, len)?;
                Text::Plain(self.take(len, what)?)
            }
            Err(length::INT_8) => Text::Int(i8::from_le_bytes(self.array(what)?).into()),
            Err(length::INT_16) => Text::Int(i16::from_le_bytes(self.array(what)?).into()),
            Err(length::INT_32) => Text::Int(i32::from_le_bytes(self.array(what)?).into()),
            Err(length::LZF) => {
                let packed_len = self.length(what)?;
                let packed_len = self.text_len(at, packed_len)?;
                let len = self.length(what)?;
                let len = self.text_len(at, len)?;
                let at = self.at;
                let packed = self.take(packed_len, what)?;
                Text::Lzf { packed, len, at }
            }
            Err(form) => return Err(Fault::bad(at, format!("a text in the unknown form {form}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_four_forms() {
        let length = |bytes: &[u8]| Cursor::new(bytes).length("a length");
        assert_eq!(length(&[0x3f]), Ok(63));
        assert_eq!(length(&[0x41, 0x02]), Ok(0x102));
        assert_eq!(length(&[0x80, 1, 2, 3, 4]), Ok(0x0102_0304));
        assert_eq!(length(&[0x81, 0, 0, 0, 1, 2, 3, 4, 5]), Ok(0x1_0203_0405));
        assert_eq!(
            length(&[0x82, 0]),
            Err(Fault::bad(0, "no length: 0x82".to_owned()))
        );
        assert_eq!(
            length(&[0xc0, 0]),
            Err(Fault::bad(0, "a text where a length should be"))
        );
        assert_eq!(
            length(&[0x80, 1]),
            Err(Fault::Short {
                needs: 5,
                what: "a length"
            })
        );
    }

    #[test]
    fn a_claim_takes_nothing() {
        let mut cursor = Cursor::new(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(
            cursor.text("a text"),
            Err(Fault::Bad { at: 0, .. })
        ));
        let mut cursor = Cursor::new(&[0x80, 0x7f, 0, 0, 0, 1]);
        let needs = 5 + 0x7f00_0000;
        assert!(matches!(cursor.text("a text"), Err(Fault::Short { needs: n, .. }) if n == needs));
        let mut cursor = Cursor::new(&[1]);
        let pieces = cursor.skip_pieces(u64::MAX, 16, "ids");
        assert!(matches!(
            pieces,
            Err(Fault::Short {
                needs: usize::MAX,
                ..
            })
        ));
    }
}
