//! The effects of random string commands, carried out again in an empty engine, give the same dataset.

mod strings_common;

use dunlin_engine::replay::Replayer;
use dunlin_engine::testing::Console;
use dunlin_store::log::Record;
use strings_common::{Numbers, digest, dump, engine};

const WORKLOADS: u64 = 100;
const COMMANDS: u64 = 400;
const KEYS: u64 = 20;
const DATABASES: u64 = 4;

fn word(numbers: &mut Numbers) -> Vec<u8> {
    match numbers.below(5) {
        0 | 1 => (numbers.next() as i64 >> numbers.below(64))
            .to_string()
            .into_bytes(),
        2 => format!("{}.{}", numbers.below(1000), numbers.below(1000)).into_bytes(),
        3 if numbers.one_in(20) => vec![b'x'; 65_000 + numbers.below(2000) as usize],
        _ => vec![b'a'; numbers.below(60) as usize],
    }
}

/// A command on random keys; many of them fail, which must leave no effect.
fn command(numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let key = |n: &mut Numbers| format!("k{}", n.below(KEYS)).into_bytes();
    let ms = |n: &mut Numbers| (1 + n.below(50)).to_string().into_bytes();
    let name = |s: &str| s.as_bytes().to_vec();
    let (k, w) = (key(numbers), word(numbers));
    match numbers.below(22) {
        0 => vec![name("SET"), k, w],
        1 => vec![name("SET"), k, w, name("PX"), ms(numbers)],
        2 => vec![name("SET"), k, w, name("KEEPTTL"), name("GET")],
        3 => vec![
            name("SET"),
            k,
            w,
            name(if numbers.one_in(2) { "NX" } else { "XX" }),
            name("EX"),
            ms(numbers),
        ],
        4 => vec![name("SETNX"), k, w],
        5 => vec![name("PSETEX"), k, ms(numbers), w],
        6 => vec![name("GETSET"), k, w],
        7 => vec![name("APPEND"), k, w],
        8 => vec![
            name("SETRANGE"),
            k,
            numbers.below(70_000).to_string().into_bytes(),
            w,
        ],
        9 | 10 => vec![name("INCR"), k],
        11 => vec![name("DECRBY"), k, w],
        12..15 => vec![name("INCRBYFLOAT"), k, w],
        15 => vec![name("GETDEL"), k],
        16 => vec![name("GETEX"), k, name("PX"), ms(numbers)],
        17 => vec![name("GETEX"), k, name("PERSIST")],
        18 => vec![name("GETEX"), k, name("PXAT"), name("1")],
        19 => vec![
            name("MSET"),
            k,
            w,
            key(numbers),
            word(numbers),
            key(numbers),
            word(numbers),
        ],
        20 => vec![name("MSETNX"), k, w, key(numbers), word(numbers)],
        _ => vec![name("DEL"), k],
    }
}

fn run_workload(console: &mut Console, numbers: &mut Numbers) {
    for _ in 0..COMMANDS {
        console.session(1).db = numbers.below(DATABASES) as u32;
        let transaction = numbers.one_in(20);
        if transaction {
            console.call(1, &[b"MULTI"]);
        }
        for _ in 0..if transaction { numbers.below(6) } else { 1 } {
            let args = command(numbers);
            console.call(1, &args.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        if transaction {
            console.call(1, &[b"EXEC"]);
        }
        if numbers.one_in(10) {
            console.advance_ms(numbers.below(20));
        }
        if numbers.one_in(50) {
            console.expire();
        }
    }
    console.expire();
}

#[test]
fn a_replayed_log_gives_the_same_dataset() {
    let mut effects = 0;
    for seed in 0..WORKLOADS {
        let original = engine();
        let mut reader = original.store.log.attach();
        let mut console = Console::new(original.clone());
        run_workload(&mut console, &mut Numbers(seed));
        let mut records: Vec<Record> = Vec::new();
        reader.drain(&mut records);
        effects += records.iter().map(|r| r.effects.len()).sum::<usize>();
        let copy = engine();
        let mut worker = copy.worker(0, 1);
        let mut replayer = Replayer::new(&copy, &mut worker);
        for record in &records {
            replayer
                .replay(record)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        assert_eq!(dump(&copy), dump(&original), "seed {seed}");
        assert_eq!(digest(&copy), digest(&original), "seed {seed}");
    }
    assert!(effects > 10_000, "{effects}");
}

/// What was refused, or changed nothing, is not in the log.
#[test]
fn no_change_no_effect() {
    let original = engine();
    let mut reader = original.store.log.attach();
    let mut console = Console::new(original.clone());
    console.run("SET k v; SET n 1");
    let mut records = Vec::new();
    reader.drain(&mut records);
    assert_eq!(records.len(), 2);
    console.run(
        "GET k; SET k w NX; SET j w XX; SETNX k w; INCR k; INCRBYFLOAT k 1; SETRANGE k 0 \"\"; GETEX k; GETEX k PERSIST; \
         GETDEL j; MSETNX j 1 k 2; MSET a; SETEX k 0 v; SETRANGE k -1 v; MGET k n; GETRANGE k 0 1; STRLEN k",
    );
    records.clear();
    reader.drain(&mut records);
    assert!(records.is_empty(), "{records:?}");
}

/// The effects themselves: absolute times, results instead of computations.
#[test]
fn effects_are_deterministic() {
    let original = engine();
    let mut reader = original.store.log.attach();
    let mut console = Console::new(original.clone());
    let mut check = |script: &str, expected: &[&str]| {
        console.run(script);
        let mut records = Vec::new();
        reader.drain(&mut records);
        let shown: Vec<String> = records
            .iter()
            .flat_map(|r| {
                r.iter()
                    .map(|(_, bytes)| bytes.to_vec())
                    .collect::<Vec<_>>()
            })
            .map(|bytes| {
                // Every second line of an encoded command is an argument.
                let text = String::from_utf8(bytes).expect("text");
                text.split("\r\n")
                    .skip(2)
                    .step_by(2)
                    .collect::<Vec<_>>()
                    .join(" ")
                    .trim_end()
                    .to_owned()
            })
            .collect();
        assert_eq!(shown, expected, "{script}");
    };
    check("SET k v EX 10", &["SET k v PXAT 1700000010000"]);
    check(
        "SETEX k 1 v; PSETEX k 5 v",
        &["SET k v PXAT 1700000001000", "SET k v PXAT 1700000000005"],
    );
    check("+5ms; GET k", &["DEL k"]);
    check("SET k 1 NX GET", &["SET k 1"]);
    check(
        "INCRBYFLOAT k 0.5; GETSET k 7",
        &["SET k 1.5 KEEPTTL", "SET k 7"],
    );
    check("SETNX j 1; GETDEL j", &["SET j 1", "DEL j"]);
    check(
        "GETEX k EX 1; GETEX k PERSIST",
        &["PEXPIREAT k 1700000001005", "PERSIST k"],
    );
    check("GETEX k PXAT 1", &["DEL k"]);
    check(
        "SET b v PX 1; +1ms; MSET a 1 b 2",
        &["SET b v PXAT 1700000000006", "DEL b", "MSET a 1 b 2"],
    );
}
