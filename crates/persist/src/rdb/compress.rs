//! Compression in the byte format of LZF.
//!
//! ```text
//! 000LLLLL                      L + 1 bytes follow as they are
//! LLLooooo oooooooo             L + 2 bytes (L from 1 to 6) as they stand o + 1 bytes before
//! 111ooooo LLLLLLLL oooooooo    L + 9 bytes as they stand o + 1 bytes before
//! ```
//!
//! The outputs of several inputs one behind the other are an output of those inputs one behind the other: a long string is compressed
//! chunk by chunk.
//!
//! Invariant: an entry of the table below `base` is of an earlier input, so the table is never cleared between inputs.

/// Longest run of bytes as they are.
const PLAIN_MAX: usize = 32;
/// Shortest and longest repetition.
const REPEAT_MIN: usize = 3;
const REPEAT_MAX: usize = 264;
/// Furthest that a repetition reaches back.
const DISTANCE_MAX: usize = 1 << 13;
/// Sizes of the part of the table that is used, as powers of two: small inputs touch little memory.
const TABLE_BITS_MIN: u32 = 8;
const TABLE_BITS_MAX: u32 = 13;
/// So many bytes without a repetition make the search skip one more byte each time.
const PATIENCE_BITS: u32 = 5;

/// Compresses, and keeps its table for the next input.
#[derive(Debug)]
pub(crate) struct Compressor {
    /// Where bytes of this hash were seen last, counted from `base` on.
    table: Box<[u32]>,
    base: u32,
}

impl Compressor {
    pub(crate) fn new() -> Self {
        Compressor {
            table: vec![0; 1 << TABLE_BITS_MAX].into(),
            base: 1,
        }
    }

    /// Appends the compressed form of an input. `false` as soon as that turns out to take more than `max` bytes; what was appended is
    /// of no use then.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
        let Some(end) = u32::try_from(input.len())
            .ok()
            .and_then(|len| self.base.checked_add(len))
        else {
            if input.len() > (u32::MAX / 2) as usize {
                return false;
            }
            self.table.fill(0);
            self.base = 1;
            return self.compress(input, out, max);
        };
        let limit = out.len() + max;
        let bits =
            (usize::BITS - input.len().leading_zeros()).clamp(TABLE_BITS_MIN, TABLE_BITS_MAX);
        let base = self.base;
        let mut plain = 0;
        let mut at = 0;
        while let Some(four) = input.get(at..at + 4) {
            let four = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            let slot = (four << 8).wrapping_mul(0x9e37_79b1) >> (u32::BITS - bits);
            let slot = &mut self.table[slot as usize];
            let seen = std::mem::replace(slot, base + at as u32);
            if seen >= base {
                let seen = (seen - base) as usize;
                let len = common(&input[seen..], &input[at..]);
                if at - seen <= DISTANCE_MAX && len >= REPEAT_MIN {
                    put_plain(&input[plain..at], out);
                    put_repeat(at - seen - 1, len, out);
                    if out.len() > limit {
                        self.base = end;
                        return false;
                    }
                    at += len;
                    plain = at;
                    continue;
                }
            }
            at += 1 + ((at - plain) >> PATIENCE_BITS);
        }
        self.base = end;
        put_plain(&input[plain..], out);
        out.len() <= limit
    }
}

/// How many bytes both begin with, up to [`REPEAT_MAX`]; the second is the shorter one.
#[inline]
fn common(earlier: &[u8], later: &[u8]) -> usize {
    let later = &later[..later.len().min(REPEAT_MAX)];
    let mut len = 0;
    while let (Some(a), Some(b)) = (earlier.get(len..len + 8), later.get(len..len + 8)) {
        let a = u64::from_le_bytes(a.try_into().expect("eight bytes"));
        let b = u64::from_le_bytes(b.try_into().expect("eight bytes"));
        if a != b {
            return len + ((a ^ b).trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + earlier[len..]
        .iter()
        .zip(&later[len..])
        .take_while(|(a, b)| a == b)
        .count()
}

fn put_plain(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(PLAIN_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn put_repeat(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (high, low, len) = ((distance >> 8) as u8, distance as u8, len - 2);
    if len < 7 {
        out.extend_from_slice(&[(len as u8) << 5 | high, low]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8, low]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the format's description alone.
    fn expand(mut compressed: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let [head, rest @ ..] = compressed {
            let head = usize::from(*head);
            if head < 32 {
                out.extend_from_slice(&rest[..head + 1]);
                compressed = &rest[head + 1..];
                continue;
            }
            let (len, rest) = match head >> 5 {
                7 => (usize::from(rest[0]) + 9, &rest[1..]),
                len => (len + 2, rest),
            };
            let distance = (head & 31) << 8 | usize::from(rest[0]);
            for _ in 0..len {
                out.push(out[out.len() - distance - 1]);
            }
            compressed = &rest[1..];
        }
        out
    }

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let noise = proptest::collection::vec(any::<u8>(), 0..300);
        let few = proptest::collection::vec(0u8..3, 0..20_000);
        let repeated = (noise.clone(), 0usize..200).prop_map(|(text, times)| text.repeat(times));
        let far = (noise.clone(), 8_000usize..8_500)
            .prop_map(|(text, gap)| [text.clone(), vec![b'-'; gap], text].concat());
        proptest::collection::vec(prop_oneof![noise, few, repeated, far], 0..6)
    }

    proptest! {
        #[test]
        fn expands_to_what_it_was(texts in texts()) {
            let mut compressor = Compressor::new();
            let mut all = Vec::new();
            for text in &texts {
                let from = all.len();
                prop_assert!(compressor.compress(text, &mut all, usize::MAX / 2));
                prop_assert!(expand(&all[from..]) == *text);
            }
            prop_assert!(expand(&all) == texts.concat());
        }
    }

    #[test]
    fn makes_texts_smaller_and_gives_noise_up() {
        let mut compressor = Compressor::new();
        let mut out = Vec::new();
        let text = b"user:1000:name user:1001:name user:1002:name user:1003:name";
        assert!(compressor.compress(text, &mut out, text.len() - 4));
        assert!(
            out.len() < text.len() * 2 / 3,
            "{} of {}",
            out.len(),
            text.len()
        );
        let mut state = 1u64;
        let noise = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        });
        let noise: Vec<u8> = noise.take(10_000).collect();
        assert!(!compressor.compress(&noise, &mut Vec::new(), noise.len() - 4));
    }

    /// The table's positions start over when they come to their end.
    #[test]
    fn goes_on_for_ever() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 500;
        let text = b"abcdefgh".repeat(20);
        for _ in 0..10 {
            let mut out = Vec::new();
            assert!(compressor.compress(&text, &mut out, text.len()));
            assert_eq!(expand(&out), text);
        }
        assert!(compressor.base < 10_000);
    }
}
