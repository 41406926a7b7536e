//! Iteration: inside a leaf step by step, from leaf to leaf by rank.

use std::ops::Range;

use super::leaf::Leaf;
use super::node::Node;
use super::{Item, SortKey};

/// Entries of a range of ranks. See [`super::Tree::range`].
#[derive(Clone)]
pub struct Iter<'a, K: SortKey> {
    root: &'a Node<K>,
    ranks: Range<usize>,
    /// The leaf of the next entry, and its place there.
    front: Option<(&'a Leaf<K>, usize)>,
    /// The leaf of the last entry, and the place behind that.
    back: Option<(&'a Leaf<K>, usize)>,
}

impl<'a, K: SortKey> Iter<'a, K> {
    pub(super) fn new(root: &'a Node<K>, ranks: Range<usize>) -> Self {
        Iter {
            root,
            ranks,
            front: None,
            back: None,
        }
    }
}

impl<'a, K: SortKey> Iterator for Iter<'a, K> {
    type Item = Item<'a, K>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a, K>> {
        let rank = self.ranks.next()?;
        let (leaf, at) = match self.front {
            Some((leaf, at)) if at < leaf.len() => (leaf, at),
            _ => self.root.locate(rank),
        };
        self.front = Some((leaf, at + 1));
        Some(leaf.get(at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Item<'a, K>> {
        self.front = None;
        self.ranks.start = self.ranks.start.saturating_add(n).min(self.ranks.end);
        self.next()
    }
}

impl<'a, K: SortKey> DoubleEndedIterator for Iter<'a, K> {
    #[inline]
    fn next_back(&mut self) -> Option<Item<'a, K>> {
        let rank = self.ranks.next_back()?;
        let (leaf, at) = match self.back {
            Some((leaf, end)) if end > 0 => (leaf, end - 1),
            _ => self.root.locate(rank),
        };
        self.back = Some((leaf, at));
        Some(leaf.get(at))
    }
}

impl<K: SortKey> ExactSizeIterator for Iter<'_, K> {}

impl<K: SortKey> std::fmt::Debug for Iter<'_, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Iter")
            .field("ranks", &self.ranks)
            .finish_non_exhaustive()
    }
}
