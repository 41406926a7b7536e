//! Dump files and payloads of a genuine redis-server, read by us: the same DEBUG DIGEST, encodings, groups of streams; and the encodings
//! that no redis-server writes any more, of our own bytes, which both load.
//!
//! Skipped, with the reason printed, where there is no server, see `common/genuine.rs`.

mod common;

use std::sync::Arc;

use common::commands::{Request, choices, request, words};
use common::compare::{Dir, compare_streams, compare_values, run};
use common::facts::Times;
use common::files::set_low_limits;
use common::genuine::{Genuine, decode};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_engine::Engine;
use dunlin_persist::rdb::types::kind;
use dunlin_persist::rdb::{Item, RawKey, Scanner, crc64};
use dunlin_resp::Value;

/// Deadlines lie beyond this, a time that neither clock reaches.
const FAR_FUTURE_MS: u64 = 4_000_000_000_000;
const ROUNDS: u64 = 6;
const COMMANDS: usize = 3000;

/// Groups whose commands fill the keyspace.
const GROUPS: &[&str] = &[
    "string",
    "generic",
    "hash",
    "list",
    "set",
    "sorted-set",
    "stream",
    "bitmap",
    "hyperloglog",
    "geo",
];

/// Commands that leave little, those that set deadlines which are over soon, and those that wait.
const LEFT_OUT: &[&str] = &[
    "expire", "flushall", "flushdb", "pexpire", "psetex", "setex", "swapdb",
];

/// What a payload of DUMP with this value is.
fn payload(kind: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend(value);
    payload.extend(version.to_le_bytes());
    payload.extend(crc64(&payload).to_le_bytes());
    payload
}

fn restore(key: &[u8], deadline_ms: u64, payload: Vec<u8>) -> Request {
    let mut request = words("RESTORE k t p REPLACE ABSTTL");
    request[1] = key.to_vec();
    request[2] = deadline_ms.to_string().into_bytes();
    request[3] = payload;
    request
}

/// Puts what a file holds into the world; the types of its values, each once.
fn load(world: &mut World, file: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    let mut scanner = Scanner::open(file).expect("a file of redis-server");
    loop {
        let version = scanner.version();
        match scanner.next().expect("a file of redis-server") {
            Item::Eof => break,
            Item::Key(raw) => {
                if !kinds.contains(&raw.kind) {
                    kinds.push(raw.kind);
                }
                let RawKey {
                    db,
                    deadline_ms,
                    key,
                    value,
                    ..
                } = raw;
                run(world, &words(&format!("SELECT {db}")));
                let payload = payload(raw.kind, value, version);
                run(world, &restore(&key, deadline_ms.unwrap_or(0), payload));
            }
            _ => {}
        }
    }
    assert_eq!(scanner.offset(), file.len() as u64);
    kinds.sort_unstable();
    kinds
}

/// Packed forms are left as soon as this.
fn set_small_limits(engine: &Engine, genuine: &mut Genuine) {
    set_low_limits(engine);
    for setting in [
        "hash-max-listpack-entries 4",
        "hash-max-listpack-value 20",
        "zset-max-listpack-entries 4",
        "zset-max-listpack-value 20",
        "set-max-intset-entries 3",
        "list-max-listpack-size 3",
        "stream-node-max-entries 3",
        // Not known to 7.0.
        "set-max-listpack-entries 4",
        "set-max-listpack-value 20",
    ] {
        genuine.type_in(&format!("CONFIG SET {setting}"));
    }
}

/// Lets the server save, loads that, and compares; the types of values that there were.
fn check(world: &mut World, genuine: &mut Genuine, dir: &Dir, case: &str) -> Vec<u8> {
    genuine.type_in("DISCARD");
    assert_eq!(
        genuine.type_in("SAVE"),
        Value::Simple(b"OK".to_vec()),
        "{case}"
    );
    let file = std::fs::read(dir.path().join("dump.rdb")).expect("it was saved");
    let kinds = load(world, &file);
    compare_values(world, genuine, case);
    let Value::Simple(theirs) = genuine.type_in("DEBUG DIGEST") else {
        panic!("DEBUG is enabled")
    };
    let ours = world.dataset();
    assert_eq!(ours.digest(), String::from_utf8_lossy(&theirs), "{case}");
    compare_streams(world, genuine, Times::All, case);
    if genuine.is_7_2() {
        compare_encodings(world, genuine, case);
    }
    exchange_dumps(world, genuine, case);
    kinds
}

