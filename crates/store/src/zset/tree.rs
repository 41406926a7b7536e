//! The big form: a tree in the order of scores, and an index by the members' hashes.
//!
//! **Invariant.** Both hold the same members with the same scores. In `sorted` entries ascend by score, then by member as bytes; in `index`
//! by the upper half of the member's hash, then by member.
//!
//! A member lies in both trees: it is looked up without a visit to the other tree, and ZSCAN goes over the index alone, so that a call
//! takes as long for a million members of one score as for any others. Some 65 bytes for a member of 16 bytes.

use std::cmp::Ordering;
use std::ops::Range;

use dunlin_structures::packed::Element;
use dunlin_structures::tree::{self, Builder, Path, Probe, SortKey, Tree};

use super::{Item, order, order_members};
use crate::big::{MemberHash, shed};
use crate::hash::KeyHasher;
use crate::members::member_hash;

/// A score: any double but NaN. Negative zero equals zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score(pub f64);

impl SortKey for Score {}

/// What the index holds beside a member: its hash and its score, in 12 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indexed {
    hash: MemberHash,
    score: [u32; 2],
}

impl SortKey for Indexed {}

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

/// The place of a member in the index.
struct AtHash<'a> {
    hash: MemberHash,
    member: &'a [u8],
}

impl Probe<Indexed> for AtHash<'_> {
    #[inline]
    fn by_key(&self, key: Indexed) -> Ordering {
        key.hash.cmp(&self.hash)
    }

    #[inline]
    fn by_payload(&self, payload: &[u8]) -> Ordering {
        payload.cmp(self.member)
    }
}

/// The hash of a member, the member and its score.
pub type HashedMember<'a> = (MemberHash, &'a [u8], f64);

/// Members of a big sorted set in the order of their hashes.
#[derive(Clone, Debug)]
pub struct ByHash<'a>(tree::Iter<'a, Indexed>);

impl<'a> Iterator for ByHash<'a> {
    type Item = HashedMember<'a>;

    #[inline]
    fn next(&mut self) -> Option<HashedMember<'a>> {
        let (indexed, member) = self.0.next()?;
        Some((indexed.hash, member, indexed.score()))
    }
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

    /// One of these items, which are in order and of different members. O(n log n).
    ///
    /// # Panics
    /// If a member stands twice.
    pub fn from_sorted<'a>(items: impl Iterator<Item = Item<'a>>, hasher: &KeyHasher) -> Self {
        ZSet::try_from_sorted(items, hasher).expect("different members")
    }

    /// The same, of members that may be the same: `None` then.
    pub fn try_from_sorted<'a>(
        items: impl Iterator<Item = Item<'a>>,
        hasher: &KeyHasher,
    ) -> Option<Self> {
        let mut sorted = Builder::new();
        let mut hashed: Vec<(MemberHash, Element<'a>, f64)> =
            Vec::with_capacity(items.size_hint().0);
        for (member, score) in items {
            let hash = member.with_text(|member| {
                sorted.push(Score(score), member);
                member_hash(hasher, member)
            });
            hashed.push((hash, member, score));
        }
        hashed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| order_members(a.1, b.1)));
        if hashed
            .windows(2)
            .any(|two| (two[0].0, two[0].1) == (two[1].0, two[1].1))
        {
            return None;
        }
        let mut index = Builder::new();
        for (hash, member, score) in hashed {
            member.with_text(|member| index.push(Indexed::new(hash, score), member));
        }
        Some(ZSet {
            sorted: sorted.finish(),
            index: index.finish(),
        })
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

    /// Members in the order of their hashes.
    pub(crate) fn by_hash(&self) -> ByHash<'_> {
        ByHash(self.index.iter())
    }

    /// Where a member is or belongs in the index, and its score if it is there. O(log n).
    #[inline]
    fn find(&self, hash: MemberHash, member: &[u8]) -> (Path, Option<f64>) {
        let (path, found) = self.index.path(&AtHash { hash, member });
        let found = found.filter(|(indexed, payload)| indexed.hash == hash && *payload == member);
        (path, found.map(|(indexed, _)| indexed.score()))
    }

    /// Score of a member. O(log n).
    #[inline]
    pub fn score(&self, hash: MemberHash, member: &[u8]) -> Option<f64> {
        self.find(hash, member).1
    }

    /// Rank and score of a member. O(log n).
    pub fn rank(&self, hash: MemberHash, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(hash, member)?;
        let (rank, _) = self.sorted.position(&AtMember { score, member });
        Some((rank, score))
    }

    /// Adds a member or changes its score, as `decide` says by its old score. O(log n).
    pub fn upsert(
        &mut self,
        hash: MemberHash,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        let (at, old) = self.find(hash, member);
        let Some(new) = decide(old) else {
            return;
        };
        let place = AtMember { score: new, member };
        let Some(old) = old else {
            self.index.insert_at(at, Indexed::new(hash, new), member);
            let (to, _) = self.sorted.path(&place);
            self.sorted.insert_at(to, Score(new), member);
            return;
        };
        if old == new {
            return;
        }
        let [from, to] = self
            .sorted
            .paths([&AtMember { score: old, member }, &place]);
        self.index.set_key_at(at, Indexed::new(hash, new));
        let to = match self.sorted.remove_at(from) {
            true => to.after_removal(from),
            false => self.sorted.path(&place).0,
        };
        self.sorted.insert_at(to, Score(new), member);
    }

    /// Takes a member out; its score. O(log n).
    pub fn remove(&mut self, hash: MemberHash, member: &[u8]) -> Option<f64> {
        let (at, score) = self.find(hash, member);
        let score = score?;
        let (place, _) = self.sorted.path(&AtMember { score, member });
        self.sorted.remove_at(place);
        self.index.remove_at(at);
        Some(score)
    }

    /// Takes the members of a range of ranks out. O(log n) for each.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, hasher: &KeyHasher) {
        for (_, member) in self.sorted.range(ranks.clone()) {
            let (at, _) = self.index.path(&AtHash {
                hash: member_hash(hasher, member),
                member,
            });
            self.index.remove_at(at);
        }
        self.sorted.remove_range(ranks);
    }

    /// See [`crate::members::scan`].
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        min: usize,
        mut visit: impl FnMut(&'a [u8], f64),
    ) -> u64 {
        let Ok(hash) = MemberHash::try_from(cursor) else {
            return 0;
        };
        let (first, _) = self.index.position(&AtHash { hash, member: b"" });
        let mut last = None;
        for (seen, (indexed, member)) in self.index.range(first..self.len()).enumerate() {
            if seen >= min && last != Some(indexed.hash) {
                return indexed.hash.into();
            }
            last = Some(indexed.hash);
            visit(member, indexed.score());
        }
        0
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

    /// Panics unless both trees are sound and hold the same. O(n log n).
    pub fn assert_consistent(&self, hasher: &KeyHasher) {
        self.sorted.assert_consistent();
        self.index.assert_consistent();
        assert_eq!(self.sorted.len(), self.index.len());
        let items = || {
            self.sorted
                .iter()
                .map(|(score, member)| (Element::Bytes(member), score.0))
        };
        for (before, after) in items().zip(items().skip(1)) {
            assert!(
                super::order_items(before, after) == Ordering::Less,
                "out of order"
            );
        }
        for (score, member) in self.sorted.iter() {
            assert_eq!(
                self.score(member_hash(hasher, member), member),
                Some(score.0)
            );
        }
    }
}
