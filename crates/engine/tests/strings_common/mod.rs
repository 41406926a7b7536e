//! What the tests of string commands share: repeatable random numbers, and a look at the dataset behind the commands.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_engine::Engine;
use dunlin_engine::digest::Digest;
use dunlin_store::stripes::{LockSet, ReadyList, Waiter, Wake};
use dunlin_store::{Kind, Txn};

/// Numbers that are the same in every run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

/// Runs `f` with every stripe held. With `now_ms` 0, keys past their deadline are seen too.
pub(crate) fn with_all<T>(engine: &Engine, now_ms: u64, f: impl FnOnce(&mut Txn<'_>) -> T) -> T {
    let mut worker = engine.worker(0, 1);
    let waiter = Waiter::new(ReadyList::new(NoOne), 0);
    let Ok(mut held) = engine.store.lock_stripes(&LockSet::All, &waiter) else {
        panic!("nobody else holds a stripe")
    };
    let result = f(&mut Txn::new(
        &engine.store,
        Some(&mut held),
        &mut worker.local,
        now_ms,
    ));
    engine.store.release_stripes(held);
    result
}

/// Text, encoding and deadline of one key.
pub(crate) type Seen = (Vec<u8>, Kind, Option<u64>);

/// One key as it lies in the store.
pub(crate) fn look(engine: &Engine, db: u32, key: &[u8]) -> Option<Seen> {
    with_all(engine, 0, |txn| {
        let key = txn.key(key);
        let entry = txn.peek(db, &key)?;
        Some((
            entry.as_string().expect("a string").to_vec(),
            entry.kind(),
            entry.deadline(),
        ))
    })
}

/// Every key by database: its text and its deadline.
pub(crate) type Contents = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<u64>)>;

/// Every key of every database.
pub(crate) fn dump(engine: &Engine) -> Contents {
    with_all(engine, 0, |txn| {
        let mut all = BTreeMap::new();
        for db in 0..engine.store.databases() as u32 {
            txn.for_each(db, |entry| {
                let text = entry.as_string().expect("a string").to_vec();
                all.insert((db, entry.key().to_vec()), (text, entry.deadline()));
            });
        }
        all
    })
}

/// DEBUG DIGEST.
pub(crate) fn digest(engine: &Engine) -> Digest {
    with_all(engine, 0, Digest::of_dataset)
}

/// An engine with fewer stripes than usual, so that keys meet in them.
pub(crate) fn engine() -> Arc<Engine> {
    Arc::new(Engine::new(
        &dunlin_store::Settings {
            stripes: 4,
            ..Default::default()
        },
        &[],
    ))
}
