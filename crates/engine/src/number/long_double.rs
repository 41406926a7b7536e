//! Floating-point numbers as INCRBYFLOAT knows them: the `long double` of x86-64, with a mantissa of 64 bits.
//!
//! Redis computes in that type, and its digits show: 0.1 + 0.2 is 0.3 there, in 64-bit doubles it is not. Rust has no such
//! type, so parsing, adding and printing are done in integers, each with one rounding to nearest, ties to even, as IEEE
//! 754 asks and as the C library does them. The result is the same on every machine.
//!
//! Not here: signed infinities and NaN, which no command can store.

use std::fmt::Write as _;

use super::big::Big;

/// Longest text that is taken for a number: the buffer of Redis less its end mark.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
/// Exponent of the smallest number's only bit.
const EXPONENT_MIN: i32 = -16445;
/// Exponent of the last bit of the largest number.
const EXPONENT_MAX: i32 = 16320;
/// Powers of ten outside these hold no number: they are told apart before any big number is made.
const DECIMAL_EXPONENT_MAX: i64 = 4933;
const DECIMAL_EXPONENT_MIN: i64 = -4951;
const MANTISSA_BITS: u32 = 64;
/// Digits printed behind the point.
const FRACTION_DIGITS: usize = 17;
const FRACTION_SCALE: u128 = 10u128.pow(FRACTION_DIGITS as u32);
/// Largest power of five below 2^64.
const FIVES_MAX: u32 = 27;
/// Decimal digits that surely fit 64 bits.
const SHORT_DIGITS: usize = 19;

/// A number of the extended 80-bit format.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct LongDouble {
    negative: bool,
    /// Its top bit is set, unless the number is zero or `exponent` is the smallest.
    mantissa: u64,
    /// The value is `mantissa * 2^exponent`; above [`EXPONENT_MAX`]: infinite.
    exponent: i32,
}

impl LongDouble {
    /// Zero.
    pub const ZERO: LongDouble = LongDouble {
        negative: false,
        mantissa: 0,
        exponent: EXPONENT_MIN,
    };

    /// Whether this is an infinity.
    pub fn is_infinite(self) -> bool {
        self.exponent > EXPONENT_MAX
    }

    /// Parses what C's `strtold` takes for a number if it takes all of it: decimal or hexadecimal, `inf` or `infinity`;
    /// no blanks. `None` for everything else and for numbers too large or too small to be told from infinity or zero.
    /// O(n^2) in the digits, of which there are at most some 5,000.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let magnitude = match unsigned {
            [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
            _ if unsigned.eq_ignore_ascii_case(b"inf")
                || unsigned.eq_ignore_ascii_case(b"infinity") =>
            {
                return Some(LongDouble {
                    negative,
                    mantissa: 1 << 63,
                    exponent: EXPONENT_MAX + 1,
                });
            }
            _ => decimal(unsigned)?,
        };
        (!magnitude.is_infinite()).then_some(LongDouble {
            negative,
            ..magnitude
        })
    }

    /// The sum, rounded once; `None` when it is infinite or no number.
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        /// How far the larger number is moved up: room for a carry above, and more than one rounding needs below.
        const GUARD_BITS: u32 = 62;
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        let (large, small) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let distance = large.exponent.abs_diff(small.exponent);
        let above = u128::from(large.mantissa) << GUARD_BITS;
        let unaligned = u128::from(small.mantissa) << GUARD_BITS;
        let below = unaligned.checked_shr(distance).unwrap_or(0);
        let lost = below.checked_shl(distance).unwrap_or(0) != unaligned;
        let exponent = large.exponent - GUARD_BITS as i32;
        let (negative, sum) = if large.negative == small.negative {
            (large.negative, above + below)
        } else if above >= below {
            // What was lost of the smaller number makes the difference smaller: one unit less, and a rest.
            (
                large.negative && above != below,
                above - below - u128::from(lost),
            )
        } else {
            // Only two numbers of the same exponent can come here, so nothing was lost.
            (small.negative, below - above)
        };
        let sum = LongDouble {
            negative,
            ..rounded(sum, exponent, lost)
        };
        (!sum.is_infinite()).then_some(sum)
    }

    /// The number as `%.17Lf` prints it, less trailing zeros, and without a sign when nothing else is left of it.
    pub fn to_text(self) -> String {
        assert!(!self.is_infinite(), "sums are checked when they are made");
        let mut out = String::new();
        if self.negative {
            out.push('-');
        }
        if self.exponent >= 0 {
            let mut integer = Big::of_digits(
                itoa::Buffer::new()
                    .format(self.mantissa)
                    .bytes()
                    .map(|b| b - b'0'),
            );
            integer.shift_left(self.exponent.unsigned_abs());
            integer.append_digits(&mut out);
            return out;
        }
        // At most 64 + 57 bits.
        let scaled = u128::from(self.mantissa) * FRACTION_SCALE;
        let scaled = shift_right_rounded(scaled, self.exponent.unsigned_abs(), false);
        if scaled == 0 {
            return "0".into();
        }
        let (integer, fraction) = (scaled / FRACTION_SCALE, scaled % FRACTION_SCALE);
        out.push_str(itoa::Buffer::new().format(integer));
        if fraction != 0 {
            write!(out, ".{fraction:0width$}", width = FRACTION_DIGITS)
                .expect("writing to a string cannot fail");
            let len = out.trim_end_matches('0').len();
            out.truncate(len);
        }
        out
    }
}

