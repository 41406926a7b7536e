//! Streams: entries in the order of their ids, and groups of consumers that read them.
//!
//! Entries lie in packed blocks (`block`); a sequence of these, the trees of what is pending and the groups themselves are
//! reference-counted, so that cloning a stream of any size is O(1) and a change of a clone copies what it touches.
//!
//! **Invariant.** No entry's id is above `last_id`, none is `0-0`; groups are in the order of their names, of which none stands twice.

mod block;
mod blocks;
mod group;
mod id;

use std::sync::Arc;

use self::blocks::Blocks;

pub use self::block::{BLOCK_BYTES_MAX, BlockLimits, BlockRef, Pair, Pairs, StreamEntry};
pub use self::blocks::{Entries, EntriesBack};
pub use self::group::{Consumer, ConsumerNumber, Group, Pending};
pub use self::id::{Id, IdText};

use crate::big::Big;
use crate::entry::Entry;

/// What a stream is trimmed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// So many entries.
    Len(u64),
    /// Entries from this id on.
    MinId(Id),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// To what.
    pub to: TrimTo,
    /// Only whole blocks go.
    pub approximate: bool,
    /// Most entries to remove; 0 for any number.
    pub limit: u64,
}

/// What a change took out and nobody needs any more: a stream of it, for who frees it.
pub type Remains = Box<Stream>;

/// What the position of a group in its stream is reckoned from.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    len: u64,
    first_id: Id,
    last_id: Id,
    max_deleted_id: Id,
    entries_added: u64,
}

impl Progress {
    /// Whether entries may have been deleted behind an id, so that counting from there is no use.
    fn has_gaps_from(&self, id: Id) -> bool {
        self.len > 0
            && self.max_deleted_id != Id::MIN
            && self.first_id <= self.max_deleted_id
            && id <= self.max_deleted_id
    }

    /// How many entries had been added up to the one of an id, as far as that can be told without counting.
    pub fn entries_up_to(&self, id: Id) -> Option<i64> {
        let (added, len) = (self.entries_added as i64, self.len as i64);
        if added == 0 {
            return Some(0);
        }
        if (self.len == 0 && id <= self.last_id) || id == self.last_id {
            return Some(added);
        }
        let has_gaps = self.max_deleted_id != Id::MIN && self.max_deleted_id >= self.first_id;
        if id > self.last_id || has_gaps {
            return None;
        }
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(added - len),
            std::cmp::Ordering::Equal => Some(added - len + 1),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// How many entries a group has not been given yet, as far as that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.entries_added as i64;
        match group.entries_read {
            _ if added == 0 => Some(0),
            Some(read) if !self.has_gaps_from(group.last_id) => Some(added - read),
            _ => self.entries_up_to(group.last_id).map(|read| added - read),
        }
    }

    /// Moves a group on to an entry that it is given.
    fn advance(&self, group: &mut Group, id: Id) {
        group.entries_read = match group.entries_read {
            Some(read) if !self.has_gaps_from(id) => Some(read.saturating_add(1)),
            read if self.entries_added == 0 => read,
            _ => self.entries_up_to(id),
        };
        group.last_id = id;
    }
}

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    blocks: Blocks,
    last_id: Id,
    max_deleted_id: Id,
    entries_added: u64,
    groups: Arc<Vec<Arc<Group>>>,
}

/// The stream of an entry; `None` if it is of another type.
#[inline]
pub fn of(entry: &Entry) -> Option<&Stream> {
    match entry.big() {
        Some(Big::Stream(stream)) => Some(stream),
        _ => None,
    }
}

/// The same, for changing it.
#[inline]
pub fn of_mut(entry: &mut Entry) -> Option<&mut Stream> {
    match entry.big_mut() {
        Some(Big::Stream(stream)) => Some(stream),
        _ => None,
    }
}

/// A stream under `key`.
pub fn entry(key: &[u8], stream: Box<Stream>, clock: u32) -> Entry {
    Entry::string(key, crate::entry::NewString::Int(0), clock).with_big(Big::Stream(stream))
}

impl Stream {
    /// An empty one.
    pub fn new() -> Stream {
        Stream::default()
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> u64 {
        self.blocks.len()
    }

    /// Whether there is no entry, which is nothing unusual.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.count()
    }

