//! A hash some of whose fields have deadlines of their own.
//!
//! Beside the tree of fields, which is that of any big hash, stand the fields with deadlines, in their order: a sorted set. So the next one
//! that is due is found at once, and an image costs a few references.
//!
//! **Invariant.** Every field with a deadline is a field. The key's own deadline is kept here, because the entry's timer says when the first
//! of all these deadlines may come: see [`crate::Entry::due`].

use dunlin_structures::tree::Tree;

use crate::big::{MemberHash, shed};
use crate::entry::DEADLINE_MS_MAX;
use crate::hash::KeyHasher;
use crate::hash_value;
use crate::members::member_hash;
use crate::zset::ZSet;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct TimedHash {
    pub(crate) fields: Tree<MemberHash>,
    /// Members are fields, scores their deadlines, which doubles hold exactly.
    deadlines: ZSet,
    key_deadline_ms: Option<u64>,
    is_small: bool,
}

impl TimedHash {
    /// No field has a deadline yet. `is_small`: the fields were packed before.
    pub(crate) fn new(
        fields: Tree<MemberHash>,
        key_deadline_ms: Option<u64>,
        is_small: bool,
    ) -> TimedHash {
        TimedHash {
            fields,
            deadlines: ZSet::new(),
            key_deadline_ms,
            is_small,
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether it never outgrew the limits of packed hashes.
    pub(crate) fn is_small(&self) -> bool {
        self.is_small
    }

    /// It outgrew them.
    pub(crate) fn outgrow(&mut self) {
        self.is_small = false;
    }

    /// The deadline of the whole key, in milliseconds since 1970.
    pub(crate) fn key_deadline(&self) -> Option<u64> {
        self.key_deadline_ms
    }

    pub(crate) fn set_key_deadline(&mut self, deadline_ms: Option<u64>) {
        self.key_deadline_ms = deadline_ms.map(|at| at.min(DEADLINE_MS_MAX));
    }

    /// The deadline of a field, in milliseconds since 1970. O(log n).
    pub fn deadline_of(&self, hasher: &KeyHasher, field: &[u8]) -> Option<u64> {
        let score = self.deadlines.score(member_hash(hasher, field), field);
        score.map(|at| at as u64)
    }

    /// Sets or takes away the deadline of a field that is there. O(log n).
    pub(crate) fn set_deadline(
        &mut self,
        hasher: &KeyHasher,
        field: &[u8],
        deadline_ms: Option<u64>,
    ) {
        let hash = member_hash(hasher, field);
        match deadline_ms {
            Some(at) => {
                let at = at.min(DEADLINE_MS_MAX) as f64;
                self.deadlines.upsert(hash, field, |_| Some(at));
            }
            None => {
                self.deadlines.remove(hash, field);
            }
        }
    }

    /// The fields that have deadlines, the first that is due first.
    pub fn deadlines(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let sorted = self.deadlines.sorted().iter();
        sorted.map(|(at, field)| (field, at.0 as u64))
    }

    /// When the first of all deadlines comes, the key's own among them.
    pub(crate) fn due(&self) -> Option<u64> {
        let first = self.deadlines().next().map(|(_, at)| at);
        first.into_iter().chain(self.key_deadline_ms).min()
    }

    /// Whether the key is past its deadline, or every field past its own.
    pub(crate) fn is_dead(&self, now_ms: u64) -> bool {
        let all_have = self.deadlines.len() == self.len();
        let last = self.deadlines.sorted().iter().next_back();
        self.key_deadline_ms.is_some_and(|at| at <= now_ms)
            || (all_have && last.is_some_and(|(at, _)| at.0 as u64 <= now_ms))
    }

    /// Takes out fields that are due, at most so many; their names.
    pub(crate) fn take_due(
        &mut self,
        hasher: &KeyHasher,
        now_ms: u64,
        max: usize,
    ) -> Vec<Box<[u8]>> {
        let due = self.deadlines().take_while(|(_, at)| *at <= now_ms);
        let due: Vec<Box<[u8]>> = due.take(max).map(|(field, _)| field.into()).collect();
        self.deadlines.remove_ranks(0..due.len(), hasher);
        for field in &due {
            hash_value::remove_big(&mut self.fields, hasher, field);
        }
        due
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.fields.leaf_count() + self.deadlines.leaf_count()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.fields.memory_bytes() + self.deadlines.memory_bytes()
    }

    /// See `Big::shed`. What is left is no hash any more.
    pub(crate) fn shed(&mut self, leaves: usize) -> bool {
        shed(&mut self.fields, leaves) || self.deadlines.shed(leaves)
    }
}
