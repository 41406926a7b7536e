//! Random commands of one type at a time, in large numbers: their effects, replayed as they come, lead to the same dataset.
//!
//! The engine that replays has Redis's limits of packed encodings, the one that is written to has such as are met all the time. So
//! effects and digest do not depend on how a value is stored. `DUNLIN_MODEL_OPERATIONS=1000000` runs that many commands of each type.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::commands::{Request, choices, named, request};
use common::rng::Rng;
use common::world::{Dataset, World, engine};
use dunlin_engine::Engine;
use dunlin_engine::replay::Replayer;
use dunlin_store::log::Record;

/// Commands of each type, unless the environment says otherwise.
const COMMANDS: usize = 100_000;
/// Commands between two comparisons.
const COMMANDS_PER_LOOK: usize = 10_000;
/// Commands on keys of any type that take part everywhere.
const OF_ANY_TYPE: &[&str] = &[
    "copy", "del", "exec", "multi", "pexpire", "rename", "sort", "watch",
];

fn commands() -> usize {
    common::operations(COMMANDS)
}

/// Lower limits, so that values go from one encoding to another and back.
fn lower_limits(engine: &Engine) {
    let encodings = &engine.encodings;
    for limit in [&encodings.hash, &encodings.set, &encodings.zset] {
        limit.set(8, 20);
    }
    encodings.intset_entries.store(6, Ordering::Relaxed);
    encodings.list_size.store(8, Ordering::Relaxed);
    encodings.stream_entries.store(7, Ordering::Relaxed);
}

/// Runs one group's commands and compares; how many effects they had, and the encodings that were met.
fn run(group: &str, seed: u64) -> (usize, BTreeSet<String>) {
    let mut rng = Rng::new(seed);
    let engine = Arc::new(engine(64, 1, seed));
    lower_limits(&engine);
    let mut choices = choices(&engine);
    choices.retain(|command| command.group == group || OF_ANY_TYPE.contains(&command.full_name));
    let mut world = World::new(Arc::clone(&engine), 1, 1);
    let mut reader = engine.store.log.attach();
    let copy = common::world::engine(16, 1, 99);
    let mut replaying = copy.worker(0, 1);
    let (mut records, mut effects, mut encodings) = (Vec::<Record>::new(), 0, BTreeSet::new());
    for number in 1..=commands() {
        let command = if world.session(0).in_transaction() && rng.chance(20) {
            named(&engine.table, "exec")
        } else {
            rng.pick(&choices)
        };
        let request: Request = request(&mut rng, command, world.now_ms);
        world.start(0, &request);
        world.settle();
        world.reply(0);
        if rng.chance(5) {
            let ms = rng.below(1500);
            world.advance(ms, rng.chance(50));
        }
        if number % COMMANDS_PER_LOOK != 0 {
            continue;
        }
        // What is due is gone from the digest; with this, the log says so too.
        world.advance(2, true);
        records.clear();
        reader.drain(&mut records);
        let mut replayer = Replayer::new(&copy, &mut replaying);
        for record in &records {
            effects += record.effects.len();
            let done = replayer.replay(record);
            done.unwrap_or_else(|error| panic!("{group}: {error}"));
        }
        let expected = world.dataset();
        let found = Dataset::of(&copy, &mut replaying, 0);
        assert_eq!(found, expected, "{group} after {number} commands");
        encodings.extend(world.encodings().into_iter().map(|(_, encoding)| encoding));
    }
    (effects, encodings)
}

/// What a group's values must have been stored as.
fn check(group: &str, seed: u64, wanted: &[&str]) {
    let (effects, met) = run(group, seed);
    assert!(effects > commands() / 20, "{group}: {effects} effects");
    for encoding in wanted {
        assert!(met.contains(*encoding), "{group}: no {encoding}, {met:?}");
    }
}

#[test]
fn effects_of_strings() {
    check("string", 1, &["int", "embstr", "raw"]);
}

#[test]
fn effects_of_lists() {
    check("list", 2, &["listpack", "quicklist"]);
}

#[test]
fn effects_of_hashes() {
    check("hash", 3, &["listpack", "listpackex", "hashtable"]);
}

#[test]
fn effects_of_sets() {
    check("set", 4, &["intset", "listpack", "hashtable"]);
}

#[test]
fn effects_of_sorted_sets() {
    check("sorted-set", 5, &["listpack", "skiplist"]);
}

#[test]
fn effects_of_streams() {
    check("stream", 6, &["stream"]);
}

#[test]
fn effects_of_bitmaps() {
    check("bitmap", 6, &["raw"]);
}

#[test]
fn effects_of_hyperloglogs() {
    check("hyperloglog", 7, &["raw"]);
}

#[test]
fn effects_of_points() {
    check("geo", 8, &["listpack", "skiplist"]);
}
