//! Going over the keys of held stripes: all of them, some, one by chance, those that are due.

use dunlin_structures::dict::Ref;

use super::{Txn, held};
use crate::entry::Entry;
use crate::shard::Expired;

impl Txn<'_> {
    /// Visits keys of one held stripe from `cursor` on, at least `min` of them if there are so many; returns where to
    /// go on, 0 at the end. Expired keys are not visited but removed.
    pub fn scan(
        &mut self,
        db: u32,
        stripe: usize,
        cursor: u64,
        min: usize,
        mut visit: impl FnMut(&Entry),
    ) -> u64 {
        self.await_any();
        let now = self.stripe_now(stripe);
        let store = self.store;
        let Some(shard) = self.shard(db, stripe) else {
            return 0;
        };
        let hasher = store.hasher();
        let mut expired: Vec<Box<[u8]>> = Vec::new();
        let next = shard.dict().scan(
            cursor,
            min,
            |e| hasher.hash(e.key()),
            |e| {
                if e.is_dead(now) {
                    expired.push(e.key().into());
                } else {
                    visit(e);
                }
            },
        );
        for key in &expired {
            let key = self.key(key);
            let _ = self.find(db, &key);
        }
        next
    }

    /// A key of one held stripe, each equally likely; it may have expired.
    pub fn random_entry(&mut self, db: u32, stripe: usize) -> Option<Ref<'_, Entry>> {
        self.await_any();
        let mut seed = self.local.random();
        let shard = self.shard(db, stripe)?;
        let slot = shard.dict().random(|| {
            // The same generator as `Local::random`, on a copy, since `self` is borrowed.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        })?;
        Some(shard.entry(slot))
    }

    /// Visits every entry of a database that has not expired; every stripe is held. O(n).
    pub fn for_each(&mut self, db: u32, mut visit: impl FnMut(&Entry)) {
        self.await_any();
        for stripe in 0..self.store.stripe_count() {
            let now = self.stripe_now(stripe);
            if let Some(shard) = self.shard(db, stripe) {
                shard.dict().iter().for_each(|e| {
                    if !e.is_dead(now) {
                        visit(&e);
                    }
                });
            }
        }
    }

    pub(crate) fn look_ahead_expired(&mut self, db: u32, stripe: usize) {
        let now = self.stripe_now(stripe);
        let hasher = self.store.hasher();
        if let Some(shard) = self.shard(db, stripe) {
            shard.look_ahead(now, hasher);
        }
    }

    pub(crate) fn pop_expired(&mut self, db: u32, stripe: usize, work: &mut usize) -> Expired {
        let now = self.stripe_now(stripe);
        let store = self.store;
        let data = store.stripes.with(held(&mut self.held), stripe);
        let Some(shard) = data.shards.get_mut(db) else {
            return Expired::Idle;
        };
        let expired = shard.pop_expired(now, work, store.hasher(), &mut self.local.reclaim);
        if let Expired::Entry(entry) = &expired {
            if let Some(walk) = shard.walk().filter(|_| shard.owes(entry)) {
                let lane = self.local.worker;
                store.snapshots.take(store, lane, walk.db, entry);
            }
            store.publish(db, stripe, shard);
        }
        expired
    }

    pub(crate) fn next_deadline(&mut self, db: u32, stripe: usize) -> Option<u64> {
        self.shard(db, stripe)?.next_deadline()
    }
}
