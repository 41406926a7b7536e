//! Doubles as C's `%.17g` prints them: how ZSCAN shows scores of the big form.

use std::io::Write as _;

/// Appends 17 digits at most, without trailing zeros, with an exponent where that is below -4 or above 16.
pub fn push_general(out: &mut Vec<u8>, value: f64) {
    push_general_digits(out, value, 17);
}

/// The same with `digits` digits: `%.14g` is how Lua prints numbers.
pub fn push_general_digits(out: &mut Vec<u8>, value: f64, digits: u8) {
    let wanted = i32::from(digits.max(1));
    if value.is_nan() {
        return out.extend_from_slice(if value.is_sign_negative() {
            b"-nan"
        } else {
            b"nan"
        });
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    }
    let mantissa = usize::from(digits.max(1)) - 1;
    let scientific = format!("{value:.mantissa$e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("an exponent was asked for");
    let exponent: i32 = exponent.parse().expect("a small number");
    let start = out.len();
    if (-4..wanted).contains(&exponent) {
        let decimals = usize::try_from(wanted - 1 - exponent).unwrap_or(0);
        write!(out, "{value:.decimals$}").expect("a vector takes everything");
    } else {
        out.extend_from_slice(digits.as_bytes());
    }
    if out[start..].contains(&b'.') {
        let zeros = out.iter().rev().take_while(|&&byte| byte == b'0').count();
        out.truncate(out.len() - zeros);
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
    if !(-4..wanted).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "e{sign}{:02}", exponent.unsigned_abs()).expect("a vector takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::push_general;

    #[test]
    fn texts_of_c() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-3.5, "-3.5"),
            (1.1, "1.1000000000000001"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (1e100, "1e+100"),
            (99999999999999990.0, "99999999999999984"),
            (12_345_678_901_234.0 + 0.5625, "12345678901234.562"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let mut out = b"x.0".to_vec();
            push_general(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out[3..]), expected, "{value:e}");
        }
    }
}
