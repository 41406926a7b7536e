//! A bucket: a word of fingerprints, and a row of seven entries elsewhere in the segment.
//!
//! ```text
//! word      | meta 8 | fingerprint 6 | ... | fingerprint 0 |    (a fingerprint of 0: empty slot)
//! meta      | version 3 | stashed 1 | away, odd 2 | away, even 2 |
//! row       7 x pointer with tag
//! ```
//!
//! The away fields count the entries whose home is this bucket but that lie in their other bucket, separately for odd and even
//! fingerprints; 3 means 3 or more. `stashed` says that some are in the dict's stash. Most look-ups, misses included,
//! therefore end at the home bucket. The three version bits are reserved for snapshots and are 0 for now.
//!
//! **Invariant.** A fingerprint is non-zero exactly where the entry is non-null, as seen by the owner. Another thread may see
//! any mixture of past and present, which is why it never follows an entry.
//!
//! All fields are atomics, read and written relaxed: look-ahead reads them while the owner writes. The owner never needs a
//! read-modify-write instruction, having the dict to itself.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::handle::Tagged;

/// Entries in a bucket.
pub(super) const SLOTS: usize = 7;

/// What an away field says from this number up.
const AWAY_MANY: u64 = 3;

/// The lowest bit of each fingerprint byte.
const ONES: u64 = 0x0001_0101_0101_0101;
/// The highest bit of each fingerprint byte.
const HIGHS: u64 = ONES << 7;
const AWAY_SHIFT: u32 = 56;
const STASHED: u64 = 1 << 60;

/// The entries of a bucket, null where there is none.
pub(super) type Row = [AtomicPtr<u8>; SLOTS];

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket<'a> {
    pub(super) word: &'a AtomicU64,
    pub(super) row: &'a Row,
}

/// The first word of a bucket, as read at one moment.
#[derive(Clone, Copy)]
pub(super) struct Word(u64);

impl Word {
    /// The slots whose fingerprint is `fingerprint`; exact.
    #[inline]
    pub(super) fn matches(self, fingerprint: u8) -> Slots {
        Slots(zero_bytes(self.0 ^ ONES.wrapping_mul(fingerprint.into())))
    }

    /// The slots that hold something.
    #[inline]
    pub(super) fn occupied(self) -> Slots {
        Slots(zero_bytes(self.0) ^ HIGHS)
    }

    /// The first empty slot.
    #[inline]
    pub(super) fn vacancy(self) -> Option<usize> {
        Slots(zero_bytes(self.0)).next()
    }

    /// Whether an entry of this home with this fingerprint may lie in its other bucket.
    #[inline]
    pub(super) fn may_be_away(self, fingerprint: u8) -> bool {
        self.away(fingerprint) != 0
    }

    /// Whether the field of this fingerprint's class says so many.
    pub(super) fn counts_away(self, fingerprint: u8, number: usize) -> bool {
        self.away(fingerprint) == AWAY_MANY.min(number as u64)
    }

    #[inline]
    fn away(self, fingerprint: u8) -> u64 {
        self.0 >> away_shift(fingerprint) & AWAY_MANY
    }

    /// Whether entries of this home are in the stash.
    #[inline]
    pub(super) fn has_stashed(self) -> bool {
        self.0 & STASHED != 0
    }

    #[inline]
    pub(super) fn fingerprint(self, slot: usize) -> u8 {
        (self.0 >> (8 * slot)) as u8
    }
}

/// Where the away field of a fingerprint's class begins.
#[inline]
fn away_shift(fingerprint: u8) -> u32 {
    AWAY_SHIFT + 2 * u32::from(fingerprint & 1)
}

/// Whether two fingerprints are counted by the same away field.
pub(super) fn same_class(a: u8, b: u8) -> bool {
    (a ^ b) & 1 == 0
}

/// The highest bit of each of the seven low bytes that is 0. No carry passes from byte to byte, so that it is exact.
#[inline]
fn zero_bytes(x: u64) -> u64 {
    let low = !(ONES << 7 | 0xff << 56);
    let carried = (x & low).wrapping_add(low);
    !(carried | x) & HIGHS
}

/// A set of slots, iterated from the lowest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slots(u64);

impl Iterator for Slots {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

impl Bucket<'_> {
    #[inline]
    pub(super) fn word(self) -> Word {
        Word(self.word.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn entry(self, slot: usize) -> Tagged {
        Tagged::from_word(self.row[slot].load(Ordering::Relaxed))
    }

    /// Fills an empty slot.
    #[inline]
    pub(super) fn fill(self, slot: usize, fingerprint: u8, entry: Tagged) {
        debug_assert_eq!(self.word().fingerprint(slot), 0);
        self.row[slot].store(entry.word(), Ordering::Relaxed);
        let word = self.word().0 | u64::from(fingerprint) << (8 * slot);
        self.word.store(word, Ordering::Relaxed);
    }

    /// The fingerprints of all slots at once, in a bucket from which no entry is away.
    #[inline]
    pub(super) fn set_fingerprints(self, fingerprints: [u8; SLOTS + 1]) {
        debug_assert_eq!(fingerprints[SLOTS], 0);
        let word = u64::from_le_bytes(fingerprints);
        self.word.store(word, Ordering::Relaxed);
    }

    /// Puts a pointer in a slot whose fingerprint is right or will be.
    #[inline]
    pub(super) fn replace(self, slot: usize, entry: Tagged) {
        self.row[slot].store(entry.word(), Ordering::Relaxed);
    }

    /// Empties a slot and returns what it held.
    #[inline]
    pub(super) fn take(self, slot: usize) -> (u8, Tagged) {
        let (word, entry) = (self.word(), self.entry(slot));
        self.word
            .store(word.0 & !(0xff << (8 * slot)), Ordering::Relaxed);
        self.row[slot].store(ptr::null_mut(), Ordering::Relaxed);
        (word.fingerprint(slot), entry)
    }

    /// Counts one more entry of this home that lies in its other bucket.
    #[inline]
    pub(super) fn add_away(self, fingerprint: u8) {
        let word = self.word();
        if word.away(fingerprint) < AWAY_MANY {
            let more = word.0 + (1 << away_shift(fingerprint));
            self.word.store(more, Ordering::Relaxed);
        }
    }

    /// Counts one entry less; `recount` is asked for the number left if the field does not know.
    #[inline]
    pub(super) fn drop_away(self, fingerprint: u8, recount: impl FnOnce() -> usize) {
        let word = self.word();
        let away = word.away(fingerprint);
        debug_assert!(away > 0);
        let left = if away < AWAY_MANY {
            away - 1
        } else {
            AWAY_MANY.min(recount() as u64)
        };
        let less = word.0 - ((away - left) << away_shift(fingerprint));
        self.word.store(less, Ordering::Relaxed);
    }

    pub(super) fn set_stashed(self, is_stashed: bool) {
        let word = self.word().0 & !STASHED | if is_stashed { STASHED } else { 0 };
        self.word.store(word, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slots_are_exact(bytes: [u8; 8], wanted in 1u8..=255, few in 0u8..4) {
            // Few distinct values, so that neighbours differ by one and matches are frequent.
            for bytes in [bytes, bytes.map(|byte| byte % 4 * few)] {
                let word = Word(u64::from_le_bytes(bytes));
                let find = |wanted| (0..SLOTS).filter(move |slot| bytes[*slot] == wanted);
                prop_assert!(word.matches(wanted).eq(find(wanted)));
                prop_assert_eq!(word.vacancy(), find(0).next());
                prop_assert!(word.occupied().eq((0..SLOTS).filter(|slot| bytes[*slot] != 0)));
            }
        }
    }
}
