//! Threads that carry out commands of a log beside each other: each those on the keys of its stripes.
//!
//! Invariant: commands on one key are carried out in the order of the log, for one thread has all of its stripe. Whatever is about more
//! than one key runs on the thread that hands out, while the others have nothing to do.

use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

use super::log::{BATCHES_MAX, Commands, Stop};
use super::replay::{Replay as _, Replayer};
use super::{LoadError, Loader};
use crate::process;

/// Shorter runs of commands on one key are not worth the time until another thread begins.
const RUN_COMMANDS_MIN: usize = 128;
/// More threads than these wait for the one that reads.
const PLAYERS_MAX: usize = 8;

/// What a thread is told.
enum Order {
    /// Carry out your share of these commands, which are of this database.
    Play {
        batch: Arc<Commands>,
        run: Range<usize>,
        db: u32,
    },
    /// Say when all of that is done.
    Rest,
}

/// The first command, by its place in the log, that could not be carried out.
#[derive(Default)]
struct Failure(Mutex<Option<(u64, String)>>);

impl Failure {
    fn lock(&self) -> MutexGuard<'_, Option<(u64, String)>> {
        // A panic aborts, so a poisoned lock is never seen.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, offset: u64, why: String) {
        let mut first = self.lock();
        if first.as_ref().is_none_or(|(before, _)| offset < *before) {
            *first = Some((offset, why));
        }
    }
}

/// See the module's text. Dropping it ends the threads.
pub(super) struct Players<'l> {
    orders: Vec<SyncSender<Order>>,
    rested: Receiver<()>,
    failure: Arc<Failure>,
    give_back: &'l Sender<Commands>,
    /// They may have something to do.
    busy: bool,
}

impl<'l> Players<'l> {
    /// As many threads as the loader may have.
    pub(super) fn new<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        loader: &'env Loader<'env>,
        give_back: &'l Sender<Commands>,
    ) -> Players<'l> {
        let failure = Arc::new(Failure::default());
        let (say_rested, rested) = mpsc::channel();
        let wanted = loader.threads.min(PLAYERS_MAX);
        let spawn = |number| {
            let (order, orders) = mpsc::sync_channel(BATCHES_MAX);
            let player = Player {
                loader,
                number,
                orders,
                rested: say_rested.clone(),
                failure: Arc::clone(&failure),
                give_back: give_back.clone(),
            };
            let builder = thread::Builder::new().name(format!("loader-{number}"));
            let spawned = builder.spawn_scoped(scope, move || player.run(wanted));
            spawned.ok().map(|_| order)
        };
        // Without all of them some stripes would have nobody.
        let orders: Option<Vec<_>> = (0..wanted).map(spawn).collect();
        Players {
            orders: orders.unwrap_or_default(),
            rested,
            failure,
            give_back,
            busy: false,
        }
    }

    /// Carries out the commands of a batch, or hands them out.
    ///
    /// # Errors
    /// The first one that was none, as far as is known.
    pub(super) fn play(&mut self, batch: Commands, replayer: &mut Replayer) -> Result<(), Stop> {
        let batch = Arc::new(batch);
        let mut from = 0;
        while from < batch.commands.len() {
            let run = self.next_run(&batch, from);
            if from < run.start {
                self.rest()?;
                batch.play(from..run.start, replayer)?;
                replayer.rest();
            }
            from = run.end;
            if !run.is_empty() {
                self.hand_out(&batch, run, replayer.db())?;
            }
        }
        recycle(batch, self.give_back);
        Ok(())
    }

    /// The next run of commands that is handed out; the empty one at the end if there is none.
    fn next_run(&self, batch: &Commands, from: usize) -> Range<usize> {
        let end = batch.commands.len();
        if self.orders.is_empty() {
            return end..end;
        }
        let mut start = from;
        while start < end {
            let rest = batch.commands[start..].iter();
            let run = rest.take_while(|command| command.known.is_alone).count();
            if run >= RUN_COMMANDS_MIN {
                return start..start + run;
            }
            start += run + 1;
        }
        end..end
    }

    fn hand_out(&mut self, batch: &Arc<Commands>, run: Range<usize>, db: u32) -> Result<(), Stop> {
        if self.failure.lock().is_some() {
            // What others still have to do may fail earlier in the log.
            self.rest()?;
        }
        self.busy = true;
        self.tell_all(|| Order::Play {
            batch: Arc::clone(batch),
            run: run.clone(),
            db,
        })
    }

    /// Waits until all that was handed out is done.
    ///
    /// # Errors
    /// The first one that was none.
    pub(super) fn rest(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.busy) {
            self.tell_all(|| Order::Rest)?;
            for _ in &self.orders {
                self.rested.recv().map_err(|_| gone())?;
            }
        }
        match self.failure.lock().take() {
            Some((offset, why)) => Err(Stop::Refused { offset, why }),
            None => Ok(()),
        }
    }

    fn tell_all(&self, order: impl Fn() -> Order) -> Result<(), Stop> {
        let told = |player: &SyncSender<Order>| player.send(order()).map_err(|_| gone());
        self.orders.iter().try_for_each(told)
    }
}

/// A thread that carries out ended before it was told to, which it does not.
fn gone() -> Stop {
    Stop::Other(LoadError::Fatal("a thread that loads is gone".into()))
}

/// Gives a batch back to who reads, once nobody uses it any more.
fn recycle(batch: Arc<Commands>, give_back: &Sender<Commands>) {
    if let Some(batch) = Arc::into_inner(batch) {
        // At the end nobody takes it.
        let _ = give_back.send(batch);
    }
}

/// One of the threads.
struct Player<'l> {
    loader: &'l Loader<'l>,
    number: usize,
    orders: Receiver<Order>,
    rested: Sender<()>,
    failure: Arc<Failure>,
    give_back: Sender<Commands>,
}

impl Player<'_> {
    fn run(self, players: usize) {
        let shared = self.loader.shared;
        dunlin_reactor::fatal::prepare_thread();
        process::keep_to_workers(&shared.config());
        let mut replayer = Replayer::new(shared, Arc::clone(self.loader.clock));
        let store = &shared.engine.store;
        let mut share = Vec::new();
        for order in &self.orders {
            let Order::Play { batch, run, db } = order else {
                // At the end nobody listens.
                let _ = self.rested.send(());
                continue;
            };
            share.clear();
            share.extend(run.filter(|index| {
                let hash = batch.commands[*index].known.first_hash;
                hash.is_some_and(|(_, hash)| store.stripe_of(hash) % players == self.number)
            }));
            replayer.select(db);
            if let Err(Stop::Refused { offset, why }) =
                batch.play(share.iter().copied(), &mut replayer)
            {
                self.failure.note(offset, why);
            }
            replayer.rest();
            recycle(batch, &self.give_back);
        }
        replayer.finish();
        store.usage.inherit(store.usage.of_this_thread());
    }
}
