//! Expire times as arguments: units, relative or absolute, and their limits.

use crate::error::ReplyError;
use crate::number::parse_i64;
use dunlin_store::entry::DEADLINE_MS_MAX;

/// How an expire time is given.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Unit {
    /// In seconds; else milliseconds.
    pub seconds: bool,
    /// Since 1970; else from now on.
    pub absolute: bool,
}

impl Unit {
    /// `EX`, EXPIRE.
    pub const EX: Unit = Unit {
        seconds: true,
        absolute: false,
    };
    /// `PX`, PEXPIRE.
    pub const PX: Unit = Unit {
        seconds: false,
        absolute: false,
    };
    /// `EXAT`, EXPIREAT.
    pub const EXAT: Unit = Unit {
        seconds: true,
        absolute: true,
    };
    /// `PXAT`, PEXPIREAT.
    pub const PXAT: Unit = Unit {
        seconds: false,
        absolute: true,
    };

    /// The unit that an option word names.
    pub fn from_option(word: &[u8]) -> Option<Unit> {
        [
            ("ex", Unit::EX),
            ("px", Unit::PX),
            ("exat", Unit::EXAT),
            ("pxat", Unit::PXAT),
        ]
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, unit)| unit)
    }

    /// The moment that `n` of this unit names, in milliseconds since 1970: may be negative, past, or beyond what an entry
    /// holds. `None` when it overflows 64 bits.
    pub fn moment(self, n: i64, now_ms: u64) -> Option<i64> {
        let ms = if self.seconds {
            n.checked_mul(1000)?
        } else {
            n
        };
        if self.absolute {
            Some(ms)
        } else {
            ms.checked_add(i64::try_from(now_ms).ok()?)
        }
    }
}

/// The deadline for an option of SET or GETEX: must be positive.
pub fn positive_deadline(
    unit: Unit,
    text: &[u8],
    now_ms: u64,
    command: &'static str,
) -> Result<u64, ReplyError> {
    let n = parse_i64(text).ok_or(ReplyError::NotInteger)?;
    if n <= 0 {
        return Err(ReplyError::InvalidExpire(command));
    }
    let moment = unit
        .moment(n, now_ms)
        .ok_or(ReplyError::InvalidExpire(command))?;
    Ok(clamp(moment))
}

/// A moment as an entry can hold it: what lies beyond the year 10889 is held as that.
pub fn clamp(moment_ms: i64) -> u64 {
    u64::try_from(moment_ms).unwrap_or(0).min(DEADLINE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn moments() {
        assert_eq!(Unit::EX.moment(10, NOW), Some(1_700_000_010_000));
        assert_eq!(Unit::PX.moment(-10, NOW), Some(1_699_999_999_990));
        assert_eq!(Unit::EXAT.moment(10, NOW), Some(10_000));
        assert_eq!(Unit::PXAT.moment(i64::MIN, NOW), Some(i64::MIN));
        assert_eq!(Unit::EX.moment(i64::MAX / 1000 + 1, NOW), None);
        assert_eq!(Unit::PX.moment(i64::MAX, NOW), None);
        assert_eq!(Unit::EXAT.moment(i64::MIN / 1000 - 1, NOW), None);
    }

    #[test]
    fn units_of_option_words() {
        assert_eq!(Unit::from_option(b"Px"), Some(Unit::PX));
        assert_eq!(Unit::from_option(b"exat"), Some(Unit::EXAT));
        assert_eq!(Unit::from_option(b"keepttl"), None);
    }

    #[test]
    fn deadlines_of_options_are_positive() {
        let deadline = |unit, text: &str| positive_deadline(unit, text.as_bytes(), NOW, "set");
        assert_eq!(deadline(Unit::EX, "10"), Ok(NOW + 10_000));
        // A time that has passed is a deadline like any other.
        assert_eq!(deadline(Unit::PXAT, "1"), Ok(1));
        assert_eq!(deadline(Unit::EX, "x"), Err(ReplyError::NotInteger));
        for text in ["0", "-1", "9223372036854775", "9223372036854775807"] {
            assert_eq!(
                deadline(Unit::EX, text),
                Err(ReplyError::InvalidExpire("set")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_an_entry_cannot_hold_is_held_as_the_latest_or_earliest() {
        assert_eq!(clamp(i64::MAX), DEADLINE_MS_MAX);
        assert_eq!(clamp(5), 5);
        assert_eq!(clamp(-5), 0);
    }
}
