//! Ids of stream entries: a time and a number, 128 bits in order.

use dunlin_structures::tree::{Probe, SortKey};
use std::cmp::Ordering;

/// Id of an entry, written `ms-seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Milliseconds since 1970, unless the client pleased otherwise.
    pub ms: u64,
    /// Number among those of one millisecond.
    pub seq: u64,
}

/// Bytes of the longest id as text: two numbers of 20 digits and a hyphen.
const TEXT_BYTES_MAX: usize = 41;

/// An id as text.
#[derive(Clone, Copy, Debug)]
pub struct IdText {
    bytes: [u8; TEXT_BYTES_MAX],
    len: usize,
}

impl IdText {
    /// `ms-seq`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl Id {
    /// The smallest, which no entry has.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The greatest.
    pub const MAX: Id = Id {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The id of these numbers.
    pub const fn new(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    /// The next one; `None` behind the greatest.
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_add(1).map(|ms| Id { ms, seq: 0 }),
        }
    }

    /// The one before; `None` before the smallest.
    pub fn previous(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_sub(1).map(|ms| Id { ms, seq: u64::MAX }),
        }
    }

    /// As text, without an allocation.
    pub fn text(self) -> IdText {
        self.joined(b"-")
    }

    /// As text with a dot, which DEBUG DIGEST takes.
    pub fn dotted(self) -> IdText {
        self.joined(b".")
    }

    fn joined(self, by: &[u8]) -> IdText {
        let mut text = IdText {
            bytes: [0; TEXT_BYTES_MAX],
            len: 0,
        };
        text.push(itoa::Buffer::new().format(self.ms).as_bytes());
        text.push(by);
        text.push(itoa::Buffer::new().format(self.seq).as_bytes());
        text
    }
}

/// A tree of ids alone, in order.
impl SortKey for Id {
    const HAS_PAYLOAD: bool = false;
}

/// The place of an id among ids.
impl Probe<Id> for Id {
    #[inline]
    fn by_key(&self, key: Id) -> Ordering {
        key.cmp(self)
    }

    #[inline]
    fn by_payload(&self, _payload: &[u8]) -> Ordering {
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours() {
        assert_eq!(Id::new(5, 7).next(), Some(Id::new(5, 8)));
        assert_eq!(Id::new(5, u64::MAX).next(), Some(Id::new(6, 0)));
        assert_eq!(Id::MAX.next(), None);
        assert_eq!(Id::new(5, 7).previous(), Some(Id::new(5, 6)));
        assert_eq!(Id::new(5, 0).previous(), Some(Id::new(4, u64::MAX)));
        assert_eq!(Id::MIN.previous(), None);
    }

    #[test]
    fn texts() {
        assert_eq!(Id::new(12, 3).text().as_bytes(), b"12-3");
        assert_eq!(Id::new(12, 3).dotted().as_bytes(), b"12.3");
        assert_eq!(
            Id::MAX.text().as_bytes(),
            b"18446744073709551615-18446744073709551615"
        );
    }
}
