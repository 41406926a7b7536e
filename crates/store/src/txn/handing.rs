//! What becomes of an entry before it changes: a snapshot gets it, and undo an image of it.

use std::sync::Arc;

use dunlin_structures::dict::Slot;

use super::{Txn, held};
use crate::entry::Entry;
use crate::snapshot::{Encode, Snapshot};
use crate::undo::Before;

impl Txn<'_> {
    /// Hands an entry to who needs it as it is now. Its place comes in registers, where a [`super::Found`] would have to be in memory
    /// before it is known whether anybody does.
    #[cold]
    #[inline(never)]
    pub(super) fn keep_what_was(&mut self, db: u32, stripe: usize, slot: Slot) {
        if self.store.snapshots.is_running() {
            self.hand_over(db, stripe, slot);
        }
        let store = self.store;
        let data = store.stripes.with(held(&mut self.held), stripe);
        if let Some(undo) = &mut self.local.undo
            && let Some(shard) = data.shards.get(db)
        {
            let entry = shard.entry(slot);
            let key = entry.key();
            let hash = store.hasher().hash(key);
            if undo.is_untouched(db, key, hash) {
                undo.touch(Before {
                    db,
                    key: key.into(),
                    hash,
                    image: Some(entry.image()),
                });
            }
        }
    }

    /// Hands the entry that was found over to the snapshot that runs, if that has not seen it.
    /// See [`crate::Store::begin_snapshot`].
    pub fn begin_snapshot(&mut self, encoder: Arc<dyn Encode>) -> Option<Snapshot> {
        let store = self.store;
        store.begin_snapshot(held(&mut self.held), encoder)
    }

    /// See [`crate::Store::each_entry`].
    pub fn each_entry(&mut self, db: u32, visit: impl FnMut(&Entry)) {
        let store = self.store;
        store.each_entry(held(&mut self.held), db, visit);
    }

    fn hand_over(&mut self, db: u32, stripe: usize, slot: Slot) {
        let (store, lane) = (self.store, self.local.worker);
        let data = store.stripes.with(held(&mut self.held), stripe);
        let Some(shard) = data.shards.get(db) else {
            return;
        };
        let entry = shard.entry(slot);
        if let Some(walk) = shard.walk()
            && shard.owes(&entry)
        {
            store.snapshots.take(store, lane, walk.db, &entry);
            shard.settle(&entry);
        }
    }
}
