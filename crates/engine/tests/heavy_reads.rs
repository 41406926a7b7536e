//! A heavy read answers with what was there when it came, and nobody waits for it meanwhile.

mod common;

use std::sync::Arc;

use common::world::{World, engine};
use dunlin_engine::Engine;

const ELEMENTS: usize = 30_000;
/// Of a string that takes about as long.
const TEXT_BYTES: usize = 6_000_000;
/// Each with the key that is read; another client runs the second line in between.
const READS: [&str; 19] = [
    "SMEMBERS set",
    "SUNION set small gone",
    "SINTER set set2",
    "SDIFF set small",
    "SINTERCARD 2 set set2",
    "LRANGE list 0 -1",
    "LPOS list nothere",
    "HGETALL hash",
    "ZRANGE zset 0 -1",
    "ZUNION 2 zset zset2",
    "SORT list ALPHA DESC",
    "SORT_RO set ALPHA",
    "XRANGE stream - +",
    "XREVRANGE stream + 5",
    "XREAD STREAMS stream 0",
    "XINFO STREAM stream FULL COUNT 0",
    "BITCOUNT text",
    "BITPOS text 1 1",
    "GEORADIUS points 1 1 10 km",
];

/// Two clients of an engine with one stripe, so that a stripe that stays held would keep the other one waiting.
fn world() -> World {
    let engine: Arc<Engine> = Arc::new(engine(1, 1, 1));
    let mut world = World::new(engine, 1, 2);
    let numbers = |prefix: &str, n: usize| {
        (0..n)
            .map(|i| format!("{prefix}{i}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let pairs = |n: usize| {
        (0..n)
            .map(|i| format!("{i} m{i}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for line in [
        format!("SADD set {}", numbers("m", ELEMENTS)),
        format!("SADD set2 {}", numbers("m", ELEMENTS)),
        "SADD small m1 m2 m3".to_owned(),
        format!("RPUSH list {}", numbers("e", ELEMENTS)),
        format!("HSET hash {}", pairs(ELEMENTS)),
        format!("ZADD zset {}", pairs(ELEMENTS)),
        format!("ZADD zset2 {}", pairs(ELEMENTS)),
        format!("SET text {}", "x".repeat(TEXT_BYTES)),
        format!("GEOADD points {}", numbers("1 1 m", ELEMENTS)),
    ] {
        run(&mut world, 0, &line);
    }
    for id in 1..=ELEMENTS {
        run(&mut world, 0, &format!("XADD stream {id} n {id}"));
    }
    world
}

fn start(world: &mut World, client: usize, line: &str) {
    let request = line.split(' ').map(|word| word.as_bytes().to_vec());
    world.start(client, &request.collect());
}

fn run(world: &mut World, client: usize, line: &str) -> Vec<u8> {
    start(world, client, line);
    while world.is_busy(client) {
        world.step(client);
    }
    world.reply(client)
}

#[test]
fn what_was_there_is_answered_and_nobody_waits() {
    for read in READS {
        let expected = run(&mut world(), 0, read);
        assert_ne!(expected.first(), Some(&b'-'), "{read}");
        let mut world = world();
        start(&mut world, 0, read);
        assert!(world.is_busy(0), "{read}: not heavy");
        for change in [
            "SREM set m5 m7",
            "SADD small m9",
            "DEL set2",
            "LPUSH list first",
            "LTRIM list 10 20",
            "HSET hash 5 other",
            "ZREM zset m5",
            "SETRANGE text 70000 another",
            "ZREM points m5",
            "XDEL stream 5 6",
            "XTRIM stream MAXLEN 10",
            "XADD stream * a b",
            "FLUSHALL",
        ] {
            start(&mut world, 1, change);
            assert!(!world.is_busy(1), "{read}: {change} has to wait");
            assert_ne!(world.reply(1).first(), Some(&b'-'), "{change}");
        }
        while world.is_busy(0) {
            world.step(0);
        }
        assert!(world.reply(0) == expected, "{read}");
    }
}

#[test]
fn what_others_would_see_is_held() {
    let mut world = world();
    start(&mut world, 0, "SORT list ALPHA STORE sorted");
    assert!(world.is_busy(0));
    start(&mut world, 1, "LLEN sorted");
    assert!(world.is_busy(1), "the result is not there yet");
    world.settle();
    assert_eq!(world.reply(1), format!(":{ELEMENTS}\r\n").as_bytes());
}

#[test]
fn a_key_counts_as_read_once() {
    let mut world = world();
    for (read, keys) in [
        ("SMEMBERS set", 1),
        ("SUNION set set2", 2),
        ("LRANGE list 0 -1", 1),
        ("HGETALL hash", 1),
        ("HSCAN hash 0 COUNT 30000", 1),
        ("ZRANGE zset 0 -1", 1),
        ("ZRANDMEMBER zset 30000", 1),
        ("ZRANGESTORE other zset 0 -1", 1),
    ] {
        let hits = |world: &World| world.engine.store.total(|c| &c.hits);
        let before = hits(&world);
        run(&mut world, 0, read);
        assert_eq!(hits(&world) - before, keys, "{read}");
    }
}
