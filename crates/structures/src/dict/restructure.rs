//! How a dict grows and shrinks, a segment at a time, and what happens to entries that find no room.
//!
//! Growing: a segment that finds no room for an entry in its two buckets goes up the ladder; at the top it splits, doubling the directory if
//! it is as deep. Shrinking: a segment less than half full goes down the ladder; two sparse buddies merge, and a directory
//! without a segment of its depth is halved. The thresholds lie far apart, so that no sequence of operations makes a segment
//! go back and forth without as many insertions or removals between.
//!
//! **Invariant.** New memory is filled before it is linked, and old memory is retired after it was unlinked.

use std::sync::atomic::Ordering;

use super::bucket::SLOTS;
use super::directory::RootWord;
use super::handle::{Handle, Tagged};
use super::moving::Moving;
use super::position::{DEPTH_MAX, Position, Shape, fingerprint};
use super::segment::{BUCKETS_MAX, Segment, View, fitting_size, growing_size, next_size};
use super::{Dict, Slot, Stashed};
use crate::epoch::{FreeNow, Reclaim};
use crate::prefetch;

/// A segment that finds no room for an entry though less than this part of it is full suffers from collisions, which growth
/// does not cure.
const FUTILE_LOAD_PERCENT: usize = 50;

/// Halves of a split segment are made this full.
const SPLIT_LOAD_PERCENT: usize = 90;

/// A segment that is emptier than this shrinks ...
const SHRINK_BELOW_PERCENT: usize = 50;
/// ... to this load.
const SHRINK_TO_PERCENT: usize = 75;

/// Room is made for entries that are announced so that they fill this part of it: chance makes few segments so much fuller that
/// they have to be rebuilt.
const RESERVE_LOAD_PERCENT: usize = 80;

/// Buddies that have no more entries than this together merge.
const MERGE_ENTRIES_MAX: usize = 192;

/// A directory may have this many slots whatever it is used for (32 KiB) ...
const DIRECTORY_SLOTS_FREE: usize = 4096;
/// ... and more if there are as many entries for each slot: a hash so bad that it wants more gets a stash instead.
const ENTRIES_PER_SLOT_MIN: usize = 8;

impl<P: Handle> Dict<P> {
    /// The first segment of an empty dict.
    pub(super) fn plant(&mut self) {
        let segment = self.allocate(Shape {
            depth: 0,
            buckets: 1,
        });
        self.deepest = 1;
        self.set_segment(0, segment);
    }

    /// Makes room for this many entries, so that adding them rebuilds next to nothing, if there has been none yet. O(entries); takes the
    /// memory that they would have made the dict take, too.
    pub fn reserve(&mut self, entries: usize) {
        if self.root_word().0 != 0 || entries == 0 {
            return;
        }
        let fits =
            |depth: &u32| (entries >> depth) * 100 <= BUCKETS_MAX * SLOTS * RESERVE_LOAD_PERCENT;
        let depth = (0..DEPTH_MAX).find(fits).unwrap_or(DEPTH_MAX);
        let buckets = fitting_size((entries >> depth).max(1), RESERVE_LOAD_PERCENT);
        let shape = Shape { depth, buckets };
        self.deepest = 1 << depth;
        if depth == 0 {
            let segment = self.allocate(shape);
            self.set_segment(0, segment);
            return;
        }
        let root = RootWord::allocate(depth, (0..1 << depth).map(|_| self.allocate(shape)));
        self.set_root(root, &mut FreeNow);
    }

    fn allocate(&mut self, shape: Shape) -> Segment {
        let segment = Segment::allocate(shape);
        self.bytes += segment.bytes();
        segment
    }

    /// Frees a segment that no slot names; entries are not dropped.
    pub(super) fn retire_segment(&mut self, segment: Segment, reclaim: &mut impl Reclaim) {
        self.bytes -= segment.bytes();
        // SAFETY: the caller has unlinked it, and whoever unlinks has moved the entries.
        #[allow(unsafe_code)]
        reclaim.retire(unsafe { segment.retire() });
    }

    /// All entries of a segment.
    fn leaving(&self, segment: Segment) -> Moving {
        let mut moving = Moving::new();
        moving.gather(self.view(segment), |tag| tag);
        moving
    }

