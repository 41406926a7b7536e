//! All blocks of a stream: the last one, to which entries are appended, and a sequence of those before it.
//!
//! **Invariant.** No block is empty, ids ascend from block to block, and `len` counts the entries of all. Blocks are addressed by rank; the
//! last one's is the length of the sequence.

use dunlin_structures::sequence::Sequence;

use smallvec::SmallVec;

use super::block::{self, Block, BlockLimits, STARTS_INLINE, StreamEntry};
use super::{Id, Trim, TrimTo};

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    sealed: Sequence<Block>,
    tail: Option<Block>,
    len: u64,
}

impl Blocks {
    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Number of blocks.
    pub(super) fn count(&self) -> usize {
        self.sealed.len() + usize::from(self.tail.is_some())
    }

    #[inline]
    pub(super) fn get(&self, rank: usize) -> Option<&Block> {
        match rank.cmp(&self.sealed.len()) {
            std::cmp::Ordering::Less => self.sealed.get(rank),
            std::cmp::Ordering::Equal => self.tail.as_ref(),
            std::cmp::Ordering::Greater => None,
        }
    }

    fn get_mut(&mut self, rank: usize) -> Option<&mut Block> {
        if rank < self.sealed.len() {
            self.sealed.get_mut(rank)
        } else {
            self.tail.as_mut()
        }
    }

    /// The rank of the block where an id is or would be. O(log blocks), and O(1) in the last block.
    #[inline]
    fn rank_of(&self, id: Id) -> usize {
        match &self.tail {
            Some(tail) if tail.base <= id => self.sealed.len(),
            _ => self
                .sealed
                .partition_point(|block| block.base <= id)
                .saturating_sub(1),
        }
    }

    /// Id of the first entry.
    pub(super) fn first_id(&self) -> Option<Id> {
        self.get(0)?.iter().next().map(|entry| entry.id)
    }

    /// Id of the last entry.
    #[inline]
    pub(super) fn last_id(&self) -> Option<Id> {
        match &self.tail {
            Some(tail) => Some(tail.last),
            None => {
                let last = self.sealed.len().checked_sub(1)?;
                self.sealed.get(last).map(|block| block.last)
            }
        }
    }

