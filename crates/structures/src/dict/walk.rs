//! Everything that visits many entries: scans with a cursor, random picks, iteration, and emptying in slices.
//!
//! **Invariant.** A scan call reports exactly the entries whose positions lie from its cursor to before the one that it
//! returns, whatever the segments look like at that moment. Consecutive calls cover disjoint intervals, hence an entry that is
//! present all the time is reported exactly once.

use super::Dict;
use super::bucket::{SLOTS, Slots};
use super::directory::RootWord;
use super::handle::{Handle, Ref, Slot, Tagged};
use super::position::{Position, Shape};
use super::segment::{BUCKETS_MAX, Segment, View};
use crate::epoch::Reclaim;
use crate::prefetch;
use std::sync::atomic::Ordering;

/// A scan call gives up its search for entries after the segment in which it has passed this many buckets, and this many more
/// per entry wanted.
const SCAN_BUCKETS_MIN: usize = 16;
const SCAN_BUCKETS_PER_ITEM: usize = 8;

/// Tries of [`Dict::random`] before it counts instead. A try succeeds with the load of the dict relative to the largest
/// segments, 20 to 60 %.
const RANDOM_TRIES: usize = 128;

impl<P: Handle> Dict<P> {
    /// Reports the next entries after `cursor` and returns the cursor to go on with, or 0 at the end.
    ///
    /// A cursor is a 48-bit prefix of hashes: the stripe's 8 bits, passed through unchanged, and [`POSITION_BITS`] of
    /// position. Start with the stripe's bits alone (`stripe << POSITION_BITS`). Entries that are present from the first call
    /// to the last are reported exactly once, others at most once each time they are inserted.
    ///
    /// Stops after `min_items` entries, at the end of their bucket, or after a number of buckets proportional to it (a segment
    /// at least, about 1 us). `hash_of` is asked only for entries that a cursor's bucket cannot tell apart from those already reported.
    ///
    /// [`POSITION_BITS`]: super::POSITION_BITS
    pub fn scan(
        &self,
        cursor: u64,
        min_items: usize,
        hash_of: impl Fn(&P) -> u64,
        mut f: impl FnMut(&P),
    ) -> u64 {
        if self.root_word().0 == 0 {
            return 0;
        }
        let mut from = Position::of_cursor(cursor);
        let mut items = 0;
        let mut buckets = SCAN_BUCKETS_MIN + min_items.saturating_mul(SCAN_BUCKETS_PER_ITEM);
        loop {
            let (index, segment) = self.locate(from);
            let view = self.view(segment);
            let first = self.segment_at(self.first_index(index, segment));
            let wanted = min_items.saturating_sub(items).max(1);
            let end = if first.count() <= wanted {
                view.shape.buckets
            } else {
                enough_homes(view, from, wanted)
            };
            items += self.scan_homes(view, end, from, &hash_of, &mut f);
            match view.shape.bucket_start(from, end) {
                None => return 0,
                Some(next) => from = next,
            }
            buckets = buckets.saturating_sub(view.shape.buckets);
            if items >= min_items || buckets == 0 {
                return from.cursor(cursor);
            }
        }
    }

    /// Reports the entries of a segment that are not before `from` and whose homes are before bucket `end`.
    fn scan_homes(
        &self,
        view: View<'_>,
        end: usize,
        from: Position,
        hash_of: &impl Fn(&P) -> u64,
        f: &mut impl FnMut(&P),
    ) -> usize {
        let homes = view.shape.home(view.shape.tag(from))..end;
        let wanted = || {
            let entries = view.entries().map(|(_, _, entry)| entry);
            entries.filter(|entry| homes.contains(&view.shape.home(entry.tag())))
        };
        let mut items = 0;
        let mut ahead = wanted();
        for entry in ahead.by_ref().take(prefetch::AHEAD) {
            prefetch::line(entry.pointer());
        }
        for entry in wanted() {
            if let Some(entry) = ahead.next() {
                prefetch::line(entry.pointer());
            }
            if self.is_from(view.shape, entry, from, hash_of) {
                f(&self.borrow(entry));
                items += 1;
            }
        }
        let end = view.shape.bucket_start(from, end);
        for stashed in &self.stash {
            let at = Position::of_hash(stashed.hash);
            if at >= from && end.is_none_or(|end| at < end) {
                f(&stashed.entry);
                items += 1;
            }
        }
        items
    }

