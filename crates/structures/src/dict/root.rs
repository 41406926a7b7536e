//! What other threads may look at without the dict's lock: a copy of its root word, for look-ahead.
//!
//! **Invariant.** Reads atomics only, never an entry, and its only effect is prefetching: whatever mixture of old and new it
//! sees, nothing goes wrong but time.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use super::Dict;
use super::bucket::Bucket;
use super::directory::RootWord;
use super::handle::Handle;
use super::position::{Position, fingerprint};
use super::segment::Segment;
use crate::prefetch::{self, LINE_BYTES};

/// The published root of a dict; 0 while there is none. Eight bytes, meant to lie where reading it disturbs nobody's lock.
#[derive(Debug, Default)]
pub struct Root {
    word: AtomicU64,
}

impl Root {
    /// Nothing published.
    pub const fn new() -> Self {
        Root {
            word: AtomicU64::new(0),
        }
    }

    /// Shows the dict as it is now. The owner calls it after operations that may have moved the root (insertions and
    /// removals), before it announces its next batch boundary. A load and a comparison when nothing has changed.
    #[inline]
    pub fn publish<P: Handle>(&self, dict: &Dict<P>) {
        let word = dict.root_word().published();
        if self.word.load(Ordering::Relaxed) != word {
            self.word.store(word, Ordering::Release);
        }
    }

    /// Shows nothing any more. A dict that is about to go away may be freed once all workers have passed a boundary.
    pub fn clear(&self) {
        self.word.store(0, Ordering::Release);
    }

    /// First pass of look-ahead: asks for the bucket where an entry with this hash would be.
    ///
    /// # Safety
    /// Every block that a dict published here has given up since was handed to a [`Reclaim`](crate::epoch::Reclaim) that frees
    /// it only after this thread's next batch boundary, and every such dict was published again, or the root cleared, before
    /// its owner's boundary.
    #[inline]
    pub unsafe fn sight(&self, hash: u64) -> Sighting {
        let root = RootWord(self.word.load(Ordering::Acquire));
        let position = Position::of_hash(hash);
        // SAFETY: by the caller's promise the directory, if there is one, is not freed before the next boundary.
        let (_, segment) = unsafe { root.locate(position) };
        if segment.is_none() {
            return Sighting::default();
        }
        // SAFETY: the same for the segment.
        let view = unsafe { segment.view() };
        let (tag, print) = (view.shape.tag(position), fingerprint(hash));
        let home = view.shape.home(tag);
        view.prefetch(home);
        Sighting {
            segment,
            home: home as u8,
            tag,
            print,
        }
    }
}

/// Where look-ahead expects an entry. Good until the thread's next batch boundary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sighting {
    /// None in an empty dict.
    segment: Segment,
    /// The home bucket.
    home: u8,
    tag: u16,
    print: u8,
}

impl Sighting {
    /// Second pass, when the buckets have arrived: asks for the first `lines` cache lines of the entry that looks like this
    /// hash's, if there is one. `true`: it may lie in another bucket, which was asked for now; [`Sighting::prefetch_away`] goes
    /// on from there when that has arrived (about one hash in ten).
    ///
    /// # Safety
    /// This thread has passed no batch boundary since [`Root::sight`], whose promise holds.
    #[inline]
    pub unsafe fn prefetch_entry(self, lines: usize) -> bool {
        if self.segment.is_none() {
            return false;
        }
        // SAFETY: the caller's promise.
        let view = unsafe { self.segment.view() };
        let home = view.bucket(self.home.into());
        if self.prefetch_from(home, lines) || !home.word().may_be_away(self.print) {
            return false;
        }
        view.prefetch(view.alternate(self.home.into(), self.print));
        true
    }

    /// Third pass, for those of which [`Sighting::prefetch_entry`] said `true`.
    ///
    /// # Safety
    /// As for [`Sighting::prefetch_entry`].
    #[inline]
    pub unsafe fn prefetch_away(self, lines: usize) {
        if self.segment.is_none() {
            return;
        }
        // SAFETY: the caller's promise.
        let view = unsafe { self.segment.view() };
        let other = view.alternate(self.home.into(), self.print);
        self.prefetch_from(view.bucket(other), lines);
    }

    /// Asks for the entry of a bucket that has this fingerprint and tag; says whether there is one.
    #[inline]
    fn prefetch_from(self, bucket: Bucket<'_>, lines: usize) -> bool {
        let Some(entry) = bucket
            .word()
            .matches(self.print)
            .map(|slot| bucket.entry(slot))
            .find(|entry| entry.tag() == self.tag)
        else {
            return false;
        };
        for line in 0..lines {
            prefetch::line(entry.pointer().wrapping_add(line * LINE_BYTES));
        }
        true
    }
}
