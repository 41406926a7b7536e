//! Dump files and bases of commands of ours, loaded by a genuine redis-server: the same DEBUG DIGEST, the same groups of streams, and its own
//! checker content.
//!
//! Skipped, with the reason printed, where there is no server, see `common/genuine.rs`. One of 7.0 loads files of version 10, one of 7.2
//! those of 10 and 11.

// The engine itself may neither wait nor talk to the world; this test's business is to do both.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::commands::{choices, request, words};
use common::compare::{Dir, compare_streams, compare_values, run};
use common::facts::Times;
use common::files::{base_of_commands, rdb, set_low_limits};
use common::genuine::{Genuine, program};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_persist::aof::{FramerOptions, Manifest};
use dunlin_persist::rdb::{EncodeOptions, types};
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

/// Commands that leave little, and those that set deadlines which are over when the server loads.
const LEFT_OUT: &[&str] = &[
    "expire", "flushall", "flushdb", "pexpire", "psetex", "setex", "swapdb",
];

/// Writes, lets the server load, and compares; `false` where there is no server.
fn check(world: &mut World, name: &str, what: &str) -> bool {
    let mut is_done = true;
    for (version, compress) in [(10, true), (10, false), (11, true), (11, false)] {
        let dir = Dir::new(&format!("{name}-{version}-{compress}"));
        let file = rdb(world, EncodeOptions { version, compress });
        std::fs::write(dir.path().join("dump.rdb"), &file).expect("a file of ours");
        if version > types::VERSION_REDIS_7_0 && !is_done {
            continue;
        }
        let Some(mut genuine) = Genuine::start_in(dir.path(), &["--sanitize-dump-payload", "yes"])
        else {
            return false;
        };
        let case = format!("{what}, version {version}, compressed: {compress}");
        compare(world, &mut genuine, Times::All, &case);
        is_done = genuine.is_7_2();
    }
    check_base(world, name, what);
    true
}

fn compare(world: &mut World, genuine: &mut Genuine, times: Times, case: &str) {
    compare_values(world, genuine, case);
    let Value::Simple(theirs) = genuine.type_in("DEBUG DIGEST") else {
        panic!("DEBUG is enabled")
    };
    let ours = world.dataset();
    assert_eq!(ours.digest(), String::from_utf8_lossy(&theirs), "{case}");
    compare_streams(world, genuine, times, case);
}

/// The same with a log whose base is commands.
fn check_base(world: &mut World, name: &str, what: &str) {
    const NAME: &str = "appendonly.aof";
    for checksums in [true, false] {
        let dir = Dir::new(&format!("{name}-base-{checksums}"));
        let log = dir.path().join("appendonlydir");
        std::fs::create_dir_all(&log).expect("a directory for the log");
        let options = FramerOptions {
            checksums,
            timestamps: checksums,
        };
        let mut manifest = Manifest::new();
        let base = base_of_commands(world, options);
        let base_name = manifest.new_base(NAME, false);
        assert!(base_name.ends_with(".base.aof"), "{base_name}");
        std::fs::write(log.join(base_name), base).expect("a base of ours");
        let manifest_path = log.join(Manifest::file_name(NAME));
        std::fs::write(&manifest_path, manifest.format()).expect("a manifest of ours");
        let checked = Command::new(program())
            .arg0("redis-check-aof")
            .arg(&manifest_path)
            .stdin(Stdio::null())
            .output()
            .expect("the server's program");
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{what}: {said}");
        let mut genuine =
            Genuine::start_in(dir.path(), &["--appendonly", "yes"]).expect("it was there before");
        let case = format!("{what}, commands, checksums: {checksums}");
        compare(world, &mut genuine, Times::None, &case);
    }
}

#[test]
fn random_data_of_every_type() {
    for seed in 0..ROUNDS {
        let mut rng = Rng::new(seed + 100);
        let engine = Arc::new(engine(256, 1, seed));
        if seed % 2 == 1 {
            set_low_limits(&engine);
        }
        let mut choices = choices(&engine);
        choices.retain(|command| {
            GROUPS.contains(&command.group)
                // Deadlines of fields came with 7.4.
                && !command.since.starts_with("7.4")
                && !LEFT_OUT.contains(&command.full_name)
        });
        let mut world = World::new(engine, 1, 1);
        for _ in 0..COMMANDS {
            let command = rng.pick(&choices);
            let request = request(&mut rng, command, FAR_FUTURE_MS);
            if request.iter().any(|arg| arg == b"EX" || arg == b"PX") {
                continue;
            }
            world.start(0, &request);
            world.settle();
            world.reply(0);
            if rng.chance(2) {
                run(&mut world, &words(&format!("SELECT {}", rng.below(16))));
            }
        }
        if !check(&mut world, "random", &format!("seed {seed}")) {
            return;
        }
    }
}

/// A text of up to `max` bytes: an integer, or bytes that compress, or such as don't.
fn text(rng: &mut Rng, max: u64) -> Vec<u8> {
    match rng.below(4) {
        0 => ((rng.next() as i64) >> rng.below(64))
            .to_string()
            .into_bytes(),
        1 => (0..rng.below(max)).map(|_| rng.next() as u8).collect(),
        2 => b"abcdefgh".repeat(rng.below(max / 8 + 1) as usize),
        _ => format!("value {}", rng.below(1_000_000)).into_bytes(),
    }
}