    /// Makes a segment with these entries, or nothing if they find no room.
    fn build(&mut self, shape: Shape, moving: &Moving) -> Option<Segment> {
        let segment = self.allocate(shape);
        if moving.settle(self.view(segment)).is_empty() {
            return Some(segment.with_count(moving.len()));
        }
        self.retire_segment(segment, &mut FreeNow);
        None
    }

    /// The same at the first size from `buckets` up on which there is room; what finds none at the top goes to the stash.
    fn build_surely(
        &mut self,
        (depth, mut buckets): (u32, usize),
        moving: &Moving,
        hash_of: &impl Fn(&P) -> u64,
    ) -> Segment {
        while buckets < BUCKETS_MAX {
            if let Some(segment) = self.build(Shape { depth, buckets }, moving) {
                return segment;
            }
            buckets = next_size(buckets);
        }
        let segment = self.allocate(Shape { depth, buckets });
        let view = self.view(segment);
        let left = moving.settle(view);
        for entry in &left {
            self.stash_stored(view, *entry, hash_of);
        }
        segment.with_count(moving.len() - left.len())
    }

    /// Puts the segment of slot `index` where its new form or forms shall be: `segments[0]` in the first half of its slots.
    fn install(&mut self, first: usize, spare: u32, segments: [Segment; 2]) {
        let slots = 1 << spare;
        for at in 0..slots {
            self.set_segment(first + at, segments[at * 2 / slots]);
        }
    }

    /// Grows or splits the segment of slot `index`. `false`: that would not help.
    pub(super) fn make_room<R: Reclaim>(
        &mut self,
        index: usize,
        hash_of: &impl Fn(&P) -> u64,
        reclaim: &mut R,
    ) -> bool {
        let first = self.first_index(index, self.segment_at(index));
        let segment = self.segment_at(first);
        let shape = segment.shape();
        if segment.count() * 100 < shape.buckets * SLOTS * FUTILE_LOAD_PERCENT {
            return false;
        }
        if shape.buckets == BUCKETS_MAX {
            return self.split(first, hash_of, reclaim);
        }
        let buckets = next_size(shape.buckets);
        let grown = self.build_surely((shape.depth, buckets), &self.leaving(segment), hash_of);
        let spare = self.root_word().depth() - shape.depth;
        self.install(first, spare, [grown; 2]);
        self.retire_segment(segment, reclaim);
        self.place_stashed(first);
        true
    }

    fn split<R: Reclaim>(
        &mut self,
        mut first: usize,
        hash_of: &impl Fn(&P) -> u64,
        reclaim: &mut R,
    ) -> bool {
        let segment = self.segment_at(first);
        let shape = segment.shape();
        let mut depth = self.root_word().depth();
        if shape.depth == depth {
            let slots = 2 << depth;
            let free = slots <= DIRECTORY_SLOTS_FREE || slots * ENTRIES_PER_SLOT_MIN <= self.len;
            if depth == DEPTH_MAX || !free {
                return false;
            }
            self.double_directory(reclaim);
            first *= 2;
            depth += 1;
        }
        let view = self.view(segment);
        let deeper = shape.depth + 1;
        let parts = Moving::halves(view).map(|mut moving| {
            if shape.split_moves_anchor() {
                self.retag(moving.entries_mut(), deeper, hash_of);
            }
            let buckets = growing_size(moving.len(), SPLIT_LOAD_PERCENT);
            self.build_surely((deeper, buckets), &moving, hash_of)
        });
        let spare = depth - shape.depth;
        self.install(first, spare, parts);
        if deeper == depth {
            self.deepest += 2;
        }
        self.retire_segment(segment, reclaim);
        self.place_stashed(first);
        self.place_stashed(first + (1 << (spare - 1)));
        true
    }