/// OBJECT ENCODING of all keys, after the server has loaded its own file, too.
fn compare_encodings(world: &mut World, genuine: &mut Genuine, case: &str) {
    genuine.type_in("DEBUG RELOAD NOSAVE");
    let mut ours = Vec::new();
    world.for_each(|db, entry| {
        let encoding = entry.kind().encoding_name();
        ours.push((db, entry.key().to_vec(), encoding));
    });
    for (db, key, encoding) in ours {
        genuine.type_in(&format!("SELECT {db}"));
        let shown = key.escape_ascii().to_string();
        let theirs = genuine.call(&vec![b"OBJECT".to_vec(), b"ENCODING".to_vec(), key]);
        let ours = Value::Bulk(encoding.as_bytes().to_vec());
        assert_eq!(ours, theirs, "{case}: {shown}");
    }
}

/// Our DUMP restored there and theirs restored here: the values stay what they are.
fn exchange_dumps(world: &mut World, genuine: &mut Genuine, case: &str) {
    let mut keys = Vec::new();
    world.for_each(|db, entry| keys.push((db, entry.key().to_vec(), entry.deadline())));
    for (db, key, deadline) in keys {
        let select = words(&format!("SELECT {db}"));
        genuine.call(&select);
        run(world, &select);
        let dump = vec![b"DUMP".to_vec(), key.clone()];
        world.start(0, &dump);
        world.settle();
        let Value::Bulk(ours) = decode(&world.reply(0)) else {
            panic!("a payload")
        };
        let Value::Bulk(theirs) = genuine.call(&dump) else {
            panic!("a payload")
        };
        let deadline = deadline.unwrap_or(0);
        run(world, &restore(&key, deadline, theirs));
        // 7.0 does not know what 7.2 has.
        if genuine.is_7_2() {
            let reply = genuine.call(&restore(&key, deadline, ours));
            let shown = key.escape_ascii();
            assert_eq!(reply, Value::Simple(b"OK".to_vec()), "{case}: {shown}");
        }
    }
    compare_values(world, genuine, case);
    compare_streams(world, genuine, Times::All, case);
}

#[test]
fn random_data_of_every_type() {
    let mut kinds = Vec::new();
    for seed in 0..ROUNDS {
        let dir = Dir::new(&format!("reads-{seed}"));
        let Some(mut genuine) = Genuine::start_in(dir.path(), &[]) else {
            return;
        };
        let mut rng = Rng::new(seed + 200);
        let engine = Arc::new(engine(256, 1, seed));
        if seed % 2 == 1 {
            set_small_limits(&engine, &mut genuine);
        }
        let mut choices = choices(&engine);
        choices.retain(|command| {
            GROUPS.contains(&command.group)
                && !command.since.starts_with("7.4")
                && !LEFT_OUT.contains(&command.full_name)
                && !command.flags.has(dunlin_engine::command::Flags::BLOCKING)
        });
        let mut world = World::new(engine, 1, 1);
        for _ in 0..COMMANDS {
            let command = rng.pick(&choices);
            let request = request(&mut rng, command, FAR_FUTURE_MS);
            if request.iter().any(|arg| arg == b"EX" || arg == b"PX") {
                continue;
            }
            genuine.call(&request);
            if rng.chance(2) {
                genuine.type_in(&format!("SELECT {}", rng.below(16)));
            }
        }
        let found = check(&mut world, &mut genuine, &dir, &format!("seed {seed}"));
        kinds.extend(found);
    }
    kinds.sort_unstable();
    kinds.dedup();
    for kind in [
        kind::STRING,
        kind::SET,
        kind::HASH,
        kind::ZSET_2,
        kind::SET_INTSET,
        kind::HASH_LISTPACK,
        kind::ZSET_LISTPACK,
        kind::LIST_QUICKLIST_2,
    ] {
        assert!(kinds.contains(&kind), "no value of type {kind}: {kinds:?}");
    }
}

