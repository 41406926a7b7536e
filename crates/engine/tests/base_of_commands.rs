//! A base of commands, played: every key is what it was, of every type and encoding, whatever the limits of encodings are then.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::commands::{choices, request, words};
use common::compare::run;
use common::facts::{Times, facts};
use common::files::{base_of_commands, play};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_persist::aof::{FramerOptions, Item, Scanner};

const ROUNDS: u64 = 8;
const COMMANDS: usize = 3000;
const FAR_FUTURE_MS: u64 = 4_000_000_000_000;

const OPTIONS: FramerOptions = FramerOptions {
    checksums: true,
    timestamps: false,
};

/// Every key with its deadline and value.
fn all(world: &mut World) -> BTreeMap<(u32, Vec<u8>), (Option<u64>, String)> {
    let hasher = *world.engine.store.hasher();
    let mut all = BTreeMap::new();
    world.for_each(|db, entry| {
        let facts = facts(entry, &hasher, Times::None);
        all.insert((db, entry.key().to_vec()), (entry.deadline(), facts));
    });
    all
}

/// What another server makes of it.
fn played(world: &mut World, seed: u64) -> World {
    let base = base_of_commands(world, OPTIONS);
    let mut other = World::new(Arc::new(engine(64, 1, seed)), 1, 1);
    other.set_replaying(0);
    play(&mut other, &base);
    other
}

fn assert_same(world: &mut World, other: &mut World, case: &str) {
    let (before, after) = (all(world), all(other));
    assert!(before.len() >= 10, "{case}: there is something to compare");
    for (key, was) in &before {
        let (db, name) = (key.0, key.1.escape_ascii());
        assert_eq!(Some(was), after.get(key), "{case}: '{name}' in {db}");
    }
    assert_eq!(before.len(), after.len(), "{case}: nothing else is there");
    assert_eq!(world.dataset().digest(), other.dataset().digest(), "{case}");
}

#[test]
fn what_is_played_is_what_was_written() {
    let mut met = BTreeSet::new();
    for seed in 0..ROUNDS {
        let mut rng = Rng::new(seed + 1900);
        let writing = Arc::new(engine(64, 1, seed));
        if seed % 2 == 0 {
            common::files::set_low_limits(&writing);
        }
        let mut choices = choices(&writing);
        choices.retain(|command| {
            !["scripting", "server", "connection", "pubsub"].contains(&command.group)
                && !["flushall", "flushdb", "swapdb"].contains(&command.full_name)
        });
        let mut world = World::new(writing, 1, 1);
        for _ in 0..COMMANDS {
            let command = rng.pick(&choices);
            world.start(0, &request(&mut rng, command, FAR_FUTURE_MS));
            world.settle();
            world.reply(0);
            if rng.chance(2) && !world.session(0).in_transaction() {
                run(&mut world, &words(&format!("SELECT {}", rng.below(16))));
            }
        }
        world.for_each(|_, entry| {
            met.insert(format!("{:?}", entry.kind()));
        });
        let mut other = played(&mut world, seed + 1);
        assert_same(&mut world, &mut other, &format!("seed {seed}"));
    }
    assert_eq!(met.len(), 16, "all kinds of values: {met:?}");
}

/// What is long comes in several commands, none of which is longer than it has to be.
#[test]
fn what_is_long_comes_in_pieces() {
    let mut world = World::new(Arc::new(engine(64, 1, 3)), 1, 1);
    let mut add = |line: &str, more: Vec<Vec<u8>>| {
        let mut request = words(line);
        request.extend(more);
        run(&mut world, &request);
    };
    add("SET short", vec![vec![b'x'; 1 << 20]]);
    add("SET long", vec![b"ab".repeat(3 << 19)]);
    for i in 0..1000 {
        let name = |what: &str| format!("{what}{i}").into_bytes();
        add("RPUSH list", vec![name("element")]);
        add("RPUSH longs", vec![vec![b'x'; 5000]]);
        add("SADD set", vec![name("member")]);
        add("SADD numbers", vec![i.to_string().into_bytes()]);
        add("HSET hash", vec![name("field"), name("value")]);
        add(
            "ZADD zset",
            vec![(f64::from(i) / 7.0).to_string().into(), name("member")],
        );
        add("HSET timed", vec![name("field"), name("value")]);
        if i % 3 == 0 {
            let at = (FAR_FUTURE_MS + i as u64).to_string();
            add(
                &format!("HPEXPIREAT timed {at} FIELDS 1"),
                vec![name("field")],
            );
        }
    }
    add("PEXPIREAT list 4000000000001", vec![]);
    add("ZADD infinite inf a -inf b 0.1 c 1e-300 d 3 e", vec![]);
    let mut other = played(&mut world, 4);
    assert_same(&mut world, &mut other, "long values");

    let base = base_of_commands(&mut world, OPTIONS);
    let (mut scanner, mut names) = (Scanner::new(&base[..], 0), BTreeMap::new());
    loop {
        match scanner.next().expect("a sound file") {
            Item::Eof => break,
            Item::Command(command) => {
                let name = String::from_utf8_lossy(command.arg(0)).into_owned();
                *names.entry(name).or_insert(0) += 1;
                let items = if command.arg(0) == b"RPUSH" { 64 } else { 128 };
                assert!(command.len() <= 2 + items, "{} arguments", command.len());
                assert!(command.bytes.len() < (1 << 20) + 100);
            }
            Item::Annotation(line) => {
                let len = line.rsplit(|byte| *byte == b':').next().expect("a piece");
                let len = u64::from_str_radix(&String::from_utf8_lossy(len), 16);
                assert!(
                    len.expect("a length") < (1 << 20) + (256 << 10),
                    "a batch is short"
                );
            }
            Item::Timestamp(_) => panic!("none was wanted"),
        }
    }
    // 16 for a thousand short elements, 77 for those of which 13 make 64 KiB.
    let expected = [
        ("APPEND", 47),
        ("HPEXPIREAT", 334),
        ("HSET", 32),
        ("PEXPIREAT", 1),
        ("RPUSH", 16 + 72),
        ("SADD", 32),
        ("SELECT", 1),
        ("SET", 2),
        ("ZADD", 17),
    ];
    let names: Vec<_> = names.iter().map(|(name, n)| (&**name, *n)).collect();
    assert_eq!(names, expected);
}

/// What is pending stays pending, though its entries are gone: deleted between others, or trimmed before the first.
#[test]
fn pending_entries_that_are_gone() {
    for emptied in [false, true] {
        let mut world = World::new(Arc::new(engine(64, 1, 3)), 1, 1);
        let mut lines: Vec<String> = (1..=12).map(|i| format!("XADD s {i}-1 f v{i}")).collect();
        lines.extend(
            [
                "XGROUP CREATE s g 0",
                "XGROUP CREATE s other 4-1",
                "XREADGROUP GROUP g alice COUNT 8 STREAMS s >",
                "XREADGROUP GROUP other bob COUNT 3 STREAMS s >",
                "XGROUP CREATECONSUMER s g idle",
                "XTRIM s MAXLEN 9",
                "XDEL s 6-1",
            ]
            .map(str::to_owned),
        );
        if emptied {
            lines.push("XTRIM s MAXLEN 0".to_owned());
        }
        // Something else for the comparison to have enough.
        lines.extend((0..12).map(|i| format!("SET k{i} v")));
        for line in lines {
            run(&mut world, &words(&line));
        }
        let mut other = played(&mut world, 4);
        assert_same(&mut world, &mut other, &format!("emptied: {emptied}"));
    }
}
