//! The server under network faults: its real workers, auxiliary and reaper over the in-memory network, with clients that pipeline, block,
//! subscribe, stop reading, send garbage and leave in every way, all stepped in an order that follows from the seed.
//!
//! Checked: every reply is the one that its request gets, on its own connection and in order; nothing acknowledged is lost; no connection
//! ends without a reason; when all clients are gone the server holds nothing of them. The same seed gives the same trace, byte for byte.

mod client;
mod expect;
mod ledger;
mod planted;
mod script;
mod setting;
mod trace;

use std::path::Path;
use std::sync::Arc;

use dunlin_reactor::Clock;
use dunlin_reactor::backend::memory::{Faults, Network};
use dunlin_resp::{ReplyLimits, ReplyParser, Value, reply};
use dunlin_server::Shared;
use dunlin_server::persistence::disk::Disk;
use dunlin_server::persistence::journal::{Next, Order, Writer};
use dunlin_simulator::{Random, SimDisk};

use crate::world::{ADDRESS, WORKERS, World};
use client::{Client, Fate, Stage};
use ledger::{COUNTERS, Ledger};
use planted::Planted;
use setting::{Manner, Setting};
use trace::Trace;

pub(crate) use ledger::Counts;
pub(crate) use planted::Bug;

/// Steps after which a run hangs.
const STEPS_MAX: usize = 20_000_000;
/// What is stepped: the workers, the auxiliary, the reaper, the log's writer.
const PARTS: usize = WORKERS + 3;
/// Steps of which the server is told to stop in one, if the seed has it stop.
const STOP_ONE_IN: usize = 1_000;
/// The farthest that time moves at once while clients are there.
const LEAP_US_MAX: u64 = 1_000_000;
/// The same when they are gone: what is left are probes of peers that do not answer.
const LAST_LEAP_US_MAX: u64 = 30_000_000;
/// Such leaps after which the server must have forgotten every client.
const LAST_LEAPS_MAX: usize = 5_000;

/// What a run gave.
pub(crate) struct Report {
    pub(crate) digest: u64,
    /// Empty unless it was asked for.
    pub(crate) trace: String,
    /// What was found wrong.
    pub(crate) result: Result<Counts, String>,
}

/// Runs one seed.
pub(crate) fn run(seed: u64, bug: Option<Bug>, keep_trace: bool) -> Report {
    let mut random = Random::new(seed);
    let setting = Setting::of(&mut random);
    let mut trace = Trace::new(keep_trace);
    trace.line(format_args!("{setting:?}"));
    let network = Network::with_faults(random.next_u64(), setting.faults.clone());
    let plant = |memory, worker| Planted::new(memory, bug, seed ^ worker as u64);
    let limits = setting.limits.clone();
    let world = World::over(network, limits, plant, seed, &setting.options);
    let shared = Arc::clone(&world.shared);
    let log = setting.durable.then(|| Log::new(&shared));
    let mut simulation = Simulation {
        world,
        log,
        clients: (0..setting.clients).map(|_| None).collect(),
        connections_left: setting.connections,
        stops_within_ms: setting.stops_within_ms,
        manner: setting.manner,
        stage: Common {
            random,
            ledger: Ledger::default(),
            trace,
        },
    };
    let result = simulation.play().and_then(|()| simulation.end());
    let Common { ledger, trace, .. } = simulation.stage;
    Report {
        digest: trace.digest(),
        trace: trace.into_text(),
        result: result.map(|()| ledger.counts),
    }
}

/// The log of effects on a simulated disk, which replies wait for.
struct Log<'a> {
    disk: SimDisk,
    writer: Writer<'a>,
}

impl<'a> Log<'a> {
    fn new(shared: &'a Arc<Shared>) -> Log<'a> {
        let disk = SimDisk::new(1, Path::new(""));
        shared.journal.order(Order::Start {
            next: shared.engine.store.log.start(),
            file: disk.create(Path::new("log")).expect("nothing fails there"),
            len: 0,
            based: true,
        });
        let wake = Arc::clone(shared);
        let writer = Writer::new(
            &shared.journal,
            &shared.engine.store.log,
            Box::new(move |worker| wake.wake_worker(worker)),
        );
        Log { disk, writer }
    }

    /// Writes what there is; whether there was anything.
    fn step(&mut self, now_ms: u64) -> bool {
        let calls = self.disk.calls();
        self.writer.step(now_ms) == Next::Again || self.disk.calls() != calls
    }
}

/// What belongs to all clients.
struct Common {
    random: Random,
    ledger: Ledger,
    trace: Trace,
}

struct Simulation<'a> {
    world: World<Planted>,
    log: Option<Log<'a>>,
    stage: Common,
    clients: Vec<Option<Client>>,
    manner: Manner,
    /// Connections that may still be made.
    connections_left: usize,
    /// The server will be told to stop, and have so long.
    stops_within_ms: Option<u64>,
}