#[test]
fn big_values_and_the_edges_of_encodings() {
    let mut rng = Rng::new(77);
    let mut world = World::new(Arc::new(engine(256, 1, 5)), 1, 1);
    let mut add = |command: &str, count: usize, args: &mut dyn FnMut(usize) -> Vec<Vec<u8>>| {
        for i in 0..count {
            let mut request = words(command);
            request.extend(args(i));
            run(&mut world, &request);
        }
    };
    // Around every length that has another form, as strings and as elements.
    let lens = [
        0, 1, 19, 20, 21, 44, 45, 60, 61, 62, 63, 64, 65, 125, 126, 127, 128, 190, 191, 192, 253,
        254, 255, 256, 4093, 4094, 4095, 4096, 8190, 16_377, 16_378, 16_379, 16_383, 16_384,
        65_535, 65_536, 65_537, 140_000, 2_097_140, 2_097_151, 2_500_000,
    ];
    for compresses in [true, false] {
        for len in lens {
            let bytes = |rng: &mut Rng| -> Vec<u8> {
                match compresses {
                    true => b"ab".iter().cycle().take(len).copied().collect(),
                    false => (0..len).map(|_| rng.next() as u8).collect(),
                }
            };
            let key = format!("{len}-{compresses}");
            add(&format!("SET string-{key}"), 1, &mut |_| {
                vec![bytes(&mut rng)]
            });
            add(&format!("RPUSH list-{key}"), 2, &mut |_| {
                vec![bytes(&mut rng)]
            });
            add("RPUSH lens", 1, &mut |_| vec![bytes(&mut rng)]);
            if len < 60_000 {
                add("HSET lens-hash", 1, &mut |_| {
                    vec![key.clone().into(), bytes(&mut rng)]
                });
                add("SADD lens-set", 1, &mut |_| vec![bytes(&mut rng)]);
            }
        }
    }
    // Around every integer that has another form.
    for power in 0..64 {
        for near in -1i64..=1 {
            for sign in [1i64, -1] {
                let n = (1i64 << power).wrapping_add(near).wrapping_mul(sign);
                let n = n.to_string();
                add(&format!("SET int:{n}"), 1, &mut |_| vec![n.clone().into()]);
                add("RPUSH ints", 1, &mut |_| vec![n.clone().into()]);
                add("SADD intset", 1, &mut |_| vec![n.clone().into()]);
                add("HSET int-hash", 1, &mut |_| {
                    vec![n.clone().into(), n.clone().into()]
                });
                add(&format!("SADD intset:{power}"), 1, &mut |_| {
                    vec![n.clone().into()]
                });
                add("ZADD int-scores", 1, &mut |_| {
                    vec![(power * near).to_string().into(), format!("m{n}").into()]
                });
            }
        }
    }
    // Of these DEBUG DIGEST of 7.0 has other texts.
    let scores: &[&str] = match Genuine::start() {
        Some(genuine) if genuine.is_7_2() => &[
            "0.1",
            "1e300",
            "-1e-300",
            "5e-324",
            "1e15",
            "1e17",
            "-3.0000000000000004",
            "9007199254740993",
            "9223372036854775807",
            "1.7976931348623157e308",
        ],
        _ => &[],
    };
    let scores = ["inf", "-inf", "-0", "0.5", "-7"].iter().chain(scores);
    for (i, score) in scores.enumerate() {
        for key in ["scores", "many-scores"] {
            add(&format!("ZADD {key} {score} m{i}"), 1, &mut |_| vec![]);
        }
    }
    add("ZADD many-scores", 20_000, &mut |i| {
        vec![
            (i as f64 / 8.0).to_string().into(),
            format!("member{i}").into(),
        ]
    });
    add("RPUSH list", 20_000, &mut |_| vec![text(&mut rng, 100)]);
    add("RPUSH long-list", 300, &mut |_| {
        vec![text(&mut rng, 20_000)]
    });
    add("HSET hash", 20_000, &mut |_| {
        vec![text(&mut rng, 20), text(&mut rng, 100)]
    });
    add("SADD set", 20_000, &mut |_| vec![text(&mut rng, 50)]);
    add("SADD numbers", 5_000, &mut |i| {
        vec![(i * 31).to_string().into()]
    });
    add("XGROUP CREATE stream group 0 MKSTREAM", 1, &mut |_| vec![]);
    add("XGROUP CREATE stream other $", 1, &mut |_| vec![]);
    add("XADD stream", 5_000, &mut |i| {
        let id = format!("{}-{}", 1 + i / 3, 10 - i / 3 % 5 * 2 + i % 3);
        let own = [text(&mut rng, 20), text(&mut rng, 90)];
        let mut args = vec![id.into(), b"temperature".to_vec(), text(&mut rng, 10)];
        args.extend(if i % 7 == 0 { own.to_vec() } else { vec![] });
        args
    });
    add("XDEL stream", 100, &mut |i| {
        vec![format!("{}-11", 1 + 15 * i).into()]
    });
    add(
        "XREADGROUP GROUP group alice COUNT 700 STREAMS stream >",
        2,
        &mut |_| vec![],
    );
    add(
        "XREADGROUP GROUP group bob COUNT 300 STREAMS stream >",
        1,
        &mut |_| vec![],
    );
    add(
        "XGROUP CREATECONSUMER stream group carol",
        1,
        &mut |_| vec![],
    );
    add(
        "XGROUP CREATE empty-stream group 5-5 MKSTREAM ENTRIESREAD 3",
        1,
        &mut |_| vec![],
    );
    check(&mut world, "big", "big values");
}
