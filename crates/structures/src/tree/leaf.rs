//! Leaves: up to 128 entries in three arrays.
//!
//! **Invariant.** `keys` and, where there are payloads, `ends` have an element per entry; payload i is `bytes[ends[i - 1]..ends[i]]`.

use std::cmp::Ordering;
use std::ops::Range;

use super::node::partition_point;
use super::{Item, Probe, SortKey};
use crate::prefetch::{self, LINE_BYTES};

/// Most entries of a leaf.
pub(super) const ENTRIES_MAX: usize = 128;
/// Leaves that have more entries together are not joined: some room is left for more.
pub(super) const JOINED_MAX: usize = ENTRIES_MAX / 4 * 3;
/// A leaf of several entries has no more payload than this.
pub(super) const BYTES_MAX: usize = 4096;

#[derive(Clone)]
pub(super) struct Leaf<K> {
    keys: Vec<K>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

fn prefetch_all<T>(array: &[T]) {
    let bytes = array.as_ptr_range();
    let (from, to) = (bytes.start.addr(), bytes.end.addr());
    for line in (from / LINE_BYTES * LINE_BYTES..to).step_by(LINE_BYTES) {
        prefetch::line(std::ptr::without_provenance(line));
    }
}

/// Makes room for `more` elements. Arrays of up to `ordinary` elements have few sizes, two for each doubling: leaves grow and split in
/// waves, and were there a size for each length, every wave would leave half-empty pages of sizes behind that nobody wants any more
/// (measured on a sorted set of a million members: a third of the resident memory).
fn reserve<T>(array: &mut Vec<T>, more: usize, ordinary: usize) {
    let wanted = array.len() + more;
    if wanted > array.capacity() {
        array.reserve_exact(room_for(wanted, ordinary) - array.len());
    }
}

/// The capacity for so many elements.
fn room_for(wanted: usize, ordinary: usize) -> usize {
    if wanted > ordinary {
        return wanted;
    }
    let full = wanted.next_power_of_two().max(8);
    if wanted <= full / 4 * 3 {
        full / 4 * 3
    } else {
        full
    }
}

/// Copies the elements from `at` on into an array of its own, and cuts both to fitting sizes.
fn split<T: Copy>(array: &mut Vec<T>, at: usize, ordinary: usize) -> Vec<T> {
    let mut tail = Vec::new();
    reserve(&mut tail, array.len() - at, ordinary);
    tail.extend_from_slice(&array[at..]);
    array.truncate(at);
    shrink(array, ordinary);
    tail
}

/// Gives back what an array of this length would not have.
fn shrink<T>(array: &mut Vec<T>, ordinary: usize) {
    array.shrink_to(room_for(array.len(), ordinary));
}

impl<K: SortKey> Leaf<K> {
    pub(super) fn new() -> Self {
        Leaf {
            keys: Vec::new(),
            ends: Vec::new(),
            bytes: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    #[inline]
    fn start(&self, at: usize) -> usize {
        match at.checked_sub(1) {
            Some(before) if K::HAS_PAYLOAD => self.ends[before] as usize,
            _ => 0,
        }
    }

    #[inline]
    pub(super) fn key(&self, at: usize) -> K {
        self.keys[at]
    }

    /// The number of the first entry that is not `Less` than the probed place.
    #[inline]
    pub(super) fn find(&self, probe: &impl Probe<K>) -> usize {
        partition_point(&self.keys, probe, Ordering::Less, |at| self.payload(at))
    }

    /// Has all keys brought into the cache at once, and where the payloads end: a search would wait for one line after the other.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_all(&self.keys);
        prefetch_all(&self.ends);
    }

    /// Has the payloads brought into the cache, which an entry that comes or goes will move.
    #[inline]
    pub(super) fn prefetch_payloads(&self) {
        prefetch_all(&self.bytes[..self.bytes.len().min(BYTES_MAX)]);
    }

    #[inline]
    pub(super) fn payload(&self, at: usize) -> &[u8] {
        if K::HAS_PAYLOAD {
            &self.bytes[self.start(at)..self.ends[at] as usize]
        } else {
            &[]
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Item<'_, K> {
        (self.key(at), self.payload(at))
    }

    /// Whether an entry with so much payload has room beside those that are there.
    pub(super) fn has_room(&self, payload: usize) -> bool {
        self.len() == 0
            || (self.len() < ENTRIES_MAX && self.bytes.len().saturating_add(payload) <= BYTES_MAX)
    }

    /// Whether all entries of two leaves fit one, with some room left for more.
    pub(super) fn can_absorb(&self, other: &Self) -> bool {
        self.len() + other.len() <= JOINED_MAX
            && self.bytes.len() + other.bytes.len() <= BYTES_MAX / 4 * 3
    }

    pub(super) fn insert(&mut self, at: usize, key: K, payload: &[u8]) {
        reserve(&mut self.keys, 1, ENTRIES_MAX);
        self.keys.insert(at, key);
        if !K::HAS_PAYLOAD {
            assert!(payload.is_empty(), "a tree of keys only");
            return;
        }
        let start = self.start(at);
        reserve(&mut self.ends, 1, ENTRIES_MAX);
        self.ends.insert(at, start as u32);
        self.splice(start, 0, payload);
        self.shift_ends(at, payload.len(), 0);
    }

    /// Adds an entry behind all others, to a leaf that is being built: its arrays grow as they please.
    #[inline]
    pub(super) fn append(&mut self, key: K, payload: &[u8]) {
        self.keys.push(key);
        if !K::HAS_PAYLOAD {
            assert!(payload.is_empty(), "a tree of keys only");
            return;
        }
        self.bytes.extend_from_slice(payload);
        let end = u32::try_from(self.bytes.len()).expect("a leaf below 4 GiB");
        self.ends.push(end);
    }

    /// A leaf of all entries in arrays that fit them; this one is empty then and keeps its arrays.
    pub(super) fn take_fitting(&mut self) -> Self {
        let mut leaf = Leaf::new();
        leaf.absorb(self);
        self.keys.clear();
        self.ends.clear();
        self.bytes.clear();
        // One long payload is no reason to keep so much.
        self.bytes.shrink_to(BYTES_MAX);
        leaf
    }

    /// Whether the entry at `at` may have so much payload instead.
    pub(super) fn has_room_at(&self, at: usize, payload: usize) -> bool {
        let others = self.bytes.len() - self.payload(at).len();
        self.len() == 1 || payload <= self.payload(at).len() || others + payload <= BYTES_MAX
    }

    pub(super) fn replace(&mut self, at: usize, key: K, payload: &[u8]) {
        self.keys[at] = key;
        if K::HAS_PAYLOAD {
            let (start, old) = (self.start(at), self.payload(at).len());
            self.splice(start, old, payload);
            if payload.len() != old {
                self.shift_ends(at, payload.len(), old);
            }
        }
    }

    pub(super) fn set_key(&mut self, at: usize, key: K) {
        self.keys[at] = key;
    }

    /// Puts `new` in the place of `old` bytes.
    fn splice(&mut self, start: usize, old: usize, new: &[u8]) {
        if new.len() == old {
            self.bytes[start..start + old].copy_from_slice(new);
            return;
        }
        let len = self.bytes.len();
        assert!(
            u32::try_from(len + new.len()).is_ok(),
            "a leaf of 4 GiB or more"
        );
        if new.len() > old {
            reserve(&mut self.bytes, new.len() - old, BYTES_MAX);
            self.bytes.resize(len + new.len() - old, 0);
        }
        self.bytes.copy_within(start + old..len, start + new.len());
        self.bytes.truncate(len + new.len() - old);
        self.bytes[start..start + new.len()].copy_from_slice(new);
    }

    fn shift_ends(&mut self, from: usize, added: usize, removed: usize) {
        for end in &mut self.ends[from..] {
            *end = *end + added as u32 - removed as u32;
        }
    }

    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.keys.drain(range.clone());
        if K::HAS_PAYLOAD {
            let (start, end) = (self.start(range.start), self.ends[range.end - 1] as usize);
            self.splice(start, end - start, &[]);
            self.ends.drain(range.clone());
            self.shift_ends(range.start, 0, end - start);
        }
        if self.keys.len() < self.keys.capacity() / 2 {
            shrink(&mut self.keys, ENTRIES_MAX);
            shrink(&mut self.ends, ENTRIES_MAX);
            shrink(&mut self.bytes, BYTES_MAX);
        }
    }

    /// Cuts the entries from `at` on off.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let start = self.start(at);
        let keys = split(&mut self.keys, at, ENTRIES_MAX);
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        if K::HAS_PAYLOAD {
            ends = split(&mut self.ends, at, ENTRIES_MAX);
            ends.iter_mut().for_each(|end| *end -= start as u32);
            bytes = split(&mut self.bytes, start, BYTES_MAX);
        }
        Leaf { keys, ends, bytes }
    }

    /// Appends copies of all entries of another leaf.
    pub(super) fn absorb(&mut self, other: &Self) {
        let base = self.bytes.len() as u32;
        reserve(&mut self.keys, other.keys.len(), ENTRIES_MAX);
        self.keys.extend_from_slice(&other.keys);
        reserve(&mut self.ends, other.ends.len(), ENTRIES_MAX);
        self.ends.extend(other.ends.iter().map(|end| end + base));
        reserve(&mut self.bytes, other.bytes.len(), BYTES_MAX);
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Where to cut so that both halves have about the same weight and `at` is told apart: appending and prepending fill leaves.
    pub(super) fn cut(&self, at: usize) -> usize {
        if at == self.len() || at == 0 {
            return at;
        }
        if self.bytes.len() <= BYTES_MAX / 2 {
            return self.len() / 2;
        }
        let half = self.bytes.len() as u32 / 2;
        self.ends
            .partition_point(|end| *end <= half)
            .clamp(1, self.len() - 1)
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.capacity() * size_of::<K>()
            + self.ends.capacity() * size_of::<u32>()
            + self.bytes.capacity()
            + size_of::<Self>()
    }
}
