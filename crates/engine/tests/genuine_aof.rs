//! Logs of ours, loaded by a genuine redis-server and looked at by its redis-check-aof: base, increments, manifest, checksums, timestamps.
//! And logs of its, played by our engine.
//!
//! Skipped, with the reason printed, where there is no server, see `common/genuine.rs`.

// The engine itself may neither wait nor talk to the world; this test's business is to do both.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::commands::{choices, named, request, words};
use common::compare::{Dir, compare_values};
use common::files::{play, rdb};
use common::genuine::{Genuine, program};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_engine::command::Flags;
use dunlin_persist::aof::{Framer, FramerOptions, Manifest};
use dunlin_persist::rdb::EncodeOptions;
use dunlin_resp::Value;
use dunlin_store::log::Record;

/// Deadlines lie beyond this, a time that neither clock reaches.
const FAR_FUTURE_MS: u64 = 4_000_000_000_000;
const ROUNDS: u64 = 4;
const COMMANDS: usize = 2000;
const NAME: &str = "appendonly.aof";

/// Commands whose effects are about deadlines that pass meanwhile, or that 7.2 does not have.
const LEFT_OUT: &[&str] = &["expire", "pexpire", "psetex", "setex"];

const GROUPS: &[&str] = &[
    "string",
    "generic",
    "transactions",
    "hash",
    "list",
    "set",
    "sorted-set",
    "stream",
    "bitmap",
    "hyperloglog",
    "geo",
];

/// Runs random commands.
fn run(world: &mut World, rng: &mut Rng, count: usize) {
    let mut choices = choices(&world.engine);
    choices.retain(|command| {
        GROUPS.contains(&command.group)
            && !command.since.starts_with("7.4")
            && !LEFT_OUT.contains(&command.full_name)
    });
    choices.extend([named(&world.engine.table, "select"); 4]);
    let exec = named(&world.engine.table, "exec");
    for _ in 0..count {
        let is_over = world.session(0).in_transaction() && rng.chance(20);
        let command = if is_over { exec } else { rng.pick(&choices) };
        let request = request(rng, command, FAR_FUTURE_MS);
        if request.iter().any(|arg| arg == b"EX" || arg == b"PX") {
            continue;
        }
        world.start(0, &request);
        world.settle();
        world.reply(0);
    }
}

/// An increment of these records, a few in each batch.
fn increment(rng: &mut Rng, records: &[Record], unix_s: u64) -> Vec<u8> {
    let mut framer = Framer::new(FramerOptions {
        checksums: true,
        timestamps: true,
    });
    let (mut out, mut rest) = (Vec::new(), records);
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(rest.len().min(1 + rng.below(20) as usize));
        framer.begin(&mut out, unix_s + rng.below(100));
        batch
            .iter()
            .for_each(|record| framer.record(record.as_ref(), &mut out));
        framer.end(&mut out);
        rest = later;
    }
    out
}

#[test]
fn logs_are_loaded_and_checked() {
    for seed in 0..ROUNDS {
        let mut rng = Rng::new(seed + 500);
        let mut world = World::new(Arc::new(engine(64, 1, seed)), 1, 1);
        run(&mut world, &mut rng, COMMANDS);
        let dir = Dir::new(&format!("aof-{seed}"));
        let log = dir.path().join("appendonlydir");
        std::fs::create_dir_all(&log).expect("a directory for the log");
        let mut manifest = Manifest::new();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(log.join(name), bytes).expect("a file of the log");
        };
        let options = EncodeOptions {
            version: 10,
            compress: true,
        };
        write(manifest.new_base(NAME, true), &rdb(&mut world, options));
        let engine = Arc::clone(&world.engine);
        let mut reader = engine.store.log.attach();
        for _ in 0..2 {
            run(&mut world, &mut rng, COMMANDS / 2);
            let mut records = Vec::new();
            reader.drain(&mut records);
            assert!(records.len() > 20, "{} records", records.len());
            let bytes = increment(&mut rng, &records, 1_700_000_000);
            write(manifest.new_increment(NAME), &bytes);
        }
        write(&Manifest::file_name(NAME), manifest.format().as_bytes());
        let Some(mut genuine) = Genuine::start_in(dir.path(), &["--appendonly", "yes"]) else {
            return;
        };
        compare_values(&mut world, &mut genuine, &format!("seed {seed}"));
        let Value::Simple(theirs) = genuine.type_in("DEBUG DIGEST") else {
            panic!("DEBUG is enabled")
        };
        let ours = world.dataset();
        assert_eq!(
            ours.digest(),
            String::from_utf8_lossy(&theirs),
            "seed {seed}"
        );
        let checked = Command::new(program())
            .arg0("redis-check-aof")
            .arg(log.join(Manifest::file_name(NAME)))
            .stdin(Stdio::null())
            .output()
            .expect("the server's program");
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{said}");
        assert_eq!(said.matches("INCR AOF appendonly.aof").count(), 2, "{said}");
    }
}

