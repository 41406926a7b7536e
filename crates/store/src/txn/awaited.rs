//! What a reply has to wait for: the latest record among those of the keys that its command looked at or changed.
//!
//! Invariant: called only while replies wait ([`crate::log::Log::replies_wait`]).

use super::Txn;
use crate::stamps::stamp_of;

/// A transaction that changes more keys than this stamps all keys of the stripes that it holds.
const CHANGED_KEYS_MAX: usize = 256;

/// What a transaction has changed, until its record has a number.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Stripe and stamp of each key.
    keys: Vec<(u16, u8)>,
    /// All keys of the held stripes.
    all: bool,
}

impl Changed {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.all = false;
    }
}

impl Txn<'_> {
    /// A key is looked up.
    #[cold]
    pub(super) fn await_key(&mut self, stripe: usize, hash: u64) {
        let stamp = self.data(stripe).stamps.get(hash);
        self.local.awaits = self.local.awaits.max(stamp);
    }

    /// Keys are looked at that nobody names (KEYS, RANDOMKEY, DBSIZE): the reply waits for everything so far.
    #[inline]
    pub fn await_any(&mut self) {
        if self.local.replies_wait {
            self.local.awaits = self.store.log.position();
        }
    }

    /// A key is changed.
    #[cold]
    pub(super) fn key_changed(&mut self, key: &[u8]) {
        let changed = &mut self.local.changed;
        if changed.keys.len() >= CHANGED_KEYS_MAX {
            changed.all = true;
            return;
        }
        let hash = self.store.hasher().hash(key);
        let stripe = self.store.stripe_of(hash) as u16;
        changed.keys.push((stripe, stamp_of(hash)));
    }

    /// All keys of the held stripes may be changed.
    pub(super) fn all_changed(&mut self) {
        self.local.changed.all = true;
    }

    /// The changes have a number.
    #[cold]
    pub(super) fn stamp_changed(&mut self) {
        let sequence = self.local.wrote;
        let mut changed = std::mem::take(&mut self.local.changed);
        if changed.all {
            for stripe in 0..self.store.stripe_count() {
                if self.held.as_ref().is_some_and(|held| held.covers(stripe)) {
                    self.data(stripe).stamps.set_all(sequence);
                }
            }
        } else {
            for &(stripe, stamp) in &changed.keys {
                self.data(stripe.into()).stamps.set(stamp, sequence);
            }
        }
        changed.clear();
        self.local.changed = changed;
        self.local.awaits = self.local.awaits.max(sequence);
    }
}
