//! Entries on their way from a segment that is replaced, or two, into the one that replaces them.
//!
//! A dict that grows moves three and a half entries for each that is inserted, which is much of what an insertion costs. Hence gathering has
//! no branch for an entry, and settling counts the places that it fills instead of looking for a free one each time.

use super::bucket::SLOTS;
use super::handle::Tagged;
use super::segment::{BUCKETS_MAX, View};

/// Most entries of a segment.
const ENTRIES_MAX: usize = BUCKETS_MAX * SLOTS;

/// See the module.
pub(super) struct Moving {
    entries: [Tagged; ENTRIES_MAX],
    fingerprints: [u8; ENTRIES_MAX],
    len: usize,
}

impl Moving {
    pub(super) fn new() -> Self {
        Moving {
            entries: [Tagged::NONE; ENTRIES_MAX],
            fingerprints: [0; ENTRIES_MAX],
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn entries_mut(&mut self) -> &mut [Tagged] {
        &mut self.entries[..self.len]
    }

    /// The entries of a segment, those of its two halves apart.
    pub(super) fn halves(source: View<'_>) -> [Moving; 2] {
        let mut halves = [Moving::new(), Moving::new()];
        for bucket in source.buckets() {
            let word = bucket.word();
            for slot in 0..SLOTS {
                let entry = bucket.entry(slot);
                let fingerprint = word.fingerprint(slot);
                // What is nothing is overwritten by the next.
                let half = &mut halves[source.shape.half(entry.tag())];
                half.entries[half.len] = entry;
                half.fingerprints[half.len] = fingerprint;
                half.len += usize::from(fingerprint != 0);
            }
        }
        halves
    }

    /// Adds the entries of `source`, under new tags.
    ///
    /// # Panics
    /// If they are more than a segment can hold.
    pub(super) fn gather(&mut self, source: View<'_>, retag: impl Fn(u16) -> u16) {
        for bucket in source.buckets() {
            let word = bucket.word();
            for slot in 0..SLOTS {
                let entry = bucket.entry(slot);
                let fingerprint = word.fingerprint(slot);
                self.entries[self.len] = entry.with_tag(retag(entry.tag()));
                self.fingerprints[self.len] = fingerprint;
                self.len += usize::from(fingerprint != 0);
            }
        }
    }

    /// Copies them into an empty segment; returns those for which there was no room.
    ///
    /// Whoever finds room at home gets it before the others look further: fewer entries lie away from home.
    pub(super) fn settle(&self, target: View<'_>) -> Vec<Tagged> {
        let mut filled = [0u8; BUCKETS_MAX];
        let mut words = [[0; SLOTS + 1]; BUCKETS_MAX];
        let mut homeless = [0u16; ENTRIES_MAX];
        let mut homeless_len = 0;
        for at in 0..self.len {
            let entry = self.entries[at];
            let home = target.shape.home(entry.tag());
            let slot = usize::from(filled[home]);
            if slot < SLOTS {
                target.bucket(home).replace(slot, entry);
                words[home][slot] = self.fingerprints[at];
                filled[home] += 1;
            } else {
                homeless[homeless_len] = at as u16;
                homeless_len += 1;
            }
        }
        for (bucket, word) in target.buckets().zip(words) {
            bucket.set_fingerprints(word);
        }
        let mut left = Vec::new();
        for at in &homeless[..homeless_len] {
            let at = usize::from(*at);
            let (fingerprint, entry) = (self.fingerprints[at], self.entries[at]);
            if target.place(fingerprint, entry).is_none() {
                left.push(entry);
            }
        }
        left
    }
}
