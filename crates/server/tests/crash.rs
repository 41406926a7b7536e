//! Losing power at any call to the disk: clients write, read and have snapshots made over the real server, the disk is cut off, and what
//! a server finds that starts afterwards is compared with what was acknowledged and what was seen.
//!
//! `DUNLIN_CRASH_SEEDS=10000 cargo nextest run --profile long -p dunlin-server --test crash` runs as many workloads instead of a few. Each is run once
//! whole, and then with cuts at some of its calls; the first ones with cuts at every call.

#![allow(clippy::disallowed_methods)]

mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_reactor::Clock;
use dunlin_reactor::backend::memory::Client;
use dunlin_resp::reply;
use dunlin_server::persistence::aof;
use dunlin_server::persistence::disk::{Disk, DiskFile};
use dunlin_server::persistence::journal::Writer;
use dunlin_server::persistence::load::Loader;
use dunlin_server::persistence::saving::Saver;
use dunlin_server::persistence::stripe_lock::StripeLock;
use dunlin_simulator::disk::{Failure, Operation};
use dunlin_simulator::{Random, SimDisk};

use world::{ADDRESS, World};

const DIR: &str = "/";
/// Workloads in CI, and how many of them are cut at every call.
const SEEDS: u64 = 24;
const SWEPT_SEEDS: u64 = 2;
/// Cuts of the others.
const CUTS: usize = 3;
const CLIENTS: usize = 3;
/// Commands of a client.
const COMMANDS: usize = 14;
/// Turns of the parts of a server, of which a run needs some hundred.
const TURNS_MAX: usize = 20_000;

/// A planted bug.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Bug {
    None,
    /// Replies do not wait until what they tell of is durable.
    EarlyAcknowledgement,
    /// Names are never made durable.
    NoDirSync,
    /// A sync that failed is tried again and trusted.
    RetriedSync,
}

/// The disk as the server sees it.
#[derive(Clone)]
struct Seen {
    disk: SimDisk,
    bug: Bug,
}

struct SeenFile {
    file: Box<dyn DiskFile>,
    bug: Bug,
}

impl DiskFile for SeenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        match self.file.sync() {
            Err(_) if self.bug == Bug::RetriedSync => self.file.sync(),
            result => result,
        }
    }
    fn start_writeback(&mut self, offset: u64, len: u64) {
        self.file.start_writeback(offset, len);
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
}

impl Seen {
    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let bug = self.bug;
        Box::new(SeenFile { file, bug })
    }
}

impl Disk for Seen {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path).map(|file| self.file(file))
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.append(path).map(|file| self.file(file))
    }
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.disk.read(path)
    }
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.disk.len(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match self.bug {
            Bug::NoDirSync => Ok(()),
            _ => self.disk.sync_dir(dir),
        }
    }
}

/// What was told to clients.
#[derive(Debug, Default)]
struct Told {
    /// Entries of each list that must be there.
    promised: BTreeMap<String, BTreeSet<u64>>,
    /// All that may be there.
    sent: BTreeMap<String, BTreeSet<u64>>,
    /// Entries that a dump must have: those acknowledged before a SAVE that succeeded was sent.
    saved: BTreeMap<String, BTreeSet<u64>>,
}

/// What a client waits for.
#[derive(Debug)]
enum Asked {
    Push(u64),
    /// The replies of MULTI and what is queued.
    Queued,
    Pair(u64),
    /// The last entry of this list.
    Look(String),
    /// With what had been acknowledged when it was sent.
    WaitAof(BTreeMap<String, BTreeSet<u64>>),
    Save(BTreeMap<String, BTreeSet<u64>>),
    Other,
}

/// A client that appends numbers to lists of its own.
struct Actor {
    client: Client,
    number: usize,
    next: u64,
    commands: usize,
    asked: VecDeque<Asked>,
    input: Vec<u8>,
    /// Acknowledged, whether that promises anything or not.
    acknowledged: BTreeMap<String, BTreeSet<u64>>,
}

fn join(into: &mut BTreeMap<String, BTreeSet<u64>>, from: &BTreeMap<String, BTreeSet<u64>>) {
    for (list, ids) in from {
        into.entry(list.clone()).or_default().extend(ids);
    }
}

