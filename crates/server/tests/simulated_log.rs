//! The log in the simulated server: which replies wait for the disk, for how long, and what happens when it fails.

#![allow(clippy::disallowed_methods)]

mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_reactor::backend::memory::Client;
use dunlin_resp::reply;
use dunlin_server::Shared;
use dunlin_server::persistence::disk::Disk;
use dunlin_server::persistence::journal::{Fsync, Health, Next, Order, Writer};
use dunlin_simulator::SimDisk;
use dunlin_simulator::disk::{Failure, Operation};

use world::{ADDRESS, World};

const FILE: &str = "incr.aof";
const NEXT: &str = "next.aof";

/// A server whose log goes to a simulated disk, written when the test says so.
struct Logged {
    world: World,
    shared: Arc<Shared>,
    disk: SimDisk,
}

impl Logged {
    fn new(fsync: &str) -> Logged {
        let world = World::new(1, &["--appendfsync", fsync]);
        let shared = Arc::clone(&world.shared);
        let disk = SimDisk::new(1, Path::new(""));
        shared.journal.order(Order::Start {
            next: world.engine.store.log.start(),
            file: disk.create(Path::new(FILE)).unwrap(),
            len: 0,
            based: true,
        });
        Logged {
            world,
            shared,
            disk,
        }
    }

    /// What was written to the file, and the padding behind it.
    fn file(&self) -> (Vec<u8>, Vec<u8>) {
        let mut written = self.disk.bytes(Path::new(FILE)).unwrap();
        let len = self.shared.journal.file_bytes.load(Ordering::Relaxed);
        let padding = written.split_off(len as usize);
        (written, padding)
    }

    fn client(&self) -> Talk {
        let address = ADDRESS.parse().expect("an address");
        Talk(self.world.network.connect(address).expect("it listens"))
    }

    /// Lets the server do all it can without the disk.
    fn serve(&mut self) {
        let mut idle = 0;
        while idle < 3 {
            let busy = (0..4).fold(false, |busy, part| self.world.step(part) | busy);
            idle = if busy { 0 } else { idle + 1 };
        }
    }
}

/// A client of the simulated server.
struct Talk(Client);

impl Talk {
    fn send(&mut self, line: &str) {
        let mut bytes = Vec::new();
        for command in line.split("; ") {
            let words: Vec<&str> = command.split(' ').collect();
            reply::request(&mut bytes, &words);
        }
        assert_eq!(self.0.write(&bytes).unwrap(), bytes.len());
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut Vec::new(), 1), Ok(Some(0)))
    }

    /// What has come since the last call, on one line.
    fn received(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read(&mut bytes, 1 << 20);
        String::from_utf8(bytes)
            .unwrap()
            .replace("\r\n", " ")
            .trim()
            .to_owned()
    }
}

macro_rules! writer {
    ($logged:expr) => {{
        let shared = Arc::clone(&$logged.shared);
        // Leaked: the writer borrows what outlives the test's server.
        let shared: &'static Arc<Shared> = Box::leak(Box::new(shared));
        let mut writer = Writer::new(
            &shared.journal,
            &shared.engine.store.log,
            Box::new(|worker| shared.wake_worker(worker)),
        );
        writer.step(1);
        writer
    }};
}

#[test]
fn a_reply_waits_until_what_it_shows_is_durable() {
    let mut logged = Logged::new("always");
    let mut writer = writer!(logged);
    let (mut a, mut b) = (logged.client(), logged.client());
    a.send("SET key 1; GET other");
    b.send("GET elsewhere; PING");
    logged.serve();
    assert_eq!(a.received(), "");
    assert_eq!(b.received(), "$-1 +PONG", "other keys are not waited for");
    b.send("GET key");
    logged.serve();
    assert_eq!(b.received(), "", "a read must not show what can be lost");
    b.send("DBSIZE");
    writer.step(2);
    logged.serve();
    assert_eq!(a.received(), "+OK $-1");
    assert_eq!(b.received(), "$1 1 :1");
    let (written, _) = logged.file();
    assert!(written.ends_with(b"SET\r\n$3\r\nkey\r\n$1\r\n1\r\n"));
    // What is durable already is not waited for.
    b.send("GET key");
    logged.serve();
    assert_eq!(b.received(), "$1 1");
}

