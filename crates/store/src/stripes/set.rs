//! Which stripes a command needs: one, several or all.
//!
//! Invariant: a list of stripes is ascending and free of duplicates, so walking a set is walking the lock order.
//! Not here: how stripes are chosen from keys.

use std::ops::Deref;

use smallvec::SmallVec;

/// So many stripes of one set are kept without an allocation.
pub const SET_INLINE_STRIPES: usize = 6;

/// Stripe numbers, ascending, without duplicates, never empty.
#[derive(Debug, PartialEq, Eq)]
pub struct StripeList(SmallVec<[u16; SET_INLINE_STRIPES]>);

impl Clone for StripeList {
    /// Copies the bytes at once, where the derived one would go number by number.
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

impl Deref for StripeList {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        &self.0
    }
}

/// The stripes that one command, transaction or script takes together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockSet {
    /// One stripe: the common case, and the fast one.
    One(u16),
    /// Several stripes, taken in ascending order.
    Some(StripeList),
    /// Every stripe, behind the gate.
    All,
}

impl LockSet {
    /// Makes a set of stripe numbers in any order, with or without repetitions. O(n log n); allocates only
    /// when more than [`SET_INLINE_STRIPES`] numbers are given.
    ///
    /// # Panics
    /// When there is no number at all: a command without keys takes no stripe and must not ask for a lock.
    pub fn of(stripes: impl IntoIterator<Item = u16>) -> Self {
        let mut list: SmallVec<[u16; SET_INLINE_STRIPES]> = stripes.into_iter().collect();
        if list.len() > 1 {
            list.sort_unstable();
            list.dedup();
        }
        match list[..] {
            [] => panic!("a lock set has at least one stripe"),
            [only] => Self::One(only),
            _ => Self::Some(StripeList(list)),
        }
    }

    /// Adds a stripe. O(n).
    pub fn add(&mut self, stripe: u16) {
        match self {
            Self::All => {}
            Self::One(only) if *only == stripe => {}
            Self::One(only) => *self = Self::of([*only, stripe]),
            Self::Some(list) => {
                if let Err(at) = list.0.binary_search(&stripe) {
                    list.0.insert(at, stripe);
                }
            }
        }
    }

    /// Whether the stripe is one of the set. O(log n).
    #[inline]
    pub fn covers(&self, stripe: u16) -> bool {
        match self {
            Self::One(only) => *only == stripe,
            Self::Some(list) => list.binary_search(&stripe).is_ok(),
            Self::All => true,
        }
    }

    /// How many stripes the set has where there are `count` in all.
    pub fn size(&self, count: usize) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Some(list) => list.len(),
            Self::All => count,
        }
    }

    /// The stripe at a place of the lock order of this set; `index` is below [`size`](Self::size).
    #[inline]
    pub(super) fn at(&self, index: usize) -> u16 {
        match self {
            Self::One(only) => {
                debug_assert_eq!(index, 0);
                *only
            }
            Self::Some(list) => list[index],
            Self::All => index as u16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_and_without_duplicates() {
        let set = LockSet::of([9, 3, 9, 200, 3, 0]);
        let LockSet::Some(list) = &set else {
            panic!("several stripes are a list");
        };
        assert_eq!(list[..], [0, 3, 9, 200]);
        assert!(set.covers(9) && !set.covers(10));
        assert_eq!(set.size(256), 4);
        assert_eq!(LockSet::of([7, 7, 7]), LockSet::One(7));
        assert_eq!(LockSet::All.size(256), 256);
    }

    #[test]
    fn adding_keeps_the_order() {
        let mut set = LockSet::of([5]);
        for stripe in [5, 2, 9, 2, 5, 7] {
            set.add(stripe);
        }
        assert_eq!(set, LockSet::of([2, 5, 7, 9]));
        let mut all = LockSet::All;
        all.add(3);
        assert_eq!(all, LockSet::All);
    }

    #[test]
    #[should_panic(expected = "at least one stripe")]
    fn an_empty_set_is_a_bug() {
        let _ = LockSet::of([]);
    }
}
