//! Frees big things in slices, off the path of commands.
//!
//! Invariant: a shard is taken apart only after every worker has passed a batch boundary since it left the keyspace.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};

use dunlin_structures::dict::Drain;
use dunlin_structures::epoch::Limbo;

use crate::entry::Entry;
use crate::shard::Shard;

/// Entries freed in one slice.
const ENTRIES_PER_SLICE: usize = 256;

/// Leaves of a big collection freed in one slice.
const LEAVES_PER_SLICE: usize = 64;

/// Something too big to be freed by the command that dropped it.
pub(crate) enum Garbage {
    /// With the bytes that it was taken to hold, see `Usage::doom`.
    Entry(Entry, i64),
    Shard(Box<Shard>),
}

/// Queue of garbage, filled by workers, emptied by the freeing task.
#[derive(Default)]
pub(crate) struct Heap {
    queue: Mutex<VecDeque<Garbage>>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Heap {
    pub(crate) fn push(&self, garbage: impl IntoIterator<Item = Garbage>) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(garbage);
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    pub(crate) fn on_push(&self, wake: Box<dyn Fn() + Send + Sync>) {
        assert!(self.wake.set(wake).is_ok(), "installed once");
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

/// The freeing task: call [`Reaper::step`] while it returns true.
pub struct Reaper {
    shard: Option<Drain<Entry>>,
    /// Entries whose values are freed in slices, the first of them now.
    entries: VecDeque<(Entry, i64)>,
    reclaim: Limbo,
}

impl Reaper {
    pub(crate) fn new() -> Reaper {
        Reaper {
            shard: None,
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
        if let Some((entry, bytes)) = self.entries.front_mut() {
            if !entry
                .big_mut()
                .is_some_and(|big| big.shed(LEAVES_PER_SLICE))
            {
                store.usage.doom(-*bytes);
                self.entries.pop_front();
            }
            return true;
        }
        if let Some(shard) = &mut self.shard {
            let entries = &mut self.entries;
            let set_aside = |entry: Entry| {
                if entry.free_effort() > LEAVES_PER_SLICE {
                    // Whole shards are not counted by the byte.
                    entries.push_back((entry, 0));
                }
            };
            if !shard.slice(ENTRIES_PER_SLICE, &mut self.reclaim, set_aside) {
                self.shard = None;
                store.usage.shard_is_freed();
            }
            return true;
        }
        match store.heap().pop() {
            None => false,
            Some(Garbage::Entry(entry, bytes)) => {
                self.entries.push_back((entry, bytes));
                true
            }
            Some(Garbage::Shard(shard)) => {
                self.shard = Some(shard.into_drain());
                true
            }
        }
    }
}
