//! Deadlines of hashes' fields: hashes are filed under the first of them, and lose what is due.

use dunlin_structures::dict::Slot;

use super::{Found, Ttl, Txn, held};
use crate::entry::Entry;
use crate::event::Event;
use crate::hash::Key;
use crate::hash_value;

impl Txn<'_> {
    /// As [`Txn::update_if`] for a change that may set deadlines of a hash's fields.
    pub fn update_fields(
        &mut self,
        found: Found,
        change: impl FnOnce(Entry) -> (Entry, bool),
    ) -> bool {
        let changed = self.update_if(found, change);
        if changed {
            self.refile(found);
        }
        changed
    }

    /// Files the entry that was found under the first of its deadlines, if it is a hash whose fields may have some.
    pub(super) fn refile(&mut self, found: Found) {
        let store = self.store;
        let data = store.stripes.with(held(&mut self.held), found.stripe);
        let shard = data
            .shards
            .get_mut(found.db)
            .expect("a found key's shard exists");
        if shard.entry(found.slot).timed().is_none() {
            return;
        }
        let due = shard.refile(found.slot);
        store.publish(found.db, found.stripe, shard);
        if let Some(at) = due {
            store.note_deadline(found.stripe, at, self.local.worker);
        }
    }

    /// Removes at most `max` fields that are due from a hash of which something is left; how many. Their effect is one HDEL.
    pub(super) fn expire_fields(&mut self, found: Found, max: usize) -> usize {
        let now_ms = self.stripe_now(found.stripe);
        let (db, hasher) = (found.db, self.store.hasher());
        let owed = self.local.unrecorded;
        self.before_change(found);
        self.local.unrecorded = owed;
        let mut gone = Vec::new();
        self.shard_at(found).update(found.slot, |mut entry| {
            (entry, gone) = hash_value::take_due(entry, hasher, now_ms, max);
            entry
        });
        self.refile(found);
        if gone.is_empty() {
            return 0;
        }
        let key: Box<[u8]> = self.entry(found).key().into();
        self.tell(db, &key, Event::hash("hexpired"));
        if self.store.log.is_active() {
            self.local.record.begin(db, 2 + gone.len());
            self.local.record.bulk(b"HDEL");
            self.local.record.bulk(&key);
            gone.iter().for_each(|field| self.local.record.bulk(field));
        }
        self.local.unrecorded = owed;
        gone.len()
    }

    /// The same for what a pass over the wheel found.
    pub(crate) fn expire_popped(
        &mut self,
        db: u32,
        stripe: usize,
        slot: Slot,
        max: usize,
    ) -> usize {
        let found = Found {
            db,
            stripe,
            slot,
            has_deadline: false,
        };
        self.expire_fields(found, max)
    }

    /// Whether the entry's timer means the deadlines of a hash's fields, too.
    #[inline]
    pub(super) fn is_timed(&mut self, found: Found) -> bool {
        found.has_deadline && self.entry(found).kind().is_timed()
    }

    /// Files `entry` in place of such a hash; of its deadline, `ttl` says what becomes of that of the key.
    #[cold]
    pub(super) fn replace_timed(&mut self, found: Found, key: &Key<'_>, entry: Entry, ttl: Ttl) {
        let deadline = match ttl {
            Ttl::Clear => None,
            Ttl::Keep => self.entry(found).deadline(),
            Ttl::At(at) => Some(at),
        };
        self.put_entry(found.db, key, entry, deadline);
    }
}
