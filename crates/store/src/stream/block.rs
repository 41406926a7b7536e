//! Blocks: entries that follow each other, packed into one piece of memory.
//!
//! ```text
//! bytes    number of names | names | entries that were removed | entries
//! entry    bytes behind this, and whether it has its own names | ms behind the base's | seq, behind the base's where ms is the same
//!          then values, of the block's names; or number of fields, then names and values in turns
//! ```
//!
//! All numbers are LEB128; names and values are elements of [`dunlin_structures::packed`] without their back lengths. The names are those of
//! the entry that the block was begun with, so that entries of one shape name their fields once a block.
//!
//! **Invariant.** Ids ascend from the base on; `live` entries lie between `start` and the end, the first of them at `start`; a block that is
//! filed has one at least. What is removed leaves no mark but its number.

use std::ops::Range;
use std::sync::Arc;

use dunlin_structures::packed::{Element, forward_at};
use smallvec::SmallVec;

use super::Id;

/// A block is begun with an entry of any size, and grows no further than this whatever the settings say: a change of a shared block copies it.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// As many entries as blocks have by default.
pub(super) const STARTS_INLINE: usize = 100;

/// When a block takes no further entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Most bytes: `stream-node-max-bytes`, 0 for no limit but [`BLOCK_BYTES_MAX`].
    pub bytes: usize,
    /// Most entries, removed ones included: `stream-node-max-entries`, 0 for no limit.
    pub entries: usize,
}

/// See the module's text. Cloning one is cheap: its bytes are shared until one of the two changes.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// What ids are counted from: the id that the block was begun with.
    pub(super) base: Id,
    /// Id of the last entry.
    pub(super) last: Id,
    /// Entries.
    pub(super) live: u32,
    /// Entries that were removed.
    dead: u32,
    /// Where the first entry begins.
    start: u32,
    bytes: Arc<Vec<u8>>,
}

/// A field and its value.
pub type Pair<'a> = (Element<'a>, Element<'a>);

/// An entry, borrowed from its stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: Id,
    pairs: Pairs<'a>,
}

impl<'a> StreamEntry<'a> {
    /// Its fields with their values, in the order in which they were given.
    pub fn pairs(self) -> Pairs<'a> {
        self.pairs
    }

    /// Whether its names are those of its block, in the same order.
    pub fn has_block_names(self) -> bool {
        self.pairs.shared_name.is_some()
    }
}

/// A block of a stream, for who writes streams block by block.
#[derive(Clone, Copy, Debug)]
pub struct BlockRef<'a>(pub(super) &'a Block);

impl<'a> BlockRef<'a> {
    /// The id that the block was begun with: none of its entries has a lower one.
    pub fn base(self) -> Id {
        self.0.base
    }

    /// Number of entries.
    #[expect(clippy::len_without_is_empty, reason = "no block is empty")]
    pub fn len(self) -> usize {
        self.0.live as usize
    }

    /// The names of the fields of those entries that have the block's.
    pub fn names(self) -> impl ExactSizeIterator<Item = Element<'a>> {
        let bytes = &**self.0.bytes;
        let (count, mut at) = number_at(bytes, 0);
        (0..count as usize).map(move |_| {
            let (name, next) = forward_at(bytes, at).expect("as many as counted");
            at = next;
            name
        })
    }

    /// Its entries.
    pub fn entries(self) -> impl Iterator<Item = StreamEntry<'a>> {
        self.0.iter()
    }
}

/// Fields with values, see [`StreamEntry::pairs`].
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    bytes: &'a [u8],
    left: usize,
    /// Where the next name is, if that is one of the block's.
    shared_name: Option<usize>,
    at: usize,
}

