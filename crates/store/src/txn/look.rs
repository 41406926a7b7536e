//! The common ways to read and to overwrite a key, with one look-up each.

use super::Txn;
use crate::entry::Entry;
use crate::hash::Key;
use crate::text::NewString;

impl Txn<'_> {
    /// As [`Txn::read`], for who needs the entry for a moment only: what `look` makes of it. A key that lives for ever is looked up once.
    #[inline]
    pub fn read_with<R>(
        &mut self,
        db: u32,
        key: &Key<'_>,
        look: impl FnOnce(&Entry) -> R,
    ) -> Option<R> {
        let local = &self.local;
        if !(local.replies_wait || local.counts_accesses || self.reads.keep_clocks) {
            let (clock, stripe) = (local.clock, self.store.stripe_of(key.hash));
            let there = self
                .shard(db, stripe)
                .and_then(|shard| shard.look_up(key.hash, key.bytes));
            match there {
                Some((_, entry)) if entry.due().is_none() => {
                    entry.set_clock(clock);
                    let seen = look(&entry);
                    self.counters().hits.add(1);
                    return Some(seen);
                }
                Some(_) => {}
                None => {
                    self.counters().misses.add(1);
                    self.missed(db, key.bytes);
                    return None;
                }
            }
        }
        self.read(db, key).map(|entry| look(&entry))
    }

    /// Overwrites the string under a key that lives for ever where it lies, if it can be; `None`: there is no such key. `false`: nothing was
    /// done. A reply that waits does so for the change, which comes behind whatever the key's last record was.
    #[inline]
    pub(super) fn overwrite(
        &mut self,
        db: u32,
        key: &Key<'_>,
        value: NewString<'_>,
    ) -> Option<bool> {
        let local = &self.local;
        let somebody_looks = local.undo.is_some() || self.store.snapshots.is_running();
        if somebody_looks || local.counts_accesses {
            return Some(false);
        }
        let (clock, stripe) = (local.clock, self.store.stripe_of(key.hash));
        let done = self.shard(db, stripe)?.overwrite(key, value, clock);
        self.local.unrecorded |= done == Some(true);
        done
    }
}
