//! Leaves: up to 128 entries in three arrays.
//!
//! Payloads have room at either end, so that lists grow and shrink at their heads as cheaply as at their tails.
//!
//! **Invariant.** `keys` and, where there are payloads, `ends` have an element per entry; payload i is `bytes[ends[i - 1]..ends[i]]`, where the
//! first one begins at `head`.

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
    head: u32,
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
            head: 0,
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
            _ => self.head as usize,
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
        let payloads = &self.bytes[self.head as usize..];
        prefetch_all(&payloads[..payloads.len().min(BYTES_MAX)]);
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

    /// Makes room for half of what its neighbour has: it is empty, and the first of those that come at an end of the tree.
    pub(super) fn expect_more(&mut self, neighbour: &Self) {
        reserve(&mut self.keys, neighbour.keys.len() / 2, ENTRIES_MAX);
        reserve(&mut self.ends, neighbour.ends.len() / 2, ENTRIES_MAX);
        let bytes = neighbour.payload_bytes().min(BYTES_MAX);
        reserve(&mut self.bytes, bytes / 2, BYTES_MAX);
    }

    /// Whether an entry with so much payload has room beside those that are there.
    pub(super) fn has_room(&self, payload: usize) -> bool {
        self.len() == 0
            || (self.len() < ENTRIES_MAX
                && self.payload_bytes().saturating_add(payload) <= BYTES_MAX)
    }

    /// Whether all entries of two leaves fit one, with some room left for more.
    pub(super) fn can_absorb(&self, other: &Self) -> bool {
        self.len() + other.len() <= JOINED_MAX
            && self.payload_bytes() + other.payload_bytes() <= BYTES_MAX / 4 * 3
    }

    pub(super) fn insert(&mut self, at: usize, key: K, payload: &[u8]) {
        reserve(&mut self.keys, 1, ENTRIES_MAX);
        self.keys.insert(at, key);
        if !K::HAS_PAYLOAD {
            assert!(payload.is_empty(), "a tree of keys only");
            return;
        }
        reserve(&mut self.ends, 1, ENTRIES_MAX);
        if at == 0 && !self.ends.is_empty() {
            return self.prepend(payload);
        }
        self.make_room(payload.len());
        let start = self.start(at);
        self.ends.insert(at, start as u32);
        self.splice(start, 0, payload);
        self.shift_ends(at, payload.len(), 0);
    }

    /// Adds a payload before the first one, and no other moves. O(entries), and now and then O(bytes).
    fn prepend(&mut self, payload: &[u8]) {
        if payload.len() > self.head as usize {
            self.make_room_before(payload.len());
        }
        let end = self.head as usize;
        let head = end - payload.len();
        self.bytes[head..end].copy_from_slice(payload);
        self.ends.insert(0, self.head);
        self.head = head as u32;
    }

    /// Makes room for so many bytes before the first payload: all that there is goes there.
    #[cold]
    fn make_room_before(&mut self, more: usize) {
        let (payload, head) = (self.payload_bytes(), self.head as usize);
        assert!(
            u32::try_from(payload + more).is_ok(),
            "a leaf of 4 GiB or more"
        );
        let capacity = self.bytes.capacity();
        if payload + more <= capacity && capacity <= BYTES_MAX {
            let end = self.bytes.len();
            self.bytes.resize(capacity, 0);
            self.bytes.copy_within(head..end, capacity - payload);
        } else {
            let mut bytes = Vec::with_capacity(room_for(payload + more, BYTES_MAX));
            bytes.resize(bytes.capacity() - payload, 0);
            bytes.extend_from_slice(&self.bytes[head..]);
            self.bytes = bytes;
        }
        self.move_ends(self.bytes.len() - payload);
    }

    /// Makes room for so many bytes behind the last payload.
    fn make_room(&mut self, more: usize) {
        if self.bytes.len() + more > self.bytes.capacity() {
            self.close_up();
            reserve(&mut self.bytes, more, BYTES_MAX);
        }
    }

    /// Moves the payloads to the front.
    fn close_up(&mut self) {
        if self.head > 0 {
            self.bytes.drain(..self.head as usize);
            self.move_ends(0);
        }
    }

    /// The payloads begin here now.
    fn move_ends(&mut self, head: usize) {
        let by = (head as u32).wrapping_sub(self.head);
        for end in &mut self.ends {
            *end = end.wrapping_add(by);
        }
        self.head = head as u32;
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
        self.head = 0;
        // One long payload is no reason to keep so much.
        self.bytes.shrink_to(BYTES_MAX);
        leaf
    }

    /// Whether the entry at `at` may have so much payload instead.
    pub(super) fn has_room_at(&self, at: usize, payload: usize) -> bool {
        let others = self.payload_bytes() - self.payload(at).len();
        self.len() == 1 || payload <= self.payload(at).len() || others + payload <= BYTES_MAX
    }

    pub(super) fn replace(&mut self, at: usize, key: K, payload: &[u8]) {
        self.keys[at] = key;
        if K::HAS_PAYLOAD {
            let old = self.payload(at).len();
            self.make_room(payload.len().saturating_sub(old));
            self.splice(self.start(at), old, payload);
            if payload.len() != old {
                self.shift_ends(at, payload.len(), old);
            }
        }
    }

    pub(super) fn set_key(&mut self, at: usize, key: K) {
        self.keys[at] = key;
    }

    /// Puts `new` in the place of `old` bytes; there is room.
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
        let mut capacity = self.keys.capacity();
        if K::HAS_PAYLOAD {
            capacity = self.ends.capacity();
            let (start, end) = (self.start(range.start), self.ends[range.end - 1] as usize);
            if range.start == 0 {
                self.head = end as u32;
            } else {
                self.splice(start, end - start, &[]);
            }
            self.ends.drain(range.clone());
            if range.start > 0 {
                self.shift_ends(range.start, 0, end - start);
            }
        }
        if self.len() < capacity / 2 {
            self.shrink();
        }
    }

    /// Gives back what arrays of these lengths would not have.
    fn shrink(&mut self) {
        shrink(&mut self.keys, ENTRIES_MAX);
        shrink(&mut self.ends, ENTRIES_MAX);
        if room_for(self.payload_bytes(), BYTES_MAX) < self.bytes.capacity() {
            self.close_up();
            shrink(&mut self.bytes, BYTES_MAX);
        }
    }

    /// Cuts the entries from `at` on off.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        if at == 0 {
            let mut all = std::mem::replace(self, Leaf::new());
            all.shrink();
            return all;
        }
        let start = self.start(at);
        let keys = split(&mut self.keys, at, ENTRIES_MAX);
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        if K::HAS_PAYLOAD {
            ends = split(&mut self.ends, at, ENTRIES_MAX);
            ends.iter_mut().for_each(|end| *end -= start as u32);
            bytes = split(&mut self.bytes, start, BYTES_MAX);
        }
        Leaf {
            keys,
            ends,
            bytes,
            head: 0,
        }
    }

    /// Appends copies of all entries of another leaf.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.make_room(other.payload_bytes());
        let base = self.bytes.len() as u32;
        reserve(&mut self.keys, other.keys.len(), ENTRIES_MAX);
        self.keys.extend_from_slice(&other.keys);
        reserve(&mut self.ends, other.ends.len(), ENTRIES_MAX);
        let ends = other.ends.iter().map(|end| end - other.head + base);
        self.ends.extend(ends);
        self.bytes
            .extend_from_slice(&other.bytes[other.head as usize..]);
    }

    /// Where to cut so that both halves have about the same weight and `at` is told apart: appending and prepending fill leaves.
    pub(super) fn cut(&self, at: usize) -> usize {
        if at == self.len() || at == 0 {
            return at;
        }
        if self.payload_bytes() <= BYTES_MAX / 2 {
            return self.len() / 2;
        }
        let half = self.head + self.payload_bytes() as u32 / 2;
        self.ends
            .partition_point(|end| *end <= half)
            .clamp(1, self.len() - 1)
    }

    #[inline]
    pub(super) fn payload_bytes(&self) -> usize {
        self.bytes.len() - self.head as usize
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.capacity() * size_of::<K>()
            + self.ends.capacity() * size_of::<u32>()
            + self.bytes.capacity()
            + size_of::<Self>()
    }
}