impl<'a> Pairs<'a> {
    #[inline]
    fn element(&self, at: usize) -> (Element<'a>, usize) {
        forward_at(self.bytes, at).expect("an entry has what it counts")
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        let name = match self.shared_name {
            Some(at) => {
                let (name, next) = self.element(at);
                self.shared_name = Some(next);
                name
            }
            None => {
                let (name, next) = self.element(self.at);
                self.at = next;
                name
            }
        };
        let (value, next) = self.element(self.at);
        self.at = next;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

fn push_number(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

#[inline]
fn number_at(bytes: &[u8], mut at: usize) -> (u64, usize) {
    let (mut n, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        n |= u64::from(byte & 0x7f) << shift;
        at += 1;
        if byte < 0x80 {
            return (n, at);
        }
        shift += 7;
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("an entry is below 4 GiB")
}

impl Block {
    /// One without entries yet, for a first one of this id and these names.
    pub(super) fn begin<'x>(base: Id, names: impl ExactSizeIterator<Item = &'x [u8]>) -> Block {
        let mut bytes = Vec::new();
        push_number(&mut bytes, names.len() as u64);
        names.for_each(|name| Element::of(name).encode_forward(&mut bytes));
        Block {
            base,
            last: base,
            live: 0,
            dead: 0,
            start: offset(bytes.len()),
            bytes: Arc::new(bytes),
        }
    }

    /// Whether an entry of so many bytes of names and values belongs into the next block.
    #[inline]
    pub(super) fn is_full(&self, more: usize, limits: BlockLimits) -> bool {
        let bytes_max = match limits.bytes {
            0 => BLOCK_BYTES_MAX,
            bytes => bytes.min(BLOCK_BYTES_MAX),
        };
        let entries = self.live as usize + self.dead as usize;
        self.bytes.len().saturating_add(more) >= bytes_max
            || (limits.entries > 0 && entries >= limits.entries)
    }

    /// Gives back what was kept for further entries.
    pub(super) fn seal(&mut self) {
        if let Some(bytes) = Arc::get_mut(&mut self.bytes) {
            bytes.shrink_to_fit();
        }
    }

    fn has_names<'x>(&self, mut names: impl ExactSizeIterator<Item = &'x [u8]>) -> bool {
        let (count, mut at) = number_at(&self.bytes, 0);
        count == names.len() as u64
            && names.all(|name| {
                let (element, next) = forward_at(&self.bytes, at).expect("as many as counted");
                at = next;
                element == Element::of(name)
            })
    }

    /// Appends an entry; its id is above all others.
    pub(super) fn push<'x>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'x [u8], &'x [u8])> + Clone,
    ) {
        let has_own = !self.has_names(pairs.clone().map(|(name, _)| name));
        let bytes = Arc::make_mut(&mut self.bytes);
        let head = bytes.len();
        // Most lengths take one byte.
        bytes.push(0);
        let ms = id.ms - self.base.ms;
        push_number(bytes, ms);
        push_number(
            bytes,
            if ms == 0 {
                id.seq - self.base.seq
            } else {
                id.seq
            },
        );
        if has_own {
            push_number(bytes, pairs.len() as u64);
        }
        for (name, value) in pairs {
            if has_own {
                Element::of(name).encode_forward(bytes);
            }
            Element::of(value).encode_forward(bytes);
        }
        let len = ((bytes.len() - head - 1) as u64) << 1 | u64::from(has_own);
        if len < 0x80 {
            bytes[head] = len as u8;
        } else {
            let mut encoded = Vec::with_capacity(10);
            push_number(&mut encoded, len);
            bytes.splice(head..head + 1, encoded);
        }
        offset(bytes.len());
        self.live += 1;
        self.last = id;
    }

    /// The entry that begins at a position, and where it ends.
    #[inline]
    fn entry_at(&self, at: usize) -> Option<(StreamEntry<'_>, usize)> {
        let bytes = &**self.bytes;
        if at >= bytes.len() {
            return None;
        }
        let (len, body) = number_at(bytes, at);
        let end = body + (len >> 1) as usize;
        let (ms, seq_at) = number_at(bytes, body);
        let (seq, at) = number_at(bytes, seq_at);
        let id = Id {
            ms: self.base.ms + ms,
            seq: if ms == 0 { self.base.seq + seq } else { seq },
        };
        let (count, shared_name, at) = if len & 1 == 0 {
            let (count, first_name) = number_at(bytes, 0);
            (count, Some(first_name), at)
        } else {
            let (count, at) = number_at(bytes, at);
            (count, None, at)
        };
        let pairs = Pairs {
            bytes,
            left: count as usize,
            shared_name,
            at,
        };
        Some((StreamEntry { id, pairs }, end))
    }

    /// Entries in order.
    #[inline]
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter {
            block: self,
            at: self.start as usize,
        }
    }

