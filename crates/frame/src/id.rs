//! The ID of a request: eight ASCII digits.
//!
//! Invariant: an [`Id`] holds digits only, so whatever it is written into is well-formed.

use std::fmt;

/// Bytes of an ID on the wire.
pub const ID_BYTES: usize = 8;

/// The last ID; [`Id::next`] of it is 0.
pub const ID_MAX: u32 = 99_999_999;

/// The ID of a request, and of the ack that answers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; ID_BYTES]);

impl Id {
    /// The first ID.
    pub const ZERO: Id = Id([b'0'; ID_BYTES]);

    /// The ID of a number; `None` above [`ID_MAX`].
    #[must_use]
    pub fn new(number: u32) -> Option<Id> {
        if number > ID_MAX {
            return None;
        }
        let mut digits = [b'0'; ID_BYTES];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Some(Id(digits))
    }

    /// The ID that these bytes are; `None` unless they are eight ASCII digits.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Id> {
        let digits: [u8; ID_BYTES] = bytes.try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Id(digits))
    }

    /// As on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// As a number.
    #[must_use]
    pub fn number(self) -> u32 {
        let add = |sum: u32, digit: &u8| sum * 10 + u32::from(digit - b'0');
        self.0.iter().fold(0, add)
    }

    /// The ID after this one: one more, and 0 after [`ID_MAX`].
    #[must_use]
    pub fn next(self) -> Id {
        Id::new(self.number() + 1).unwrap_or(Id::ZERO)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_and_back() {
        for (number, digits) in [(0, "00000000"), (42, "00000042"), (ID_MAX, "99999999")] {
            let id = Id::new(number).unwrap();
            assert_eq!(id.to_string(), digits);
            assert_eq!(id.number(), number);
            assert_eq!(Id::from_bytes(digits.as_bytes()), Some(id));
        }
        assert_eq!(Id::new(ID_MAX + 1), None);
    }

    #[test]
    fn steps_by_one_and_wraps() {
        assert_eq!(Id::ZERO.next(), Id::new(1).unwrap());
        assert_eq!(Id::new(9).unwrap().next(), Id::new(10).unwrap());
        assert_eq!(Id::new(ID_MAX).unwrap().next(), Id::ZERO);
    }

    #[test]
    fn anything_else_is_no_id() {
        for bytes in [
            &b""[..],
            b"1234567",
            b"123456789",
            b"1234567 ",
            b"-1234567",
            b"\xd9\xa1000000",
            b"0000000\0",
            b"0000000:",
            b"/0000000",
        ] {
            assert_eq!(Id::from_bytes(bytes), None, "{bytes:?}");
        }
    }
}