impl From<i64> for LongDouble {
    /// Exact.
    fn from(n: i64) -> LongDouble {
        LongDouble {
            negative: n < 0,
            ..rounded(u128::from(n.unsigned_abs()), 0, false)
        }
    }
}

/// `value / 2^bits`, to nearest, ties to even; `lost` tells that the true value lies a little above.
fn shift_right_rounded(value: u128, bits: u32, lost: bool) -> u128 {
    if bits == 0 {
        return value;
    }
    let kept = value.checked_shr(bits).unwrap_or(0);
    // The highest bit cut off, and whether anything is below it.
    let half = bits <= u128::BITS && value >> (bits - 1) & 1 == 1;
    let low_bits = (bits - 1).min(u128::BITS);
    let low = value & 1u128.checked_shl(low_bits).map_or(u128::MAX, |bit| bit - 1);
    kept + u128::from(half && (lost || low != 0 || kept & 1 == 1))
}

/// `value * 2^exponent` to nearest, ties to even. With `lost`, the true value lies above by less than one unit of
/// `value`, which then has more than 64 bits. Positive; may be infinite.
fn rounded(value: u128, exponent: i32, lost: bool) -> LongDouble {
    let bits = u128::BITS - value.leading_zeros();
    debug_assert!(!lost || bits > MANTISSA_BITS, "too few bits to round");
    if bits == 0 {
        return LongDouble::ZERO;
    }
    let exponent_wanted = (exponent + bits as i32 - MANTISSA_BITS as i32).max(EXPONENT_MIN);
    let shift = exponent_wanted - exponent;
    if shift <= 0 {
        let mantissa = u64::try_from(value << -shift).expect("64 bits are wanted");
        return LongDouble {
            negative: false,
            mantissa,
            exponent: exponent_wanted,
        };
    }
    match u64::try_from(shift_right_rounded(value, shift.unsigned_abs(), lost)) {
        Ok(mantissa) => LongDouble {
            negative: false,
            mantissa,
            exponent: exponent_wanted,
        },
        // Rounded up to the next power of two.
        Err(_) => LongDouble {
            negative: false,
            mantissa: 1 << 63,
            exponent: exponent_wanted + 1,
        },
    }
}

/// Digits before and behind a point, with the exponent behind them.
struct Parts<'a> {
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Parts<'a> {
    /// Takes a text apart; `None` when it has another form or no digit.
    fn of(text: &'a [u8], is_digit: fn(&u8) -> bool, mark: u8) -> Option<Parts<'a>> {
        let run = |text: &'a [u8]| text.split_at(text.iter().take_while(|b| is_digit(b)).count());
        let (integer, rest) = run(text);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => run(rest),
            _ => (&b""[..], rest),
        };
        if integer.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [first, digits @ ..] if first.eq_ignore_ascii_case(&mark) => decimal_exponent(digits)?,
            _ => return None,
        };
        Some(Parts {
            integer,
            fraction,
            exponent,
        })
    }

    /// The digits without leading zeros.
    fn significant(&self) -> impl Iterator<Item = u8> + Clone {
        self.integer
            .iter()
            .chain(self.fraction)
            .copied()
            .skip_while(|&b| b == b'0')
    }
}

/// An exponent, cut off far outside what any digits could bring back into range.
fn decimal_exponent(text: &[u8]) -> Option<i64> {
    const EXPONENT_CUT: i64 = 1_000_000;
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits
        .iter()
        .fold(0, |n, b| (n * 10 + i64::from(b - b'0')).min(EXPONENT_CUT));
    Some(if negative { -magnitude } else { magnitude })
}

/// A decimal number without sign; `None` also when it is too small.
fn decimal(text: &[u8]) -> Option<LongDouble> {
    let parts = Parts::of(text, u8::is_ascii_digit, b'e')?;
    let digits = parts.significant().map(|b| b - b'0');
    let count = digits.clone().count();
    if count == 0 {
        return Some(LongDouble::ZERO);
    }
    // The number is below 10^magnitude and at least a tenth of that.
    let exponent = parts.exponent - parts.fraction.len() as i64;
    let magnitude = exponent + count as i64;
    if !(DECIMAL_EXPONENT_MIN..=DECIMAL_EXPONENT_MAX).contains(&magnitude) {
        return None;
    }
    let number = match (
        i32::try_from(exponent).expect("small by the check above"),
        count,
    ) {
        (exponent, ..=SHORT_DIGITS) if exponent.unsigned_abs() <= FIVES_MAX => {
            short_decimal(digits.fold(0, |n, d| n * 10 + u64::from(d)), exponent)
        }
        (exponent, _) => long_decimal(Big::of_digits(digits), exponent),
    };
    (number.mantissa != 0).then_some(number)
}

