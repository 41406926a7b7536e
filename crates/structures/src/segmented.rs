//! A vector in segments: it grows without moving what it holds, so no push is slow, and at most one segment lies unused.
//!
//! Invariant: every segment but the last is full.

use std::fmt;
use std::ops::{Index, IndexMut};

/// A vector of segments of `N` elements, `N` a power of two. An access costs one more load than a `Vec`'s.
pub struct SegmentedVec<T, const N: usize = 64> {
    segments: Vec<Vec<T>>,
}

impl<T, const N: usize> SegmentedVec<T, N> {
    /// An empty one. Allocates nothing.
    #[must_use]
    pub const fn new() -> SegmentedVec<T, N> {
        const { assert!(N.is_power_of_two(), "segments are powers of two") }
        SegmentedVec {
            segments: Vec::new(),
        }
    }

    /// Elements in it.
    #[must_use]
    pub fn len(&self) -> usize {
        let room = self.segments.last().map_or(0, |last| N - last.len());
        self.segments.len() * N - room
    }

    /// True when it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends an element and returns its index. O(1): besides the element only the pointers to segments are ever moved.
    pub fn push(&mut self, value: T) -> usize {
        let full = self.segments.last().is_none_or(|last| last.len() == N);
        if full {
            self.segments.push(Vec::with_capacity(N));
        }
        let at = self.segments.len() - 1;
        let last = &mut self.segments[at];
        last.push(value);
        at * N + last.len() - 1
    }

    /// The element at `index`.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.segments.get(index / N)?.get(index % N)
    }

    /// The element at `index`.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.segments.get_mut(index / N)?.get_mut(index % N)
    }

    /// All elements, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flatten()
    }

    /// Drops all elements, and gives back the memory of all segments but one.
    pub fn clear(&mut self) {
        self.segments.truncate(1);
        self.segments.iter_mut().for_each(Vec::clear);
    }
}

impl<T, const N: usize> Default for SegmentedVec<T, N> {
    fn default() -> SegmentedVec<T, N> {
        SegmentedVec::new()
    }
}

impl<T, const N: usize> Index<usize> for SegmentedVec<T, N> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.segments[index / N][index % N]
    }
}

impl<T, const N: usize> IndexMut<usize> for SegmentedVec<T, N> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.segments[index / N][index % N]
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for SegmentedVec<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_index_and_their_place() {
        let mut all = SegmentedVec::<usize, 4>::new();
        assert!(all.is_empty());
        assert_eq!(all.push(0), 0);
        let first: *const usize = &raw const all[0];
        for value in 1..1_000 {
            assert_eq!(all.push(value), value);
            assert_eq!(all.len(), value + 1);
        }
        assert_eq!(&raw const all[0], first);
        all[17] *= 2;
        assert_eq!(all.get(17), Some(&34));
        if let Some(value) = all.get_mut(17) {
            *value = 17;
        }
        assert!(all.iter().copied().eq(0..1_000));
        assert_eq!((all.get(1_000), all.get(4_000)), (None, None));
        all.clear();
        assert_eq!((all.len(), all.get(0)), (0, None));
        assert!(all.is_empty());
        assert_eq!((all.push(7), all.segments.len()), (0, 1));
    }
}
