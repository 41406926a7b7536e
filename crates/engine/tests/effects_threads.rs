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
use common::world::{Dataset, Nobody, START_MS, StillHost, engine, replayed};
use dunlin_engine::dispatch::{Call, Executed, Stepped};
use dunlin_engine::{Args, Blocked, Engine, OwnedArgs, Session, WorkerState};
use dunlin_store::stripes::{LockSet, ReadyList, Waiter};
use dunlin_structures::rope::Rope;

const WORKLOADS: u64 = 40;
const WORKERS: usize = 2;
const COMMANDS: usize = 800;
/// Turns given away between two times of holding everything.
const PAUSES: usize = 20;

/// One client on its own worker, which waits instead of serving others.
struct Client<'a> {
    engine: &'a Engine,
    worker: WorkerState,
    session: Session,
    ready: Arc<ReadyList>,
    waiter: Arc<Waiter>,
    parked: usize,
}

impl Client<'_> {
    /// Runs one command to its end.
    fn run(&mut self, args: &OwnedArgs, now_ms: u64) {
        let mut out = Rope::new();
        let mut executed = self.call(args.as_args(), now_ms, &mut out, |engine, call| {
            engine.execute(call)
        });
        loop {
            executed = match executed {
                Executed::Done { .. } => break,
                Executed::Blocked(blocked) => {
                    match self.give_up_or_go_on(&blocked, args.as_args(), now_ms, &mut out) {
                        Some(executed) => executed,
                        None => break,
                    }
                }
                Executed::Heavy(heavy) => {
                    self.call(args.as_args(), now_ms, &mut out, |engine, call| {
                        engine.run_heavy(call, *heavy)
                    })
                }
                Executed::Parked { id } => {
                    self.wait();
                    self.call(args.as_args(), now_ms, &mut out, |engine, call| {
                        engine.resume(call, id)
                    })
                }
                Executed::Continue(mut continuation) => {
                    let none = OwnedArgs::default();
                    let mut resumed = false;
                    loop {
                        let stepped =
                            self.call(none.as_args(), now_ms, &mut out, |engine, call| {
                                engine.step(call, &mut *continuation, resumed)
                            });
                        resumed = matches!(stepped, Stepped::Parked);
                        match stepped {
                            Stepped::More => {}
                            Stepped::Parked => self.wait(),
                            Stepped::Done => break,
                        }
                    }
                    break;
                }
            };
        }
        if let Some(turn) = self.worker.local.turn.take()
            && !turn.is_over()
        {
            wait(&self.ready);
            self.waiter.note_passed();
        }
        self.worker.local.batch_boundary(&self.engine.store.epochs);
    }

    /// A command that waits for a key gives up, unless somebody has something for it at this very moment: then it is run again.
    fn give_up_or_go_on(
        &mut self,
        blocked: &Blocked,
        args: Args<'_>,
        now_ms: u64,
        out: &mut Rope,
    ) -> Option<Executed> {
        let ticket = &blocked.ticket;
        if ticket.cancel() {
            let local = &mut self.worker.local;
            while !self.engine.store.forget_ticket(local, now_ms, ticket) {
                std::thread::yield_now();
            }
            return None;
        }
        loop {
            self.wait();
            let executed = self.call(args, now_ms, out, |engine, call| {
                engine.resume_called(call, blocked.id, ticket)
            });
            if !matches!(executed, Executed::Parked { .. }) {
                // It was served in the turn of another.
                self.worker.local.turn = None;
                return Some(executed);
            }
        }
    }

    fn call<T>(
        &mut self,
        args: Args<'_>,
        now_ms: u64,
        out: &mut Rope,
        enter: impl FnOnce(&Engine, Call<'_>) -> T,
    ) -> T {
        let call = Call {
            args,
            id: None,
            first_hash: None,
            session: &mut self.session,
            out,
            host: &mut StillHost(now_ms),
            worker: &mut self.worker,
            waiter: &self.waiter,
            now_ms,
        };
        enter(self.engine, call)
    }

    fn wait(&mut self) {
        self.parked += 1;
        wait(&self.ready);
    }
}

/// Waits until a stripe was granted.
fn wait(ready: &ReadyList) {
    let mut tokens = Vec::new();
    while ready.drain(&mut tokens) == 0 {
        std::thread::yield_now();
    }
}

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
    let ready = ReadyList::new(Nobody);
    let mut client = Client {
        engine,
        worker: engine.worker(number, rng.next()),
        session: Session::new(number as u64, true),
        waiter: Waiter::new(Arc::clone(&ready), 0),
        ready,
        parked: 0,
    };
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