    /// Where the entries begin, in order: entries are read forwards only.
    pub(super) fn starts(&self) -> SmallVec<[u32; STARTS_INLINE]> {
        let mut starts = SmallVec::new();
        let mut at = self.start as usize;
        while at < self.bytes.len() {
            starts.push(at as u32);
            let (len, body) = number_at(&self.bytes, at);
            at = body + (len >> 1) as usize;
        }
        starts
    }

    /// The entry that begins at one of [`Block::starts`].
    pub(super) fn at_start(&self, start: u32) -> StreamEntry<'_> {
        let entry = self.entry_at(start as usize);
        entry.expect("an entry begins there").0
    }

    /// Where the entry of this id is.
    fn place_of(&self, id: Id) -> Option<Range<usize>> {
        if id < self.base || id > self.last {
            return None;
        }
        let mut entries = self.iter();
        loop {
            let start = entries.at;
            let entry = entries.next()?;
            if entry.id >= id {
                return (entry.id == id).then_some(start..entries.at);
            }
        }
    }

    /// The entry of this id.
    pub(super) fn get(&self, id: Id) -> Option<StreamEntry<'_>> {
        let place = self.place_of(id)?;
        self.entry_at(place.start).map(|(entry, _)| entry)
    }

    /// Takes an entry out; whether it was there.
    pub(super) fn remove(&mut self, id: Id) -> bool {
        let Some(place) = self.place_of(id) else {
            return false;
        };
        if place.start == self.start as usize {
            self.start = offset(place.end);
        } else {
            let bytes = Arc::make_mut(&mut self.bytes);
            bytes.drain(place);
            if bytes.len() < bytes.capacity() / 2 {
                bytes.shrink_to_fit();
            }
        }
        self.live -= 1;
        self.dead += 1;
        if id == self.last {
            self.last = self.iter().last().map_or(self.base, |entry| entry.id);
        }
        true
    }

    /// Takes the first entries out while `is_old` says so, which is not of all of them; how many they were.
    pub(super) fn remove_front(&mut self, mut is_old: impl FnMut(Id) -> bool) -> u32 {
        let mut removed = 0;
        let mut entries = self.iter();
        let mut start = entries.at;
        while let Some(entry) = entries.next()
            && is_old(entry.id)
        {
            removed += 1;
            start = entries.at;
        }
        debug_assert!(removed < self.live, "the block itself should go");
        self.start = offset(start);
        self.live -= removed;
        self.dead += removed;
        removed
    }

    /// Bytes allocated outside the sequence of blocks.
    pub(super) fn memory_bytes(&self) -> usize {
        /// Two reference counts and the array's three words.
        const ARC_VEC_BYTES: usize = 40;
        ARC_VEC_BYTES + self.bytes.capacity()
    }

    pub(super) fn assert_consistent(&self) {
        assert!(self.live > 0, "an empty block");
        let ids: Vec<Id> = self.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), self.live as usize);
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids[0] >= self.base && ids[ids.len() - 1] == self.last);
        self.iter().for_each(|entry| {
            entry.pairs().count();
        });
    }
}

/// See [`Block::iter`].
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    block: &'a Block,
    at: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = StreamEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<StreamEntry<'a>> {
        let (entry, end) = self.block.entry_at(self.at)?;
        self.at = end;
        Some(entry)
    }
}