#[test]
fn big_values_and_the_edges_of_encodings() {
    let dir = Dir::new("reads-big");
    let Some(mut genuine) = Genuine::start_in(dir.path(), &[]) else {
        return;
    };
    let is_7_2 = genuine.is_7_2();
    let mut rng = Rng::new(7);
    let lens = [
        0, 1, 19, 20, 21, 44, 45, 62, 63, 64, 65, 126, 127, 128, 191, 192, 253, 254, 255, 256,
        4094, 4095, 4096, 8190, 16_378, 16_383, 16_384, 65_535, 65_536, 140_000, 2_097_151,
        2_500_000,
    ];
    for len in lens {
        let noise: Vec<u8> = (0..len).map(|_| rng.next() as u8).collect();
        let pattern: Vec<u8> = b"abc".iter().cycle().take(len).copied().collect();
        for (name, text) in [("noise", noise), ("pattern", pattern)] {
            let key = |prefix: &str| format!("{prefix}-{name}-{len}").into_bytes();
            genuine.call(&vec![b"SET".to_vec(), key("string"), text.clone()]);
            for key in [key("list"), b"lens".to_vec()] {
                genuine.call(&vec![b"RPUSH".to_vec(), key, text.clone(), b"1".to_vec()]);
            }
            genuine.call(&vec![b"SADD".to_vec(), key("set"), text.clone()]);
            genuine.call(&vec![
                b"HSET".to_vec(),
                key("hash"),
                b"f".to_vec(),
                text.clone(),
            ]);
            genuine.call(&vec![b"ZADD".to_vec(), key("zset"), b"1.5".to_vec(), text]);
        }
    }
    for power in 0..64 {
        for near in -1i64..=1 {
            for sign in [1i64, -1] {
                let n = (1i64 << power).wrapping_add(near).wrapping_mul(sign);
                for line in [
                    format!("SET int:{n} {n}"),
                    format!("RPUSH ints {n}"),
                    format!("SADD intset {n}"),
                    format!("SADD intset:{power} {n}"),
                    format!("HSET int-hash {n} {n}"),
                    format!("ZADD int-scores {n} m{n}"),
                ] {
                    // Of these DEBUG DIGEST of 7.0 has other texts.
                    let is_told_otherwise = line.starts_with('Z') && power > 50;
                    if !is_told_otherwise || is_7_2 {
                        genuine.type_in(&line);
                    }
                }
            }
        }
    }
    for n in 0..3000 {
        let text: Vec<u8> = (0..rng.below(90)).map(|_| rng.next() as u8).collect();
        let number = n.to_string().into_bytes();
        for command in [
            "RPUSH biglist",
            "SADD bigset",
            "HSET bighash",
            "ZADD bigzset",
            "XADD bigstream",
        ] {
            let mut request = words(command);
            match command {
                "HSET bighash" => request.extend([text.clone(), number.clone()]),
                "ZADD bigzset" => request.extend([format!("{n}.25").into_bytes(), text.clone()]),
                "XADD bigstream" => {
                    request.push(format!("{}-{n}", 1 + n / 7).into_bytes());
                    request.extend([b"field".to_vec(), text.clone()]);
                    if n % 5 == 0 {
                        request.extend([number.clone(), number.clone()]);
                    }
                }
                _ => request.push(text.clone()),
            }
            genuine.call(&request);
        }
        genuine.type_in(&format!("SADD bigints {}", n * 7919));
    }
    for line in [
        "XDEL bigstream 1-0 1-3 10-70",
        "XGROUP CREATE bigstream g 0",
        "XREADGROUP GROUP g alice COUNT 300 STREAMS bigstream >",
        "XREADGROUP GROUP g bob COUNT 200 STREAMS bigstream >",
        "XACK bigstream g 2-8 2-9",
        "XGROUP CREATECONSUMER bigstream g carol",
        "XGROUP CREATE emptystream g $ MKSTREAM",
        "XTRIM bigstream MAXLEN 2500",
        "SET expiring v PXAT 4000000000000",
        "HSET mapped a b",
    ] {
        genuine.type_in(line);
    }
    let mut world = World::new(Arc::new(engine(256, 1, 3)), 1, 1);
    check(&mut world, &mut genuine, &dir, "big values");
}

