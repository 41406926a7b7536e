//! The dict's invariants, spelled out for tests and for hunting bugs.
//!
//! It changes nothing, and knows the insides of every other file here.

use super::bucket::same_class;
use super::handle::Handle;
use super::position::{Position, fingerprint};
use super::segment::BUCKETS_MAX;
use super::{Dict, Segment};

impl<P: Handle> Dict<P> {
    /// Walks the whole dict. O(entries).
    ///
    /// # Panics
    /// If anything in it contradicts anything else.
    pub fn assert_consistent(&self, hash_of: impl Fn(&P) -> u64) {
        let root = self.root_word();
        if root.0 == 0 {
            assert_eq!((self.len, self.bytes, self.stash.len()), (0, 0, 0));
            return;
        }
        let (mut index, mut len, mut bytes, mut deepest) = (0, 0, root.bytes(), 0);
        while index < 1 << root.depth() {
            let segment = self.segment_at(index);
            let slots = 1 << (root.depth() - segment.depth());
            for at in index..index + slots {
                assert_eq!(self.segment_at(at).with_count(0), segment.with_count(0));
            }
            assert_eq!(index % slots, 0);
            self.assert_segment(index, segment, &hash_of);
            len += segment.count();
            bytes += segment.bytes();
            deepest += usize::from(slots == 1);
            index += slots;
        }
        assert_eq!(self.len, len + self.stash.len());
        assert_eq!((self.bytes, self.deepest), (bytes, deepest));
        for stashed in &self.stash {
            assert_eq!(hash_of(&stashed.entry), stashed.hash);
        }
    }

    fn assert_segment(&self, index: usize, segment: Segment, hash_of: &impl Fn(&P) -> u64) {
        let view = self.view(segment);
        let mut count = 0;
        let mut away = [[0; 2]; BUCKETS_MAX];
        for (bucket, slot, entry) in view.entries() {
            count += 1;
            let hash = hash_of(&self.borrow(entry));
            let position = Position::of_hash(hash);
            assert_eq!(entry.tag(), view.shape.tag(position));
            let (at, _) = self.locate(position);
            assert_eq!(self.first_index(at, segment), index, "the right segment");
            let print = fingerprint(hash);
            assert_eq!(view.bucket(bucket).word().fingerprint(slot), print);
            let home = view.shape.home(entry.tag());
            assert!(bucket == home || bucket == view.alternate(home, print));
            away[home][usize::from(!same_class(print, 0))] += usize::from(bucket != home);
        }
        assert_eq!(count, segment.count());
        for (home, away) in away.iter().enumerate().take(view.shape.buckets) {
            self.assert_marks(segment, home, *away);
        }
    }

    fn assert_marks(&self, segment: Segment, home: usize, away: [usize; 2]) {
        let view = self.view(segment);
        let word = view.bucket(home).word();
        for (class, away) in (0..2).zip(away) {
            assert!(word.counts_away(class, away), "{away} away from {home}");
        }
        let is_from_here = |stashed: &super::Stashed<P>| {
            let position = Position::of_hash(stashed.hash);
            self.locate(position).1.with_count(0) == segment.with_count(0)
                && view.shape.home(view.shape.tag(position)) == home
        };
        assert_eq!(word.has_stashed(), self.stash.iter().any(is_from_here));
    }
}
