//! Effects are the whole truth: replayed into an empty engine they give the same dataset.
//!
//! Random workloads of all commands there are, over 16 databases, with transactions, deadlines, steps and waits.

mod common;

use std::sync::Arc;

use common::commands::{Request, choices, named, request, words};
use common::rng::Rng;
use common::world::{World, engine, replayed};
use dunlin_engine::command::Command;
use dunlin_store::log::Record;

const WORKLOADS: u64 = 1000;
const CLIENTS: usize = 6;
const WORKERS: usize = 2;
const MOVES: usize = 300;

/// What one workload did, so that the test can show that it did something.
#[derive(Default)]
struct Seen {
    records: usize,
    effects: usize,
    transactions: usize,
    parked: usize,
    keys: u64,
}

#[test]
fn effects_replayed_into_an_empty_engine_give_the_same_digest() {
    let mut seen = Seen::default();
    for seed in 0..WORKLOADS {
        workload(seed, &mut seen);
    }
    // Had the workloads not written, waited and batched, equal digests would mean little.
    assert!(seen.effects > 20 * WORKLOADS as usize, "{}", seen.effects);
    assert!(
        seen.transactions > WORKLOADS as usize / 4,
        "{}",
        seen.transactions
    );
    assert!(seen.parked > WORKLOADS as usize, "{}", seen.parked);
    assert!(seen.keys > 3 * WORKLOADS, "{}", seen.keys);
    assert!(seen.records > 10 * WORKLOADS as usize, "{}", seen.records);
}

fn workload(seed: u64, seen: &mut Seen) {
    let mut rng = Rng::new(seed);
    let engine = Arc::new(engine(64, WORKERS, seed));
    let choices = choices(&engine);
    let mut world = World::new(Arc::clone(&engine), WORKERS, CLIENTS);
    let mut reader = engine.store.log.attach();
    for _ in 0..MOVES {
        a_move(&mut rng, &mut world, &choices);
    }
    world.settle();
    // What is due is gone from the digest; with this, the log says so too. A stripe that was busy is tried again
    // a millisecond later.
    world.advance(2, true);
    let mut records: Vec<Record> = Vec::new();
    reader.drain(&mut records);
    drop(reader);
    let expected = world.dataset();
    let found = replayed(&records, 16).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    assert_eq!(found, expected, "seed {seed}");
    seen.records += records.len();
    seen.effects += records.iter().map(|r| r.effects.len()).sum::<usize>();
    seen.transactions += records.iter().filter(|r| r.effects.len() > 1).count();
    seen.parked += world.parked;
    seen.keys += (0..16).map(|db| engine.store.len(db)).sum::<u64>();
}