/// Elements as an old encoding has them.
enum Old<'a> {
    Text(&'a [u8]),
    Int(i64),
}

fn ziplist(elements: &[Old<'_>]) -> Vec<u8> {
    let (mut body, mut tail, mut before) = (Vec::new(), 10u32, 0usize);
    for element in elements {
        let start = body.len();
        match u8::try_from(before) {
            Ok(len @ ..254) => body.push(len),
            _ => {
                body.push(254);
                body.extend((before as u32).to_le_bytes());
            }
        }
        match element {
            Old::Text(text) if text.len() < 64 => {
                body.push(text.len() as u8);
                body.extend(*text);
            }
            Old::Text(text) if text.len() < 16_384 => {
                body.extend([0x40 | (text.len() >> 8) as u8, text.len() as u8]);
                body.extend(*text);
            }
            Old::Text(text) => {
                body.push(0x80);
                body.extend((text.len() as u32).to_be_bytes());
                body.extend(*text);
            }
            Old::Int(n @ 0..=12) => body.push(0xf1 + *n as u8),
            Old::Int(n) => {
                let bytes = n.to_le_bytes();
                let (head, len) = match n {
                    -128..=127 => (0xfe, 1),
                    -32_768..=32_767 => (0xc0, 2),
                    -8_388_608..=8_388_607 => (0xf0, 3),
                    -2_147_483_648..=2_147_483_647 => (0xd0, 4),
                    _ => (0xe0, 8),
                };
                body.push(head);
                body.extend(&bytes[..len]);
            }
        }
        tail = 10 + start as u32;
        before = body.len() - start;
    }
    let mut bytes = Vec::new();
    bytes.extend((body.len() as u32 + 11).to_le_bytes());
    bytes.extend(tail.to_le_bytes());
    bytes.extend((elements.len() as u16).to_le_bytes());
    bytes.extend(body);
    bytes.push(255);
    bytes
}

/// A length and bytes.
fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![0x80];
    text.extend((bytes.len() as u32).to_be_bytes());
    text.extend(bytes);
    text
}

/// Values of the types that no redis-server writes any more.
fn old_values() -> Vec<(&'static str, u8, Vec<u8>)> {
    let long = vec![b'x'; 300];
    let longer = vec![b'y'; 20_000];
    let elements = [
        Old::Text(b"one"),
        Old::Int(7),
        Old::Text(&long),
        Old::Int(-100),
        Old::Text(&longer),
        Old::Int(-30_000),
        Old::Int(8_000_000),
        Old::Int(-2_000_000_000),
        Old::Int(1 << 40),
        Old::Text(b""),
    ];
    let list = ziplist(&elements);
    let scored = [
        Old::Text(b"a"),
        Old::Text(b"-inf"),
        Old::Int(12),
        Old::Int(0),
        Old::Text(b"b"),
        Old::Text(b"0.25"),
        Old::Text(b"c"),
        Old::Int(3),
    ];
    let mut zipmap = vec![2u8, 1, b'f', 5, 2];
    zipmap.extend(b"value??");
    zipmap.extend([2, b'f', b'2', 254]);
    zipmap.extend(300u32.to_le_bytes());
    zipmap.push(0);
    zipmap.extend(&long);
    zipmap.push(255);
    let mut plain_list = vec![3];
    plain_list.extend([text(b"a"), vec![0xc0, 200], text(&long)].concat());
    let mut zset = vec![5];
    zset.extend([text(b"a"), vec![3], b"1.5".to_vec()].concat());
    zset.extend([text(b"b"), vec![255], text(b"c"), vec![254]].concat());
    zset.extend([text(b"d"), vec![2], b"-7".to_vec()].concat());
    zset.extend([text(b"e"), vec![7], b"0.12500".to_vec()].concat());
    let mut quicklist = vec![2];
    quicklist.extend([text(&list), text(&ziplist(&[Old::Int(1), Old::Text(b"z")]))].concat());
    vec![
        ("plain-list", kind::LIST, plain_list),
        ("zset", kind::ZSET, zset),
        ("zipmap", kind::HASH_ZIPMAP, text(&zipmap)),
        ("list", kind::LIST_ZIPLIST, text(&list)),
        ("zset-ziplist", kind::ZSET_ZIPLIST, text(&ziplist(&scored))),
        ("hash", kind::HASH_ZIPLIST, text(&list)),
        ("quicklist", kind::LIST_QUICKLIST, quicklist),
        ("stream", kind::STREAM_LISTPACKS, old_stream(1)),
        ("stream-2", kind::STREAM_LISTPACKS_2, old_stream(2)),
    ]
}

