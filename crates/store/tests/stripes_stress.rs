//! The stripes under real threads: 2 to 8 workers with several sessions each, random sets, takers of all, deaths.
//!
//! The values behind the stripes are plain integers, so that a missing exclusion shows as a wrong sum (and to a sanitizer as a
//! race). A lost wake-up shows as a worker that never ends: each run has a time limit.
#![cfg(not(loom))]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use dunlin_store::stripes::{Held, LockSet, ReadyList, SPINS_DEFAULT, Stripes, Waiter};

/// Far more than any run takes on a busy machine of two cores; a hang is what it is for.
const RUN_LIMIT_S: u64 = 120;

/// Marsaglia's xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        (high as usize * limit) >> 32
    }

    fn one_in(&mut self, chances: usize) -> bool {
        chances > 0 && self.below(chances) == 0
    }
}

#[derive(Clone, Copy)]
struct Load {
    workers: usize,
    /// Of each worker.
    sessions: usize,
    /// Acquisitions of each session.
    rounds: u32,
    stripes: usize,
    spins: u32,
    set_max: usize,
    /// One set in so many; 0 for never.
    all_one_in: usize,
    /// One wait in so many ends with the death of the session; 0 for never.
    death_one_in: usize,
    /// One hold in so many lasts while the worker goes on with its other sessions, as that of a long command does.
    long_one_in: usize,
}

const LOAD: Load = Load {
    workers: 4,
    sessions: 6,
    rounds: 10_000,
    stripes: 8,
    spins: SPINS_DEFAULT,
    set_max: 3,
    all_one_in: 50,
    death_one_in: 0,
    long_one_in: 20,
};

/// Behind a stripe: two numbers that are equal whenever nobody is at them.
#[derive(Default)]
struct Pair {
    first: u64,
    second: u64,
}

struct Session {
    waiter: Arc<Waiter>,
    set: LockSet,
    held: Option<Held>,
    left: u32,
}

/// One worker thread: steps its sessions, sleeps when none can go on.
struct Worker {
    load: Load,
    stripes: Arc<Stripes<Pair>>,
    ready: Arc<ReadyList>,
    sessions: Vec<Session>,
    random: Random,
    /// What was added to each stripe by all workers.
    added: Arc<Vec<AtomicU64>>,
    /// Sessions of this worker that went through a queue.
    parked: u64,
}

impl Worker {
    fn session(&self, index: usize, left: u32) -> Session {
        Session {
            waiter: Waiter::new(Arc::clone(&self.ready), index as u64),
            set: LockSet::One(0),
            held: None,
            left,
        }
    }

    fn run(mut self) -> u64 {
        for index in 0..self.load.sessions {
            let session = self.session(index, self.load.rounds);
            self.sessions.push(session);
        }
        let mut tokens = Vec::new();
        loop {
            tokens.clear();
            self.ready.drain(&mut tokens);
            for token in &tokens {
                self.resume(*token as usize);
            }
            let mut all_wait = true;
            let mut done = true;
            for index in 0..self.sessions.len() {
                if !self.sessions[index].waiter.is_waiting() {
                    self.step(index);
                }
                let session = &self.sessions[index];
                all_wait &=
                    session.waiter.is_waiting() || (session.left == 0 && session.held.is_none());
                done &= session.left == 0 && session.held.is_none() && !session.waiter.is_waiting();
            }
            if done {
                return self.parked;
            }
            if all_wait && self.ready.prepare_sleep() {
                thread::park();
            }
        }
    }

    fn resume(&mut self, index: usize) {
        if self.random.one_in(self.load.death_one_in) {
            return self.die(index);
        }
        let session = &mut self.sessions[index];
        if let Ok(held) = self.stripes.resume(&session.set, &session.waiter) {
            session.held = Some(held);
            self.work(index);
        }
    }

    fn step(&mut self, index: usize) {
        if let Some(held) = self.sessions[index].held.take() {
            self.stripes.release(held);
        }
        if self.sessions[index].left == 0 {
            return;
        }
        self.sessions[index].left -= 1;
        let set = self.random_set();
        let session = &mut self.sessions[index];
        session.set = set;
        match self.stripes.lock(&session.set, &session.waiter) {
            Ok(held) => {
                session.held = Some(held);
                self.work(index);
            }
            Err(_) => {
                self.parked += 1;
                if self.random.one_in(self.load.death_one_in) {
                    self.die(index);
                }
            }
        }
    }

    fn random_set(&mut self) -> LockSet {
        if self.random.one_in(self.load.all_one_in) {
            return LockSet::All;
        }
        let size = 1 + self.random.below(self.load.set_max);
        LockSet::of((0..size).map(|_| self.random.below(self.load.stripes) as u16))
    }

    /// With the stripes: adds to each, and checks that nobody else is at it. Mostly releases at once.
    fn work(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let mut held = session.held.take().expect("just taken");
        for stripe in 0..self.load.stripes {
            if session.set.covers(stripe as u16) {
                let pair = self.stripes.with(&mut held, stripe);
                pair.first += 1;
                assert_eq!(pair.first, pair.second + 1);
                pair.second += 1;
                self.added[stripe].fetch_add(1, Ordering::Relaxed);
            }
        }
        if self.random.one_in(self.load.long_one_in) {
            session.held = Some(held);
        } else {
            self.stripes.release(held);
        }
    }

