//! Threads that look ahead into each other's dicts while those grow, shrink, and go away. Says little without a sanitizer;
//! under AddressSanitizer a segment or a directory that is freed too early is reported.

#![allow(unsafe_code)]

mod common;

use std::sync::Barrier;
use std::thread;

use common::{Item, Keyed, Rng, hash_of};
use dunlin_structures::dict::{Dict, Root};
use dunlin_structures::epoch::{Epochs, Limbo};

const WORKERS: usize = 4;
const BATCHES: u64 = 4_000;
const BATCH: u64 = 64;
const KEYS: u64 = 6_000;

struct Worker<'a> {
    number: usize,
    epochs: &'a Epochs,
    roots: &'a [Root],
    keyed: Keyed,
    rng: Rng,
    dict: Dict<Item>,
    limbo: Limbo,
}

impl Worker<'_> {
    fn look_ahead(&mut self) {
        let root = &self.roots[self.rng.next() as usize % WORKERS];
        let hashes: Vec<u64> = (0..BATCH)
            .map(|_| self.keyed.hash(self.rng.next() % KEYS))
            .collect();
        // SAFETY: every worker frees through a limbo that waits for this one's next boundary, and publishes before its own.
        unsafe {
            let mut sightings: Vec<_> = hashes.iter().map(|hash| root.sight(*hash)).collect();
            sightings.retain(|sighting| sighting.prefetch_entry(1));
            sightings
                .iter()
                .for_each(|sighting| sighting.prefetch_away(1));
        }
    }

    fn change(&mut self, batch: u64) {
        let grows = (batch / 300).is_multiple_of(2);
        for _ in 0..BATCH {
            let key = self.rng.next() % KEYS;
            let hash = self.keyed.hash(key);
            let found = self.dict.find(hash, &key.to_be_bytes());
            match found {
                Some(slot) if !grows => drop(self.dict.remove(slot, &mut self.limbo)),
                None if grows => {
                    let item = Item::new(key, batch, hash);
                    self.dict.insert_new(hash, item, hash_of, &mut self.limbo);
                }
                _ => {}
            }
        }
    }

    fn run(mut self) -> Limbo {
        self.epochs.online(self.number);
        for batch in 0..BATCHES {
            self.look_ahead();
            self.change(batch);
            let root = &self.roots[self.number];
            if batch % 500 == 499 {
                // As FLUSHALL does.
                root.clear();
                let mut drain = std::mem::take(&mut self.dict).into_drain();
                while drain.slice(1_000, &mut self.limbo, drop) {}
            } else {
                root.publish(&self.dict);
            }
            self.limbo.turn(self.epochs);
            self.epochs.quiescent(self.number);
            if self.rng.next().is_multiple_of(64) {
                self.epochs.offline(self.number);
                thread::yield_now();
                self.epochs.online(self.number);
            }
        }
        self.dict.assert_consistent(hash_of);
        self.roots[self.number].clear();
        let mut drain = std::mem::take(&mut self.dict).into_drain();
        while drain.slice(1_000, &mut self.limbo, drop) {}
        self.epochs.offline(self.number);
        self.limbo
    }
}

#[test]
fn look_ahead_never_sees_freed_memory() {
    let epochs = Epochs::new(WORKERS);
    let roots: Vec<Root> = (0..WORKERS).map(|_| Root::new()).collect();
    let start = Barrier::new(WORKERS);
    let limbos: Vec<Limbo> = thread::scope(|scope| {
        let spawn = |number| {
            let worker = Worker {
                number,
                epochs: &epochs,
                roots: &roots,
                keyed: Keyed::fair(number as u64 % 2),
                rng: Rng(number as u64),
                dict: Dict::new(),
                limbo: Limbo::new(),
            };
            let start = &start;
            scope.spawn(move || {
                start.wait();
                worker.run()
            })
        };
        let threads: Vec<_> = (0..WORKERS).map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no worker panics"))
            .collect()
    });
    for mut limbo in limbos {
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 0, "everybody is offline");
    }
}
