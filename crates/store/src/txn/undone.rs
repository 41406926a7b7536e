//! Taking a transaction back: images are kept at first touch, and put back in reverse.

use super::Txn;
use crate::entry::Image;
use crate::hash::Key;
use crate::undo::{Before, Step, Undo};

impl Txn<'_> {
    /// Starts keeping first-touch images, for [`Txn::roll_back`].
    pub fn keep_images(&mut self) {
        let local = &mut self.local;
        local.undo = Some(Undo::new(
            local.record.effects.len(),
            local.offers.len(),
            local.outbox.mark(),
            std::mem::take(&mut local.undo_steps),
        ));
    }

    /// Whether images are being kept.
    pub fn keeps_images(&self) -> bool {
        self.local.undo.is_some()
    }

    /// Ends [`Txn::keep_images`]: what was done stays, and who watches is told.
    pub fn keep_changes(&mut self) {
        let undo = self.local.undo.take().expect("images were kept");
        for (db, key) in undo.told {
            let stripe = self.store.stripe_of(self.store.hasher().hash(&key));
            self.data(stripe).watched.touch(db, &key);
        }
        self.local.undo_steps = Undo::spare(undo.steps);
    }

    /// Puts every key touched since [`Txn::keep_images`] back as it was and drops the effects: nothing reaches the log, nobody is told.
    pub fn roll_back(&mut self) {
        let undo = self.local.undo.take().expect("images were kept");
        for step in undo.steps.into_iter().rev() {
            match step {
                Step::Swapped(a, b) => self.swap_shards(a, b),
                Step::Touched(before) => self.put_back(before),
            }
        }
        self.counters().changes.sub(undo.changes);
        self.local.record.truncate(undo.effects);
        self.local.offers.truncate(undo.offers);
        self.local.outbox.discard(undo.outbox);
        self.local.unrecorded = false;
    }

    fn put_back(&mut self, before: Before) {
        let key = Key {
            bytes: &before.key,
            hash: before.hash,
        };
        // Looked up without regard to deadlines: what is there has to go, what was there is put back even if it had expired.
        if let Some(found) = self.look_up(before.db, &key) {
            let entry = self.take(found);
            self.discard(entry);
        }
        if let Some(image) = before.image {
            let found = self.place(before.db, &key, image.to_entry(&before.key));
            if image.deadline().is_some() {
                self.set_deadline_of(found, image.deadline());
            }
        }
    }

    /// Keeps what `image` makes of a key that is about to be touched, unless it was touched before.
    pub(super) fn remember(
        &mut self,
        db: u32,
        key: &[u8],
        hash: u64,
        image: impl FnOnce() -> Option<Image>,
    ) {
        if let Some(undo) = &mut self.local.undo
            && undo.is_untouched(db, key, hash)
        {
            undo.touch(Before {
                db,
                key: key.into(),
                hash,
                image: image(),
            });
        }
    }

    pub(super) fn remember_shard(&mut self, db: u32, stripe: usize) {
        let mut befores = Vec::new();
        if let Some(shard) = self.shard(db, stripe) {
            shard
                .dict()
                .iter()
                .for_each(|e| befores.push((Box::<[u8]>::from(e.key()), e.image())));
        }
        for (key, image) in befores {
            let hash = self.store.hasher().hash(&key);
            self.remember(db, &key, hash, || Some(image));
        }
    }
}
