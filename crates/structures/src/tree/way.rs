//! Ways from the root to an entry or a gap: by rank, or along a path that was found before.

use super::SortKey;
use super::node::Inner;

/// More levels than a tree can get: a level is added when the root has more than 64 children, and of two neighbours below the root one has at
/// least 24.
const DEPTH_MAX: usize = 14;

/// Where an entry is, or belongs, in a tree as it is: the child to take at each level, and the number in the leaf. 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    children: [u8; DEPTH_MAX],
    depth: u8,
    pub(super) at: u8,
}

impl Path {
    #[inline]
    pub(super) fn push(&mut self, child: usize) {
        self.children[usize::from(self.depth)] = child as u8;
        self.depth += 1;
    }

    /// What this path is when the entry at another one has been removed and no node has come or gone for that.
    #[inline]
    #[must_use]
    pub fn after_removal(mut self, removed: Path) -> Path {
        let is_behind = self.at > removed.at;
        let is_same_leaf = (self.children, self.depth) == (removed.children, removed.depth);
        self.at -= u8::from(is_same_leaf && is_behind);
        self
    }
}

/// Says at each inner node where to go on.
pub(super) trait Way<K> {
    /// The child to take.
    fn child(&mut self, inner: &Inner<K>) -> usize;

    /// The number of the entry in the leaf that was reached.
    fn at(&self) -> usize;
}

/// To the entry of a rank.
pub(super) struct ToEntry(pub(super) usize);

impl<K: SortKey> Way<K> for ToEntry {
    #[inline]
    fn child(&mut self, inner: &Inner<K>) -> usize {
        let (child, inside) = inner.child_of(self.0);
        self.0 = inside;
        child
    }

    #[inline]
    fn at(&self) -> usize {
        self.0
    }
}

/// To the gap before a rank: at the end of a child rather than at the start of the next.
pub(super) struct ToGap(pub(super) usize);

impl<K: SortKey> Way<K> for ToGap {
    #[inline]
    fn child(&mut self, inner: &Inner<K>) -> usize {
        let Some(before) = self.0.checked_sub(1) else {
            return 0;
        };
        let (child, inside) = inner.child_of(before);
        self.0 = inside + 1;
        child
    }

    #[inline]
    fn at(&self) -> usize {
        self.0
    }
}

/// Along a path.
pub(super) struct Along {
    path: Path,
    level: usize,
}

impl Along {
    #[inline]
    pub(super) fn new(path: Path) -> Along {
        Along { path, level: 0 }
    }
}

impl<K: SortKey> Way<K> for Along {
    #[inline]
    fn child(&mut self, _inner: &Inner<K>) -> usize {
        let child = self.path.children[self.level];
        self.level += 1;
        usize::from(child)
    }

    #[inline]
    fn at(&self) -> usize {
        usize::from(self.path.at)
    }
}
