//! Numbers as Redis reads them in its configuration: strict integers, bytes with units, octal permissions.
//!
//! Invariant: a number is either read whole or refused; nothing wraps round or is cut.

/// Reads a decimal integer: an optional `-`, no `+`, no blanks, no leading zeros.
pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let plain = match digits {
        [] => return None,
        [b'0'] => bytes.len() == 1,
        [b'0', ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    if !plain {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Reads an integer as C's `strtoll` does when it must use the whole word: leading zeros and `+` are fine.
pub(super) fn lax_integer(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Reads a number of bytes with an optional unit (b, k, kb, m, mb, g, gb, in any case). No digits mean zero, as in Redis.
pub(super) fn memory(bytes: &[u8]) -> Option<u64> {
    let end = bytes
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(bytes.len());
    let (digits, unit) = bytes.split_at(end);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number: u64 = if digits.is_empty() {
        0
    } else {
        std::str::from_utf8(digits).ok()?.parse().ok()?
    };
    number.checked_mul(factor)
}

/// Reads `5%` as 5.
pub(super) fn percent(bytes: &[u8]) -> Option<i64> {
    let value = integer(bytes.strip_suffix(b"%")?)?;
    (value >= 0).then_some(value)
}

/// Reads an octal number. The empty word is zero, as in Redis.
pub(super) fn octal(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() {
        return Some(0);
    }
    i64::from_str_radix(std::str::from_utf8(bytes).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_strict() {
        for (word, value) in [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX)] {
            assert_eq!(integer(word.as_bytes()), Some(value), "{word}");
        }
        for word in [
            "",
            "-",
            "-0",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "9223372036854775808",
            "x",
        ] {
            assert_eq!(integer(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn units_are_those_of_redis() {
        for (word, value) in [
            ("1", 1),
            ("1b", 1),
            ("1k", 1000),
            ("1kb", 1024),
            ("1K", 1000),
            ("1Kb", 1024),
            ("5m", 5_000_000),
            ("5mb", 5 * 1024 * 1024),
            ("2g", 2_000_000_000),
            ("2GB", 2 * 1024 * 1024 * 1024),
            ("", 0),
            ("007", 7),
        ] {
            assert_eq!(memory(word.as_bytes()), Some(value), "{word}");
        }
        for word in [
            "-1",
            "1t",
            "1 kb",
            "1kbb",
            "18446744073709551616",
            "18446744073709551615k",
            "x",
        ] {
            assert_eq!(memory(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn percentages_and_octal() {
        assert_eq!(percent(b"5%"), Some(5));
        assert_eq!(percent(b"%"), None);
        assert_eq!(percent(b"-5%"), None);
        assert_eq!(octal(b"700"), Some(0o700));
        assert_eq!(octal(b"0770"), Some(0o770));
        assert_eq!(octal(b"8"), None);
    }
}
