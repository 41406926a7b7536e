//! Workers on real threads: their effects, merged by sequence number, still give the same dataset.
//!
//! A further thread holds all stripes now and then while it gives its processor away, so that commands have to wait.
//!
//! Unlike the seeded workloads of `effects_replay` these runs differ from time to time; what must hold holds for each.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::commands::{choices, named, request};
use common::rng::Rng;
use common::threads::{Client, wait};
use common::world::{Dataset, Nobody, START_MS, engine, replayed};
use dunlin_engine::{Engine, OwnedArgs, WorkerState};
use dunlin_store::stripes::{LockSet, ReadyList, Waiter};

const WORKLOADS: u64 = 40;
const WORKERS: usize = 2;
const COMMANDS: usize = 800;
/// Turns given away between two times of holding everything.
const PAUSES: usize = 20;

/// Ends the thread that holds everything, also when a worker panicked.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn hold_everything_now_and_then(engine: &Engine, done: &AtomicBool) {
    let ready = ReadyList::new(Nobody);
    let waiter = Waiter::new(Arc::clone(&ready), 0);
    while !done.load(Ordering::Relaxed) {
        let mut taken = engine.store.lock_stripes(&LockSet::All, &waiter);
        while taken.is_err() {
            wait(&ready);
            taken = engine.store.resume_stripes(&LockSet::All, &waiter);
        }
        std::thread::yield_now();
        engine
            .store
            .release_stripes(taken.expect("tried until taken"));
        (0..PAUSES).for_each(|_| std::thread::yield_now());
    }
}

#[test]
fn effects_of_threads_replayed_give_the_same_digest() {
    let mut parked = 0;
    for seed in 0..WORKLOADS {
        parked += workload(seed);
    }
    assert!(parked > 0, "the workers never met");
}

fn workload(seed: u64) -> usize {
    let engine = engine(8, WORKERS, seed);
    let clock = AtomicU64::new(START_MS);
    let mut reader = engine.store.log.attach();
    let (mut workers, mut parked) = (Vec::new(), 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = SetOnDrop(&done);
        scope.spawn(|| hold_everything_now_and_then(&engine, &done));
        let threads: Vec<_> = (0..WORKERS)
            .map(|number| {
                scope.spawn({
                    let (engine, clock) = (&engine, &clock);
                    move || worker(engine, number, seed, clock)
                })
            })
            .collect();
        for thread in threads {
            let (worker, waited) = thread.join().expect("a worker ends without a panic");
            workers.push(worker);
            parked += waited;
        }
    });
    // A stripe that was busy is tried again a millisecond later.
    let now_ms = clock.load(Ordering::Relaxed) + 2;
    for worker in &mut workers {
        engine
            .store
            .expire_some(&mut worker.local, now_ms, usize::MAX);
    }
    let mut records = Vec::new();
    reader.drain(&mut records);
    drop(reader);
    assert!(records.len() > COMMANDS / 4, "{}", records.len());
    let expected = Dataset::of(&engine, &mut workers[0], now_ms);
    let found = replayed(&records, 256).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    assert_eq!(found, expected, "seed {seed}");
    parked
}

fn worker(engine: &Engine, number: usize, seed: u64, clock: &AtomicU64) -> (WorkerState, usize) {
    let mut rng = Rng::new(seed * WORKERS as u64 + number as u64);
    let choices = choices(engine);
    let mut client = Client::new(engine, number, rng.next());
    for _ in 0..COMMANDS {
        if rng.chance(5) {
            let now_ms = clock.fetch_add(rng.below(400), Ordering::Relaxed);
            engine
                .store
                .expire_some(&mut client.worker.local, now_ms, 100);
        }
        let command = if client.session.in_transaction() && rng.chance(20) {
            named(&engine.table, "exec")
        } else {
            rng.pick(&choices)
        };
        let now_ms = clock.load(Ordering::Relaxed);
        let request = request(&mut rng, command, now_ms);
        client.run(&OwnedArgs::of(request.iter().map(Vec::as_slice)), now_ms);
    }
    (client.worker, client.parked)
}