/// Two entries, one of them removed, a group, and what is pending, in the form of Redis 5 or 7.0.
fn old_stream(generation: u8) -> Vec<u8> {
    let id = |ms: u64, seq: u64| [ms.to_be_bytes(), seq.to_be_bytes()].concat();
    let mut entries: Vec<u8> = Vec::new();
    let small = |entries: &mut Vec<u8>, n: u8| entries.extend([n, 1]);
    let mut count = 0;
    // Entries, removed ones, names, the name, the end; then flags, id, value, elements of the entry.
    for n in [1, 1, 1] {
        small(&mut entries, n);
        count += 1;
    }
    entries.extend([0x81, b'f', 2]);
    small(&mut entries, 0);
    count += 2;
    for (flags, ms) in [(3, 0), (2, 5)] {
        for n in [flags, ms, 0] {
            small(&mut entries, n);
        }
        entries.extend([0x81, b'v', 2]);
        small(&mut entries, 4);
        count += 5;
    }
    let mut listpack = Vec::new();
    listpack.extend((entries.len() as u32 + 7).to_le_bytes());
    listpack.extend((count as u16).to_le_bytes());
    listpack.extend(entries);
    listpack.push(255);
    let mut value = vec![1];
    value.extend(text(&id(1000, 1)));
    value.extend(text(&listpack));
    // Length and last id; first id, greatest removed one, entries added.
    value.extend([1, 0x43, 0xed, 1]);
    if generation >= 2 {
        value.extend([0x43, 0xed, 1, 0x43, 0xe8, 1, 2]);
    }
    value.push(1);
    value.extend([text(b"g"), vec![0x43, 0xed, 1]].concat());
    if generation >= 2 {
        value.push(2);
    }
    let time = 1_700_000_000_000u64.to_le_bytes();
    value.push(1);
    value.extend([id(1005, 1), time.to_vec(), vec![3, 1]].concat());
    value.extend([text(b"alice"), time.to_vec(), vec![1], id(1005, 1)].concat());
    value
}

#[test]
fn encodings_that_are_no_longer_written() {
    let Some(mut genuine) = Genuine::start() else {
        return;
    };
    let mut world = World::new(Arc::new(engine(256, 1, 1)), 1, 1);
    let case = "old encodings";
    for (key, kind, value) in old_values() {
        let request = restore(key.as_bytes(), 0, payload(kind, &value, 9));
        run(&mut world, &request);
        let reply = genuine.call(&request);
        assert_eq!(reply, Value::Simple(b"OK".to_vec()), "{key}");
    }
    for n in 0..5 {
        run(&mut world, &words(&format!("SET filler{n} {n}")));
        genuine.type_in(&format!("SET filler{n} {n}"));
    }
    compare_values(&mut world, &mut genuine, case);
    compare_streams(&mut world, &mut genuine, Times::All, case);
    if genuine.is_7_2() {
        for (key, encoding) in world.encodings() {
            let theirs = genuine.type_in(&format!("OBJECT ENCODING {key}"));
            assert_eq!(theirs, Value::Bulk(encoding.into_bytes()), "{key}");
        }
    }
}
