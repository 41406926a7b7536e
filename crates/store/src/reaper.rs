//! Frees big things in slices, off the path of commands.
//!
//! A value that waits here no longer counts as the keyspace's, though it is still allocated (`Usage::doom`). As its slices are freed they
//! leave both sums, so that what counts as in use does not move while it goes.
//!
//! Invariant: a shard is taken apart only after every worker has passed a batch boundary since it left the keyspace.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dunlin_structures::dict::Drain;
use dunlin_structures::epoch::Limbo;

use crate::chunked::Chunked;
use crate::entry::Entry;
use crate::eviction::{Usage, freed_bytes};
use crate::shard::Shard;

/// Entries freed in one slice.
const ENTRIES_PER_SLICE: usize = 256;

/// Leaves of a big collection freed in one slice.
const LEAVES_PER_SLICE: usize = 64;

/// Chunks of a long string freed in one slice.
const CHUNKS_PER_SLICE: usize = 64;

/// Something too big to be freed by the command that dropped it.
pub(crate) enum Garbage {
    /// With the bytes that it was taken to hold, see `Usage::doom`.
    Entry(Entry, i64),
    Shard(Box<Shard>),
}

impl Garbage {
    fn entries(&self) -> u64 {
        match self {
            Garbage::Entry(..) => 1,
            Garbage::Shard(shard) => shard.len() as u64,
        }
    }
}

/// Queue of garbage, filled by workers, emptied by the freeing task.
#[derive(Default)]
pub(crate) struct Heap {
    queue: Mutex<VecDeque<Garbage>>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Entries ever queued, those of shards included.
    queued: AtomicU64,
    /// Of them, those that are freed.
    freed: AtomicU64,
}

impl Heap {
    pub(crate) fn push(&self, garbage: impl IntoIterator<Item = Garbage>) {
        let mut entries = 0;
        let counted = garbage
            .into_iter()
            .inspect(|garbage| entries += garbage.entries());
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(counted);
        self.queued.fetch_add(entries, Ordering::Relaxed);
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    pub(crate) fn on_push(&self, wake: Box<dyn Fn() + Send + Sync>) {
        assert!(self.wake.set(wake).is_ok(), "installed once");
    }

    /// Entries that wait to be freed, and those that were.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let freed = self.freed.load(Ordering::Relaxed);
        // Between a push and its count more may have been freed than was queued.
        let queued = self.queued.load(Ordering::Relaxed);
        (queued.saturating_sub(freed), freed)
    }

    fn pop(&self) -> Option<Garbage> {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// An entry whose value is freed in slices.
struct Doomed {
    entry: Entry,
    /// Its value, if that is a chunked string and freeing has begun.
    chunked: Option<Arc<Chunked>>,
    /// What is left of the bytes that it was taken to hold.
    bytes: i64,
}

impl Doomed {
    fn new(mut entry: Entry, bytes: i64) -> Doomed {
        Doomed {
            chunked: entry.take_value_if_chunked(),
            entry,
            bytes,
        }
    }

    /// Frees a slice of its value; whether anything is left to be freed so.
    fn shed(&mut self) -> bool {
        if let Some(chunked) = &mut self.chunked {
            // With an image of it left there is nothing to free but a reference.
            return Arc::get_mut(chunked).is_some_and(|chunked| chunked.shed(CHUNKS_PER_SLICE));
        }
        let big = self.entry.big_mut();
        big.is_some_and(|big| big.shed(LEAVES_PER_SLICE))
    }

    /// Takes so many of its bytes as freed, at most those that are left.
    fn settle(&mut self, usage: &Usage, freed: i64) {
        let settled = freed.clamp(0, self.bytes.max(0));
        self.bytes -= settled;
        // In this order a reader in between counts a slice as gone twice, never as back.
        usage.publish_reaper();
        usage.doom(-settled);
    }
}

/// The freeing task: call [`Reaper::step`] while it returns true.
pub struct Reaper {
    shard: Option<Drain<Entry>>,
    /// Entries of the shard that are not set aside, to be counted when it is done.
    shard_entries: u64,
    /// Entries whose values are freed in slices, the first of them now.
    entries: VecDeque<Doomed>,
    reclaim: Limbo,
}

impl Reaper {
    pub(crate) fn new() -> Reaper {
        Reaper {
            shard: None,
            shard_entries: 0,
            entries: VecDeque::new(),
            reclaim: Limbo::new(),
        }
    }

    /// Frees one slice; false when there was nothing to free.
    pub fn step(&mut self, store: &crate::Store) -> bool {
        let did = self.free_slice(store);
        store.usage.publish_reaper();
        did
    }

    fn free_slice(&mut self, store: &crate::Store) -> bool {
        self.reclaim.turn(&store.epochs);
        if let Some(doomed) = self.entries.front_mut() {
            let before = store.usage.of_this_thread();
            if doomed.shed() {
                let freed = before - store.usage.of_this_thread();
                doomed.settle(&store.usage, freed);
            } else if let Some(doomed) = self.entries.pop_front() {
                let bytes = doomed.bytes;
                drop(doomed);
                // Whatever the sizes were taken to be, nothing of it waits any more.
                store.usage.publish_reaper();
                store.usage.doom(-bytes);
                store.heap().freed.fetch_add(1, Ordering::Relaxed);
            }
            return true;
        }
        if let Some(shard) = &mut self.shard {
            let (entries, in_shard) = (&mut self.entries, &mut self.shard_entries);
            let set_aside = |entry: Entry| {
                let steps = entry.free_effort();
                if steps > LEAVES_PER_SLICE {
                    *in_shard -= 1;
                    let bytes = freed_bytes(&entry, steps);
                    store.usage.doom(bytes);
                    entries.push_back(Doomed::new(entry, bytes));
                }
            };
            if !shard.slice(ENTRIES_PER_SLICE, &mut self.reclaim, set_aside) {
                self.shard = None;
                store.usage.shard_is_freed();
                let freed = &store.heap().freed;
                freed.fetch_add(self.shard_entries, Ordering::Relaxed);
            }
            return true;
        }
        match store.heap().pop() {
            None => false,
            Some(Garbage::Entry(entry, bytes)) => {
                self.entries.push_back(Doomed::new(entry, bytes));
                true
            }
            Some(Garbage::Shard(shard)) => {
                self.shard_entries = shard.len() as u64;
                self.shard = Some(shard.into_drain());
                true
            }
        }
    }
}