    /// The session is cut off while it waits, and another takes its place. A token of the dead one is never seen again, even
    /// though the new one has the same: a drain leaves the dead out, and a drained one dies only in its own turn.
    fn die(&mut self, index: usize) {
        let session = &self.sessions[index];
        self.stripes.abandon(&session.waiter);
        self.sessions[index] = self.session(index, session.left);
    }
}

fn run(load: Load, seed: u64) {
    let stripes = Arc::new(Stripes::new(load.stripes, load.spins, |_| Pair::default()));
    let added: Arc<Vec<AtomicU64>> =
        Arc::new((0..load.stripes).map(|_| AtomicU64::new(0)).collect());
    let (done, ended) = mpsc::channel();
    let threads: Vec<_> = (0..load.workers)
        .map(|index| {
            let (stripes, added, done) = (Arc::clone(&stripes), Arc::clone(&added), done.clone());
            thread::spawn(move || {
                let me = thread::current();
                let worker = Worker {
                    load,
                    stripes,
                    ready: ReadyList::new(move || me.unpark()),
                    sessions: Vec::new(),
                    random: Random::new(seed * 1_000 + index as u64),
                    added,
                    parked: 0,
                };
                let parked = worker.run();
                done.send(()).expect("the test waits");
                parked
            })
        })
        .collect();
    drop(done);
    for _ in 0..load.workers {
        // A disconnected channel is a worker that panicked: its own message says why.
        ended
            .recv_timeout(Duration::from_secs(RUN_LIMIT_S))
            .expect("every worker ends: no wake-up is lost, nobody starves");
    }
    let parked: u64 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert!(parked > 0, "the load must make sessions wait");
    for (stripe, added) in added.iter().enumerate() {
        let held = stripes
            .try_lock_one(stripe)
            .expect("everything was released");
        let pair = stripes.read(&held, stripe);
        assert_eq!(pair.first, added.load(Ordering::Relaxed));
        assert_eq!(pair.second, pair.first);
        stripes.release(held);
    }
}

#[test]
fn two_to_eight_workers_with_takers_of_all() {
    for (seed, workers) in [2, 3, 5, 8].into_iter().enumerate() {
        run(Load { workers, ..LOAD }, seed as u64 + 1);
    }
}

#[test]
fn without_spinning_everything_parks() {
    let load = Load { spins: 0, ..LOAD };
    for seed in 10..14 {
        run(load, seed);
    }
}

#[test]
fn one_hot_stripe() {
    let load = Load {
        stripes: 1,
        set_max: 1,
        rounds: 3_000,
        ..LOAD
    };
    run(load, 20);
    run(Load { spins: 0, ..load }, 21);
}

#[test]
fn sessions_die_while_they_wait() {
    let load = Load {
        spins: 0,
        death_one_in: 8,
        ..LOAD
    };
    for seed in 30..34 {
        run(load, seed);
    }
}

#[test]
fn large_sets_and_many_takers_of_all() {
    let load = Load {
        stripes: 64,
        set_max: 40,
        all_one_in: 4,
        rounds: 400,
        spins: 0,
        ..LOAD
    };
    for seed in 40..43 {
        run(load, seed);
    }
}

/// A long command runs on an auxiliary thread, which holds the stripes and releases them.
#[test]
fn an_auxiliary_thread_releases_what_a_worker_took() {
    let stripes = Arc::new(Stripes::new(4, 0, |_| Pair::default()));
    let (to_auxiliary, jobs) = mpsc::channel::<(Held, u16)>();
    let others = Arc::clone(&stripes);
    let auxiliary = thread::spawn(move || {
        for (mut held, stripe) in jobs {
            let pair = others.with(&mut held, usize::from(stripe));
            pair.first += 1;
            pair.second += 1;
            others.release(held);
        }
    });
    let me = thread::current();
    let ready = ReadyList::new(move || me.unpark());
    let mut random = Random::new(50);
    let mut expected = [0_u64; 4];
    let mut tokens = Vec::new();
    for token in 0..2_000 {
        let stripe = random.below(4) as u16;
        let set = LockSet::One(stripe);
        let waiter = Waiter::new(Arc::clone(&ready), token);
        let mut outcome = stripes.lock(&set, &waiter);
        while outcome.is_err() {
            while ready.drain(&mut tokens) == 0 {
                if ready.prepare_sleep() {
                    thread::park();
                }
            }
            assert_eq!(tokens.pop(), Some(token));
            outcome = stripes.resume(&set, &waiter);
        }
        expected[usize::from(stripe)] += 1;
        to_auxiliary.send((outcome.unwrap(), stripe)).unwrap();
    }
    drop(to_auxiliary);
    auxiliary.join().unwrap();
    for (stripe, expected) in expected.into_iter().enumerate() {
        let held = stripes.try_lock_one(stripe).unwrap();
        assert_eq!(stripes.read(&held, stripe).first, expected);
        stripes.release(held);
    }
}