#[test]
fn who_sends_no_more_gets_the_replies_that_wait() {
    let mut logged = Logged::new("always");
    let mut writer = writer!(logged);
    // KEYS goes on in steps, for which the input is paused and resumed.
    for last in ["INCR key", "INCR key; QUIT", "INCR key; KEYS *"] {
        let mut client = logged.client();
        client.send(last);
        client.0.shutdown();
        logged.serve();
        assert_eq!(client.received(), "");
        writer.step(2);
        logged.serve();
        let received = client.received();
        assert!(received.starts_with(':'), "{last}: {received:?}");
        assert!(client.is_closed(), "{last}");
    }
    assert_eq!(logged.world.shared.open_clients(), 0);
}

#[test]
fn a_stop_waits_for_replies_that_wait() {
    let mut logged = Logged::new("always");
    let mut writer = writer!(logged);
    logged.world.network.set_splitting(false);
    let (mut a, mut b) = (logged.client(), logged.client());
    a.send("INCR key");
    logged.serve();
    b.send("INCR key");
    for event_loop in &logged.world.loops {
        event_loop.remote().stop(u64::MAX);
    }
    logged.serve();
    assert_eq!((a.received(), b.received()), (String::new(), String::new()));
    assert!(!logged.world.loops.iter().all(|l| l.has_ended()));
    while writer.step(2) == Next::Again {}
    logged.serve();
    assert_eq!((a.received().as_str(), b.received().as_str()), (":1", ":2"));
    drop((a, b));
    logged.serve();
    assert!(logged.world.loops.iter().all(|l| l.has_ended()));
}

#[test]
fn a_transaction_and_a_blocked_client_wait_too() {
    let mut logged = Logged::new("always");
    let mut writer = writer!(logged);
    let (mut a, mut b) = (logged.client(), logged.client());
    b.send("BLPOP list 0");
    logged.serve();
    a.send("MULTI; RPUSH list x; INCR n; EXEC");
    logged.serve();
    assert_eq!(b.received(), "");
    assert_eq!(
        a.received(),
        "+OK +QUEUED +QUEUED",
        "what came in an earlier turn shows nothing"
    );
    writer.step(2);
    logged.serve();
    assert_eq!(a.received(), "*2 :1 :1");
    assert_eq!(b.received(), "*2 $4 list $1 x");
    let text = String::from_utf8(logged.disk.bytes(Path::new(FILE)).unwrap()).unwrap();
    let text = text.replace("\r\n", " ");
    let at = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("no {what} in {text}"))
    };
    assert!(at("MULTI") < at("RPUSH") && at("INCR") < at("EXEC") && at("EXEC") < at("LPOP"));
}

#[test]
fn a_file_that_is_flushed_always_is_filled_ahead() {
    let mut logged = Logged::new("always");
    let mut writer = writer!(logged);
    let mut client = logged.client();
    let mut lens = Vec::new();
    for _ in 0..200 {
        client.send("INCR key");
        logged.serve();
        writer.step(2);
        logged.serve();
        assert!(client.received().starts_with(':'));
        let (written, padding) = logged.file();
        assert!(written.ends_with(b"\r\n"));
        let (end, letters) = padding.split_last().expect("there is padding");
        assert!(*end == b'\n' && !letters.is_empty());
        assert!(letters.iter().all(|letter| *letter == b'#'));
        lens.push(written.len() + padding.len());
    }
    lens.dedup();
    assert!(
        lens.len() < 5,
        "flushes seldom have a new length to keep: {lens:?}"
    );
    // A disk that has room for what is written and for nothing ahead of it.
    let (_, padding) = logged.file();
    let value = "x".repeat(padding.len());
    client.send(&format!("SET key {value}"));
    logged.serve();
    logged.disk.set_space(1_000);
    writer.step(3);
    logged.serve();
    assert_eq!(client.received(), "+OK");
    assert!(logged.file().1.is_empty());
    logged.disk.set_space(1 << 20);
    client.send("INCR other");
    logged.serve();
    writer.step(4);
    assert!(!logged.file().1.is_empty());
    // It is of no use otherwise, nor when the file is closed.
    for policy in [Fsync::EverySecond, Fsync::Always] {
        let log = &logged.shared.engine.store.log;
        logged.shared.journal.set_policy(policy, log);
        client.send("INCR other");
        logged.serve();
        writer.step(5);
        assert_eq!(logged.file().1.is_empty(), policy == Fsync::EverySecond);
    }
    logged.shared.journal.order(Order::Stop);
    while writer.step(6) == Next::Again {}
    assert!(logged.file().1.is_empty());
}

