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
