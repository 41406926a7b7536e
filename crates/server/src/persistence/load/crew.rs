//! The threads that decode and file what one of them scans.
//!
//! Invariant: at most [`BATCHES_PER_THREAD`] batches wait for each thread. The scanning thread does a batch itself when that many
//! wait, so that all are busy whatever the values are like.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use dunlin_store::stripes::LockSet;
use dunlin_store::{Local, Txn};

use super::batch::{Batch, Builder, ByStripe, Decoding, Room};
use super::dump::Dump;
use super::{LoadError, Loader, SETTLE_PERIOD};
use crate::persistence::stripe_lock::StripeLock;
use crate::process;

const BATCHES_PER_THREAD: usize = 2;
/// A buffer that a huge value has grown beyond this is not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    spare: Vec<Batch>,
    ended: bool,
    /// The first failure: all stop.
    failure: Option<LoadError>,
}

/// What goes between the threads.
struct Crew {
    state: Mutex<State>,
    arrived: Condvar,
    waiting_max: usize,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic aborts, so a poisoned lock is never seen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    fn spare(&self) -> Batch {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Leaves a batch to the others; given back when they have enough.
    fn offer(&self, batch: Batch) -> Option<Batch> {
        let mut state = self.lock();
        if state.waiting.len() >= self.waiting_max {
            return Some(batch);
        }
        state.waiting.push_back(batch);
        drop(state);
        self.arrived.notify_one();
        None
    }

    /// The next batch; `None` at the end.
    fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(batch) = state.waiting.pop_front() {
                return Some(batch);
            }
            if state.ended {
                return None;
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a batch back that is done.
    fn done(&self, batch: Batch) {
        if batch.bytes() <= KEPT_BYTES_MAX {
            self.lock().spare.push(batch);
        }
    }

    fn end(&self, result: Result<(), LoadError>) {
        let mut state = self.lock();
        state.ended = true;
        if let Err(error) = result {
            state.failure.get_or_insert(error);
        }
        drop(state);
        self.arrived.notify_all();
    }

    /// Does batches until there are no more.
    fn work(&self, filer: &mut Filer<'_>) {
        while let Some(batch) = self.take() {
            if let Err(error) = filer.file(&batch) {
                return self.end(Err(error));
            }
            self.done(batch);
        }
    }
}

/// One thread's means to file keys.
struct Filer<'a> {
    decoding: &'a Decoding<'a>,
    builder: Builder<'a>,
    by_stripe: ByStripe,
    local: Local,
    lock: StripeLock,
}

impl<'a> Filer<'a> {
    fn new(decoding: &'a Decoding<'a>) -> Filer<'a> {
        let store = decoding.store;
        Filer {
            decoding,
            builder: Builder::new(decoding),
            by_stripe: ByStripe::default(),
            // Nothing is counted or logged by it, so that threads may share a number.
            local: store.local(store.workers(), 1),
            lock: StripeLock::of_this_thread(),
        }
    }

    fn make_room(&mut self, room: Room) {
        let store = self.decoding.store;
        for stripe in 0..store.stripe_count() {
            let mut held = self.lock.lock(store, &LockSet::One(stripe as u16));
            let mut keys = Txn::new(store, Some(&mut held), &mut self.local, 0);
            keys.reserve(room.db, stripe, room.each);
            store.release_stripes(held);
        }
    }

    fn file(&mut self, batch: &Batch) -> Result<(), LoadError> {
        self.builder.build(batch)?;
        let store = self.decoding.store;
        let decoded = &mut self.builder.decoded;
        self.by_stripe.sort(decoded, store.stripe_count());
        let mut result = Ok(());
        for (stripe, run) in self.by_stripe.runs() {
            let mut held = self.lock.lock(store, &LockSet::One(stripe));
            let mut keys = Txn::new(store, Some(&mut held), &mut self.local, 0);
            let of_run = |place: &u32| *place as usize;
            for key in run
                .iter()
                .filter_map(|place| decoded[of_run(place)].as_ref())
            {
                keys.look_ahead_load(key.db, key.hash);
            }
            let mut taken = run.iter().filter_map(|place| decoded[of_run(place)].take());
            result = taken.try_for_each(|key| key.place(&mut keys, self.decoding));
            keys.commit(None);
            store.release_stripes(held);
            if result.is_err() {
                break;
            }
        }
        decoded.clear();
        self.local.pass(&store.epochs);
        result
    }

    /// Ends this thread's part; the keys that were empty.
    fn finish(mut self, loader: &Loader<'_>) -> u64 {
        while !self.local.pass(&self.decoding.store.epochs) {
            thread::sleep(SETTLE_PERIOD);
        }
        self.builder.finish(&loader.shared.loading)
    }
}

/// Loads the rest of a dump; the number of keys that were empty.
pub(super) fn load(
    loader: &Loader<'_>,
    dump: &mut Dump<'_>,
    decoding: &Decoding<'_>,
) -> Result<u64, LoadError> {
    let helpers = loader.threads.saturating_sub(1);
    let crew = Crew {
        state: Mutex::default(),
        arrived: Condvar::new(),
        waiting_max: helpers * BATCHES_PER_THREAD,
    };
    let usage = &decoding.store.usage;
    let mut own = Filer::new(decoding);
    let empty = thread::scope(|scope| {
        let help = || {
            dunlin_reactor::fatal::prepare_thread();
            process::keep_to_workers(&loader.shared.config());
            let mut filer = Filer::new(decoding);
            crew.work(&mut filer);
            let empty = filer.finish(loader);
            usage.inherit(usage.of_this_thread());
            empty
        };
        let spawn = |number| {
            let builder = thread::Builder::new().name(format!("loader-{number}"));
            // With fewer threads it takes longer.
            builder.spawn_scoped(scope, help).ok()
        };
        let threads: Vec<_> = (1..=helpers).filter_map(spawn).collect();
        crew.end(scan(dump, &crew, &mut own));
        crew.work(&mut own);
        let joined = threads.into_iter().map(|thread| thread.join().unwrap_or(0));
        joined.sum::<u64>()
    });
    let empty = empty + own.finish(loader);
    match crew.lock().failure.take() {
        Some(failure) => Err(failure),
        None => Ok(empty),
    }
}

fn scan(dump: &mut Dump<'_>, crew: &Crew, own: &mut Filer<'_>) -> Result<(), LoadError> {
    loop {
        let mut batch = crew.spare();
        if crew.has_failed() || !dump.fill(&mut batch, own.decoding)? {
            return Ok(());
        }
        if let Some(room) = batch.room.take() {
            own.make_room(room);
        }
        if let Some(batch) = crew.offer(batch) {
            own.file(&batch)?;
            crew.done(batch);
        }
    }
}