/// `digits * 10^exponent` where everything fits 128 bits.
fn short_decimal(digits: u64, exponent: i32) -> LongDouble {
    /// Bits of the quotient that the second division adds.
    const MORE_BITS: u32 = 3;
    let power = 5u64.pow(exponent.unsigned_abs());
    if exponent >= 0 {
        return rounded(u128::from(digits) * u128::from(power), exponent, false);
    }
    // Both are moved up to 64 bits, so the quotient of the first division has 64 or 65 and that of both 67 or 68.
    let (up, power_up) = (digits.leading_zeros(), power.leading_zeros());
    let dividend = u128::from(digits << up) << MANTISSA_BITS;
    let divisor = u128::from(power << power_up);
    let rest = (dividend % divisor) << MORE_BITS;
    let quotient = ((dividend / divisor) << MORE_BITS) | (rest / divisor);
    let scale = power_up as i32 - up as i32 - (MANTISSA_BITS + MORE_BITS) as i32;
    rounded(quotient, exponent + scale, !rest.is_multiple_of(divisor))
}

/// `digits * 10^exponent` of any size.
fn long_decimal(mut digits: Big, exponent: i32) -> LongDouble {
    if exponent >= 0 {
        digits.multiply_power_of_five(exponent.unsigned_abs());
        let (top, cut, lost) = digits.top_bits();
        return rounded(top, exponent + cut as i32, lost);
    }
    let mut power = Big::of_digits([1].into_iter());
    power.multiply_power_of_five(exponent.unsigned_abs());
    let (quotient, scale, rest) = digits.ratio(power);
    rounded(quotient, exponent + scale, rest)
}

/// A hexadecimal number without sign and `0x`; `None` also when it is too small.
fn hexadecimal(text: &[u8]) -> Option<LongDouble> {
    /// Digits of which 128 bits hold all.
    const HELD_DIGITS: usize = 32;
    let parts = Parts::of(text, u8::is_ascii_hexdigit, b'p')?;
    let value = |b: u8| {
        u128::from(
            char::from(b)
                .to_digit(16)
                .expect("only hexadecimal digits came through"),
        )
    };
    let digits = parts.significant();
    let top = digits
        .clone()
        .take(HELD_DIGITS)
        .fold(0, |n, b| n << 4 | value(b));
    if top == 0 {
        return Some(LongDouble::ZERO);
    }
    let beyond = digits.clone().skip(HELD_DIGITS);
    let lost = beyond.clone().any(|b| b != b'0');
    let exponent = parts.exponent + 4 * (beyond.count() as i64 - parts.fraction.len() as i64);
    let number = rounded(
        top,
        i32::try_from(exponent).expect("a million, and four for each digit"),
        lost,
    );
    (number.mantissa != 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `left right sum`, one case a line, computed by a C program in `long double` on x86-64: `strtold`, `+`, `%.17Lf`
    /// less trailing zeros. `error` stands for what Redis refuses to parse, `infinite` for what it refuses to store.
    const VECTORS: &str = include_str!("long_double_vectors.txt");

    fn sum(left: &str, right: &str) -> String {
        let (Some(left), Some(right)) = (
            LongDouble::parse(left.as_bytes()),
            LongDouble::parse(right.as_bytes()),
        ) else {
            return "error".into();
        };
        left.plus(right)
            .map_or("infinite".into(), LongDouble::to_text)
    }

    #[test]
    fn sums_are_those_of_c() {
        let mut cases = 0;
        for line in VECTORS.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [left, right, expected] = words[..] else {
                panic!("three words: {line}")
            };
            assert_eq!(sum(left, right), expected, "{left} + {right}");
            assert_eq!(sum(right, left), expected, "{right} + {left}");
            cases += 1;
        }
        assert!(cases > 500, "{cases}");
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "", "+", "-", ".", "e5", "1e", "1e+", "1 ", " 1", "1e5 ", "--1", "+-1", "0x", "0x.",
            "0xp1", "1p1", "nan", "infi", "1_0", "1,0", "1\0",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(
            LongDouble::parse(&[b'1'; TEXT_BYTES_MAX]).is_none(),
            "too large"
        );
        assert!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX]).is_some());
        assert!(
            LongDouble::parse(&[b'0'; TEXT_BYTES_MAX + 1]).is_none(),
            "too long"
        );
    }

    #[test]
    fn integers_are_exact() {
        for n in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(LongDouble::from(n).to_text(), n.to_string());
            assert_eq!(
                LongDouble::parse(n.to_string().as_bytes()),
                Some(LongDouble::from(n))
            );
        }
    }

    /// The quick way and the general way of reading a decimal number agree.
    #[test]
    fn short_and_long_decimals_agree() {
        let mut seed = 1u64;
        for _ in 0..20_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let digits = (seed >> 5) % 10u64.pow(1 + (seed % 19) as u32) + 1;
            let exponent = (seed >> 33) as i32 % 28 * if seed >> 63 == 0 { 1 } else { -1 };
            let big = Big::of_digits(digits.to_string().bytes().map(|b| b - b'0'));
            assert_eq!(
                short_decimal(digits, exponent),
                long_decimal(big, exponent),
                "{digits}e{exponent}"
            );
        }
    }
}