#[test]
fn logs_of_redis_are_played() {
    for seed in 0..ROUNDS {
        let mut rng = Rng::new(seed + 700);
        let dir = Dir::new(&format!("aof-theirs-{seed}"));
        // Files of commands only: dumps have a test of their own.
        let args = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no"];
        let Some(mut genuine) = Genuine::start_in(dir.path(), &args) else {
            return;
        };
        let table = engine(1, 1, 1);
        let mut choices = choices(&table);
        choices.retain(|command| {
            GROUPS.contains(&command.group)
                && !command.since.starts_with("7.4")
                && !command.flags.has(Flags::BLOCKING)
                && !LEFT_OUT.contains(&command.full_name)
        });
        choices.extend([named(&table.table, "select"); 4]);
        let mut send = |genuine: &mut Genuine, count: usize| {
            for _ in 0..count {
                let command = rng.pick(&choices);
                let request = request(&mut rng, command, FAR_FUTURE_MS);
                // A range by bytes among different scores is whatever the encoding makes of it, and Redis logs it as it came. Nor does it log
                // a BITFIELD that overflows and so makes a string longer only.
                let is_unclear = |arg: &Vec<u8>| {
                    [&b"EX"[..], b"PX", b"BYLEX", b"zremrangebylex", b"bitfield"].contains(&&**arg)
                };
                if !request.iter().any(is_unclear) {
                    genuine.call(&request);
                }
            }
            // What was begun is done, and a transaction that was refused is given up.
            genuine.type_in("EXEC");
        };
        send(&mut genuine, COMMANDS);
        genuine.type_in("BGREWRITEAOF");
        let is_rewriting = |genuine: &mut Genuine| {
            let Value::Bulk(info) = genuine.type_in("INFO persistence") else {
                panic!("INFO answers text")
            };
            let info = String::from_utf8_lossy(&info);
            !info.contains("aof_rewrite_in_progress:0") || !info.contains("aof_rewrite_scheduled:0")
        };
        while is_rewriting(&mut genuine) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        send(&mut genuine, COMMANDS / 2);
        let Value::Simple(theirs) = genuine.type_in("DEBUG DIGEST") else {
            panic!("DEBUG is enabled")
        };
        genuine.type_in("CONFIG SET appendonly no");
        let log = dir.path().join("appendonlydir");
        let manifest = std::fs::read(log.join(Manifest::file_name(NAME))).expect("a manifest");
        let manifest = Manifest::parse(&manifest).expect("a sound manifest");
        let mut world = World::new(Arc::new(engine(64, 1, seed)), 1, 1);
        world.set_replaying(0);
        let mut commands = 0;
        for file in manifest.files() {
            let bytes = std::fs::read(log.join(&file.name)).expect("a file of the log");
            // Each file begins in database 0.
            world.start(0, &words("SELECT 0"));
            world.reply(0);
            commands += play(&mut world, &bytes);
        }
        assert!(commands > 20, "{commands} commands");
        compare_values(&mut world, &mut genuine, &format!("seed {seed}"));
        let theirs = String::from_utf8_lossy(&theirs).into_owned();
        assert_eq!(world.dataset().digest(), theirs, "seed {seed}");
    }
}
