//! Reading a sorted set, whichever form it has.

use std::ops::Range;

use dunlin_structures::packed::{self as packed_list, Element};
use dunlin_structures::tree::{self, Probe};

use super::range::Place;
use super::{Item, LexRange, Score, ScoreRange, ZSet, packed};
use crate::big::Big;
use crate::entry::{Entry, Kind};
use crate::hash::KeyHasher;
use crate::members::member_hash;

/// A sorted set, borrowed from its entry.
#[derive(Clone, Copy, Debug)]
pub enum ZSetRef<'a> {
    /// The bytes of the packed form.
    Packed(&'a [u8]),
    /// The big form.
    Big(&'a ZSet),
}

impl<'a> ZSetRef<'a> {
    /// The value of an entry, if it is a sorted set.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        match entry.kind() {
            Kind::ZSetPacked => entry.packed_bytes().map(ZSetRef::Packed),
            Kind::ZSet => match entry.big() {
                Some(Big::ZSet(zset)) => Some(ZSetRef::Big(zset)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Number of members. O(1).
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ZSetRef::Packed(bytes) => packed::len(bytes),
            ZSetRef::Big(zset) => zset.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Score of a member. O(log n).
    #[inline]
    pub fn score(self, hasher: &KeyHasher, member: &[u8]) -> Option<f64> {
        match self {
            ZSetRef::Packed(bytes) => {
                packed::find(packed::list(bytes), member).map(|hit| hit.score)
            }
            ZSetRef::Big(zset) => zset.score(member_hash(hasher, member), member),
        }
    }

    /// Rank and score of a member. O(log n).
    pub fn rank(self, hasher: &KeyHasher, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            ZSetRef::Packed(bytes) => {
                packed::find(packed::list(bytes), member).map(|hit| (hit.rank, hit.score))
            }
            ZSetRef::Big(zset) => zset.rank(member_hash(hasher, member), member),
        }
    }

    /// The item of a rank. O(log n).
    pub fn get(self, rank: usize) -> Option<Item<'a>> {
        (rank < self.len()).then(|| self.range(rank..rank + 1).next())?
    }

    /// The items of a range of ranks, from either end. O(log n), and O(1) for each item.
    ///
    /// # Panics
    /// If the range ends past the end.
    pub fn range(self, ranks: Range<usize>) -> Items<'a> {
        match self {
            ZSetRef::Packed(bytes) => {
                let list = packed::list(bytes);
                let places = packed::places(list, packed::len(bytes), &ranks);
                Items::Packed(packed_list::iter(&list[places]), ranks.len())
            }
            ZSetRef::Big(zset) => Items::Big(zset.sorted().range(ranks)),
        }
    }

    /// All items, from either end.
    pub fn iter(self) -> Items<'a> {
        self.range(0..self.len())
    }

    fn position(self, place: &(impl Place + Probe<Score>)) -> usize {
        match self {
            ZSetRef::Packed(bytes) => {
                packed::position(packed::list(bytes), packed::len(bytes), place).0
            }
            ZSetRef::Big(zset) => zset.sorted().position(place).0,
        }
    }

    /// Ranks of the members with these scores. O(log n).
    pub fn score_ranks(self, range: &ScoreRange) -> Range<usize> {
        let (from, to) = range.places();
        let from = self.position(&from);
        from..self.position(&to).max(from)
    }

    /// Ranks of these members, where all scores are equal; else of something. O(log n).
    pub fn lex_ranks(self, range: &LexRange<'_>) -> Range<usize> {
        let (from, to) = range.places();
        let from = self.position(&from);
        from..self.position(&to).max(from)
    }

    /// Visits items from `cursor` on, at least `min` if there are so many; returns where to go on, 0 at the end. Start at 0. What is
    /// there from the first call to the last is visited exactly once, unless the form changes meanwhile: then perhaps once more.
    pub fn scan(self, cursor: u64, min: usize, mut visit: impl FnMut(Item<'a>)) -> u64 {
        match self {
            ZSetRef::Packed(_) => {
                self.iter().for_each(visit);
                0
            }
            ZSetRef::Big(zset) => zset.scan(cursor, min, |member, score| {
                visit((Element::Bytes(member), score));
            }),
        }
    }
}

/// Items of a sorted set, from either end. See [`ZSetRef::range`].
#[derive(Clone, Debug)]
pub enum Items<'a> {
    /// Elements of a packed list, and how many items they are.
    Packed(packed_list::Iter<'a>, usize),
    /// Entries of a tree.
    Big(tree::Iter<'a, Score>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Items::Packed(elements, left) => {
                let member = elements.next()?;
                let score = elements.next().expect("a member has a score");
                *left -= 1;
                Some((member, packed::decode_score(score)))
            }
            Items::Big(entries) => {
                let (score, member) = entries.next()?;
                Some((Element::Bytes(member), score.0))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match self {
            Items::Packed(_, left) => *left,
            Items::Big(entries) => entries.len(),
        };
        (len, Some(len))
    }
}

impl DoubleEndedIterator for Items<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Items::Packed(elements, left) => {
                let score = elements.next_back()?;
                let member = elements.next_back().expect("a score has a member");
                *left -= 1;
                Some((member, packed::decode_score(score)))
            }
            Items::Big(entries) => {
                let (score, member) = entries.next_back()?;
                Some((Element::Bytes(member), score.0))
            }
        }
    }
}

impl ExactSizeIterator for Items<'_> {}
