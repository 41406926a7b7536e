//! Bits of byte strings: counting, searching, fields of up to 64 bits, and combining two strings.
//!
//! The first bit is the highest of the first byte, as in Redis's bitmaps. Everything works on words of 64 bits where it can.

#![allow(unsafe_code)]

/// Bytes that a field of 64 bits touches at most.
pub const WINDOW_BYTES: usize = 9;

/// Number of bits that are set. O(length): some 20 bytes a nanosecond where the processor has AVX2.
#[inline]
pub fn count(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
            // SAFETY: the processor has the features that the function was compiled for.
            return unsafe { count_avx2(bytes) };
        }
        if is_x86_feature_detected!("popcnt") {
            // SAFETY: as above.
            return unsafe { count_popcnt(bytes) };
        }
    }
    count_words(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn count_avx2(bytes: &[u8]) -> u64 {
    count_words(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn count_popcnt(bytes: &[u8]) -> u64 {
    count_words(bytes)
}

/// The loop that the compiler turns into what each caller's features allow.
#[inline(always)]
fn count_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 = words
        .iter()
        .map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()))
        .sum();
    let in_rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    in_words + in_rest
}

/// Index of the first bit that is `bit`.
pub fn first(bytes: &[u8], bit: bool) -> Option<u64> {
    let skipped = if bit { 0 } else { u64::MAX };
    let (words, rest) = bytes.as_chunks::<8>();
    let in_word =
        |at: usize, word: u64| at as u64 * 8 + u64::from((word ^ skipped).leading_zeros());
    if let Some(at) = words
        .iter()
        .position(|word| u64::from_ne_bytes(*word) != skipped)
    {
        return Some(in_word(at * 8, u64::from_be_bytes(words[at])));
    }
    // What is missing of the last word counts as bits of the other kind.
    let mut last = skipped.to_be_bytes();
    last[..rest.len()].copy_from_slice(rest);
    let last = u64::from_be_bytes(last);
    (last != skipped).then(|| in_word(words.len() * 8, last))
}

/// The field of `bits` bits (1 to 64) that begins `shift` bits (0 to 7) into the window.
pub fn field(window: &[u8; WINDOW_BYTES], shift: u32, bits: u32) -> u64 {
    (u128::from_be_bytes(widened(window)) << shift >> (128 - bits)) as u64
}

/// Sets that field to the low bits of `value`.
pub fn set_field(window: &mut [u8; WINDOW_BYTES], shift: u32, bits: u32, value: u64) {
    let mask = (u128::MAX << (128 - bits)) >> shift;
    let placed = (u128::from(value) << (128 - bits)) >> shift;
    let all = u128::from_be_bytes(widened(window));
    let new = (all & !mask) | (placed & mask);
    window.copy_from_slice(&new.to_be_bytes()[..WINDOW_BYTES]);
}

fn widened(window: &[u8; WINDOW_BYTES]) -> [u8; 16] {
    let mut wide = [0; 16];
    wide[..WINDOW_BYTES].copy_from_slice(window);
    wide
}

/// What two strings are combined by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Bits that are set in both.
    And,
    /// Bits that are set in either.
    Or,
    /// Bits that differ.
    Xor,
}

/// Combines `into` with `other`, which is as long.
///
/// # Panics
/// If the lengths differ.
pub fn combine(operation: Operation, into: &mut [u8], other: &[u8]) {
    assert_eq!(into.len(), other.len(), "strings of one length");
    let pairs = into.iter_mut().zip(other);
    match operation {
        Operation::And => pairs.for_each(|(a, b)| *a &= b),
        Operation::Or => pairs.for_each(|(a, b)| *a |= b),
        Operation::Xor => pairs.for_each(|(a, b)| *a ^= b),
    }
}

/// Inverts every bit.
pub fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit_at(bytes: &[u8], index: usize) -> bool {
        bytes[index / 8] >> (7 - index % 8) & 1 == 1
    }

    /// Strings with long runs of one byte.
    fn strings() -> impl Strategy<Value = Vec<u8>> {
        let piece = (prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0usize..40);
        prop::collection::vec(piece, 0..6).prop_map(|pieces| {
            pieces
                .into_iter()
                .flat_map(|(byte, n)| vec![byte; n])
                .collect()
        })
    }

    proptest! {
        #[test]
        fn counts_and_finds_as_bit_by_bit(bytes in strings(), from in 0usize..9) {
            let bytes = &bytes[from.min(bytes.len())..];
            let bits: Vec<bool> = (0..bytes.len() * 8).map(|i| bit_at(bytes, i)).collect();
            let set = bits.iter().filter(|bit| **bit).count() as u64;
            prop_assert_eq!(count(bytes), set);
            prop_assert_eq!(count_words(bytes), set);
            for bit in [false, true] {
                let expected = bits.iter().position(|b| *b == bit).map(|at| at as u64);
                prop_assert_eq!(first(bytes, bit), expected);
            }
        }

        #[test]
        fn fields_are_where_they_belong(
            before in any::<[u8; WINDOW_BYTES]>(),
            shift in 0u32..8,
            bits in 1u32..=64,
            value in any::<u64>(),
        ) {
            let mut window = before;
            set_field(&mut window, shift, bits, value);
            let low = value & (u64::MAX >> (64 - bits));
            prop_assert_eq!(field(&window, shift, bits), low);
            for i in 0..WINDOW_BYTES * 8 {
                let inside = (shift..shift + bits).contains(&(i as u32));
                let expected = if inside {
                    low >> (bits - 1 - (i as u32 - shift)) & 1 == 1
                } else {
                    bit_at(&before, i)
                };
                prop_assert_eq!(bit_at(&window, i), expected, "bit {}", i);
            }
        }
    }

    #[test]
    fn combines() {
        let combined = |operation| {
            let mut into = [0b1100u8; 20];
            combine(operation, &mut into, &[0b1010; 20]);
            into
        };
        assert_eq!(combined(Operation::And), [0b1000; 20]);
        assert_eq!(combined(Operation::Or), [0b1110; 20]);
        assert_eq!(combined(Operation::Xor), [0b0110; 20]);
        let mut bytes = [0x0f, 0];
        invert(&mut bytes);
        assert_eq!(bytes, [0xf0, 0xff]);
    }
}
