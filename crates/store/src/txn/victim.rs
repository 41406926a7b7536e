//! What eviction does to keys: it picks them by chance, looks at them, and takes them out.

use dunlin_structures::dict::Ref;

use super::{Found, Txn, held};
use crate::entry::Entry;
use crate::event::Event;
use crate::hash::Key;
use crate::shard::Shard;

impl Txn<'_> {
    /// An entry of one held stripe that might be evicted, picked by chance; it may have expired.
    pub(crate) fn random_victim(
        &mut self,
        db: u32,
        stripe: usize,
        is_volatile: bool,
    ) -> Option<Ref<'_, Entry>> {
        if !is_volatile {
            return self.random_entry(db, stripe);
        }
        let random = self.local.random();
        let hasher = self.store.hasher();
        let timed = self.shard(db, stripe)?.random_timed(random, hasher);
        // A hash may be there for its fields alone.
        timed.filter(|entry| entry.deadline().is_some())
    }

    /// The entry of a candidate for eviction, and where it is; no statistics, and no look at whether it has expired.
    pub(crate) fn victim(&mut self, db: u32, key: &Key<'_>) -> Option<(Found, Ref<'_, Entry>)> {
        let stripe = self.store.stripe_of(key.hash);
        let (slot, entry) = self.shard(db, stripe)?.look_up(key.hash, key.bytes)?;
        let found = Found {
            db,
            stripe,
            slot,
            has_deadline: entry.due().is_some(),
        };
        Some((found, entry))
    }

    /// Evicts a victim.
    pub(crate) fn evict(&mut self, found: Found) {
        self.before_change(found);
        let entry = self.take(found);
        self.counters().evicted.add(1);
        self.tell(found.db, entry.key(), Event::EVICTED);
        if self.store.log.is_active() {
            self.local
                .record
                .push(found.db, &["DEL".into(), entry.key().into()]);
        }
        self.discard(entry);
        self.give_up_empty_shard(found.db, found.stripe);
    }

    /// Frees a shard that has no keys: it may take more memory than its last key did. Only for eviction: otherwise it is kept for the
    /// keys that follow.
    fn give_up_empty_shard(&mut self, db: u32, stripe: usize) {
        let store = self.store;
        let data = store.stripes.with(held(&mut self.held), stripe);
        if data.shards.get(db).is_some_and(Shard::is_empty)
            && let Some(shard) = data.shards.take(db)
        {
            store.clear_head(db, stripe);
            let mut drain = shard.into_drain();
            while drain.slice(1, &mut self.local.reclaim, drop) {}
        }
    }
}
