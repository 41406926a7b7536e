//! Images of some keys, as a store of their own: a long read goes on over them while the keys themselves are free again.
//!
//! Invariant: what is in it is what the keys held at one moment. Nothing is changed here but access clocks, and those die with it.

use crate::entry::Image;
use crate::hash::Key;
use crate::store::{Settings, Store};
use crate::stripes::Held;
use crate::txn::Txn;

/// See the module's text. One stripe, no log, no limit of memory.
pub struct Aside {
    store: Box<Store>,
}

impl Aside {
    /// An empty one with the databases, the hash and the numbers of workers of `store`.
    pub(crate) fn new(store: &Store) -> Aside {
        Aside {
            store: Box::new(Store::with_hasher(
                &Settings {
                    stripes: 1,
                    databases: store.databases(),
                    workers: store.workers(),
                    ..Settings::default()
                },
                *store.hasher(),
            )),
        }
    }

    /// The images.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The right to read them; to be released to [`Aside::store`].
    pub fn lock(&mut self) -> Held {
        let held = self.store.stripes.try_lock_one(0);
        held.expect("nobody else knows of it")
    }
}

impl Txn<'_> {
    /// Images of these keys of one database; those that do not exist are left out. O(1) for each key, whatever its size. Their access
    /// clocks are set as by a read, but nothing is counted: whoever reads the images does, in their store.
    pub fn set_aside<'k>(&mut self, db: u32, keys: impl Iterator<Item = Key<'k>>) -> Aside {
        let mut aside = Aside::new(self.store());
        let mut held = aside.lock();
        for key in keys {
            let Some(found) = self.find(db, &key) else {
                continue;
            };
            self.touch(found);
            let image = self.entry(found).image();
            self.image_into(&aside, &mut held, db, &key, &image);
        }
        aside.store.release_stripes(held);
        aside
    }

    fn image_into(
        &mut self,
        aside: &Aside,
        held: &mut Held,
        db: u32,
        key: &Key<'_>,
        image: &Image,
    ) {
        let local = self.local();
        let owed = local.unrecorded;
        // Nothing expires while the images are made.
        let mut txn = Txn::new(&aside.store, Some(held), local, 0);
        if txn.find(db, key).is_none() {
            txn.put_entry(db, key, image.to_entry(key.bytes), image.deadline());
        }
        // A copy is no change.
        local.unrecorded = owed;
    }
}

impl Store {
    /// Counts what worker `worker` has read in `aside` as read here.
    pub fn count_reads_of(&self, aside: &Aside, worker: usize) {
        let (theirs, ours) = (aside.store.counters(worker), self.counters(worker));
        ours.hits.add(theirs.hits.value());
        ours.misses.add(theirs.misses.value());
    }
}
