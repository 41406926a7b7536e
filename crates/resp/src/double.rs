//! Doubles as Redis 7.2 prints them.
//!
//! Invariant: the text reads back as the same double. Whole numbers up to 2^62 have neither exponent nor point; the rest is laid out as
//! Redis's fpconv does, which is neither C's way nor Rust's (`1e+20`, `1.5e-7`, `1.2345678901234e+4`).
//! The digits are the shortest, and come from zmij. Redis finds its digits by Grisu2, which for four random doubles in a thousand
//! yields longer ones: those differ.
//!
//! Not here: the long-double texts of INCRBYFLOAT and HINCRBYFLOAT.

/// Doubles from -2^62 to 2^62 without fraction are printed as integers.
const WHOLE_MAX: f64 = (1u64 << 62) as f64;
/// A whole number beyond that is written out if at most so many zeros follow its digits.
const TRAILING_ZEROS_MAX: i32 = 7;
/// A fraction is written out if its last digit stands at most so many places behind the point.
const DECIMALS_MAX: i32 = 6;
/// A number with more decimals is written out only if it is below 10^4 and not below 10^-3.
const WRITTEN_OUT_EXPONENT_MAX: i32 = 3;

/// Appends `value` as Redis prints it in `ZSCORE`, `,` replies and the like.
pub fn push_double(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    if magnitude <= WHOLE_MAX && magnitude.fract() == 0.0 {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        let mut buffer = itoa::Buffer::new();
        return out.extend_from_slice(buffer.format(magnitude as u64).as_bytes());
    }
    push_shortest(out, value);
}

/// The same with whole numbers laid out like the others (`1e+8`): how digests of sorted sets know scores.
pub fn push_shortest(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return out.extend_from_slice(b"inf");
    }
    if magnitude == 0.0 {
        return out.push(b'0');
    }
    let mut buffer = zmij::Buffer::new();
    let decimal = Decimal::parse(buffer.format_finite(magnitude).as_bytes());
    decimal.push(out);
}

/// `digits * 10^exponent`, without a zero at either end of `digits`.
struct Decimal {
    digits: [u8; Decimal::DIGITS_MAX],
    len: usize,
    exponent: i32,
}

impl Decimal {
    /// A double needs 17; zmij may write zeros behind them (`1234567890123456800000.0` has an exponent instead, but leave room).
    const DIGITS_MAX: usize = 32;

    /// Takes apart a text like `0.001`, `300000.0` or `1.5e-7`.
    fn parse(text: &[u8]) -> Decimal {
        let mut decimal = Decimal {
            digits: [0; Decimal::DIGITS_MAX],
            len: 0,
            exponent: 0,
        };
        let mut behind_point = false;
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                b'.' => behind_point = true,
                b'e' => {
                    decimal.exponent += parse_exponent(&text[at + 1..]);
                    break;
                }
                digit => {
                    decimal.exponent -= i32::from(behind_point);
                    if digit != b'0' || decimal.len > 0 {
                        decimal.digits[decimal.len] = digit;
                        decimal.len += 1;
                    }
                }
            }
        }
        while decimal.len > 1 && decimal.digits[decimal.len - 1] == b'0' {
            decimal.len -= 1;
            decimal.exponent += 1;
        }
        decimal
    }

    fn push(&self, out: &mut Vec<u8>) {
        let digits = &self.digits[..self.len];
        let count = self.len as i32;
        let scientific = self.exponent + count - 1;
        if (0..=TRAILING_ZEROS_MAX).contains(&self.exponent) {
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', self.exponent as usize));
        } else if self.exponent < 0
            && (self.exponent >= -DECIMALS_MAX || scientific.abs() <= WRITTEN_OUT_EXPONENT_MAX)
        {
            let whole = self.exponent + count;
            if whole > 0 {
                let (whole, fraction) = digits.split_at(whole as usize);
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(fraction);
            } else {
                out.extend_from_slice(b"0.");
                out.extend(std::iter::repeat_n(b'0', -whole as usize));
                out.extend_from_slice(digits);
            }
        } else {
            out.push(digits[0]);
            if count > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(if scientific < 0 { b"e-" } else { b"e+" });
            let mut buffer = itoa::Buffer::new();
            out.extend_from_slice(buffer.format(scientific.unsigned_abs()).as_bytes());
        }
    }
}

/// Reads `20`, `+20` or `-7`.
fn parse_exponent(text: &[u8]) -> i32 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let value = digits
        .iter()
        .fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    sign * value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        push_double(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_of_redis() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (9.80665198765432, "9.80665198765432"),
            (-1.5, "-1.5"),
            (3.0e-5, "0.00003"),
            (1.5e-7, "1.5e-7"),
            (1e-7, "1e-7"),
            (1e-6, "0.000001"),
            (1e20, "1e+20"),
            (1e18, "1000000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (-4611686018427387904.0, "-4611686018427387904"),
            (1e19, "1e+19"),
            (12345678901234567890.0, "12345678901234567000"),
            (1.2345678901234568e24, "1.2345678901234568e+24"),
            (12345.678901234, "1.2345678901234e+4"),
            (12345.678, "12345.678"),
            (1234.5678901234, "1234.5678901234"),
            (0.0012345678, "0.0012345678"),
            (0.00012345678, "1.2345678e-4"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (5e-324, "5e-324"),
            (1e100, "1e+100"),
            (1e101, "1e+101"),
        ] {
            assert_eq!(text(value), expected, "{value:e}");
        }
    }

    proptest! {
        #[test]
        fn reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let read: f64 = text(value).parse().unwrap();
            prop_assert!(read.to_bits() == bits || value.is_nan() && read.is_nan());
        }

        #[test]
        fn reads_back_everyday(value in -1e6f64..1e6, places in 0i32..12) {
            let scale = 10f64.powi(places);
            let value = (value * scale).round() / scale;
            prop_assert_eq!(text(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