impl Actor {
    fn new(world: &World, number: usize) -> Actor {
        let address = ADDRESS.parse().expect("an address");
        Actor {
            client: world.network.connect(address).expect("it listens"),
            number,
            next: 1,
            commands: 0,
            asked: VecDeque::new(),
            input: Vec::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    fn send(&mut self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        let mut bytes = Vec::new();
        reply::request(&mut bytes, &words);
        // A server that has closed the connection takes nothing.
        let _ = self.client.write(&bytes);
    }

    /// Sends a command by chance.
    fn ask(&mut self, random: &mut Random, told: &mut Told) {
        let me = self.number;
        self.commands += 1;
        let asked = match random.below(20) {
            0..9 => {
                let id = self.next_id();
                told.sent(&format!("l{me}"), id);
                self.send(&format!("RPUSH l{me} {id}"));
                Asked::Push(id)
            }
            9..13 => {
                let id = self.next_id();
                told.sent(&format!("p{me}"), id);
                told.sent(&format!("q{me}"), id);
                for words in [
                    "MULTI",
                    &format!("RPUSH p{me} {id}"),
                    &format!("RPUSH q{me} {id}"),
                ] {
                    self.send(words);
                    self.asked.push_back(Asked::Queued);
                }
                self.send("EXEC");
                Asked::Pair(id)
            }
            13..16 => {
                let list = format!("l{}", random.below(CLIENTS));
                self.send(&format!("LINDEX {list} -1"));
                Asked::Look(list)
            }
            16 => {
                self.send("WAITAOF 1 0 0");
                Asked::WaitAof(self.acknowledged.clone())
            }
            17 => {
                self.send("SAVE");
                Asked::Save(self.acknowledged.clone())
            }
            18 => {
                self.send("BGSAVE SCHEDULE");
                Asked::Other
            }
            _ => {
                self.send("BGREWRITEAOF");
                Asked::Other
            }
        };
        self.asked.push_back(asked);
    }

    fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Takes the replies that have come.
    fn hear(&mut self, told: &mut Told, always: bool) {
        let _ = self.client.read(&mut self.input, 1 << 20);
        while let Some(end) = reply_end(&self.input) {
            let reply: Vec<u8> = self.input.drain(..end).collect();
            let text = String::from_utf8_lossy(&reply).into_owned();
            let asked = self.asked.pop_front().expect("somebody asked");
            if !text.starts_with('-') {
                self.note(&asked, &text, told, always);
            }
        }
    }

    fn note(&mut self, asked: &Asked, reply: &str, told: &mut Told, always: bool) {
        let me = self.number;
        let mut acknowledge = |list: String, id: u64| {
            if always {
                told.promised.entry(list.clone()).or_default().insert(id);
            }
            self.acknowledged.entry(list).or_default().insert(id);
        };
        match asked {
            Asked::Push(id) => acknowledge(format!("l{me}"), *id),
            Asked::Pair(id) if reply.starts_with("*2") => {
                acknowledge(format!("p{me}"), *id);
                acknowledge(format!("q{me}"), *id);
            }
            Asked::Look(list) if always && !reply.starts_with("$-1") => {
                let id = reply.lines().nth(1).and_then(|id| id.parse().ok());
                let id = id.expect("entries are numbers");
                told.promised.entry(list.clone()).or_default().insert(id);
            }
            Asked::WaitAof(acknowledged) if reply.starts_with("*2\r\n:1") => {
                join(&mut told.promised, acknowledged);
            }
            Asked::Save(acknowledged) => join(&mut told.saved, acknowledged),
            _ => {}
        }
    }
}

impl Told {
    fn sent(&mut self, list: &str, id: u64) {
        self.sent.entry(list.to_owned()).or_default().insert(id);
    }
}

/// Where the first reply ends, if it is whole.
fn reply_end(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|w| w == b"\r\n")? + 2;
    let number = || -> i64 {
        let text = std::str::from_utf8(&bytes[1..line - 2]).expect("a number");
        text.parse().expect("a number")
    };
    match bytes[0] {
        b'$' if number() >= 0 => {
            let end = line + number() as usize + 2;
            (bytes.len() >= end).then_some(end)
        }
        b'*' => {
            let mut end = line;
            for _ in 0..number() {
                end += reply_end(&bytes[end..])?;
            }
            Some(end)
        }
        _ => Some(line),
    }
}

/// What one run is like.
#[derive(Copy, Clone, Debug)]
struct Plan {
    seed: u64,
    bug: Bug,
    /// The call at which the power goes.
    cut: Option<u64>,
    /// A call fails before.
    failure: bool,
}

impl Plan {
    /// Whether every write is acknowledged only once it is durable.
    fn always(self) -> bool {
        self.seed % 3 != 2 || self.bug != Bug::None
    }

