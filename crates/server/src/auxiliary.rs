//! The auxiliary thread: runs commands that are too long for a worker, with their stripes held or over images of their keys.
//!
//! Invariant: a session that is away belongs to its job alone and comes back with it, whatever becomes of its connection.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use dunlin_engine::{Call, Engine, Executed, Heavy, OwnedArgs, Session, WorkerState, pubsub};
use dunlin_reactor::Waker;
use dunlin_store::blocked::Turn;
use dunlin_store::stripes::Waiter;
use dunlin_structures::Rope;

use crate::host::ServerHost;
use crate::observe::Done;
use crate::worker::note_positions;

/// Of the auxiliary thread, so that on a processor that it shares with a worker it has a tenth as long as both are busy.
pub const NICENESS: i32 = 10;

/// A command on its way to the auxiliary thread.
pub struct Job {
    /// Worker to which the session returns.
    pub worker: usize,
    /// Its connection there.
    pub token: u64,
    /// The session.
    pub session: Box<Session>,
    /// The arguments.
    pub args: OwnedArgs,
    /// The command with its stripes.
    pub heavy: Box<Heavy>,
    /// Time of the command, milliseconds since 1970.
    pub now_ms: u64,
    /// When its request was there, on the monotonic clock.
    pub arrived_us: u64,
    /// Microseconds that it ran on its worker.
    pub ran_us: u64,
    /// What its session waits by.
    pub waiter: Arc<Waiter>,
}

/// A command on its way back.
pub struct Finished {
    /// Its connection.
    pub token: u64,
    /// The session.
    pub session: Box<Session>,
    /// The reply.
    pub out: Rope,
    /// Those whom the command has something for, if there are any.
    pub turn: Option<Turn>,
    /// The latest record of the log that the reply depends on.
    pub awaits: u64,
    /// Its times, unless it is to be run again.
    pub done: Option<Done>,
    /// Nothing has remained of the command, with this id and these arguments: it is to be run again with every stripe held.
    pub again: Option<(usize, OwnedArgs)>,
}

#[derive(Default)]
struct Queue {
    /// Those for whose stripes others may be waiting: first.
    holding: VecDeque<Job>,
    others: VecDeque<Job>,
    ended: bool,
}

impl Queue {
    fn pop(&mut self) -> Option<Job> {
        self.holding.pop_front().or_else(|| self.others.pop_front())
    }
}

/// Both directions between the workers and the auxiliary thread. At most one job for each connection: bounded by
/// `maxclients`.
pub struct Exchange {
    queue: Mutex<Queue>,
    arrived: Condvar,
    finished: Box<[Mutex<Vec<Finished>>]>,
    wakers: OnceLock<Vec<Waker>>,
}

impl Exchange {
    /// For this many workers.
    pub fn new(workers: usize) -> Exchange {
        Exchange {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            finished: (0..workers).map(|_| Mutex::default()).collect(),
            wakers: OnceLock::new(),
        }
    }

    /// How to wake the workers. Called once, before they start.
    pub fn set_wakers(&self, wakers: Vec<Waker>) {
        assert!(self.wakers.set(wakers).is_ok(), "set once");
    }

    /// Hands a job over.
    pub fn submit(&self, job: Job) {
        let mut queue = lock(&self.queue);
        let jobs = if job.heavy.holds_stripes() {
            &mut queue.holding
        } else {
            &mut queue.others
        };
        jobs.push_back(job);
        drop(queue);
        self.arrived.notify_one();
    }

    /// What has come back for a worker.
    pub fn take_finished(&self, worker: usize) -> Vec<Finished> {
        std::mem::take(&mut *lock(&self.finished[worker]))
    }

    /// Ends the thread after the jobs that are queued.
    pub fn end(&self) {
        lock(&self.queue).ended = true;
        self.arrived.notify_one();
    }

