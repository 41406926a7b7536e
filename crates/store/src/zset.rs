//! The big form of sorted sets: a tree in the order of scores, and an index from members to scores.
//!
//! **Invariant.** Both hold the same members. In `sorted` entries ascend by score, then by member as bytes; in `index` by the upper half of
//! the member's hash, each with its score and nothing else: a member is recognised by looking for it in `sorted`.

use std::cmp::Ordering;

use dunlin_structures::tree::{Probe, SortKey, Tree};

use crate::big::{MemberHash, shed};

/// A score: any double but NaN. Negative zero equals zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score(pub f64);

impl SortKey for Score {}

/// What the index holds for a member: its hash and its score, in 12 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Indexed {
    hash: MemberHash,
    score: [u32; 2],
}

impl SortKey for Indexed {
    const HAS_PAYLOAD: bool = false;
}

impl Indexed {
    fn new(hash: MemberHash, score: f64) -> Self {
        let bits = score.to_bits();
        Indexed {
            hash,
            score: [bits as u32, (bits >> 32) as u32],
        }
    }

    fn score(self) -> f64 {
        f64::from_bits(u64::from(self.score[1]) << 32 | u64::from(self.score[0]))
    }
}

/// The place of a member with a score.
struct AtMember<'a> {
    score: f64,
    member: &'a [u8],
}

impl Probe<Score> for AtMember<'_> {
    #[inline]
    fn by_key(&self, key: Score) -> Ordering {
        order(key.0, self.score)
    }

    #[inline]
    fn by_payload(&self, payload: &[u8]) -> Ordering {
        payload.cmp(self.member)
    }
}

/// The place before all members of a hash.
struct AtHash(MemberHash);

impl Probe<Indexed> for AtHash {
    #[inline]
    fn by_key(&self, key: Indexed) -> Ordering {
        key.hash.cmp(&self.0)
    }

    #[inline]
    fn by_payload(&self, _payload: &[u8]) -> Ordering {
        Ordering::Equal
    }
}

/// How scores are ordered; neither is NaN.
#[inline]
pub fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub struct ZSet {
    sorted: Tree<Score>,
    index: Tree<Indexed>,
}

impl ZSet {
    /// An empty one.
    pub fn new() -> Self {
        ZSet::default()
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Members in order: by score, then as bytes.
    pub fn sorted(&self) -> &Tree<Score> {
        &self.sorted
    }

    /// Score and rank of a member, and its rank in the index. Expected O(log n).
    fn find(&self, hash: MemberHash, member: &[u8]) -> Option<(f64, usize, usize)> {
        let (first, _) = self.index.position(&AtHash(hash));
        for (at, (indexed, _)) in self.index.range(first..self.index.len()).enumerate() {
            if indexed.hash != hash {
                return None;
            }
            let score = indexed.score();
            let (rank, item) = self.sorted.position(&AtMember { score, member });
            if let Some((key, payload)) = item
                && key.0 == score
                && payload == member
            {
                return Some((score, rank, first + at));
            }
        }
        None
    }

    /// Score of a member. Expected O(log n).
    pub fn score(&self, hash: MemberHash, member: &[u8]) -> Option<f64> {
        self.find(hash, member).map(|(score, _, _)| score)
    }

    /// Score and rank of a member. Expected O(log n).
    pub fn rank(&self, hash: MemberHash, member: &[u8]) -> Option<(f64, usize)> {
        self.find(hash, member)
            .map(|(score, rank, _)| (score, rank))
    }

    /// Adds a member or moves it to another score; its old score. Expected O(log n).
    pub fn insert(&mut self, hash: MemberHash, member: &[u8], score: f64) -> Option<f64> {
        let found = self.find(hash, member);
        match found {
            Some((old, _, _)) if old.to_bits() == score.to_bits() => return Some(old),
            Some((_, rank, at)) => {
                self.sorted.remove(rank);
                self.index.replace(at, Indexed::new(hash, score), &[]);
            }
            None => {
                let (at, _) = self.index.position(&AtHash(hash));
                self.index.insert(at, Indexed::new(hash, score), &[]);
            }
        }
        let (rank, _) = self.sorted.position(&AtMember { score, member });
        self.sorted.insert(rank, Score(score), member);
        found.map(|(old, _, _)| old)
    }

    /// Takes a member out; its score. Expected O(log n).
    pub fn remove(&mut self, hash: MemberHash, member: &[u8]) -> Option<f64> {
        let (score, rank, at) = self.find(hash, member)?;
        self.sorted.remove(rank);
        self.index.remove(at);
        Some(score)
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.sorted.leaf_count() + self.index.leaf_count()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.sorted.memory_bytes() + self.index.memory_bytes()
    }

    /// See `Big::shed`. What is left is no sorted set any more.
    pub(crate) fn shed(&mut self, leaves: usize) -> bool {
        shed(&mut self.sorted, leaves) || shed(&mut self.index, leaves)
    }
}