    /// What fails, and how.
    fn failing(self, random: &mut Random) -> (Operation, Failure) {
        if self.bug == Bug::RetriedSync {
            return (Operation::Sync, Failure::Device);
        }
        match random.below(8) {
            0..4 => (Operation::Sync, Failure::Device),
            4 => (Operation::Write, Failure::NoSpace),
            5 => (Operation::SyncDir, Failure::Device),
            6 => (Operation::Rename, Failure::Device),
            _ => (Operation::Create, Failure::NoSpace),
        }
    }

    fn options(self) -> Vec<&'static str> {
        // The planted bug: the server only pretends.
        let fsync = if self.always() && self.bug != Bug::EarlyAcknowledgement {
            "always"
        } else {
            "everysec"
        };
        vec![
            "--dir",
            DIR,
            "--appendonly",
            "yes",
            "--save",
            "",
            "--appendfsync",
            fsync,
        ]
    }
}

/// A server that has loaded what is on the disk and logs from then on; an error is one of the disk's, or a damaged file.
fn boot(plan: Plan, disk: &SimDisk) -> anyhow::Result<World> {
    let world = World::new(plan.seed, &plan.options());
    let shared = &world.shared;
    let seen = Seen {
        disk: disk.clone(),
        bug: plan.bug,
    };
    shared.saving.set_disk(Arc::new(seen));
    let clock: Arc<dyn Clock> = world.network.clock();
    let files = aof::open(shared)?;
    let loader = Loader {
        shared,
        disk: &**shared.saving.disk(),
        clock: &clock,
        threads: 1,
    };
    loader.log_at_start(&files.place())?;
    shared
        .aof
        .start(shared, files, |path| shared.saving.save_base(shared, path))?;
    shared.aof.started();
    Ok(world)
}

/// Runs a workload until all is answered, or the power is off.
fn work(plan: Plan, disk: &SimDisk) -> Told {
    let mut random = Random::new(plan.seed);
    let mut told = Told::default();
    let Ok(mut world) = boot(plan, disk) else {
        return told;
    };
    let mut actors: Vec<Actor> = (0..CLIENTS).map(|n| Actor::new(&world, n)).collect();
    let shared = Arc::clone(&world.shared);
    let mut writer = Writer::new(
        &shared.journal,
        &shared.engine.store.log,
        Box::new(|worker| shared.wake_worker(worker)),
    );
    let clock: Arc<dyn Clock> = world.network.clock();
    let saver = Saver::new(Arc::clone(&shared), Arc::clone(&world.exchange), clock);
    let mut stripes = StripeLock::of_this_thread();
    let fails_at = plan.failure.then(|| random.below(TURNS_MAX / 100));
    for turn in 0..TURNS_MAX {
        let done = actors
            .iter()
            .all(|actor| actor.commands >= COMMANDS && actor.asked.is_empty());
        if disk.is_off() || done {
            break;
        }
        if fails_at == Some(turn) {
            let (operation, failure) = plan.failing(&mut random);
            disk.fail_next(operation, failure);
        }
        match random.below(12) {
            part @ 0..4 => {
                world.step(part);
            }
            4..6 => {
                writer.step(world.network.clock().monotonic_us() / 1_000);
            }
            6 => {
                // The saving thread waits for stripes, which nobody may wait for meanwhile.
                while (0..4).fold(false, |busy, part| world.step(part) | busy) {}
                saver.step(&mut stripes);
            }
            7 => world.network.advance_ms(random.below(200) as u64),
            _ => {
                let actor = &mut actors[random.below(CLIENTS)];
                if actor.commands < COMMANDS {
                    actor.ask(&mut random, &mut told);
                }
            }
        }
        actors
            .iter_mut()
            .for_each(|actor| actor.hear(&mut told, plan.always()));
    }
    // What is left of orders would be missed when it is dropped; nobody hears of it.
    while (0..4).fold(false, |busy, part| world.step(part) | busy) {}
    saver.step(&mut stripes);
    drop(writer);
    told
}

/// Entries of a list in a server.
fn list(world: &mut World, actor: &mut Actor, name: &str) -> Vec<u64> {
    actor.send(&format!("LRANGE {name} 0 -1"));
    for _ in 0..1_000 {
        (0..4).for_each(|part| {
            world.step(part);
        });
        let _ = actor.client.read(&mut actor.input, 1 << 20);
        if let Some(end) = reply_end(&actor.input) {
            let reply: Vec<u8> = actor.input.drain(..end).collect();
            let text = String::from_utf8(reply).expect("numbers");
            let lines = text.lines().skip(1).filter(|line| !line.starts_with('$'));
            return lines.map(|id| id.parse().expect("a number")).collect();
        }
    }
    panic!("no reply");
}

