//! Sets of integers: sorted numbers of one width inside the entry.
//!
//! ```text
//! | width: 2, 4 or 8 | number | number | ...      numbers ascend, little-endian, `width` bytes each
//! ```
//!
//! **Invariant.** All numbers fit the width. It grows when a number needs it and never shrinks.

use crate::entry::Entry;

/// The form of the empty set.
pub const EMPTY: &[u8] = &[2];

/// The bytes before the numbers.
const HEAD_BYTES: usize = 1;

/// Most bytes that `len` numbers take.
pub fn bytes_max(len: usize) -> usize {
    HEAD_BYTES + len.saturating_mul(8)
}

/// A set of integers, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Ints<'a> {
    width: usize,
    numbers: &'a [u8],
}

impl<'a> Ints<'a> {
    /// Reads the packed form.
    ///
    /// # Panics
    /// If there is not even a head.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        Ints {
            width: bytes[0].into(),
            numbers: &bytes[HEAD_BYTES..],
        }
    }

    /// Number of numbers.
    #[inline]
    pub fn len(self) -> usize {
        // A division by a variable costs more than these shifts.
        match self.width {
            2 => self.numbers.len() / 2,
            4 => self.numbers.len() / 4,
            _ => self.numbers.len() / 8,
        }
    }

    /// Bytes of each number: 2, 4 or 8.
    pub fn width(self) -> usize {
        self.width
    }

    /// The numbers, little-endian, one behind the other.
    pub fn bytes(self) -> &'a [u8] {
        self.numbers
    }

    /// Whether there is no number.
    pub fn is_empty(self) -> bool {
        self.numbers.is_empty()
    }

    /// The number of this rank. Panics past the end.
    #[inline]
    pub fn get(self, rank: usize) -> i64 {
        fn read<const N: usize>(numbers: &[u8], rank: usize) -> [u8; N] {
            numbers[rank * N..][..N].try_into().expect("N bytes")
        }
        match self.width {
            2 => i16::from_le_bytes(read(self.numbers, rank)).into(),
            4 => i32::from_le_bytes(read(self.numbers, rank)).into(),
            _ => i64::from_le_bytes(read(self.numbers, rank)),
        }
    }

    /// The rank of a number, or the one where it belongs. O(log n).
    #[inline]
    pub fn find(self, n: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(&n) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Numbers in ascending order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = i64> + use<'a> {
        (0..self.len()).map(move |rank| self.get(rank))
    }
}

/// The narrowest width that a number fits.
fn width_of(n: i64) -> usize {
    if i16::try_from(n).is_ok() {
        2
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    }
}

/// The form of these numbers, which ascend.
pub fn of_sorted(numbers: &[i64]) -> Vec<u8> {
    let ends = [numbers.first(), numbers.last()];
    let width = ends.into_iter().flatten().map(|n| width_of(*n)).max();
    let Some(width) = width else {
        return EMPTY.to_vec();
    };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + numbers.len() * width);
    bytes.push(width as u8);
    for n in numbers {
        bytes.extend_from_slice(&n.to_le_bytes()[..width]);
    }
    bytes
}

/// Adds a number at the rank where it belongs. O(n).
///
/// # Panics
/// If the entry is no set of integers.
#[must_use]
pub fn insert(entry: Entry, rank: usize, n: i64) -> Entry {
    let bytes = entry.packed_bytes().expect("a set of integers");
    let ints = Ints::of(bytes);
    let (width, wanted) = (ints.width, width_of(n));
    let number = n.to_le_bytes();
    if wanted <= width {
        return entry.splice(HEAD_BYTES + rank * width, 0, &number[..width]);
    }
    let mut numbers: Vec<i64> = ints.iter().collect();
    numbers.insert(rank, n);
    let kind = entry.kind();
    entry.with_packed(kind, &of_sorted(&numbers))
}

/// Takes the number of this rank out. O(n).
///
/// # Panics
/// If the entry is no set of integers, or past the end.
#[must_use]
pub fn remove(entry: Entry, rank: usize) -> Entry {
    let bytes = entry.packed_bytes().expect("a set of integers");
    let width = Ints::of(bytes).width;
    entry.splice(HEAD_BYTES + rank * width, width, &[])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::entry::Kind;

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            -5i64..5,
            any::<i16>().prop_map(i64::from),
            any::<i32>().prop_map(i64::from),
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX),
        ]
    }

    proptest! {
        #[test]
        fn is_a_sorted_set(steps in proptest::collection::vec((any::<bool>(), number()), 0..200)) {
            let mut entry = Entry::packed(b"k", Kind::SetInts, EMPTY, 0);
            let mut model = BTreeSet::new();
            for (add, n) in steps {
                let found = Ints::of(entry.packed_bytes().expect("packed")).find(n);
                prop_assert_eq!(found.is_ok(), model.contains(&n));
                match (add, found) {
                    (true, Err(rank)) => {
                        entry = insert(entry, rank, n);
                        model.insert(n);
                    }
                    (false, Ok(rank)) => {
                        entry = remove(entry, rank);
                        model.remove(&n);
                    }
                    _ => {}
                }
                let ints = Ints::of(entry.packed_bytes().expect("packed"));
                prop_assert!(ints.iter().eq(model.iter().copied()));
                prop_assert_eq!(ints.len(), model.len());
            }
        }
    }
}
