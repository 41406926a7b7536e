//! Filing what is read from a dump: no watcher, subscriber or log is told of it.

use super::{Txn, held};
use crate::entry::Entry;
use crate::hash::Key;

impl Txn<'_> {
    /// Brings what [`Txn::load`] of a key will touch into the cache.
    #[inline]
    pub fn look_ahead_load(&mut self, db: u32, hash: u64) {
        let stripe = self.store.stripe_of(hash);
        if let Some(shard) = self.shard(db, stripe) {
            shard.dict().prefetch(hash);
        }
    }

    /// Makes room for this many keys of a database in a stripe that is held, if there have been none yet. O(keys).
    pub fn reserve(&mut self, db: u32, stripe: usize, keys: usize) {
        let store = self.store;
        let shard = store
            .stripes
            .with(held(&mut self.held), stripe)
            .shard_or_new(db);
        shard.reserve(keys);
        store.publish(db, stripe, shard);
    }

    /// Files `entry` (which has no deadline) under its key with this deadline, and says nothing of it to anybody. If there is such a key
    /// it is replaced where `replace` says so. `hash` is the key's. Expected O(1).
    ///
    /// # Errors
    /// The entry, if there is such a key and it stays.
    pub fn load(
        &mut self,
        db: u32,
        hash: u64,
        entry: Entry,
        deadline: Option<u64>,
        replace: bool,
    ) -> Result<(), Entry> {
        let key = Key {
            bytes: entry.key(),
            hash,
        };
        if let Some(found) = self.look_up(db, &key) {
            if !replace {
                return Err(entry);
            }
            let owed = self.local.unrecorded;
            self.before_change(found);
            let old = self.take(found);
            self.discard(old);
            self.local.unrecorded = owed;
        }
        let (store, local) = (self.store, &mut *self.local);
        let stripe = store.stripe_of(hash);
        let shard = store
            .stripes
            .with(held(&mut self.held), stripe)
            .shard_or_new(db);
        let is_timed = entry.kind().is_timed();
        let slot = shard.insert(hash, entry, store.hasher(), &mut local.reclaim);
        let mut due = if is_timed { shard.refile(slot) } else { None };
        if deadline.is_some() {
            shard.set_deadline(slot, deadline);
            due = shard.entry(slot).due();
        }
        store.publish(db, stripe, shard);
        if let Some(due) = due {
            store.note_deadline(stripe, due, local.worker);
        }
        Ok(())
    }
}
