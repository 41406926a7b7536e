//! Loading dumps and logs from a simulated disk: what is there afterwards, and what is refused.

#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_engine::Engine;
use dunlin_engine::digest::Digest;
use dunlin_engine::testing::{Console, START_MS};
use dunlin_persist::aof::{Manifest, padding};
use dunlin_persist::rdb::{EncodeOptions, KeyMeta, Writer};
use dunlin_reactor::Clock;
use dunlin_server::config::Config;
use dunlin_server::persistence::disk::Disk;
use dunlin_server::persistence::load::{LoadError, LoadedLog, Loader, LogPlace};
use dunlin_server::persistence::stripe_lock::StripeLock;
use dunlin_server::{Allocator, Shared};
use dunlin_simulator::{Random, SimDisk};
use dunlin_store::stripes::LockSet;
use dunlin_store::{Settings, Txn};

/// It has to exist for the configuration; nothing is done in it.
const DIR: &str = "/";
/// More than a batch.
const KEYS: usize = 10_000;

struct Stopped;

impl Clock for Stopped {
    fn monotonic_us(&self) -> u64 {
        START_MS * 1_000
    }
    fn wall_us(&self) -> u64 {
        START_MS * 1_000
    }
}

/// A server that loads.
struct Server {
    shared: Arc<Shared>,
    disk: SimDisk,
    threads: usize,
}

impl Server {
    fn new(disk: &SimDisk, threads: usize, options: &[&str]) -> Server {
        let options = [&["--dir", DIR], options].concat();
        let config = Config::load(&options).expect("valid options").config;
        let settings = Settings {
            databases: config.databases() as usize,
            ..Settings::default()
        };
        let engine = Engine::new(&settings, dunlin_server::commands::FAMILIES);
        let shared = Shared::new(
            Arc::new(engine),
            config,
            START_MS,
            "0".repeat(40),
            Allocator::UNKNOWN,
        );
        Server {
            shared: Arc::new(shared),
            disk: disk.clone(),
            threads,
        }
    }

