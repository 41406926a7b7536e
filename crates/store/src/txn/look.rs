//! Reading a key with one look-up.

use super::Txn;
use crate::entry::Entry;
use crate::hash::Key;

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
}
