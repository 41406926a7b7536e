//! The whole server on one thread: workers, auxiliary and reaper stepped in a seeded order over the in-memory network.
//!
//! Shown here: the same seed gives the same trace, byte for byte; sessions really park; every client gets all its replies; the
//! effects replayed into an empty engine give the same digest.

#![allow(clippy::disallowed_methods)]

mod world;

use std::sync::Arc;

use dunlin_engine::digest::Digest;
use dunlin_engine::replay::Replayer;
use dunlin_engine::{Engine, Flags, WorkerState};
use dunlin_reactor::Clock;
use dunlin_reactor::backend::memory::Client;
use dunlin_resp::{ReplyLimits, ReplyParser, reply};
use dunlin_server::Shared;
use dunlin_store::Txn;
use dunlin_store::stripes::{LockSet, ReadyList, Waiter, Wake};

use world::{ADDRESS, WORKERS, World, settings};

/// Enough turns for any run; more means that something hangs.
const STEPS_MAX: usize = 3_000_000;
/// Thirty times this is more than a worker does by itself.
const FILLERS: usize = 900;

/// A seeded generator (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Whether the server of this seed has every command in its slow log; the others time commands in runs.
fn logs_everything(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// One client: what it still has to send, and the replies that it has counted.
struct Actor {
    client: Client,
    outgoing: Vec<u8>,
    sent: usize,
    expected: usize,
    parser: ReplyParser,
    replies: usize,
}

impl Actor {
    /// Sends or receives a little; what happened, for the trace.
    fn act(&mut self, rng: &mut Rng, trace: &mut Vec<u8>, index: usize) {
        if self.sent < self.outgoing.len() {
            let len = 1 + rng.below((self.outgoing.len() - self.sent).min(200));
            if let Ok(n) = self
                .client
                .write(&self.outgoing[self.sent..self.sent + len])
            {
                self.sent += n;
            }
        }
        let mut bytes = Vec::new();
        if let Ok(Some(n)) = self.client.read(&mut bytes, 1 + rng.below(4096)) {
            trace.extend_from_slice(format!("{index}<{n}:").as_bytes());
            trace.extend_from_slice(&bytes);
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let decoded = self.parser.feed(rest).expect("replies are RESP");
            rest = &rest[decoded.consumed..];
            self.replies += usize::from(decoded.value.is_some());
        }
    }
}

/// A random command; its replies are one each.
fn command(rng: &mut Rng, out: &mut Vec<u8>, deep: bool) -> usize {
    let key = |rng: &mut Rng| format!("k{}", rng.below(40));
    let (k, l) = (key(rng), key(rng));
    let n = rng.below(1000).to_string();
    let line = match rng.below(if deep { 17 } else { 14 }) {
        0 | 1 => format!("SET {k} {n}"),
        2 => format!("SET {k} v PX {}", 1 + rng.below(30)),
        3 => format!("GET {k}"),
        4 => format!("DEL {k} {l}"),
        5 => format!("MSET {k} {n} {l} x"),
        6 => format!("INCR {k}"),
        7 => format!("APPEND {k} {n}"),
        8 => format!("PEXPIRE {k} {}", 1 + rng.below(20)),
        9 => format!("RENAME {k} {l}"),
        10 => format!("SELECT {}", rng.below(15)),
        11 => format!("COPY {k} {l} REPLACE"),
        12 => format!("MOVE {k} {}", rng.below(15)),
        13 => format!("SETRANGE {k} {} abc", rng.below(100)),
        14 => {
            let count = 1 + rng.below(6);
            push(out, "MULTI");
            let inner: usize = (0..count).map(|_| command(rng, out, false)).sum();
            push(out, "EXEC");
            return inner + 2;
        }
        15 => {
            // Enough work for the auxiliary thread, which holds every stripe while others come along.
            push(out, "SELECT 15");
            push(out, "MULTI");
            (0..30).for_each(|_| push(out, "KEYS nothing*"));
            push(out, "EXEC");
            push(out, "SELECT 0");
            return 34;
        }
        _ => [
            "FLUSHDB",
            "SWAPDB 1 2",
            "KEYS *",
            "DBSIZE",
            "PING",
            "WATCH k1 k2",
            "UNWATCH",
        ][rng.below(7)]
        .to_string(),
    };
    push(out, &line);
    1
}

fn push(out: &mut Vec<u8>, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    reply::request(out, &words);
}

struct Run {
    trace: Vec<u8>,
    parked: u64,
    digest: Digest,
    replayed: Digest,
}

/// Lets everybody act in a seeded order until every client has its replies.
fn play(world: &mut World, actors: &mut [Actor], rng: &mut Rng, trace: &mut Vec<u8>) {
    let mut steps = 0;
    while actors.iter().any(|a| a.replies < a.expected) {
        steps += 1;
        assert!(
            steps < STEPS_MAX,
            "clients wait for replies that don't come"
        );
        match rng.below(10) {
            0..=3 => {
                let index = rng.below(actors.len());
                actors[index].act(rng, trace, index);
            }
            4 if rng.below(50) == 0 => world.network.advance_ms(1 + rng.next() % 5),
            4 => {
                world.step(2);
            }
            5 => {
                world.step(3);
            }
            part => {
                world.step(part % 2);
            }
        }
    }
}

fn run(seed: u64, clients: usize, commands: usize) -> Run {
    let mut rng = Rng(seed);
    let options: &[&str] = if logs_everything(seed) {
        &[
            "--slowlog-log-slower-than",
            "0",
            "--slowlog-max-len",
            "1000000",
        ]
    } else {
        &[]
    };
    let mut world = World::new(seed, options);
    let engine = Arc::clone(&world.engine);
    let mut reader = engine.store.log.attach();
    let address = ADDRESS.parse().expect("an address");
    let actor = |world: &World, outgoing: Vec<u8>, expected: usize| Actor {
        client: world.network.connect(address).expect("the server listens"),
        outgoing,
        sent: 0,
        expected,
        parser: ReplyParser::new(ReplyLimits::default()),
        replies: 0,
    };
    let mut trace = Vec::new();
    // Keys that make KEYS inside MULTI heavy, in a database that nobody else changes.
    let mut filling = Vec::new();
    push(&mut filling, "SELECT 15");
    (0..FILLERS).for_each(|i| push(&mut filling, &format!("SET filler{i} {i}")));
    let mut fillers = vec![actor(&world, filling, FILLERS + 1)];
    play(&mut world, &mut fillers, &mut rng, &mut trace);
    let mut actors: Vec<Actor> = (0..clients)
        .map(|_| {
            let mut outgoing = Vec::new();
            let expected = (0..commands)
                .map(|_| command(&mut rng, &mut outgoing, true))
                .sum::<usize>();
            actor(&world, outgoing, expected)
        })
        .collect();
    play(&mut world, &mut actors, &mut rng, &mut trace);
    assert!(
        actors.iter().all(|a| a.replies == a.expected),
        "seed {seed}: more replies than commands"
    );
    assert_observed(&world.shared, logs_everything(seed));
    let parked = world.shared.total(|w| &w.parked);
    let now_ms = world.network.clock().wall_us() / 1_000;
    drop(actors);
    let mut records = Vec::new();
    reader.drain(&mut records);
    let fresh = Engine::new(&settings(), dunlin_server::commands::FAMILIES);
    let mut worker = fresh.worker(0, 1);
    let mut replayer = Replayer::new(&fresh, &mut worker);
    for record in &records {
        replayer
            .replay(record)
            .expect("what happened can happen again");
    }
    let mut spare = engine.worker(WORKERS, 1);
    Run {
        trace,
        parked,
        digest: digest(&engine, &mut spare, now_ms),
        replayed: digest(&fresh, &mut worker, now_ms),
    }
}

/// Every command that ran is in its histogram, and in the slow log if that takes all: once, whether it ran at once, was parked,
/// went on in steps, ran on the auxiliary thread or inside EXEC.
fn assert_observed(shared: &Shared, logged: bool) {
    let totals = shared.totals();
    let mut expected = 0;
    for (id, command) in shared.engine.table.iter_all() {
        let calls = totals.by_command[id].calls;
        let timed = shared.observer.distribution(id);
        let timed = timed.map_or(0, |distribution| distribution.calls());
        assert_eq!(timed, calls, "{}", command.full_name);
        if !command.flags.has(Flags::SKIP_SLOWLOG) {
            expected += calls;
        }
    }
    let expected = if logged { expected } else { 0 };
    assert_eq!(shared.observer.slowlog.len() as u64, expected);
}

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

fn digest(engine: &Engine, worker: &mut WorkerState, now_ms: u64) -> Digest {
    let waiter = Waiter::new(ReadyList::new(NoOne), 0);
    let mut held = engine
        .store
        .lock_stripes(&LockSet::All, &waiter)
        .expect("nobody else is about");
    let mut txn = Txn::new(&engine.store, Some(&mut held), &mut worker.local, now_ms);
    let digest = Digest::of_dataset(&mut txn);
    txn.commit(None);
    engine.store.release_stripes(held);
    digest
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let first = run(1, 50, 40);
    assert!(first.parked > 50, "sessions park: {}", first.parked);
    assert_eq!(first.digest, first.replayed);
    let again = run(1, 50, 40);
    assert!(first.trace == again.trace, "the same seed, another trace");
    let other = run(2, 50, 40);
    assert!(
        first.trace != other.trace,
        "another seed, the same trace: the seed is not used"
    );
}

#[test]
fn effects_replay_to_the_same_digest() {
    for seed in 100..1_100 {
        let run = run(seed, 4, 12);
        assert_eq!(run.digest, run.replayed, "seed {seed}");
    }
}