    fn with<T>(&self, load: impl FnOnce(&Loader<'_>) -> T) -> T {
        let clock: Arc<dyn Clock> = Arc::new(Stopped);
        load(&Loader {
            shared: &self.shared,
            disk: &self.disk,
            clock: &clock,
            threads: self.threads,
        })
    }

    fn load_dump(&self) -> Result<(), LoadError> {
        self.with(|loader| loader.dump_at_start())
    }

    fn load_log(&self) -> Result<LoadedLog, LoadError> {
        let dir = Path::new(DIR).join("appendonlydir");
        let path = dir.join("appendonly.aof.manifest");
        let text = self.disk.bytes(&path).expect("there is a manifest");
        let manifest = Manifest::parse(&text).expect("it is one");
        let place = LogPlace {
            dir: &dir,
            manifest: &manifest,
        };
        self.with(|loader| loader.log_at_start(&place))
    }

    fn digest(&self) -> String {
        digest(&self.shared.engine)
    }
}

fn digest(engine: &Engine) -> String {
    let store = &engine.store;
    let mut local = store.local(store.workers(), 1);
    let mut held = StripeLock::of_this_thread().lock(store, &LockSet::All);
    let mut keys = Txn::new(store, Some(&mut held), &mut local, 0);
    let digest = Digest::of_dataset(&mut keys).to_string();
    keys.commit(None);
    store.release_stripes(held);
    digest
}

/// A console with values of every type, some of them with deadlines.
fn dataset() -> Console {
    let mut console = Console::default();
    let mut random = Random::new(7);
    for n in 0..KEYS {
        let x = random.below(1_000);
        console.run(&match n % 8 {
            0 | 1 => format!("SET s{n} value{x}"),
            2 => format!("SET e{n} {x} PX {}", 1 + x * 1_000),
            3 => format!("HSET h{n} a {x} b two"),
            4 => format!("RPUSH l{n} {x} b c"),
            5 => format!("SADD t{n} {x} b c"),
            6 => format!("ZADD z{n} {x} a 2 b"),
            _ => format!("XADD x{n} 1-{x} f v"),
        });
    }
    console.run(
        "SELECT 9; SET other db; HSET timed f v g w; HPEXPIRE timed 5000 FIELDS 1 f; SELECT 0",
    );
    console
}

fn write(disk: &SimDisk, name: &str, bytes: &[u8]) {
    let path = Path::new(DIR).join(name);
    let dir = path.parent().expect("it has one");
    disk.create_dir(dir).expect("it can be made");
    let mut file = disk.create(&path).expect("it can be made");
    file.write_all(bytes).expect("it can be written");
}

/// What is in a console as a dump.
fn dump(console: &Console) -> Vec<u8> {
    let store = &console.engine.store;
    let mut local = store.local(store.workers(), 1);
    let mut held = StripeLock::of_this_thread().lock(store, &LockSet::All);
    let mut keys = Txn::new(store, Some(&mut held), &mut local, 0);
    let options = EncodeOptions {
        version: 12,
        ..EncodeOptions::default()
    };
    let mut writer = Writer::new(Vec::new(), options, true);
    writer.aux("redis-ver", b"7.2.4").expect("a vector");
    for db in 0..store.databases() as u32 {
        if store.is_empty(db) {
            continue;
        }
        let sizes = (store.len(db), store.expires(db));
        writer.select(db, sizes.0, sizes.1).expect("a vector");
        keys.for_each(db, |entry| {
            let meta = KeyMeta::with_deadline(entry.deadline());
            writer.key(&meta, entry).expect("a vector");
        });
    }
    keys.commit(None);
    store.release_stripes(held);
    writer.finish().expect("a vector")
}

fn disk() -> SimDisk {
    SimDisk::new(1, Path::new(DIR))
}

fn command(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

fn log(words: &[&str]) -> Vec<u8> {
    words.iter().flat_map(|words| command(words)).collect()
}

#[test]
fn a_dump_is_what_was_saved_whatever_the_threads() {
    let console = dataset();
    let disk = disk();
    write(&disk, "dump.rdb", &dump(&console));
    for threads in [1, 2, 4] {
        let server = Server::new(&disk, threads, &[]);
        server.load_dump().expect("it loads");
        assert_eq!(server.digest(), digest(&console.engine));
        let loading = &server.shared.loading;
        assert_eq!(loading.keys_loaded(), KEYS as u64 + 2);
        assert_eq!(loading.loaded_bytes(), loading.total_bytes());
        let store = &server.shared.engine.store;
        assert_eq!(store.expires(0), console.engine.store.expires(0));
        assert!(store.next_due(0).is_some(), "deadlines are looked after");
    }
}

#[test]
fn what_has_expired_stays_out() {
    let mut console = Console::default();
    console.run("SET a 1 PX 1; SET b 2; SET c 3 PX 100000");
    let disk = disk();
    let mut bytes = dump(&console);
    // The console's clock stands at the server's: the deadline is moved before it.
    let at = (START_MS + 1).to_le_bytes();
    let place = bytes.windows(8).position(|window| window == at);
    let place = place.expect("the deadline is in it");
    bytes[place..place + 8].copy_from_slice(&(START_MS - 1).to_le_bytes());
    let end = bytes.len() - 8;
    bytes[end..].fill(0);
    write(&disk, "dump.rdb", &bytes);
    let server = Server::new(&disk, 2, &[]);
    server.load_dump().expect("it loads");
    let loading = &server.shared.loading;
    assert_eq!((loading.keys_loaded(), loading.keys_expired()), (2, 1));
    assert_eq!(server.shared.engine.store.len(0), 2);
}

#[test]
fn no_dump_is_no_error() {
    let server = Server::new(&disk(), 2, &[]);
    server.load_dump().expect("there is nothing to load");
    assert_eq!(server.digest(), "0".repeat(40));
}

#[test]
fn a_damaged_dump_is_refused_and_left_alone() {
    let console = dataset();
    let whole = dump(&console);
    let mut random = Random::new(3);
    for round in 0..60 {
        let disk = disk();
        let mut bytes = whole.clone();
        let at = random.below(bytes.len());
        if round % 2 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << random.below(8);
        }
        write(&disk, "dump.rdb", &bytes);
        let server = Server::new(&disk, 1 + round % 3, &[]);
        let error = server.load_dump().expect_err("it is damaged");
        assert!(matches!(error, LoadError::Fatal(_)), "{error}");
        let left = disk.bytes(&Path::new(DIR).join("dump.rdb"));
        assert_eq!(left, Some(bytes));
    }
}

#[test]
fn a_dump_that_does_not_fit() {
    let mut console = Console::default();
    console.run("SELECT 9; SET a 1");
    let disk = disk();
    let bytes = dump(&console);
    write(&disk, "dump.rdb", &bytes);
    assert!(Server::new(&disk, 1, &[]).load_dump().is_ok());
    let few = Server::new(&disk, 1, &["--databases", "9"]);
    assert!(few.load_dump().is_err());
    // The same key twice.
    let record = bytes.windows(4).position(|w| w == b"\x00\x01a\xc0");
    let start = record.expect("the key is in it");
    let mut twice = bytes[..start + 5].to_vec();
    twice.extend_from_slice(&bytes[start..]);
    let end = twice.len() - 8;
    twice[end..].fill(0);
    write(&disk, "dump.rdb", &twice);
    assert!(Server::new(&disk, 1, &[]).load_dump().is_err());
}

#[test]
fn a_server_that_stops_stops_loading() {
    let disk = disk();
    write(&disk, "dump.rdb", &dump(&dataset()));
    for threads in [1, 3] {
        let server = Server::new(&disk, threads, &[]);
        server.shared.exit_code.store(0, Ordering::SeqCst);
        let stopped = server.load_dump();
        assert!(matches!(stopped, Err(LoadError::Stopped)));
    }
}

const MANIFEST: &[u8] = b"file appendonly.aof.1.base.rdb seq 1 type b\n\
    file appendonly.aof.1.incr.aof seq 1 type i\n\
    file appendonly.aof.2.incr.aof seq 2 type i\n";
const BASE: &str = "appendonlydir/appendonly.aof.1.base.rdb";
const FIRST: &str = "appendonlydir/appendonly.aof.1.incr.aof";
const LAST: &str = "appendonlydir/appendonly.aof.2.incr.aof";

/// A log of a base and two increments.
fn log_disk(first: &[u8], last: &[u8]) -> SimDisk {
    let disk = disk();
    let mut console = Console::default();
    // What had expired by the time of the load was there when the increments were written.
    console.run("SET base 1; SET n 5 PX 1; +2ms");
    write(&disk, "appendonlydir/appendonly.aof.manifest", MANIFEST);
    write(&disk, BASE, &dump(&console));
    write(&disk, FIRST, first);
    write(&disk, LAST, last);
    disk
}

const FIRST_COMMANDS: &[&str] = &[
    "SELECT 0",
    "SET a 1",
    "RPUSH l 1 2 3",
    "SELECT 3",
    "SET b 2 PXAT 1",
    "MULTI",
    "INCR c",
    "INCR c",
    "EXEC",
];

fn same_as(server: &Server, script: &str) {
    let mut console = Console::default();
    console.run(script);
    assert_eq!(server.digest(), digest(&console.engine));
}

#[test]
fn a_log_is_replayed_in_order() {
    let last = log(&["SET a 2", "INCR n", "PERSIST n", "LPOP l"]);
    for threads in [1, 2] {
        let disk = log_disk(&log(FIRST_COMMANDS), &last);
        let server = Server::new(&disk, threads, &[]);
        let loaded = server.load_log().expect("it loads");
        assert_eq!(loaded.last_bytes, last.len() as u64);
        assert!(loaded.total_bytes > loaded.base_bytes + loaded.last_bytes);
        let store = &server.shared.engine.store;
        assert_eq!(store.len(3), 2, "what has expired is still there");
        same_as(
            &server,
            "SET base 1; SET n 6; SET a 2; RPUSH l 2 3; SELECT 3; SET b 2 PXAT 1700000000001; SET c 2",
        );
    }
}

#[test]
fn a_transaction_without_its_end_is_cut_off() {
    let head = log(&["SET a 1"]);
    let tail = log(&["MULTI", "SET a 2", "SET d 4"]);
    let bytes = [&head[..], &tail[..]].concat();
    for cut in [head.len() + 3, bytes.len() - 1, bytes.len()] {
        let disk = log_disk(b"", &bytes[..cut]);
        let strict = Server::new(&disk, 1, &["--aof-load-truncated", "no"]);
        let error = strict.load_log().expect_err("it is not whole");
        let text = error.to_string();
        assert!(
            text.starts_with("Unexpected end of file reading the append only file"),
            "{text}"
        );
        assert!(
            text.contains(&format!("up to offset {}", head.len())),
            "{text}"
        );
        let server = Server::new(&disk, 2, &[]);
        let loaded = server.load_log().expect("the rest loads");
        assert_eq!(loaded.last_bytes, head.len() as u64);
        let left = disk.bytes(&Path::new(DIR).join(LAST));
        assert_eq!(left.as_deref(), Some(&head[..]));
        let store = &server.shared.engine.store;
        assert_eq!(store.len(0), 3, "base, n and a");
        // What is cut is cut for good.
        disk.power_off();
        let left = disk.bytes(&Path::new(DIR).join(LAST));
        assert!(left.is_none_or(|left| left == head));
    }
}

#[test]
fn padding_is_removed_from_the_file_that_is_gone_on_with() {
    let padded = |lines: &[&str]| [log(lines), padding(300_000)].concat();
    let head = log(&["SET a 1"]);
    for threads in [1, 2] {
        let disk = log_disk(&padded(FIRST_COMMANDS), &padded(&["SET a 1"]));
        let strict = ["--aof-load-truncated", "no"];
        let server = Server::new(&disk, threads, &strict);
        let loaded = server.load_log().expect("nothing is missing");
        assert_eq!(loaded.last_bytes, head.len() as u64);
        let left = disk.bytes(&Path::new(DIR).join(FIRST));
        assert!(
            left == Some(padded(FIRST_COMMANDS)),
            "nobody writes there any more"
        );
        disk.power_off();
        let left = disk.bytes(&Path::new(DIR).join(LAST));
        assert!(left.is_some_and(|left| left == head), "durably");
    }
}

#[test]
fn a_damaged_log_is_refused_and_left_alone() {
    let bad = [&log(&["SET a 1"])[..], b"!!!", &log(&["SET a 2"])].concat();
    let unknown = log(&["SET a 1", "NOSUCH a 2", "SET a 3"]);
    let short = log(&["SET a 1", "GET"]);
    let cut = &log(&["SET a 1"])[..9];
    let whole = log(&["SET z 1"]);
    let cases: [(&[u8], &[u8], &str); 5] = [
        (b"", &bad, "Bad file format reading the append only file"),
        (&bad, b"", "Bad file format reading the append only file"),
        (b"", &unknown, "Unknown command 'NOSUCH'"),
        (b"", &short, "ERR wrong number of arguments"),
        (
            cut,
            &whole,
            "Fatal error: the truncated file is not the last",
        ),
    ];
    for (first, last, expected) in cases {
        for threads in [1, 2] {
            let disk = log_disk(first, last);
            let server = Server::new(&disk, threads, &[]);
            let error = server.load_log().expect_err("it is damaged").to_string();
            assert!(error.starts_with(expected), "{error}");
            for (name, bytes) in [(FIRST, first), (LAST, last)] {
                let left = disk.bytes(&Path::new(DIR).join(name));
                assert_eq!(left.as_deref(), Some(bytes));
            }
        }
    }
}

#[test]
fn a_file_that_is_missing_is_named() {
    let disk = log_disk(b"", b"");
    disk.remove(&Path::new(DIR).join(FIRST))
        .expect("it is there");
    let error = Server::new(&disk, 1, &[]).load_log();
    let text = error.expect_err("it is missing").to_string();
    assert!(text.contains("appendonly.aof.1.incr.aof"), "{text}");
    assert!(text.contains("No such file or directory"), "{text}");
}

#[test]
fn a_base_that_is_damaged_is_refused() {
    let disk = log_disk(b"", b"");
    let path = Path::new(DIR).join(BASE);
    let mut bytes = disk.bytes(&path).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    write(&disk, BASE, &bytes);
    let error = Server::new(&disk, 2, &[]).load_log();
    let text = error.expect_err("it is damaged").to_string();
    assert!(
        text.starts_with("Error reading the RDB base file"),
        "{text}"
    );
}

#[test]
fn commands_of_others_are_refused_meanwhile() {
    let mut console = Console::default();
    console.run("SET k v");
    console.engine.is_loading.store(true, Ordering::SeqCst);
    assert_eq!(
        console.run("GET k; PING; MULTI; SET k w; EXEC; SELECT 1"),
        "(error) LOADING Redis is loading the dataset in memory; (error) LOADING Redis is loading the dataset in memory; OK; \
         (error) LOADING Redis is loading the dataset in memory; (error) EXECABORT Transaction discarded because of previous errors.; OK"
    );
    console.engine.is_loading.store(false, Ordering::SeqCst);
    assert_eq!(console.run("GET k"), "nil");
}

/// Commands on few keys, so that their order shows: long runs on one key each, which threads share, and between them whatever they can't.
fn busy_log(random: &mut Random) -> Vec<String> {
    let mut lines = Vec::new();
    let key = |random: &mut Random| format!("k{}", random.below(40));
    for part in 0..60 {
        for n in 0..random.below(900) {
            let (k, x) = (key(random), random.below(100));
            lines.push(match random.below(8) {
                0 => format!("SET s{k} {n}"),
                1 | 2 => format!("APPEND s{k} {x},"),
                3 => format!("RPUSH l{k} {n} {x}"),
                4 => format!("LPOP l{k}"),
                5 => format!("HINCRBYFLOAT h{k} f{} 0.{x}", x % 3),
                6 => format!("DEL s{k}"),
                _ => format!("XADD x{k} MAXLEN = 9 {part}-{} f {x}", n + 1),
            });
        }
        let (from, to) = (key(random), key(random));
        match random.below(7) {
            0 => lines.push(format!("SELECT {}", random.below(4))),
            1 => lines.push(format!("COPY s{from} s{to} DB 2 REPLACE")),
            2 => lines.push(format!("MSET s{from} a s{to} b")),
            3 => lines.push(format!("LMOVE l{from} l{to} LEFT RIGHT")),
            4 => lines.push("SWAPDB 0 1".into()),
            5 => lines.push("FLUSHDB".into()),
            _ => {
                lines.push("MULTI".into());
                lines.extend((0..random.below(300)).map(|n| format!("APPEND s{from} {n};")));
                lines.push("EXEC".into());
            }
        }
    }
    lines
}

fn log_of(lines: &[String]) -> Vec<u8> {
    log(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_log_makes_the_same_data_whatever_the_threads() {
    for seed in 0..8 {
        let mut random = Random::new(seed);
        let mut part = || log_of(&busy_log(&mut random));
        let (first, last) = (part(), part());
        let load = |threads| {
            let disk = log_disk(&first, &last);
            let server = Server::new(&disk, threads, &[]);
            server.load_log().expect("it loads");
            server.digest()
        };
        let alone = load(1);
        for threads in [2, 3, 8] {
            assert_eq!(load(threads), alone, "seed {seed}, {threads} threads");
        }
    }
}

#[test]
fn the_first_command_of_a_log_that_fails_is_named() {
    let lines = (0..20_000)
        .map(|n| format!("SET k{n} v"))
        .collect::<Vec<_>>();
    for bad in [0, 700, 9_999, 19_999] {
        let mut lines = lines.clone();
        let offset = log_of(&lines[..bad]).len();
        // One key each, and too few arguments; of other stripes and in the batches behind it, too.
        for at in (bad..lines.len()).step_by(37) {
            lines[at] = format!("SET k{at}");
        }
        for threads in [1, 2, 8] {
            let disk = log_disk(&log_of(&lines), b"");
            let server = Server::new(&disk, threads, &[]);
            let error = server.load_log().expect_err("it fails").to_string();
            assert!(
                error.ends_with(&format!("at offset {offset}")),
                "{bad}: {error}"
            );
        }
    }
}