    /// Sends a session back to its worker.
    pub(crate) fn send_back(&self, worker: usize, finished: Finished) {
        lock(&self.finished[worker]).push(finished);
        if let Some(wakers) = self.wakers.get() {
            wakers[worker].wake();
        }
    }
}

/// The auxiliary thread's own state.
pub struct Auxiliary {
    engine: Arc<Engine>,
    exchange: Arc<Exchange>,
    state: WorkerState,
    host: ServerHost,
}

impl Auxiliary {
    /// The auxiliary of this engine; `host` may sleep.
    pub fn new(
        engine: Arc<Engine>,
        exchange: Arc<Exchange>,
        host: ServerHost,
        seed: u64,
    ) -> Auxiliary {
        let state = engine.worker(host.worker, seed);
        Auxiliary {
            engine,
            exchange,
            state,
            host,
        }
    }

    /// Runs jobs until [`Exchange::end`].
    pub fn run(mut self) {
        loop {
            let exchange = Arc::clone(&self.exchange);
            let mut queue = lock(&exchange.queue);
            let job = loop {
                match queue.pop() {
                    Some(job) => break job,
                    None if queue.ended => return,
                    None => {
                        queue = exchange
                            .arrived
                            .wait(queue)
                            .unwrap_or_else(PoisonError::into_inner)
                    }
                }
            };
            drop(queue);
            self.do_job(job);
        }
    }

    /// Runs one job if there is one: for a scheduler that steps everything on one thread.
    pub fn step(&mut self) -> bool {
        let job = lock(&self.exchange.queue).pop();
        job.map(|job| self.do_job(job)).is_some()
    }

    fn do_job(&mut self, job: Job) {
        let mut out = Rope::new();
        let mut session = job.session;
        let started_us = self.host.clock.monotonic_us();
        self.host.arrived_us = job.arrived_us;
        self.state.local.replies_wait = self.engine.store.log.replies_wait();
        self.host.look_around(&mut self.state, job.now_ms);
        self.engine.store.epochs.online(self.state.number);
        let executed = self.engine.run_heavy(
            Call {
                args: job.args.as_args(),
                id: None,
                first_hash: None,
                session: &mut session,
                out: &mut out,
                host: &mut self.host,
                worker: &mut self.state,
                waiter: &job.waiter,
                now_ms: job.now_ms,
            },
            *job.heavy,
        );
        let turn = self.state.local.turn.take();
        let mut awaits = 0;
        note_positions(&mut self.state.local, &mut session, &mut awaits);
        if self.engine.store.log.is_active() {
            self.host.shared.journal.signal();
        }
        self.state.local.batch_boundary(&self.engine.store.epochs);
        self.engine.store.epochs.offline(self.state.number);
        self.host.wake_others();
        self.host.wake(&mut self.state);
        let (done, again) = match executed {
            Executed::Done { id } => (id, None),
            Executed::Again { id } => (None, Some(id)),
            _ => unreachable!("a heavy command runs to its end"),
        };
        // Its worker has counted it already.
        let done = done.map(|id| {
            let ended_us = self.host.clock.monotonic_us();
            let duration_us = ended_us - started_us + job.ran_us;
            let args = job.args.as_args();
            let slow = self.host.ran(id, args, &session, duration_us, 1);
            let since_us = ended_us.saturating_sub(job.arrived_us);
            Done {
                id,
                calls: 1,
                arrived_us: job.arrived_us,
                queued_us: since_us.saturating_sub(duration_us),
                ended_us,
                awaits,
                slow,
            }
        });
        // Freed first: until the next job nobody would publish that they are.
        let again = again.map(|id| (id, job.args));
        // The reply is a client's memory from here on, first on its way and then in the worker's buffers.
        let usage = &self.engine.store.usage;
        usage.in_transit(out.owned_bytes() as i64);
        usage.publish(self.state.number, 0);
        usage.in_transit(-pubsub::take_freed_bytes());
        self.exchange.send_back(
            job.worker,
            Finished {
                token: job.token,
                session,
                out,
                turn,
                awaits,
                done,
                again,
            },
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
