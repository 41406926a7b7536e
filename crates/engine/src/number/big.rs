//! Natural numbers of any size, with the few operations that exact conversion between decimal and binary needs.
//!
//! Invariant: the top limb is not zero; zero has no limbs. Numbers of up to 256 bits allocate nothing.

use std::cmp::Ordering;

use smallvec::SmallVec;

const LIMB_BITS: u32 = u64::BITS;
/// Largest power of five in a limb.
const FIVES_PER_LIMB: u32 = 27;
/// Largest power of ten in a limb: its exponent is the number of digits cut off at a time.
const DIGITS_PER_LIMB: u32 = 19;

/// A natural number, little end first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Big(SmallVec<[u64; 4]>);

impl Big {
    /// Of decimal digits, leading zeros allowed. O(n^2) in the digits.
    pub(super) fn of_digits(digits: impl Iterator<Item = u8>) -> Big {
        let mut number = Big::default();
        let (mut group, mut scale) = (0, 1);
        for digit in digits {
            group = group * 10 + u64::from(digit);
            scale *= 10;
            if scale == 10u64.pow(DIGITS_PER_LIMB) {
                number.multiply_add(scale, group);
                (group, scale) = (0, 1);
            }
        }
        number.multiply_add(scale, group);
        number
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of bits without leading zeros.
    pub(super) fn bit_len(&self) -> u32 {
        self.0.last().map_or(0, |top| {
            self.0.len() as u32 * LIMB_BITS - top.leading_zeros()
        })
    }

    /// `self * factor + addend`.
    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = addend;
        for limb in &mut self.0 {
            let wide = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            *limb = wide as u64;
            carry = (wide >> LIMB_BITS) as u64;
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    /// Times `5^exponent`. O(exponent * length).
    pub(super) fn multiply_power_of_five(&mut self, mut exponent: u32) {
        while exponent > 0 {
            let step = exponent.min(FIVES_PER_LIMB);
            self.multiply_add(5u64.pow(step), 0);
            exponent -= step;
        }
    }

    /// Times `2^bits`.
    pub(super) fn shift_left(&mut self, bits: u32) {
        if self.is_zero() {
            return;
        }
        self.multiply_add(1 << (bits % LIMB_BITS), 0);
        self.0
            .insert_many(0, std::iter::repeat_n(0, (bits / LIMB_BITS) as usize));
    }

    /// `self - other`, which must not be larger.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (i, limb) in self.0.iter_mut().enumerate() {
            let (less, first) = limb.overflowing_sub(other.0.get(i).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u64::from(borrow));
            *limb = less;
            borrow = first | second;
        }
        assert!(!borrow, "the subtrahend is not larger");
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// The top 128 bits (fewer when there are fewer), how many bits were cut off below, and whether any of those is set.
    pub(super) fn top_bits(&self) -> (u128, u32, bool) {
        let cut = self.bit_len().saturating_sub(u128::BITS);
        let (skip, shift) = ((cut / LIMB_BITS) as usize, cut % LIMB_BITS);
        let limb = |i: usize| u128::from(self.0.get(skip + i).copied().unwrap_or(0));
        let mut top = (limb(1) << LIMB_BITS | limb(0)) >> shift;
        if shift > 0 {
            top |= limb(2) << (u128::BITS - shift);
        }
        let lost = self.0[..skip].iter().any(|&l| l != 0) || limb(0) & ((1 << shift) - 1) != 0;
        (top, cut, lost)
    }

    /// `self / divisor` as `(quotient, exponent, rest)`: the ratio lies in `quotient * 2^exponent` and, when there is a
    /// rest, above it by less than one unit of the quotient, which has 66 or 67 bits. Neither number is zero.
    pub(super) fn ratio(mut self, mut divisor: Big) -> (u128, i32, bool) {
        /// Bits of the quotient behind its first.
        const FRACTION_BITS: i32 = 66;
        let (mine, its) = (self.bit_len(), divisor.bit_len());
        if mine < its {
            self.shift_left(its - mine);
        } else {
            divisor.shift_left(mine - its);
        }
        // Both have the same length now, so the ratio is between a half and two: one bit of it at a time.
        let mut quotient = 0;
        for _ in 0..=FRACTION_BITS {
            quotient <<= 1;
            if self.cmp(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        (
            quotient,
            mine as i32 - its as i32 - FRACTION_BITS,
            !self.is_zero(),
        )
    }

    fn cmp(&self, other: &Big) -> Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Appends the decimal digits. O(n^2).
    pub(super) fn append_digits(mut self, out: &mut String) {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0;
            for limb in self.0.iter_mut().rev() {
                let wide = u128::from(rest) << LIMB_BITS | u128::from(*limb);
                let divisor = u128::from(10u64.pow(DIGITS_PER_LIMB));
                *limb = (wide / divisor) as u64;
                rest = (wide % divisor) as u64;
            }
            if self.0.last() == Some(&0) {
                self.0.pop();
            }
            groups.push(rest);
        }
        let Some(first) = groups.pop() else {
            return out.push('0');
        };
        out.push_str(itoa::Buffer::new().format(first));
        for group in groups.into_iter().rev() {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(group);
            out.extend(std::iter::repeat_n(
                '0',
                DIGITS_PER_LIMB as usize - digits.len(),
            ));
            out.push_str(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Big;

    fn big(text: &str) -> Big {
        Big::of_digits(text.bytes().map(|b| b - b'0'))
    }

    fn text(number: Big) -> String {
        let mut out = String::new();
        number.append_digits(&mut out);
        out
    }

    #[test]
    fn decimal_goes_in_and_comes_out() {
        for digits in [
            "0",
            "1",
            "18446744073709551615",
            "18446744073709551616",
            "10000000000000000000",
        ] {
            assert_eq!(text(big(digits)), digits);
        }
        let long: String = (0..5000)
            .map(|i| char::from(b'1' + (i * 7 % 9) as u8))
            .collect();
        assert_eq!(text(big(&long)), long);
        assert_eq!(text(big("000120")), "120");
    }

    #[test]
    fn powers_multiply() {
        let mut number = big("3");
        number.multiply_power_of_five(60);
        number.shift_left(60);
        assert_eq!(text(number), format!("3{}", "0".repeat(60)));
        let mut zero = Big::default();
        zero.shift_left(200);
        assert!(zero.is_zero());
        assert_eq!(zero.bit_len(), 0);
    }

    #[test]
    fn top_bits_say_what_they_leave_out() {
        assert_eq!(big("5").top_bits(), (5, 0, false));
        let mut number = big("1");
        number.shift_left(300);
        assert_eq!(number.top_bits(), (1 << 127, 173, false));
        number.multiply_add(1, 1);
        assert_eq!(number.top_bits(), (1 << 127, 173, true));
        assert_eq!(
            big(&u128::MAX.to_string()).top_bits(),
            (u128::MAX, 0, false)
        );
    }

    #[test]
    fn ratios() {
        assert_eq!(big("1").ratio(big("1")), (1 << 66, -66, false));
        assert_eq!(big("3").ratio(big("2")), (3 << 65, -66, false));
        assert_eq!(big("1").ratio(big("3")), ((1 << 67) / 3, -67, true));
        let mut dividend = big("7");
        dividend.shift_left(1000);
        assert_eq!(dividend.ratio(big("7")), (1 << 66, 1000 - 66, false));
    }
}