impl Simulation<'_> {
    fn now_us(&self) -> u64 {
        self.world.network.clock().monotonic_us()
    }

    /// Lets everybody act in a seeded order until no client has anything left to do.
    fn play(&mut self) -> Result<(), String> {
        let clients = self.clients.len();
        let mut resting = vec![false; clients];
        // Who was asked, and did nothing, since the last that did something.
        let mut idle = vec![false; clients + PARTS];
        for _ in 0..STEPS_MAX {
            let who = if self.stage.random.one_in(2) {
                self.stage.random.below(clients)
            } else {
                clients + self.stage.random.below(PARTS)
            };
            let progress = if who < clients {
                let (progress, rests) = self.act(who)?;
                resting[who] = rests;
                if rests && resting.iter().all(|rests| *rests) {
                    return Ok(());
                }
                progress
            } else {
                self.step(who - clients)
            };
            if self.stops_within_ms.is_some() && self.stage.random.one_in(STOP_ONE_IN) {
                self.stop();
            }
            if progress {
                idle.fill(false);
            }
            idle[who] = !progress;
            if idle.iter().all(|idle| *idle) {
                idle.fill(false);
                self.leap(LEAP_US_MAX);
            } else if self.stage.random.one_in(60) {
                let us = self.stage.random.below(400) as u64;
                self.world.network.clock().advance_us(us);
            }
        }
        Err("it does not come to an end".to_owned())
    }

    /// Steps a worker, the auxiliary, the reaper or the log's writer; false when it had nothing to do.
    fn step(&mut self, part: usize) -> bool {
        if part < PARTS - 1 {
            return self.world.step(part);
        }
        let now_ms = self.now_us() / 1_000;
        self.log.as_mut().is_some_and(|log| log.step(now_ms))
    }

    /// Tells the server to stop.
    fn stop(&mut self) {
        let Some(within_ms) = self.stops_within_ms.take() else {
            return;
        };
        let deadline_ms = self.now_us() / 1_000 + within_ms;
        self.stage.trace.line(format_args!("stop by {deadline_ms}"));
        self.stage.ledger.stops_by_us = Some(deadline_ms * 1_000);
        self.connections_left = 0;
        for event_loop in &self.world.loops {
            event_loop.remote().stop(deadline_ms);
        }
    }

    /// Lets the client at a place act, or a new one come; whether that did anything, and whether nothing is left to do there.
    fn act(&mut self, place: usize) -> Result<(bool, bool), String> {
        let now_us = self.now_us();
        let mut stage = self.stage.at(now_us);
        let Some(client) = &mut self.clients[place] else {
            if self.connections_left == 0 {
                return Ok((false, true));
            }
            self.connections_left -= 1;
            let address = ADDRESS.parse().map_err(|e| format!("{e}"))?;
            let wire = self.world.network.connect(address);
            let wire = wire.map_err(|e| format!("the server does not listen: {e}"))?;
            self.clients[place] = Some(Client::new(wire, self.manner, &mut stage));
            return Ok((true, false));
        };
        match client.act(&mut stage)? {
            Fate::Acted(progress) => Ok((progress, false)),
            Fate::Rests => Ok((false, true)),
            Fate::Gone => {
                if let Some(client) = self.clients[place].take() {
                    client.leave(&mut stage);
                }
                Ok((true, self.connections_left == 0))
            }
        }
    }

    /// Moves time on to the next thing that happens by itself.
    fn leap(&mut self, us_max: u64) {
        let now_us = self.now_us();
        let at_us = self.world.next_us().unwrap_or(u64::MAX);
        let us = (at_us - now_us).min(us_max);
        self.stage.trace.line(format_args!("@{}", now_us + us));
        self.world.network.clock().advance_us(us);
    }

    /// Runs the server while it has something to do at the present time.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            let stepped = (0..PARTS).fold(false, |any, part| self.step(part) | any);
            if !stepped {
                return Ok(());
            }
        }
        Err("the server does not come to rest".to_owned())
    }

    /// All clients leave: the server must forget them, and have what they know.
    fn end(&mut self) -> Result<(), String> {
        let now_us = self.now_us();
        let mut stage = self.stage.at(now_us);
        for client in self.clients.drain(..).flatten() {
            client.leave(&mut stage);
        }
        for event_loop in &self.world.loops {
            let stats = event_loop.stats();
            self.stage.trace.line(format_args!("{stats:?}"));
        }
        self.world.network.set_faults(Faults::calm());
        for _ in 0..LAST_LEAPS_MAX {
            self.settle()?;
            if self.left().is_empty() {
                break;
            }
            self.leap(LAST_LEAP_US_MAX);
        }
        let left = self.left();
        if !left.is_empty() {
            return Err(format!("all clients are gone, but there are {left}"));
        }
        if self.stage.ledger.stops_by_us.is_none() {
            return self.inspect();
        }
        let ended = self.world.loops.iter().all(|l| l.has_ended());
        let late = || Err("a worker was told to stop and did not".to_owned());
        if ended { Ok(()) } else { late() }
    }

    /// What the server and the network still hold of clients.
    fn left(&mut self) -> String {
        let World {
            shared,
            loops,
            network,
            ..
        } = &mut self.world;
        let mut buffered = 0;
        for event_loop in loops.iter_mut() {
            let io = event_loop.io();
            buffered += io.buffered_bytes() + io.buffer_memory_bytes() - io.pooled_bytes();
        }
        let counts = [
            ("clients", shared.open_clients()),
            ("blocked clients", shared.blocked_clients()),
            ("bytes of clients", shared.client_bytes() as usize),
            ("connections", loops.iter().map(|l| l.connections()).sum()),
            ("links", network.links()),
            ("bytes in buffers", buffered),
        ];
        let left: Vec<String> = counts
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        left.join(", ")
    }

    /// Looks at the data with a connection that nothing happens to.
    fn inspect(&mut self) -> Result<(), String> {
        for event_loop in &mut self.world.loops {
            event_loop.io().limits().buffer_memory_bytes_max = usize::MAX;
        }
        let unlimited = "normal 0 0 0";
        self.ask(&["CONFIG", "SET", "client-output-buffer-limit", unlimited])?;
        for which in 0..COUNTERS {
            let value = match self.ask(&["GET", &script::counter(which)])? {
                Value::Bulk(text) => String::from_utf8_lossy(&text).parse().unwrap_or(-1),
                _ => 0,
            };
            self.stage.ledger.check_counter(which, value)?;
        }
        let mut left = Vec::new();
        for which in 0..script::QUEUES {
            let Value::Array(tokens) = self.ask(&["LRANGE", &script::queue(which), "0", "-1"])?
            else {
                return Err("LRANGE answers no array".to_owned());
            };
            left.extend(tokens.into_iter().filter_map(|token| match token {
                Value::Bulk(token) => Some(token),
                _ => None,
            }));
        }
        self.stage.ledger.check_queues(&left)?;
        let channels = self.ask(&["PUBSUB", "CHANNELS"])?;
        if channels != Value::Array(Vec::new()) {
            return Err(format!(
                "subscriptions of clients that are gone: {channels:?}"
            ));
        }
        Ok(())
    }

    fn ask(&mut self, words: &[&str]) -> Result<Value, String> {
        let address = ADDRESS.parse().map_err(|e| format!("{e}"))?;
        let wire = self.world.network.connect(address);
        let mut wire = wire.map_err(|e| format!("the server does not listen: {e}"))?;
        let mut request = Vec::new();
        reply::request(&mut request, words);
        wire.write(&request)
            .map_err(|e| format!("{words:?}: {e}"))?;
        let mut parser = ReplyParser::new(ReplyLimits::default());
        for _ in 0..STEPS_MAX {
            self.settle()?;
            let mut bytes = Vec::new();
            match wire.read(&mut bytes, usize::MAX) {
                Ok(Some(0)) | Err(_) => break,
                // What it waits for is a pause, or that listening goes on.
                Ok(None) => self.leap(LEAP_US_MAX),
                Ok(Some(_)) => {}
            }
            let decoded = parser.feed(&bytes).map_err(|e| format!("{words:?}: {e}"))?;
            if let Some(value) = decoded.value {
                return Ok(value);
            }
        }
        Err(format!("{words:?} was never answered"))
    }
}

impl Common {
    fn at(&mut self, now_us: u64) -> Stage<'_> {
        Stage {
            random: &mut self.random,
            ledger: &mut self.ledger,
            trace: &mut self.trace,
            now_us,
        }
    }
}