    /// Whether an entry's position is `from` or later. All but the bits behind the tag are known without its hash.
    #[inline]
    fn is_from(
        &self,
        shape: Shape,
        entry: Tagged,
        from: Position,
        hash_of: &impl Fn(&P) -> u64,
    ) -> bool {
        let tag = shape.tag(from);
        if entry.tag() != tag || shape.is_exact(from) {
            return entry.tag() >= tag;
        }
        Position::of_hash(hash_of(&self.borrow(entry))) >= from
    }

    /// An entry picked uniformly among all, or `None` in an empty dict. `rng` gives 64 uniform bits a call. Expected O(1).
    ///
    /// A place is drawn among all that could exist and rejected if it holds nothing, which is exactly fair. After many
    /// rejections (a dict that was emptied unevenly) the entry is picked by rank, as fairly, in time of the number of segments.
    pub fn random(&self, mut rng: impl FnMut() -> u64) -> Option<Slot> {
        if self.len == 0 {
            return None;
        }
        let mut rank = below(rng(), self.len);
        if let Some(stored) = rank.checked_sub(self.stash.len()) {
            rank = stored;
        } else {
            return Some(self.stash_slot(rank));
        }
        let depth = self.root_word().depth();
        for _ in 0..RANDOM_TRIES {
            let random = rng();
            let index = Position(random).prefix(depth);
            let segment = self.segment_at(index);
            if self.first_index(index, segment) != index {
                continue;
            }
            let view = self.view(segment);
            let buckets = if depth == 0 {
                view.shape.buckets
            } else {
                BUCKETS_MAX
            };
            let place = below(random << depth, buckets * SLOTS);
            let (bucket, slot) = (place / SLOTS, place % SLOTS);
            if bucket < view.shape.buckets && view.bucket(bucket).word().fingerprint(slot) != 0 {
                return Some(self.slot(index, bucket, slot));
            }
        }
        self.ranked(rank)
    }

    /// The entry of this rank among those in segments.
    #[cold]
    fn ranked(&self, mut rank: usize) -> Option<Slot> {
        let depth = self.root_word().depth();
        let mut index = 0;
        while index < 1 << depth {
            let segment = self.segment_at(index);
            if rank < segment.count() {
                let view = self.view(segment);
                let (bucket, slot, _) = view.entries().nth(rank)?;
                return Some(self.slot(index, bucket, slot));
            }
            rank -= segment.count();
            index += 1 << (depth - segment.depth());
        }
        None
    }

    /// All entries, roughly in the order of their positions.
    pub fn iter(&self) -> Iter<'_, P> {
        Iter {
            dict: self,
            index: 0,
            bucket: 0,
            slots: Slots::default(),
            stashed: 0,
            left: self.len,
        }
    }

    /// For freeing a dict in slices.
    pub fn into_drain(self) -> Drain<P> {
        Drain {
            dict: self,
            at: DrainAt::default(),
        }
    }

    /// Takes out up to `max` entries (or passes as many empty buckets), retiring what is empty; says whether entries or memory
    /// are left. The dict is good for nothing else afterwards.
    pub(super) fn clear_slice(
        &mut self,
        at: &mut DrainAt,
        max: usize,
        reclaim: &mut impl Reclaim,
        f: &mut impl FnMut(P),
    ) -> bool {
        let mut work = 0;
        while let Some(stashed) = self.stash.pop() {
            self.len -= 1;
            f(stashed.entry);
            work += 1;
            if work >= max {
                return true;
            }
        }
        let slots = self.slots().len();
        while at.index < slots && self.root_word().0 != 0 {
            let segment = self.segment_at(at.index);
            if segment.is_none() {
                at.index += 1;
                continue;
            }
            let view = self.view(segment);
            while at.bucket < view.shape.buckets {
                let bucket = view.bucket(at.bucket);
                for slot in bucket.word().occupied() {
                    if work >= max {
                        return true;
                    }
                    let (_, entry) = bucket.take(slot);
                    self.len -= 1;
                    work += 1;
                    // SAFETY: stored by `into_raw`, and just taken out.
                    #[allow(unsafe_code)]
                    f(unsafe { P::from_raw(entry.raw()) });
                }
                at.bucket += 1;
                work += 1;
            }
            at.bucket = 0;
            let spare = self.root_word().depth() - segment.depth();
            for index in at.index..at.index + (1 << spare) {
                self.set_segment(index, Segment::NONE);
            }
            at.index += 1 << spare;
            self.retire_segment(segment, reclaim);
        }
        let root = self.root_word();
        self.root.store(0, Ordering::Release);
        self.bytes -= root.bytes();
        if root.is_directory() {
            // SAFETY: all slots are empty, and the dict has no directory any more.
            #[allow(unsafe_code)]
            reclaim.retire(unsafe { root.retire() });
        }
        debug_assert_eq!((self.len, self.bytes), (0, 0));
        false
    }
}