    /// Appends an entry, whose id is above all others. O(1) while the last block is not shared.
    #[inline]
    pub(super) fn push<'x>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'x [u8], &'x [u8])> + Clone,
        limits: BlockLimits,
    ) {
        let bytes: usize = pairs
            .clone()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if let Some(mut full) = self.tail.take_if(|tail| tail.is_full(bytes, limits)) {
            full.seal();
            self.sealed.push(full);
        }
        let tail = self
            .tail
            .get_or_insert_with(|| Block::begin(id, pairs.clone().map(|(name, _)| name)));
        tail.push(id, pairs);
        self.len += 1;
    }

    /// The entry of this id. O(log blocks), and the entries of a block.
    pub(super) fn find(&self, id: Id) -> Option<StreamEntry<'_>> {
        self.get(self.rank_of(id))?.get(id)
    }

    /// Takes an entry out; whether it was there.
    pub(super) fn remove(&mut self, id: Id) -> bool {
        let rank = self.rank_of(id);
        let Some(block) = self.get(rank) else {
            return false;
        };
        if block.get(id).is_none() {
            return false;
        }
        if block.live > 1 {
            self.get_mut(rank).expect("it is there").remove(id);
        } else {
            self.remove_block(rank);
        }
        self.len -= 1;
        true
    }

    fn remove_block(&mut self, rank: usize) {
        if rank < self.sealed.len() {
            self.sealed.remove_range(rank..rank + 1);
        } else {
            self.tail = None;
        }
    }

    /// Entries of these ids and those between, in order.
    pub(super) fn range(&self, from: Id, to: Id) -> Entries<'_> {
        let rank = self.rank_of(from);
        Entries {
            blocks: self,
            rank,
            current: self.get(rank).map(Block::iter),
            from,
            to,
        }
    }

    /// The same, the last first.
    pub(super) fn range_back(&self, from: Id, to: Id) -> EntriesBack<'_> {
        EntriesBack {
            blocks: self,
            rank: self.rank_of(to) + 1,
            current: None,
            from,
            to,
        }
    }

    /// Number of entries of these ids and those between, or `max` if they are more. O(blocks).
    pub(super) fn count_range(&self, from: Id, to: Id, max: usize) -> usize {
        let mut count = 0;
        let mut rank = self.rank_of(from);
        while let Some(block) = self.get(rank)
            && block.base <= to
            && count < max
        {
            let is_inside = from <= block.base && block.last <= to;
            count += match is_inside {
                true => block.live as usize,
                false if block.last < from => 0,
                false => block
                    .iter()
                    .skip_while(|entry| entry.id < from)
                    .take_while(|entry| entry.id <= to)
                    .take(max - count)
                    .count(),
            };
            rank += 1;
        }
        count.min(max)
    }

    /// Removes entries from the front: how many, and the blocks that went with them, still to be freed.
    pub(super) fn trim(&mut self, trim: Trim) -> (u64, Blocks) {
        let (mut removed, mut whole) = (0, 0);
        let mut rest = 0;
        while let Some(block) = self.get(whole) {
            let live = u64::from(block.live);
            let left = self.len - removed;
            if trim.to.is_reached(left) || (trim.limit > 0 && removed + live > trim.limit) {
                break;
            }
            let goes = match trim.to {
                TrimTo::Len(len) => left - live >= len,
                TrimTo::MinId(id) => block.last < id,
            };
            if !goes {
                rest = match trim.to {
                    TrimTo::Len(len) => left - len,
                    TrimTo::MinId(_) => u64::MAX,
                };
                break;
            }
            removed += live;
            whole += 1;
        }
        let gone = self.take_front(whole, removed);
        if rest > 0
            && !trim.approximate
            && let Some(block) = self.get_mut(0)
        {
            let mut old = 0;
            let few = block.remove_front(|id| {
                old += 1;
                match trim.to {
                    TrimTo::Len(_) => old <= rest,
                    TrimTo::MinId(min) => id < min,
                }
            });
            removed += u64::from(few);
            self.len -= u64::from(few);
        }
        (removed, gone)
    }

    /// About how many blocks [`Blocks::trim`] looks at.
    pub(super) fn trim_effort(&self, trim: Trim) -> usize {
        let per_block = (self.len / self.count().max(1) as u64).max(1);
        let in_blocks = |entries: u64| usize::try_from(entries / per_block).unwrap_or(usize::MAX);
        let effort = match trim.to {
            TrimTo::Len(len) => in_blocks(self.len.saturating_sub(len)),
            TrimTo::MinId(id) => self.rank_of(id),
        };
        match trim.limit {
            0 => effort,
            limit => effort.min(in_blocks(limit)),
        }
    }

    /// Takes the first `count` blocks out, with `entries` entries.
    fn take_front(&mut self, count: usize, entries: u64) -> Blocks {
        if count == 0 {
            return Blocks::default();
        }
        self.len -= entries;
        let sealed = count.min(self.sealed.len());
        let mut gone = Blocks {
            sealed: self.sealed.clone(),
            tail: None,
            len: entries,
        };
        gone.sealed.remove_range(sealed..gone.sealed.len());
        self.sealed.remove_range(0..sealed);
        if count > sealed {
            gone.tail = self.tail.take();
        }
        gone
    }

    /// Frees some blocks; whether any are left.
    pub(super) fn shed(&mut self) -> bool {
        self.tail = None;
        self.len = 0;
        self.sealed.shed()
    }

    /// Bytes allocated. O(blocks).
    pub(super) fn memory_bytes(&self) -> usize {
        let mut bytes = self.sealed.memory_bytes();
        self.sealed.for_each(|block| bytes += block.memory_bytes());
        bytes + self.tail.as_ref().map_or(0, Block::memory_bytes)
    }

    pub(super) fn assert_consistent(&self) {
        self.sealed.assert_consistent();
        let mut before: Option<Id> = None;
        let mut entries = 0;
        let mut check = |block: &Block| {
            block.assert_consistent();
            assert!(before.is_none_or(|id| id < block.base));
            before = Some(block.last);
            entries += u64::from(block.live);
        };
        self.sealed.for_each(&mut check);
        self.tail.iter().for_each(check);
        assert_eq!(entries, self.len);
    }
}

/// Entries of a stream in order, see [`super::Stream::range`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    blocks: &'a Blocks,
    rank: usize,
    current: Option<block::Iter<'a>>,
    from: Id,
    to: Id,
}

impl<'a> Iterator for Entries<'a> {
    type Item = StreamEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<StreamEntry<'a>> {
        loop {
            match self.current.as_mut()?.next() {
                Some(entry) if entry.id > self.to => {
                    self.current = None;
                    return None;
                }
                Some(entry) if entry.id < self.from => {}
                Some(entry) => return Some(entry),
                None => {
                    self.rank += 1;
                    self.current = self.blocks.get(self.rank).map(Block::iter);
                }
            }
        }
    }
}

/// Entries of a stream, the last first, see [`super::Stream::range_back`].
#[derive(Clone, Debug)]
pub struct EntriesBack<'a> {
    blocks: &'a Blocks,
    /// The rank above that of the next block to be looked at.
    rank: usize,
    /// A block, and where those of its entries begin that are left.
    current: Option<(&'a Block, SmallVec<[u32; STARTS_INLINE]>)>,
    from: Id,
    to: Id,
}

impl<'a> Iterator for EntriesBack<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        loop {
            if let Some((block, starts)) = &mut self.current {
                while let Some(start) = starts.pop() {
                    let entry = block.at_start(start);
                    if entry.id < self.from {
                        // All that is left lies before it.
                        self.rank = 0;
                        break;
                    }
                    if entry.id <= self.to {
                        return Some(entry);
                    }
                }
            }
            self.current = None;
            self.rank = self.rank.checked_sub(1)?;
            if let Some(block) = self.blocks.get(self.rank) {
                self.current = Some((block, block.starts()));
            }
        }
    }
}

/// Whether a trimmed stream is short enough, as far as its length says.
impl TrimTo {
    fn is_reached(self, left: u64) -> bool {
        matches!(self, TrimTo::Len(len) if left <= len)
    }
}