    /// Gives entries the tags that they will have at another depth, which takes their hashes.
    fn retag(&self, entries: &mut [Tagged], depth: u32, hash_of: &impl Fn(&P) -> u64) {
        let shape = Shape { depth, buckets: 1 };
        for entry in entries.iter().take(prefetch::AHEAD) {
            prefetch::line(entry.pointer());
        }
        for at in 0..entries.len() {
            if let Some(entry) = entries.get(at + prefetch::AHEAD) {
                prefetch::line(entry.pointer());
            }
            let entry = entries[at];
            let position = Position::of_hash(hash_of(&self.borrow(entry)));
            entries[at] = entry.with_tag(shape.tag(position));
        }
    }

    /// Replaces the root and retires the directory that it was.
    fn set_root(&mut self, root: RootWord, reclaim: &mut impl Reclaim) {
        let old = self.root_word();
        self.root.store(root.0, Ordering::Release);
        self.bytes += root.bytes();
        if old.is_directory() {
            self.bytes -= old.bytes();
            // SAFETY: the dict uses the new one from here on.
            #[allow(unsafe_code)]
            reclaim.retire(unsafe { old.retire() });
        }
    }

    fn double_directory(&mut self, reclaim: &mut impl Reclaim) {
        let depth = self.root_word().depth() + 1;
        let segments = (0..1 << depth).map(|index| self.segment_at(index / 2));
        let root = RootWord::allocate(depth, segments);
        self.set_root(root, reclaim);
        self.deepest = 0;
    }

    /// Halves the directory as long as no segment needs its last bit.
    fn halve_directory(&mut self, reclaim: &mut impl Reclaim) {
        while self.deepest == 0 {
            let depth = self.root_word().depth() - 1;
            let mut deepest = 0;
            let segments = (0..1 << depth).map(|index| {
                let segment = self.segment_at(index * 2);
                deepest += usize::from(segment.depth() == depth);
                segment
            });
            let root = if depth == 0 {
                RootWord(segments.last().expect("one segment").0)
            } else {
                RootWord::allocate(depth, segments)
            };
            self.set_root(root, reclaim);
            self.deepest = deepest;
        }
    }

    /// After a removal from the segment whose first slot is `first`: merges or shrinks it if that is due.
    #[inline]
    pub(super) fn tidy(&mut self, first: usize, reclaim: &mut impl Reclaim) {
        let segment = self.segment_at(first);
        let shape = segment.shape();
        let count = segment.count();
        if shape.depth > 0 && count <= MERGE_ENTRIES_MAX && self.merge(first, reclaim) {
            return;
        }
        if count * 100 < shape.buckets * SLOTS * SHRINK_BELOW_PERCENT {
            self.shrink(first, fitting_size(count, SHRINK_TO_PERCENT), reclaim);
        }
    }

    fn shrink(&mut self, first: usize, buckets: usize, reclaim: &mut impl Reclaim) {
        let segment = self.segment_at(first);
        let shape = segment.shape();
        if buckets >= shape.buckets {
            return;
        }
        let depth = shape.depth;
        if let Some(small) = self.build(Shape { depth, buckets }, &self.leaving(segment)) {
            let spare = self.root_word().depth() - depth;
            self.install(first, spare, [small; 2]);
            self.retire_segment(segment, reclaim);
            self.place_stashed(first);
        }
    }

    fn merge<R: Reclaim>(&mut self, first: usize, reclaim: &mut R) -> bool {
        let segment = self.segment_at(first);
        let depth = segment.depth();
        let spare = self.root_word().depth() - depth;
        let buddy_first = first ^ 1 << spare;
        let buddy = self.segment_at(buddy_first);
        let count = segment.count() + buddy.count();
        if buddy.depth() != depth || count > MERGE_ENTRIES_MAX {
            return false;
        }
        let low = first.min(buddy_first);
        let pair = [self.segment_at(low), self.segment_at(low | 1 << spare)];
        let mut moving = Moving::new();
        for (at, segment) in pair.into_iter().enumerate() {
            let view = self.view(segment);
            let prefix = (low >> spare) + at;
            let retag = |tag| view.shape.tag_after_merge(prefix, tag);
            moving.gather(view, retag);
        }
        let shape = Shape {
            depth: depth - 1,
            buckets: fitting_size(count, SHRINK_TO_PERCENT),
        };
        let Some(merged) = self.build(shape, &moving) else {
            return false;
        };
        self.install(low, spare + 1, [merged; 2]);
        for segment in pair {
            self.retire_segment(segment, reclaim);
        }
        if spare == 0 {
            self.deepest -= 2;
            self.halve_directory(reclaim);
        }
        if !self.stash.is_empty() {
            let root = self.root_word().depth();
            self.place_stashed(low >> spare >> 1 << (root - shape.depth));
        }
        true
    }

