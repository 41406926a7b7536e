//! Who looks at keys: those who watch them, and those who wait for them.

use std::sync::Arc;

use super::{Txn, held};
use crate::blocked::BlockedTable;
use crate::hash::Key;
use crate::stripes::Waiter;
use crate::watch::{WatchFlag, WatchTable};

impl Txn<'_> {
    #[cold]
    pub(super) fn tell_observers(&mut self, db: u32, key: &[u8], by_client: bool) {
        if self.store.is_tracked() {
            self.local.outbox.changed(key, by_client);
        }
        let stripe = self.store.stripe_of(self.store.hasher().hash(key));
        let data = self.data(stripe);
        let (is_watched, is_waited_for) = (!data.watched.is_empty(), data.blocked.has(db, key));
        if is_watched {
            self.touch_watchers(stripe, db, key);
        }
        if is_waited_for {
            self.offer(db, key);
        }
    }

    /// Raises the flags of who watches a key: at the end where the change may yet be undone.
    pub(super) fn touch_watchers(&mut self, stripe: usize, db: u32, key: &[u8]) {
        match &mut self.local.undo {
            Some(undo) => undo.told.push((db, key.into())),
            None => self.data(stripe).watched.touch(db, key),
        }
    }

    /// The watched keys of database `db` in a stripe that exist in one of `there`.
    pub(super) fn watched_among(
        &mut self,
        stripe: usize,
        db: u32,
        there: &[u32],
    ) -> Vec<Box<[u8]>> {
        let hasher = self.store.hasher();
        let data = self.data(stripe);
        let exists = |key: &[u8]| {
            there.iter().any(|&db| {
                let shard = data.shards.get(db);
                shard.is_some_and(|s| s.contains(hasher.hash(key), key))
            })
        };
        let keys = data.watched.keys();
        keys.filter(|(of, key)| *of == db && exists(key))
            .map(|(_, key)| key.into())
            .collect()
    }

    pub(crate) fn blocked_table(&mut self, stripe: usize) -> &mut BlockedTable {
        &mut self.data(stripe).blocked
    }

    /// See [`crate::stripes::Stripes::summon`].
    pub(crate) fn summon(&mut self, stripe: usize, waiter: &Arc<Waiter>) -> bool {
        self.store
            .stripes
            .summon(held(&mut self.held), stripe, waiter)
    }

    /// Offers every key of a database in a stripe that somebody waits for.
    pub(super) fn offer_all(&mut self, db: u32, stripe: usize) {
        let table = self.blocked_table(stripe);
        if table.len() > 0 {
            let keys: Vec<Box<[u8]>> = table.keys_of(db).map(Box::from).collect();
            keys.iter().for_each(|key| self.offer(db, key));
        }
    }

    /// Watches a key: `flag` is raised when it changes; false when it was watched with that flag before. An already
    /// expired key is removed first, so that its removal later is no change.
    pub fn watch(&mut self, db: u32, key: &Key<'_>, flag: &Arc<WatchFlag>) -> bool {
        let _ = self.find(db, key);
        let stripe = self.store.stripe_of(key.hash);
        let store = self.store;
        let mut is_new = false;
        store.count_watched(self.watch_table(stripe), |table| {
            is_new = table.watch(db, key.bytes, flag);
        });
        is_new
    }

    /// Stops watching a key.
    pub fn unwatch(&mut self, db: u32, key: &Key<'_>, flag: &Arc<WatchFlag>) {
        let stripe = self.store.stripe_of(key.hash);
        let store = self.store;
        store.count_watched(self.watch_table(stripe), |table| {
            table.unwatch(db, key.bytes, flag)
        });
    }

    pub(super) fn watch_table(&mut self, stripe: usize) -> &mut WatchTable {
        &mut self.data(stripe).watched
    }
}