/// How many homes of a segment, counted from its first bucket, it takes to report `wanted` entries from `from` on.
fn enough_homes(view: View<'_>, from: Position, wanted: usize) -> usize {
    let mut counts = [0usize; BUCKETS_MAX];
    for (_, _, entry) in view.entries() {
        counts[view.shape.home(entry.tag())] += 1;
    }
    let start = view.shape.home(view.shape.tag(from));
    let mut left = wanted;
    for (at, count) in counts[start..view.shape.buckets].iter().enumerate() {
        if *count >= left {
            return start + at + 1;
        }
        left -= count;
    }
    view.shape.buckets
}

/// `random` scaled to 0..`bound`.
fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}

/// See [`Dict::iter`].
pub struct Iter<'a, P: Handle> {
    dict: &'a Dict<P>,
    index: usize,
    bucket: usize,
    /// Slots of the bucket before `bucket` that are still to be visited.
    slots: Slots,
    stashed: usize,
    left: usize,
}

impl<P: Handle> std::fmt::Debug for Iter<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Iter")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<'a, P: Handle> Iterator for Iter<'a, P> {
    type Item = Ref<'a, P>;

    fn next(&mut self) -> Option<Ref<'a, P>> {
        self.left = self.left.checked_sub(1)?;
        if let Some(stashed) = self.dict.stash.get(self.stashed) {
            self.stashed += 1;
            return Some(self.dict.borrow_stashed(&stashed.entry));
        }
        let root: RootWord = self.dict.root_word();
        loop {
            let segment = self.dict.segment_at(self.index);
            let view = self.dict.view(segment);
            if let Some(slot) = self.slots.next() {
                return Some(self.dict.borrow(view.bucket(self.bucket - 1).entry(slot)));
            }
            if self.bucket == view.shape.buckets {
                self.bucket = 0;
                self.index += 1 << (root.depth() - segment.depth());
            } else {
                self.slots = view.bucket(self.bucket).word().occupied();
                self.bucket += 1;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<P: Handle> ExactSizeIterator for Iter<'_, P> {}

impl<'a, P: Handle> IntoIterator for &'a Dict<P> {
    type Item = Ref<'a, P>;
    type IntoIter = Iter<'a, P>;

    fn into_iter(self) -> Iter<'a, P> {
        self.iter()
    }
}

/// How far a drain has come.
#[derive(Debug, Default)]
pub(super) struct DrainAt {
    index: usize,
    bucket: usize,
}

/// A dict on its way out, emptied in slices. Dropping it frees the rest at once.
#[derive(Debug)]
pub struct Drain<P: Handle> {
    dict: Dict<P>,
    at: DrainAt,
}

impl<P: Handle> Drain<P> {
    /// Gives up to `max` entries (at least 1) to `f`, to be dropped there; memory goes to `reclaim`. `false`: all is done.
    pub fn slice(&mut self, max: usize, reclaim: &mut impl Reclaim, mut f: impl FnMut(P)) -> bool {
        self.dict
            .clear_slice(&mut self.at, max.max(1), reclaim, &mut f)
    }

    /// Number of entries left.
    pub fn len(&self) -> usize {
        self.dict.len
    }

    /// Whether no entry is left (memory may be).
    pub fn is_empty(&self) -> bool {
        self.dict.len == 0
    }
}