    /// Stashes an entry that is stored in a segment about to be retired; `view` is the new segment.
    #[cold]
    fn stash_stored(&mut self, view: View<'_>, entry: Tagged, hash_of: &impl Fn(&P) -> u64) {
        // SAFETY: the handle's only other copy goes with the old segment.
        #[allow(unsafe_code)]
        let entry = unsafe { P::from_raw(entry.raw()) };
        let hash = hash_of(&entry);
        let home = view.shape.home(view.shape.tag(Position::of_hash(hash)));
        view.bucket(home).set_stashed(true);
        self.stash.push(Stashed { hash, entry });
    }

    /// Stashes a new entry.
    #[cold]
    pub(super) fn put_in_stash(&mut self, hash: u64, entry: P) -> Slot {
        let position = Position::of_hash(hash);
        let view = self.view(self.locate(position).1);
        let home = view.shape.home(view.shape.tag(position));
        view.bucket(home).set_stashed(true);
        self.stash.push(Stashed { hash, entry });
        self.stash_slot(self.stash.len() - 1)
    }

    #[cold]
    pub(super) fn take_from_stash(&mut self, at: usize) -> P {
        let Stashed { hash, entry } = self.stash.swap_remove(at);
        self.settle(hash);
        self.trim_stash();
        entry
    }

    /// Corrects the mark of a home one of whose entries has left the stash.
    fn settle(&self, hash: u64) {
        let position = Position::of_hash(hash);
        let view = self.view(self.locate(position).1);
        let home = view.shape.home(view.shape.tag(position));
        let is_stashed = self.stash.iter().any(|stashed| {
            let other = Position::of_hash(stashed.hash);
            view.shape.first(other) == view.shape.first(position)
                && view.shape.home(view.shape.tag(other)) == home
        });
        view.bucket(home).set_stashed(is_stashed);
    }

    /// Brings stashed entries of the segment at `first` back to where there is room now.
    #[cold]
    pub(super) fn unstash(&mut self, first: usize) {
        let segment = self.segment_at(first);
        let view = self.view(segment);
        let mut count = segment.count();
        let mut at = 0;
        while at < self.stash.len() {
            let hash = self.stash[at].hash;
            let (index, _) = self.locate(Position::of_hash(hash));
            let tag = view.shape.tag(Position::of_hash(hash));
            let is_here = self.first_index(index, self.segment_at(index)) == first;
            let has_room = is_here && {
                let home = view.shape.home(tag);
                let other = view.alternate(home, fingerprint(hash));
                let is_vacant = |bucket: usize| view.bucket(bucket).word().vacancy().is_some();
                is_vacant(home) || is_vacant(other)
            };
            if !has_room {
                at += 1;
                continue;
            }
            let Stashed { entry, .. } = self.stash.swap_remove(at);
            let tagged = Tagged::new(entry.into_raw(), tag);
            let placed = view.place(fingerprint(hash), tagged);
            assert!(placed.is_some(), "one of its buckets has room");
            count += 1;
            self.settle(hash);
        }
        self.set_segment(first, segment.with_count(count));
        self.trim_stash();
    }

    fn trim_stash(&mut self) {
        if self.stash.is_empty() {
            self.stash = Vec::new();
        }
    }

    /// After the segment at `first` was rebuilt: places its stashed entries, or marks the homes of those that stay.
    fn place_stashed(&mut self, first: usize) {
        if self.stash.is_empty() {
            return;
        }
        self.unstash(first);
        let segment = self.segment_at(first);
        let view = self.view(segment);
        for stashed in &self.stash {
            let position = Position::of_hash(stashed.hash);
            let (index, other) = self.locate(position);
            if self.first_index(index, other) == first {
                let home = view.shape.home(view.shape.tag(position));
                view.bucket(home).set_stashed(true);
            }
        }
    }
}