/// Compares what a server has with what must be there and what may.
fn compare(
    world: &mut World,
    must: &BTreeMap<String, BTreeSet<u64>>,
    may: &BTreeMap<String, BTreeSet<u64>>,
) -> Result<(), String> {
    let mut actor = Actor::new(world, 0);
    for me in 0..CLIENTS {
        let mut pair = Vec::new();
        for kind in ["l", "p", "q"] {
            let name = format!("{kind}{me}");
            let found = list(world, &mut actor, &name);
            if !found.is_sorted_by(|a, b| a < b) {
                return Err(format!("{name} is out of order: {found:?}"));
            }
            let none = BTreeSet::new();
            let (must, may) = (
                must.get(&name).unwrap_or(&none),
                may.get(&name).unwrap_or(&none),
            );
            let ids: BTreeSet<u64> = found.iter().copied().collect();
            if let Some(lost) = must.difference(&ids).next() {
                return Err(format!("{name} has lost {lost}: {found:?} is left"));
            }
            if let Some(strange) = ids.difference(may).next() {
                return Err(format!("{name} has {strange}, which nobody sent"));
            }
            if kind != "l" {
                pair.push(found);
            }
        }
        if pair[0] != pair[1] {
            return Err(format!("half a transaction: {pair:?}"));
        }
    }
    Ok(())
}

/// Recovers and compares.
fn check(plan: Plan, disk: &SimDisk, told: &Told) -> Result<(), String> {
    disk.power_off();
    let mut random = Random::new(plan.seed ^ disk.calls());
    // The power may go again while the server starts.
    if plan.cut.is_some() && random.one_in(2) {
        disk.cut_at(disk.calls() + random.below(12) as u64);
        let _ = boot(plan, disk);
        disk.power_off();
    }
    let server = boot(plan, disk).map_err(|error| format!("it does not start: {error:#}"))?;
    let mut server = server;
    compare(&mut server, &told.promised, &told.sent)?;
    // The dump, which is whole or not there, has what a SAVE said.
    let clock: Arc<dyn Clock> = server.network.clock();
    let mut other = World::new(plan.seed, &["--dir", DIR]);
    let loader = Loader {
        shared: &Arc::clone(&other.shared),
        disk,
        clock: &clock,
        threads: 1,
    };
    let loaded = loader.dump_at_start();
    loaded.map_err(|error| format!("the dump is damaged: {error}"))?;
    compare(&mut other, &told.saved, &told.sent).map_err(|wrong| format!("the dump: {wrong}"))
}

/// One run; calls that it made, or what is wrong.
fn run(plan: Plan) -> Result<u64, String> {
    let seed = plan
        .seed
        .wrapping_add(plan.cut.map_or(0, |cut| (cut + 1) << 32));
    let disk = SimDisk::new(seed, Path::new(DIR));
    if let Some(cut) = plan.cut {
        disk.cut_at(cut);
    }
    let told = work(plan, &disk);
    let calls = disk.calls();
    check(plan, &disk, &told)
        .map(|()| calls)
        .map_err(|wrong| format!("{plan:?}: {wrong}"))
}

/// Runs a workload whole and with cuts.
fn explore(plan: Plan, sweep: bool) -> Result<(), String> {
    let calls = run(plan)?;
    let cut_at = |cut| {
        run(Plan {
            cut: Some(cut),
            ..plan
        })
        .map(|_| ())
    };
    if sweep {
        return (0..calls).try_for_each(cut_at);
    }
    let mut random = Random::new(plan.seed);
    (0..CUTS).try_for_each(|_| cut_at(random.below(calls as usize) as u64))
}

fn seeds() -> u64 {
    let set = std::env::var("DUNLIN_CRASH_SEEDS").ok();
    set.map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"))
}

fn plan(seed: u64, bug: Bug) -> Plan {
    Plan {
        seed,
        bug,
        cut: None,
        failure: false,
    }
}

#[test]
fn nothing_that_was_acknowledged_or_seen_is_lost() {
    for seed in 0..seeds() {
        explore(plan(seed, Bug::None), seed < SWEPT_SEEDS).unwrap();
    }
}

#[test]
fn nor_when_a_call_fails_before() {
    for seed in 0..seeds() {
        let plan = Plan {
            failure: true,
            ..plan(seed, Bug::None)
        };
        explore(plan, false).unwrap();
    }
}

#[test]
fn planted_bugs_are_found() {
    for bug in [Bug::EarlyAcknowledgement, Bug::NoDirSync, Bug::RetriedSync] {
        let found = (0..200).find_map(|seed| {
            let plan = Plan {
                failure: bug == Bug::RetriedSync,
                ..plan(seed, bug)
            };
            explore(plan, false).err()
        });
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
