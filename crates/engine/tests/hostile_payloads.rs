//! RESTORE of damaged payloads, and any commands on what comes of it: nothing panics, whatever a payload was.
//!
//! The payloads of Redis's own tests of that (integration/corrupt-dump.tcl) are taken from its suite where `cargo xtask tcl` has unpacked it.

// A test's business is to read files.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;
#[path = "../../persist/tests/invariants/mod.rs"]
mod invariants;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::commands::{choices, request, words};
use common::operations;
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_engine::command::Flags;

/// Commands on each value that was taken.
const TRAFFIC: usize = 40;
/// Where the suite is when it was unpacked.
const SUITE: &str = "../../target/tcl/source/redis/tests/integration/corrupt-dump.tcl";

/// A world whose RESTORE looks at no checksum.
fn world() -> World {
    let engine = Arc::new(engine(16, 1, 4));
    engine.payloads.any_checksum.store(true, Ordering::Relaxed);
    World::new(engine, 1, 1)
}

/// Restores a payload under a key that random commands use, and sends some of these; whether the payload was taken.
fn check(world: &mut World, rng: &mut Rng, payload: &[u8]) -> bool {
    // The keys on which the commands of its type work.
    let (first, count) = match payload.first() {
        Some(1 | 10 | 14 | 18) => (17, 5),
        Some(2 | 11 | 20) => (22, 5),
        Some(3 | 5 | 12 | 17) => (27, 5),
        Some(4 | 9 | 13 | 16 | 22..=25) => (12, 5),
        Some(15 | 19 | 21) => (32, 3),
        _ => (0, 12),
    };
    let mut restore = words("RESTORE k 0 p REPLACE");
    restore[1] = format!("key:{}", first + rng.below(count)).into_bytes();
    restore[3] = payload.to_vec();
    world.start(0, &restore);
    world.settle();
    if world.reply(0).starts_with(b"-") {
        return false;
    }
    let engine = Arc::clone(&world.engine);
    let mut choices = choices(&engine);
    choices
        .retain(|command| !command.flags.has(Flags::BLOCKING) && command.group != "transactions");
    for _ in 0..TRAFFIC {
        let command = rng.pick(&choices);
        let request = request(rng, command, world.now_ms);
        world.start(0, &request);
        world.settle();
        world.reply(0);
    }
    // Every value is looked at as a whole.
    world.dataset();
    true
}

#[test]
fn traffic_on_damaged_values() {
    let mut world = world();
    let mut rng = Rng::new(11);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..operations(60_000) / TRAFFIC {
        let changes = 1 + rng.below(2) * 3;
        let input: Vec<u8> = (0..1 + 3 * changes).map(|_| rng.next() as u8).collect();
        let payload = invariants::payload(&invariants::damaged(&input), 11);
        match check(&mut world, &mut rng, &payload) {
            true => taken += 1,
            false => refused += 1,
        }
    }
    assert!(
        taken > 50 && refused > 50,
        "{taken} taken, {refused} refused"
    );
}

/// The payloads in a script of Tcl: texts in quotation marks with bytes in hexadecimal.
fn payloads(script: &str) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for quoted in script.split('"').skip(1) {
        if !quoted.starts_with("\\x") {
            continue;
        }
        let (mut bytes, mut rest) = (Vec::new(), quoted);
        while let Some(letter) = rest.chars().next() {
            let escaped = rest.strip_prefix("\\x").and_then(|rest| rest.get(..2));
            match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &rest[4..];
                }
                None => {
                    bytes.extend(letter.to_string().into_bytes());
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        payloads.push(bytes);
    }
    payloads
}

#[test]
fn payloads_of_redis_s_tests() {
    assert_eq!(
        payloads(r#"r restore key 0 "\x0E\x01a" x "no" "\xff""#),
        [b"\x0e\x01a".to_vec(), vec![255]]
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SUITE);
    let Ok(script) = std::fs::read(&path) else {
        eprintln!(
            "skipped: {} is not there; `cargo xtask tcl` unpacks it",
            path.display()
        );
        return;
    };
    let payloads = payloads(&String::from_utf8_lossy(&script));
    assert!(payloads.len() > 60, "{} payloads", payloads.len());
    let (mut world, mut rng) = (world(), Rng::new(12));
    let taken = payloads
        .iter()
        .filter(|payload| check(&mut world, &mut rng, payload))
        .count();
    // Some are whole, and were found by what came after.
    assert!(
        taken < payloads.len() / 4,
        "{taken} of {} taken",
        payloads.len()
    );
}
