//! RESTORE in the log: replayed into an empty engine it leads to the same dataset, whatever its options were.

mod common;

use std::sync::Arc;

use common::commands::{Request, words};
use common::compare::run;
use common::genuine::decode;
use common::world::{World, engine, replayed};
use dunlin_resp::Value;
use dunlin_store::log::Record;

fn dump(world: &mut World, key: &str) -> Vec<u8> {
    world.start(0, &words(&format!("DUMP {key}")));
    world.settle();
    match decode(&world.reply(0)) {
        Value::Bulk(payload) => payload,
        other => panic!("DUMP {key}: {other:?}"),
    }
}

fn restore(key: &str, ttl: &str, payload: &[u8], options: &str) -> Request {
    let mut request = words(&format!("RESTORE {key} {ttl} p {options}"));
    request[3] = payload.to_vec();
    request
}

#[test]
fn is_the_same_again() {
    let engine = Arc::new(engine(16, 1, 3));
    let mut world = World::new(Arc::clone(&engine), 1, 1);
    let mut reader = engine.store.log.attach();
    for line in [
        "SET string some-text",
        "RPUSH list a b 1",
        "SADD set a b 2",
        "HSET hash f v g w",
        "HSET timed f v g w",
        "HPEXPIREAT timed 4000000000000 FIELDS 1 f",
        "ZADD zset 1 a 2.5 b",
        "XADD stream 1-1 f v",
        "XGROUP CREATE stream g 0",
        "XREADGROUP GROUP g alice STREAMS stream >",
    ] {
        run(&mut world, &words(line));
    }
    let far_ms = "4000000000000";
    for key in ["string", "list", "set", "hash", "timed", "zset", "stream"] {
        let payload = dump(&mut world, key);
        for (to, ttl, options) in [
            ("plain", "0", "REPLACE"),
            ("relative", "100000", "REPLACE IDLETIME 5"),
            ("absolute", far_ms, "ABSTTL REPLACE FREQ 5"),
            // Goes, since its deadline is past.
            ("gone", "0", "REPLACE"),
            ("gone", "1", "ABSTTL REPLACE"),
        ] {
            run(&mut world, &restore(to, ttl, &payload, options));
        }
        run(&mut world, &words(&format!("COPY plain copy-of-{key}")));
    }
    let mut records: Vec<Record> = Vec::new();
    reader.drain(&mut records);
    let dataset = world.dataset();
    assert_eq!(replayed(&records, 4).as_ref(), Ok(&dataset));
    let shown = format!("{dataset:?}");
    assert!(
        shown.contains("copy-of-timed") && !shown.contains("gone"),
        "{shown}"
    );
}
