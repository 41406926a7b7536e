//! Snapshots while workers on real threads run random commands of all kinds: each is exactly what the keyspace was at its cut.
//!
//! What it must be is read at the cut, with all stripes held. Some snapshots are abandoned on the way; what follows them must be as right.
//! These runs differ from time to time; what must hold holds for each.

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::commands::{choices, named, request};
use common::rng::Rng;
use common::threads::{Client, wait};
use common::world::{Dataset, Nobody, START_MS, engine};
use dunlin_engine::{Engine, OwnedArgs, WorkerState};
use dunlin_store::eviction::Policy;
use dunlin_store::snapshot::{By, Encode, Owed, Piece, Snapshot, Step};
use dunlin_store::stripes::{Held, LockSet, ReadyList, Waiter};
use dunlin_store::{Entry, Txn};

const WORKLOADS: u64 = 40;
const WORKERS: usize = 2;
/// Snapshots of each workload.
const SNAPSHOTS: usize = 25;

/// Keeps the values themselves.
#[derive(Default)]
struct Recorder(Mutex<Vec<Owed>>);

impl Encode for Recorder {
    fn append(&self, out: &mut Vec<u8>, before: Option<u32>, db: u32, entry: &Entry, _: By) {
        assert_eq!(before.is_none(), out.is_empty());
        out.push(db as u8);
        self.0.lock().unwrap().push(Owed {
            db,
            key: entry.key().into(),
            image: entry.image(),
        });
    }
}

/// What a snapshot was given.
struct Taken {
    values: Vec<Owed>,
    handed: u64,
}

/// Takes all stripes, whoever has some.
fn hold_everything(engine: &Engine) -> Held {
    let ready = ReadyList::new(Nobody);
    let waiter = Waiter::new(Arc::clone(&ready), 0);
    let mut taken = engine.store.lock_stripes(&LockSet::All, &waiter);
    while taken.is_err() {
        wait(&ready);
        taken = engine.store.resume_stripes(&LockSet::All, &waiter);
    }
    taken.expect("tried until taken")
}

/// Goes to the end of a snapshot; gives it up after so many steps.
fn run(
    engine: &Engine,
    rng: &mut Rng,
    mut snapshot: Snapshot,
    recorder: &Recorder,
    steps_max: u64,
) -> Taken {
    let store = &engine.store;
    let (mut piece, mut values, mut handed) = (Piece::default(), Vec::new(), 0);
    for step in 0.. {
        if step == steps_max {
            snapshot.abandon(store);
        }
        if rng.chance(30) {
            std::thread::yield_now();
        }
        let done = snapshot.step(store, None, &mut piece) == Step::Done;
        values.append(&mut piece.values);
        if rng.chance(10) || done {
            while let Some(mut piece) = snapshot.next_handed(store) {
                handed += piece.keys;
                store.snapshots.written(store, &piece);
                values.append(&mut piece.values);
            }
        }
        if done {
            break;
        }
        piece.clear();
    }
    snapshot.finish(store);
    assert_eq!(store.snapshots.backlog_bytes(), 0);
    values.append(&mut recorder.0.lock().unwrap());
    Taken { values, handed }
}

/// The dataset that these values make.
fn dataset(values: &[Owed]) -> Dataset {
    let copy = engine(8, 1, 77);
    let mut worker = copy.worker(0, 1);
    let mut held = hold_everything(&copy);
    let mut keys = Txn::new(&copy.store, Some(&mut held), &mut worker.local, 0);
    let mut seen = HashSet::new();
    for owed in values {
        assert!(seen.insert((owed.db, &owed.key)), "a key is taken once");
        let key = keys.key(&owed.key);
        let entry = owed.image.to_entry(&owed.key);
        keys.put_entry(owed.db, &key, entry, owed.image.deadline());
        keys.record_silently(owed.db, &owed.key, std::iter::empty());
    }
    keys.commit(None);
    let dataset = Dataset::of_held(&copy, &mut worker, &mut held, 0);
    copy.store.release_stripes(held);
    dataset
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_snapshot_is_what_was_there_at_its_cut() {
    let (mut keys, mut handed, mut abandoned) = (0, 0, 0);
    for seed in 0..WORKLOADS {
        let engine = engine(8, WORKERS, seed);
        if seed % 4 == 3 {
            // Every command that may take memory evicts a key first.
            engine.store.eviction.set(1, Policy::AllkeysRandom);
            let (relaxed, eviction) = (Ordering::Relaxed, &engine.store.eviction);
            eviction.samples.store(2, relaxed);
            eviction.victims_max.store(1, relaxed);
        }
        let clock = AtomicU64::new(START_MS);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _ends = SetOnDrop(&done);
            for number in 0..WORKERS {
                let (engine, clock, done) = (&engine, &clock, &done);
                scope.spawn(move || work(engine, number, seed, clock, done));
            }
            let mut rng = Rng::new(seed + 1_000);
            let mut worker = engine.worker(WORKERS, 5);
            for number in 0..SNAPSHOTS {
                for _ in 0..rng.below(200) {
                    std::thread::yield_now();
                }
                let is_abandoned = rng.chance(20);
                let steps_max = if is_abandoned {
                    rng.below(12)
                } else {
                    u64::MAX
                };
                let (expected, taken) = snapshot(&engine, &mut rng, &mut worker, steps_max);
                abandoned += usize::from(is_abandoned);
                if !is_abandoned {
                    keys += taken.values.len();
                    handed += taken.handed;
                    assert_eq!(
                        dataset(&taken.values),
                        expected,
                        "seed {seed}, snapshot {number}"
                    );
                }
            }
        });
    }
    assert!(keys > 1_000 && handed > 200 && abandoned > 10);
}

fn snapshot(
    engine: &Engine,
    rng: &mut Rng,
    worker: &mut WorkerState,
    steps_max: u64,
) -> (Dataset, Taken) {
    let recorder = Arc::new(Recorder::default());
    let mut held = hold_everything(engine);
    let expected = Dataset::of_held(engine, worker, &mut held, 0);
    let snapshot = engine
        .store
        .begin_snapshot(&mut held, Arc::<Recorder>::clone(&recorder))
        .expect("one at a time");
    assert!(
        engine
            .store
            .begin_snapshot(&mut held, Arc::<Recorder>::clone(&recorder))
            .is_none()
    );
    engine.store.release_stripes(held);
    (expected, run(engine, rng, snapshot, &recorder, steps_max))
}

/// Runs random commands until told to stop.
fn work(engine: &Engine, number: usize, seed: u64, clock: &AtomicU64, done: &AtomicBool) {
    let mut rng = Rng::new(seed * WORKERS as u64 + number as u64);
    let choices = choices(engine);
    let mut client = Client::new(engine, number, rng.next());
    // Above the limit, where there is one.
    client.worker.local.used_bytes = 2;
    while !done.load(Ordering::Relaxed) {
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
}