/// Someone does something.
fn a_move(rng: &mut Rng, world: &mut World, choices: &[&'static Command]) {
    let client = rng.below(CLIENTS as u64) as usize;
    match rng.below(100) {
        0..4 => world.advance(rng.below(1500), rng.chance(50)),
        4..12 => world.block(rng),
        12..24 => world.unblock(),
        _ if world.is_busy(client) => world.step(client),
        _ => {
            let request = next_request(rng, world, client, choices);
            world.start(client, &request);
        }
    }
}

fn next_request(
    rng: &mut Rng,
    world: &World,
    client: usize,
    choices: &[&'static Command],
) -> Request {
    let command = if world.session(client).in_transaction() && rng.chance(20) {
        named(&world.engine.table, "exec")
    } else {
        rng.pick(choices)
    };
    request(rng, command, world.now_ms)
}

#[test]
fn the_log_of_a_transaction_is_one_record() {
    let engine = Arc::new(engine(64, 1, 1));
    let mut world = World::new(Arc::clone(&engine), 1, 1);
    let mut reader = engine.store.log.attach();
    for line in [
        "MULTI",
        "SET a 1 PX 100",
        "SELECT 2",
        "SET b 1",
        "DEL nothing",
        "RENAME b c",
        "GET c",
        "EXEC",
    ] {
        world.start(0, &words(line));
    }
    let mut records = Vec::new();
    reader.drain(&mut records);
    assert_eq!(records.len(), 1);
    let effects: Vec<(u32, String)> = records[0]
        .iter()
        .map(|(db, bytes)| (db, one_line(bytes)))
        .collect();
    let expected = [
        (0, "SET a 1 PXAT 1700000000100"),
        (2, "SET b 1"),
        (2, "RENAME b c"),
    ];
    assert_eq!(
        effects,
        expected.map(|(db, effect)| (db, effect.to_owned()))
    );
}

/// Commands too long for a worker are not too long for the log.
#[test]
fn heavy_commands_are_replayed() {
    let engine = Arc::new(engine(64, 1, 1));
    let mut world = World::new(Arc::clone(&engine), 1, 1);
    let mut reader = engine.store.log.attach();
    let pairs = (0..15_000).flat_map(|i| [format!("k{i}"), i.to_string()]);
    let request: Request = std::iter::once("MSET".to_owned())
        .chain(pairs)
        .map(String::into_bytes)
        .collect();
    world.start(0, &request);
    assert!(world.is_busy(0), "it waits for the auxiliary thread");
    world.settle();
    assert_eq!(world.reply(0), b"+OK\r\n");
    let mut records = Vec::new();
    reader.drain(&mut records);
    assert_eq!(
        replayed(&records, 16).expect("a log that replays"),
        world.dataset()
    );
}

/// The effects of commands, as documented: absolute times, deletions by name.
#[test]
fn effects_are_deterministic() {
    for (script, expected) in [
        (
            &["SET k v", "EXPIRE k 10"][..],
            "SET k v | PEXPIREAT k 1700000010000",
        ),
        (
            &["SET k v", "EXPIREAT k 1700000001"],
            "SET k v | PEXPIREAT k 1700000001000",
        ),
        (&["SET k v", "EXPIRE k -1"], "SET k v | DEL k"),
        (&["SET k v", "EXPIRE k 10 XX"], "SET k v"),
        (
            &["SET k v PX 5", "PERSIST k", "PERSIST k"],
            "SET k v PXAT 1700000000005 | PERSIST k",
        ),
        (&["SET k v", "UNLINK k nothing"], "SET k v | DEL k"),
        (
            &["SET k v", "COPY k l DB 3 REPLACE"],
            "SET k v | COPY k l DB 3 REPLACE",
        ),
        (
            &["SET k v", "RENAMENX k l", "RENAMENX l l"],
            "SET k v | RENAMENX k l",
        ),
        (&["SET k v", "MOVE k 1", "MOVE k 1"], "SET k v | MOVE k 1"),
        (
            &["FLUSHDB ASYNC", "FLUSHALL", "SWAPDB 0 3"],
            "FLUSHDB | FLUSHALL | SWAPDB 0 3",
        ),
        (
            &[
                "XADD s * a 1",
                "XADD s MAXLEN ~ 1 LIMIT 7 1700000000001 b 2",
                "XADD s 1700000000001-* c 3",
                "XADD s NOMKSTREAM MINID = 1700000000000-1 * d 4",
                "XTRIM s MAXLEN ~ 9",
                "XTRIM s MINID ~ 1700000000009",
                "XTRIM s MAXLEN 1",
                "XADD nothing NOMKSTREAM * a 1",
            ],
            "XADD s 1700000000000-0 a 1 | XADD s MAXLEN = 2 1700000000001-0 b 2 | XADD s 1700000000001-1 c 3 | \
             XADD s NOMKSTREAM MINID = 1700000000000-1 1700000000001-2 d 4 | \
             XTRIM s MINID = 18446744073709551615-18446744073709551615",
        ),
        (
            &[
                "XADD s 1 a 1",
                "XADD s 2 a 2",
                "XGROUP CREATE s g 0",
                "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
                "XREADGROUP GROUP g c NOACK STREAMS s >",
                "XREADGROUP GROUP g c STREAMS s 0",
                "XREADGROUP GROUP g c STREAMS s >",
                "XGROUP CREATECONSUMER s g c",
            ],
            "XADD s 1-0 a 1 | XADD s 2-0 a 2 | XGROUP CREATE s g 0 | XGROUP CREATECONSUMER s g c | \
             XCLAIM s g c 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0 | XGROUP SETID s g 1-0 ENTRIESREAD 1 | \
             XGROUP SETID s g 2-0 ENTRIESREAD 2",
        ),
        (
            &[
                "XADD s 1 a 1",
                "XGROUP CREATE s g 1",
                "XCLAIM s g d 0 1 FORCE LASTID 5",
                "XCLAIM s g d 0 9 LASTID 6",
                "XDEL s 1 9",
                "XAUTOCLAIM s g e 0 0",
                "XACK s g 1",
                "XGROUP DELCONSUMER s g e",
                "XGROUP DELCONSUMER s g e",
                "XGROUP DESTROY s nothing",
            ],
            "XADD s 1-0 a 1 | XGROUP CREATE s g 1 | XGROUP CREATECONSUMER s g d | \
             XCLAIM s g d 0 1-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 5-0 | XGROUP SETID s g 6-0 ENTRIESREAD -1 | \
             XDEL s 1 9 | XGROUP CREATECONSUMER s g e | \
             XCLAIM s g d 0 1-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 6-0 | XGROUP DELCONSUMER s g e",
        ),
        (
            &[
                "HSET h a 1 b 2 c 3 d 4",
                "HEXPIRE h 1 FIELDS 3 a b nothing",
                "HINCRBY h a 1",
                "HINCRBY h c 1",
                "HPERSIST h FIELDS 2 b c",
                "HPEXPIREAT h 1 FIELDS 2 c x",
                "SETBIT k 1 1",
                "SETBIT k 1 1",
                "PFADD p a",
                "PFCOUNT p",
                "PFCOUNT p",
                "GEOADD g CH 13.361389 38.115556 Palermo",
            ],
            "HSET h a 1 b 2 c 3 d 4 | HPEXPIREAT h 1700000001000 FIELDS 2 a b | HSET h a 2 | HPEXPIREAT h 1700000001000 FIELDS 1 a | \
             HSET h c 4 | HPERSIST h FIELDS 1 b | HDEL h c | SETBIT k 1 1 | PFADD p a | PFCOUNT p | \
             ZADD g CH 3479099956230698 Palermo",
        ),
        (
            &[
                "TOUCH k",
                "TTL k",
                "KEYS *",
                "SCAN 0",
                "RANDOMKEY",
                "COPY k l",
            ],
            "",
        ),
    ] {
        let engine = Arc::new(engine(64, 1, 1));
        let mut world = World::new(Arc::clone(&engine), 1, 1);
        let mut reader = engine.store.log.attach();
        for line in script {
            world.start(0, &words(line));
            world.settle();
        }
        let mut records = Vec::new();
        reader.drain(&mut records);
        let lines: Vec<String> = records
            .iter()
            .flat_map(Record::iter)
            .map(|(_, bytes)| one_line(bytes))
            .collect();
        assert_eq!(lines.join(" | "), expected, "{script:?}");
    }
}

/// An encoded command as a line of words.
fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text
        .split("\r\n")
        // Lengths are left out; a lone `$` is an argument.
        .filter(|part| !part.is_empty() && (*part == "$" || !part.starts_with(['*', '$'])))
        .collect();
    words.join(" ")
}