#[test]
fn nothing_waits_otherwise_but_who_asks_for_it() {
    let mut logged = Logged::new("everysec");
    let mut writer = writer!(logged);
    let mut a = logged.client();
    a.send("SET key 1; WAITAOF 1 0 0");
    logged.serve();
    assert_eq!(a.received(), "+OK");
    writer.step(2);
    logged.serve();
    assert_eq!(
        a.received(),
        "*2 :1 :0",
        "the first write is flushed at once"
    );
    a.send("SET key 2; WAITAOF 1 0 0");
    logged.serve();
    writer.step(500);
    logged.serve();
    assert_eq!(a.received(), "+OK");
    writer.step(1_002);
    logged.serve();
    assert_eq!(a.received(), "*2 :1 :0");
}

#[test]
fn a_flush_that_failed_is_never_trusted_again() {
    let mut logged = Logged::new("always");
    let mut writer = writer!(logged);
    let (mut a, mut b) = (logged.client(), logged.client());
    a.send("SET key 1");
    logged.serve();
    logged.disk.fail_next(Operation::Sync, Failure::Device);
    writer.step(2);
    logged.serve();
    assert!(
        a.received()
            .starts_with("-MISCONF Errors writing to the AOF file: ")
    );
    assert!(
        a.is_closed(),
        "which of its commands are lost it can't know"
    );
    assert_eq!(logged.shared.journal.health(), Health::Untrusted);
    // Further flushes would succeed.
    writer.step(3);
    b.send("SET other 1; PING; GET other");
    logged.serve();
    let text = b.received();
    assert_eq!(text.matches("-MISCONF").count(), 2, "{text}");
    assert!(text.ends_with("$-1"));
    // A new file begins behind a base that has all so far.
    let after = logged.world.engine.store.log.position();
    let file = logged.disk.create(Path::new(NEXT)).unwrap();
    logged.shared.journal.order(Order::Rotate { after, file });
    writer.step(4);
    b.send("SET other 1");
    logged.serve();
    assert!(
        b.received().starts_with("-MISCONF"),
        "the base is not durable yet"
    );
    logged.shared.journal.order(Order::Rebased { upto: after });
    writer.step(5);
    b.send("SET other 1; GET key");
    logged.serve();
    assert_eq!(b.received(), "");
    writer.step(6);
    logged.serve();
    assert_eq!(b.received(), "+OK $1 1");
    let text = String::from_utf8(logged.disk.bytes(Path::new(NEXT)).unwrap()).unwrap();
    assert!(!text.contains("key") && text.contains("other"));
}

#[test]
fn a_full_disk_is_tried_again() {
    let mut logged = Logged::new("everysec");
    let mut writer = writer!(logged);
    let mut a = logged.client();
    a.send("SET key 1");
    logged.serve();
    logged.disk.fail_next(Operation::Write, Failure::NoSpace);
    writer.step(2);
    a.send("SET key 2");
    logged.serve();
    assert!(
        a.received()
            .starts_with("+OK -MISCONF Errors writing to the AOF file: ")
    );
    writer.step(500);
    assert_eq!(
        logged.disk.bytes(Path::new(FILE)).unwrap(),
        b"",
        "a part of a write is taken back"
    );
    writer.step(1_002);
    a.send("SET key 3");
    logged.serve();
    assert_eq!(a.received(), "+OK");
    writer.step(3_000);
    let text = String::from_utf8(logged.disk.bytes(Path::new(FILE)).unwrap()).unwrap();
    assert!(
        text.contains("$1\r\n1\r\n")
            && text.contains("$1\r\n3\r\n")
            && !text.contains("$1\r\n2\r\n")
    );
}
