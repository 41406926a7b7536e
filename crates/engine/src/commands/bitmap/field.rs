//! Integers of 1 to 64 bits inside a bitmap: their types, and what becomes of values that do not fit.

use crate::ReplyError;
use crate::number::parse_i64;

/// Type of a field: signed up to 64 bits, unsigned up to 63, since replies are signed integers of 64.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FieldType {
    pub(super) bits: u32,
    pub(super) signed: bool,
}

/// What is done about a value that does not fit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Overflow {
    /// Only the low bits are kept.
    #[default]
    Wrap,
    /// The nearest value that fits is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl FieldType {
    /// Parses `i8`, `u63` and their like.
    pub(super) fn parse(text: &[u8]) -> Result<FieldType, ReplyError> {
        let parsed = match text {
            [b'i', bits @ ..] => parse_i64(bits).map(|bits| (bits, true)),
            [b'u', bits @ ..] => parse_i64(bits).map(|bits| (bits, false)),
            _ => None,
        };
        match parsed {
            Some((bits, signed)) if (1..=64 - i64::from(!signed)).contains(&bits) => {
                Ok(FieldType {
                    bits: bits as u32,
                    signed,
                })
            }
            _ => Err(ReplyError::err(
                "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            )),
        }
    }

    /// The integer that these bits, the lowest ones of a word, stand for.
    pub(super) fn value(self, raw: u64) -> i64 {
        let unused = 64 - self.bits;
        let top = raw << unused;
        if self.signed {
            top as i64 >> unused
        } else {
            (top >> unused) as i64
        }
    }

    fn min(self) -> i128 {
        if self.signed {
            -(1 << (self.bits - 1))
        } else {
            0
        }
    }

    fn max(self) -> i128 {
        (1 << (self.bits - u32::from(self.signed))) - 1
    }

    /// What a field holds after it was set to `value`; `None`: it stays.
    pub(super) fn set(self, value: i64, overflow: Overflow) -> Option<i64> {
        // An unsigned field takes a negative number for the large one of the same bits.
        let value = if self.signed {
            i128::from(value)
        } else {
            i128::from(value as u64)
        };
        self.fit(value, overflow)
    }

    /// What a field that holds `old` holds after `increment` was added; `None`: it stays.
    pub(super) fn increment(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(old) + i128::from(increment), overflow)
    }

    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        if (self.min()..=self.max()).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.value(value as u64)),
            Overflow::Fail => None,
            Overflow::Saturate => {
                // So far below that the distance to the maximum takes more than 64 bits counts as above, as in Redis.
                let is_far = self.bits < 64 && self.max() - value > i128::from(i64::MAX);
                let is_above = value > self.max() || is_far;
                Some(if is_above { self.max() } else { self.min() } as i64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const I8: FieldType = FieldType {
        bits: 8,
        signed: true,
    };
    const U8: FieldType = FieldType {
        bits: 8,
        signed: false,
    };
    const I64: FieldType = FieldType {
        bits: 64,
        signed: true,
    };
    const U63: FieldType = FieldType {
        bits: 63,
        signed: false,
    };

    #[test]
    fn types() {
        for (text, expected) in [
            ("i8", Some(I8)),
            ("u8", Some(U8)),
            ("i64", Some(I64)),
            ("u63", Some(U63)),
            ("u64", None),
            ("i65", None),
            ("i0", None),
            ("u-1", None),
            ("u08", None),
            ("I8", None),
            ("8", None),
            ("", None),
        ] {
            assert_eq!(FieldType::parse(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn values() {
        assert_eq!(I8.value(0xff80), -128);
        assert_eq!(U8.value(0xff80), 128);
        assert_eq!(I64.value(u64::MAX), -1);
        assert_eq!(U63.value(u64::MAX), i64::MAX);
    }

    #[test]
    fn what_does_not_fit() {
        use Overflow::{Fail, Saturate, Wrap};
        assert_eq!(I8.increment(100, 100, Wrap), Some(-56));
        assert_eq!(I8.increment(100, 100, Saturate), Some(127));
        assert_eq!(I8.increment(-100, -100, Saturate), Some(-128));
        assert_eq!(I8.increment(100, 100, Fail), None);
        assert_eq!(I8.increment(100, 27, Fail), Some(127));
        assert_eq!(U8.increment(1, -2, Wrap), Some(255));
        assert_eq!(U8.increment(1, -2, Saturate), Some(0));
        assert_eq!(I64.increment(i64::MAX, 1, Wrap), Some(i64::MIN));
        assert_eq!(I64.increment(i64::MIN, -1, Saturate), Some(i64::MIN));
        assert_eq!(U63.increment(i64::MAX, i64::MAX, Wrap), Some(i64::MAX - 1));
        assert_eq!(U8.set(-1, Saturate), Some(255));
        assert_eq!(U8.set(-1, Wrap), Some(255));
        assert_eq!(U8.set(256, Fail), None);
        assert_eq!(I8.set(-129, Saturate), Some(-128));
        assert_eq!(I8.set(i64::MIN, Saturate), Some(127));
        assert_eq!(I64.set(i64::MIN, Saturate), Some(i64::MIN));
    }
}
