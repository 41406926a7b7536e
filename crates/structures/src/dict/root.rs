//! What other threads may look at without the dict's lock: a copy of its root word, for look-ahead.
//!
//! **Invariant.** Reads atomics only, never an entry, and its only effect is prefetching: whatever mixture of old and new it
//! sees, nothing goes wrong but time.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use super::Dict;
use super::directory::RootWord;
use super::handle::Handle;
use super::position::{Position, fingerprint};
use super::prefetch::{self, LINE_BYTES};
use super::segment::View;

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
    pub unsafe fn prefetch_bucket(&self, hash: u64) {
        // SAFETY: the caller's promise.
        if let Some((view, home)) = unsafe { self.look(hash) } {
            view.buckets[home].prefetch();
        }
    }

    /// Second pass, when the buckets have arrived: asks for the first `lines` cache lines of the entry that looks like this
    /// hash's, if there is one. `true`: it may lie in another bucket, which was asked for now; [`Root::prefetch_away`] goes on
    /// from there when that has arrived (about one hash in ten).
    ///
    /// # Safety
    /// As for [`Root::prefetch_bucket`].
    #[inline]
    pub unsafe fn prefetch_entries(&self, hash: u64, lines: usize) -> bool {
        // SAFETY: the caller's promise.
        let Some((view, home)) = (unsafe { self.look(hash) }) else {
            return false;
        };
        if prefetch_entry(view, home, hash, lines) {
            return false;
        }
        let print = fingerprint(hash);
        let is_away = view.buckets[home].word().may_be_away(print);
        if is_away {
            view.buckets[view.alternate(home, print)].prefetch();
        }
        is_away
    }

    /// Third pass, for hashes of which [`Root::prefetch_entries`] said `true`.
    ///
    /// # Safety
    /// As for [`Root::prefetch_bucket`].
    #[inline]
    pub unsafe fn prefetch_away(&self, hash: u64, lines: usize) {
        // SAFETY: the caller's promise.
        if let Some((view, home)) = unsafe { self.look(hash) } {
            let other = view.alternate(home, fingerprint(hash));
            prefetch_entry(view, other, hash, lines);
        }
    }

    /// # Safety
    /// As for [`Root::prefetch_bucket`]; the view is used before the next boundary.
    #[inline]
    unsafe fn look<'a>(&self, hash: u64) -> Option<(View<'a>, usize)> {
        let root = RootWord(self.word.load(Ordering::Acquire));
        let position = Position::of_hash(hash);
        // SAFETY: the directory, if there is one, is not freed before the next boundary.
        let (_, segment) = unsafe { root.locate(position) };
        if segment.is_none() {
            return None;
        }
        // SAFETY: the same for the segment.
        let view = unsafe { segment.view() };
        let home = view.shape.home(view.shape.tag(position));
        Some((view, home))
    }
}

/// Asks for the entry of a bucket that has this hash's fingerprint and tag; says whether there is one.
#[inline]
fn prefetch_entry(view: View<'_>, bucket: usize, hash: u64, lines: usize) -> bool {
    let tag = view.shape.tag(Position::of_hash(hash));
    let bucket = &view.buckets[bucket];
    let mut matches = bucket
        .word()
        .matches(fingerprint(hash))
        .map(|slot| bucket.entry(slot));
    let Some(entry) = matches.find(|entry| entry.tag() == tag) else {
        return false;
    };
    for line in 0..lines {
        prefetch::line(entry.pointer().wrapping_add(line * LINE_BYTES));
    }
    true
}
