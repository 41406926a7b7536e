//! Doubles in arguments: what C's `strtod` takes for a number, rounded once.
//!
//! Decimal or hexadecimal, `inf` or `infinity`, with a sign; not `nan`, which no command takes.

/// Parses a score or a weight: all of the text, no blank before it, neither too large for a double nor too small to be told from zero.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let number = Parsed::of(text)?;
    (!number.out_of_range).then_some(number.value)
}

/// Parses a bound of a range of scores, which may be preceded by blanks, stops at a zero byte, and is zero when it is empty; what is too
/// large is infinite, what is too small zero.
pub fn parse_bound(text: &[u8]) -> Option<f64> {
    let end = text.iter().position(|&byte| byte == 0);
    let text = &text[..end.unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    Parsed::of(&text[blanks..]).map(|number| number.value)
}

struct Parsed {
    value: f64,
    /// Too large, or not zero and yet rounded to zero.
    out_of_range: bool,
}

impl Parsed {
    fn of(text: &[u8]) -> Option<Parsed> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (magnitude, out_of_range) = match unsigned {
            [b'0', b'x' | b'X', rest @ ..] => {
                let (value, is_zero) = hexadecimal(rest)?;
                (value, value.is_infinite() || (value == 0.0 && !is_zero))
            }
            [b'0'..=b'9' | b'.', ..] => {
                let value: f64 = fast_float2::parse(unsigned).ok()?;
                let mantissa = unsigned.iter().take_while(|&&byte| byte | 0x20 != b'e');
                let is_zero = !mantissa.into_iter().any(|byte| matches!(byte, b'1'..=b'9'));
                (value, value.is_infinite() || (value == 0.0 && !is_zero))
            }
            _ if unsigned.eq_ignore_ascii_case(b"inf")
                || unsigned.eq_ignore_ascii_case(b"infinity") =>
            {
                (f64::INFINITY, false)
            }
            _ => return None,
        };
        Some(Parsed {
            value: if negative { -magnitude } else { magnitude },
            out_of_range,
        })
    }
}

/// Hexadecimal digits with a point and an exponent of two: the value, and whether all digits are zero.
fn hexadecimal(text: &[u8]) -> Option<(f64, bool)> {
    /// Bits of the digits that are kept: more than a double has, and room for one more digit.
    const KEPT_BITS: u32 = 60;
    /// No exponent beyond this makes a difference.
    const EXPONENT_MAX: i64 = 1 << 40;
    let split = text.iter().position(|byte| byte | 0x20 == b'p');
    let (digits, exponent) = match split {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (mut mantissa, mut scale, mut lost) = (0u64, 0i64, false);
    let (mut count, mut behind_point) = (0, false);
    for &byte in digits {
        if byte == b'.' && !behind_point {
            behind_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        count += 1;
        if mantissa >> KEPT_BITS == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            scale -= if behind_point { 4 } else { 0 };
        } else {
            lost |= digit != 0;
            scale += if behind_point { 0 } else { 4 };
        }
    }
    if count == 0 {
        return None;
    }
    if let Some(exponent) = exponent {
        let (negative, digits) = match exponent {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, exponent),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits.iter().fold(0i64, |value, digit| {
            (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX)
        });
        scale += if negative { -value } else { value };
    }
    Some((scaled(mantissa, scale, lost), mantissa == 0))
}

/// `mantissa * 2^scale`, to nearest, ties to even; `lost` tells that the true value lies a little above.
fn scaled(mantissa: u64, scale: i64, lost: bool) -> f64 {
    const MANTISSA_BITS: i64 = f64::MANTISSA_DIGITS as i64;
    /// Exponent of the lowest bit of the smallest double.
    const LOWEST_BIT: i64 = f64::MIN_EXP as i64 - MANTISSA_BITS;
    let bits = i64::from(u64::BITS - mantissa.leading_zeros());
    if mantissa == 0 || bits + scale < LOWEST_BIT {
        return 0.0;
    }
    if bits + scale > i64::from(f64::MAX_EXP) {
        return f64::INFINITY;
    }
    // The lowest bit of the result.
    let lowest = (bits + scale - MANTISSA_BITS).max(LOWEST_BIT);
    let shift = lowest - scale;
    let rounded = if shift <= 0 {
        mantissa << -shift
    } else {
        let wide = u128::from(mantissa);
        let (kept, rest) = (wide >> shift, wide & ((1 << shift) - 1));
        let half = 1u128 << (shift - 1);
        let up = rest > half || (rest == half && (lost || kept & 1 == 1));
        kept as u64 + u64::from(up)
    };
    // Both factors are exact, and so is the product: its bits are those of `rounded`.
    let half = lowest / 2;
    rounded as f64 * 2f64.powi(half as i32) * 2f64.powi((lowest - half) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        let cases: &[(&str, Option<f64>)] = &[
            ("1", Some(1.0)),
            ("-1.5", Some(-1.5)),
            ("+2", Some(2.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e3", Some(1000.0)),
            ("1E-3", Some(0.001)),
            ("inf", Some(f64::INFINITY)),
            ("+Inf", Some(f64::INFINITY)),
            ("-INFINITY", Some(f64::NEG_INFINITY)),
            ("0x10", Some(16.0)),
            ("0x1.8p1", Some(3.0)),
            ("-0X.8", Some(-0.5)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p1023", Some(2f64.powi(1023))),
            ("0x20000000000001", Some(9_007_199_254_740_992.0)),
            ("0x20000000000003", Some(9_007_199_254_740_996.0)),
            (
                "0x20000000000001.00000000000000001",
                Some(9_007_199_254_740_994.0),
            ),
            ("0x1p-1075", None),
            ("0x1p1024", None),
            ("0x0p99999999999999999999", Some(0.0)),
            ("0e400", Some(0.0)),
            ("1e400", None),
            ("1e-400", None),
            ("0x", None),
            ("0xp1", None),
            ("0x1p", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("nan", None),
            ("-nan", None),
            ("--1", None),
            ("+-1", None),
            ("1e", None),
            (".", None),
            ("1,5", None),
            ("infin", None),
            ("1\0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_double(text.as_bytes()), *expected, "{text:?}");
        }
    }

    #[test]
    fn bounds() {
        let cases: &[(&str, Option<f64>)] = &[
            ("", Some(0.0)),
            ("\0x", Some(0.0)),
            (" 1", Some(1.0)),
            ("1\0x", Some(1.0)),
            (" ", None),
            ("1 ", None),
            ("1e400", Some(f64::INFINITY)),
            ("-1e400", Some(f64::NEG_INFINITY)),
            ("1e-400", Some(0.0)),
            ("nan", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_bound(text.as_bytes()), *expected, "{text:?}");
        }
    }
}
