//! One cache line of a segment: a word of fingerprints and seven entries.
//!
//! ```text
//! word      | meta: version 6, reach 2 | fingerprint 6 | ... | fingerprint 0 |    (a fingerprint of 0: empty slot)
//! entries   7 x pointer with tag
//! ```
//!
//! Reach says how far from here entries whose home is this bucket may lie: 0 here, 1 and 2 up to that many buckets further, 3
//! in the dict's stash too. Most look-ups, misses included, therefore end at the home bucket. The six version bits are
//! reserved for snapshots and are 0 for now.
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

/// The reach of a home some of whose entries are in the stash.
pub(super) const REACH_STASH: u8 = 3;

/// The lowest bit of each fingerprint byte.
const ONES: u64 = 0x0001_0101_0101_0101;
/// The highest bit of each fingerprint byte.
const HIGHS: u64 = ONES << 7;
const REACH_SHIFT: u32 = 56;
const REACH_MASK: u64 = 3 << REACH_SHIFT;

/// See the module.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    word: AtomicU64,
    entries: [AtomicPtr<u8>; SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 64);

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

    #[inline]
    pub(super) fn reach(self) -> u8 {
        ((self.0 & REACH_MASK) >> REACH_SHIFT) as u8
    }

    #[inline]
    pub(super) fn fingerprint(self, slot: usize) -> u8 {
        (self.0 >> (8 * slot)) as u8
    }
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

impl Bucket {
    #[inline]
    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn entry(&self, slot: usize) -> Tagged {
        Tagged::from_word(self.entries[slot].load(Ordering::Relaxed))
    }

    /// Fills an empty slot.
    #[inline]
    pub(super) fn fill(&self, slot: usize, fingerprint: u8, entry: Tagged) {
        debug_assert_eq!(self.word().fingerprint(slot), 0);
        self.entries[slot].store(entry.word(), Ordering::Relaxed);
        let word = self.word().0 | u64::from(fingerprint) << (8 * slot);
        self.word.store(word, Ordering::Relaxed);
    }

    /// Puts another pointer of the same entry in its slot.
    #[inline]
    pub(super) fn replace(&self, slot: usize, entry: Tagged) {
        self.entries[slot].store(entry.word(), Ordering::Relaxed);
    }

    /// Empties a slot and returns what it held.
    #[inline]
    pub(super) fn take(&self, slot: usize) -> (u8, Tagged) {
        let (word, entry) = (self.word(), self.entry(slot));
        self.word
            .store(word.0 & !(0xff << (8 * slot)), Ordering::Relaxed);
        self.entries[slot].store(ptr::null_mut(), Ordering::Relaxed);
        (word.fingerprint(slot), entry)
    }

    pub(super) fn set_reach(&self, reach: u8) {
        let word = self.word().0 & !REACH_MASK | u64::from(reach) << REACH_SHIFT;
        self.word.store(word, Ordering::Relaxed);
    }

    pub(super) fn raise_reach(&self, reach: u8) {
        if self.word().reach() < reach {
            self.set_reach(reach);
        }
    }

    /// Asks for the line.
    #[inline]
    pub(super) fn prefetch(&self) {
        super::prefetch::line(ptr::from_ref(self).cast());
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