    /// The blocks of entries, in order.
    pub fn blocks(&self) -> impl Iterator<Item = BlockRef<'_>> {
        let ranks = 0..self.blocks.count();
        ranks.filter_map(|rank| self.blocks.get(rank).map(BlockRef))
    }

    /// The greatest id that an entry ever had, or that was set.
    #[inline]
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// The greatest id of an entry that was deleted.
    pub fn max_deleted_id(&self) -> Id {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Id of the first entry.
    pub fn first(&self) -> Option<Id> {
        self.blocks.first_id()
    }

    /// Id of the last entry.
    #[inline]
    pub fn last(&self) -> Option<Id> {
        self.blocks.last_id()
    }

    /// What the position of a group is reckoned from.
    pub fn progress(&self) -> Progress {
        Progress {
            len: self.len(),
            first_id: self.first().unwrap_or_default(),
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
        }
    }

    /// Appends an entry of these names and values. Its block is changed in place where it is not shared. O(1).
    ///
    /// # Panics
    /// If the id is not above the last one.
    #[inline]
    pub fn append<'x>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'x [u8], &'x [u8])> + Clone,
        limits: BlockLimits,
    ) {
        assert!(id > self.last_id, "ids ascend");
        self.blocks.push(id, pairs, limits);
        self.entries_added += 1;
        self.last_id = id;
    }

    /// The entry of this id. O(log n).
    pub fn get(&self, id: Id) -> Option<StreamEntry<'_>> {
        self.blocks.find(id)
    }

    /// Entries of these ids and those between, in order. O(log n), and O(1) for each.
    pub fn range(&self, from: Id, to: Id) -> Entries<'_> {
        self.blocks.range(from, to)
    }

    /// The same, the last first.
    pub fn range_back(&self, from: Id, to: Id) -> EntriesBack<'_> {
        self.blocks.range_back(from, to)
    }

    /// How many entries [`Stream::range`] has, or `max` if it has more. O(blocks of the range).
    pub fn count_range(&self, from: Id, to: Id, max: usize) -> usize {
        self.blocks.count_range(from, to, max)
    }

    /// Deletes an entry; whether it was there. O(log n).
    pub fn delete(&mut self, id: Id) -> bool {
        let deleted = self.blocks.remove(id);
        if deleted {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        deleted
    }

    /// Removes entries from the front: how many, and what is left to be freed if that is much. O(blocks).
    pub fn trim(&mut self, trim: Trim) -> (u64, Option<Remains>) {
        /// Blocks that are freed at once.
        const FEW: usize = 16;
        let (removed, blocks) = self.blocks.trim(trim);
        let remains = (blocks.count() > FEW).then(|| {
            Box::new(Stream {
                blocks,
                ..Stream::default()
            })
        });
        (removed, remains)
    }

    /// About how many blocks a trim looks at. O(log n).
    pub fn trim_effort(&self, trim: Trim) -> usize {
        self.blocks.trim_effort(trim)
    }

    /// Sets what further ids must be above, and, where given, how many entries were added and the greatest id that was deleted.
    pub fn set_id(&mut self, last_id: Id, entries_added: Option<u64>, max_deleted_id: Option<Id>) {
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    /// Groups in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> + '_ {
        self.groups.iter().map(|group| &**group)
    }

    fn find_group(&self, name: &[u8]) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.name().cmp(name))
    }

    /// The group of a name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.find_group(name).ok().map(|at| &*self.groups[at])
    }

    /// The same, for changing it.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.parts_mut(name).map(|(_, group)| group)
    }

    /// The entries, and the group of a name for changing it.
    fn parts_mut(&mut self, name: &[u8]) -> Option<(&Blocks, &mut Group)> {
        let at = self.find_group(name).ok()?;
        let group = &mut Arc::make_mut(&mut self.groups)[at];
        Some((&self.blocks, Arc::make_mut(group)))
    }

    /// Adds a group; whether its name was free.
    pub fn add_group(&mut self, name: &[u8], last_id: Id, entries_read: Option<i64>) -> bool {
        let Err(at) = self.find_group(name) else {
            return false;
        };
        let group = Arc::new(Group::new(name, last_id, entries_read));
        Arc::make_mut(&mut self.groups).insert(at, group);
        true
    }

    /// Takes a group out.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Remains> {
        let at = self.find_group(name).ok()?;
        let group = Arc::make_mut(&mut self.groups).remove(at);
        Some(Box::new(Stream {
            groups: Arc::new(vec![group]),
            ..Stream::default()
        }))
    }

    /// Gives a group up to `max` entries that it was not given yet: each is visited, and pending with the consumer from then on unless
    /// `acknowledged`. How many. O(log n) for each.
    ///
    /// # Panics
    /// If there is no such group or consumer.
    pub fn deliver(
        &mut self,
        group: &[u8],
        consumer: ConsumerNumber,
        max: usize,
        now_ms: u64,
        acknowledged: bool,
        mut visit: impl FnMut(StreamEntry<'_>),
    ) -> usize {
        let progress = self.progress();
        let (blocks, group) = self.parts_mut(group).expect("a group that was found");
        let Some(from) = group.last_id.next() else {
            return 0;
        };
        let mut delivered = 0;
        for entry in blocks.range(from, Id::MAX).take(max) {
            progress.advance(group, entry.id);
            visit(entry);
            delivered += 1;
            if !acknowledged {
                group.assign(Pending {
                    id: entry.id,
                    delivered_ms: now_ms,
                    deliveries: 1,
                    consumer,
                });
            }
        }
        if delivered > 0 && !acknowledged {
            group.consumer_mut(consumer).active_ms = Some(now_ms);
        }
        delivered
    }

    /// Steps that freeing takes.
    pub(crate) fn leaf_count(&self) -> usize {
        self.blocks.count() + self.groups().map(Group::leaf_count).sum::<usize>()
    }

    /// See `Big::shed`. What is left is no stream any more.
    pub(crate) fn shed(&mut self, leaves: usize) -> bool {
        /// Blocks that one leaf of their sequence has at most.
        const BLOCKS_PER_LEAF: usize = 64;
        for _ in 0..leaves.div_ceil(BLOCKS_PER_LEAF) {
            if !self.blocks.shed() {
                break;
            }
        }
        if self.blocks.count() > 0 {
            return true;
        }
        let Some(groups) = Arc::get_mut(&mut self.groups) else {
            // Somebody else has them, and will free them.
            self.groups = Arc::default();
            return false;
        };
        while let Some(group) = groups.last_mut() {
            if Arc::get_mut(group).is_some_and(|group| group.shed(leaves)) {
                return true;
            }
            groups.pop();
        }
        false
    }

    /// Bytes allocated. O(blocks, and leaves of what is pending).
    pub(crate) fn memory_bytes(&self) -> usize {
        let groups = self.groups.capacity() * size_of::<Arc<Group>>();
        size_of::<Self>()
            + self.blocks.memory_bytes()
            + groups
            + self.groups().map(Group::memory_bytes).sum::<usize>()
    }

    /// Panics unless the stream is sound. O(n).
    pub fn assert_consistent(&self) {
        self.blocks.assert_consistent();
        assert!(self.last().is_none_or(|id| id <= self.last_id));
        assert!(self.groups.is_sorted_by(|a, b| a.name() < b.name()));
        self.groups().for_each(Group::assert_consistent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BlockLimits = BlockLimits {
        bytes: 4096,
        entries: 10,
    };

    fn with_group(entries: u64) -> Stream {
        let mut stream = Stream::new();
        stream.add_group(b"g", Id::MIN, None);
        for ms in 1..=entries {
            let pairs = [(&b"name"[..], &b"value"[..])];
            stream.append(Id::new(ms, 0), pairs.into_iter(), LIMITS);
        }
        let group = stream.group_mut(b"g").expect("just made");
        let consumer = group.add_consumer(b"c", 0).expect("the first");
        let count = stream.deliver(b"g", consumer, usize::MAX, 0, false, |_| {});
        assert_eq!(count as u64, entries);
        stream
    }

    #[test]
    fn is_freed_in_slices() {
        let mut stream = with_group(20_000);
        let effort = stream.leaf_count();
        assert!(effort > 2_000, "{effort}");
        let image = stream.clone();
        let mut slices = 1;
        while stream.shed(64) {
            slices += 1;
        }
        assert!((20..200).contains(&slices), "{slices} slices");
        assert_eq!((stream.block_count(), stream.groups().len()), (0, 0));
        image.assert_consistent();
        assert_eq!((image.len(), image.groups().len()), (20_000, 1));
        drop(stream);
        let mut last = image;
        slices = 1;
        while last.shed(64) {
            slices += 1;
        }
        assert!(slices > 20, "nobody else has it any more: {slices} slices");
    }

    #[test]
    fn what_is_trimmed_or_removed_is_left_to_be_freed() {
        let mut stream = with_group(1_000);
        let trim = |len| Trim {
            to: TrimTo::Len(len),
            approximate: false,
            limit: 0,
        };
        let (removed, remains) = stream.trim(trim(995));
        assert_eq!((removed, remains.is_none()), (5, true));
        let (removed, remains) = stream.trim(trim(15));
        assert_eq!(removed, 980);
        let remains = remains.expect("many blocks");
        assert_eq!((remains.block_count(), stream.block_count()), (98, 2));
        let group = stream.remove_group(b"g").expect("there is one");
        assert!(group.leaf_count() >= 16, "{}", group.leaf_count());
        stream.assert_consistent();
    }
}
