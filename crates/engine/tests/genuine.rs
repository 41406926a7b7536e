//! The same commands to the engine and to a genuine redis-server: the same replies, the same DEBUG DIGEST.
//!
//! Skipped, with the reason printed, where Debian's redis-tools is not installed. The server is of version 7.0, so what 7.2
//! does otherwise is left out by name.

mod common;

use std::sync::Arc;

use common::commands::{Request, choices, named, request, words};
use common::genuine::{Genuine, decode};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_engine::command::{Command, Flags};
use dunlin_engine::digest::Digest;
use dunlin_resp::Value;
use dunlin_store::{Entry, NewString};

/// Deadlines lie beyond this, a time that neither clock reaches.
const FAR_FUTURE_MS: u64 = 4_000_000_000_000;
const ROUNDS: u64 = 8;
const COMMANDS: usize = 1500;

/// Groups whose commands answer the same, whoever is asked.
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

/// Commands that depend on chance, on the clock, or on the order of keys; and what 7.2 describes in other words.
const LEFT_OUT: &[&str] = &[
    // Its version is 7.2's, and sets have no order.
    "dump",
    "expire",
    "hrandfield",
    "hscan",
    // 7.0 has no listpack for lists and sets.
    "object|encoding",
    "object|freq",
    "object|help",
    "object|idletime",
    "object|refcount",
    "pexpire",
    "psetex",
    "pttl",
    "randomkey",
    "scan",
    "setex",
    "spop",
    "srandmember",
    "sscan",
    "ttl",
    // Idle times, and blocks that are not Redis's.
    "xautoclaim",
    "xclaim",
    "xinfo|consumers",
    "xinfo|help",
    "xinfo|stream",
    "xgroup|help",
    "xpending",
    "zrandmember",
    "zscan",
];

/// Commands whose replies are in no order, also inside EXEC.
const UNORDERED: &[&str] = &[
    "exec", "hgetall", "hkeys", "hvals", "keys", "sdiff", "sinter", "smembers", "sunion",
];

/// Commands that 7.2 does not have.
fn is_newer(command: &Command) -> bool {
    command.since.starts_with("7.4")
}

fn is_comparable(command: &Command) -> bool {
    // What waits in the other server would never answer.
    GROUPS.contains(&command.group)
        && !is_newer(command)
        && !LEFT_OUT.contains(&command.full_name)
        && !command.flags.has(Flags::BLOCKING)
}

/// Relative deadlines depend on the clocks.
fn has_relative_deadline(request: &Request) -> bool {
    request.iter().any(|arg| arg == b"EX" || arg == b"PX")
}

/// Redis has no roll-back.
fn is_exec_rb(request: &Request) -> bool {
    request[0] == b"exec" && request.len() > 1
}

/// Ids that are times, and trims that depend on how long the blocks of a stream are.
fn depends_on_clock_or_blocks(request: &Request) -> bool {
    request[0] == b"xadd" && request.iter().any(|arg| arg == b"*")
        || request[0].starts_with(b"x") && request.iter().any(|arg| arg == b"~")
}

/// Options that 7.0 does not have, and XSETID, which has two reasons to refuse an id and tells another of them there.
fn is_new_in_7_2(request: &Request) -> bool {
    request[0] == b"xsetid" || request.iter().any(|arg| arg == b"WITHSCORE")
}

/// SORT whose order is that of a set's table, or chance between elements of equal weights.
fn is_sorted_somehow(request: &Request) -> bool {
    let by = request.iter().position(|arg| arg == b"BY");
    request[0].starts_with(b"sort")
        && by.is_some_and(|at| {
            !request[at + 1].contains(&b'*') || request.contains(&b"ALPHA".to_vec())
        })
}

#[test]
fn replies_and_digest_are_those_of_redis() {
    let Some(mut genuine) = Genuine::start() else {
        return;
    };
    for seed in 0..ROUNDS {
        let mut rng = Rng::new(seed);
        let engine = Arc::new(engine(256, 1, seed));
        let mut choices = choices(&engine);
        choices.retain(|command| is_comparable(command));
        choices.extend([named(&engine.table, "select"); 4]);
        let mut world = World::new(Arc::clone(&engine), 1, 1);
        genuine.type_in("RESET");
        genuine.type_in("FLUSHALL");
        for _ in 0..COMMANDS {
            let command = if world.session(0).in_transaction() && rng.chance(20) {
                named(&engine.table, "exec")
            } else {
                rng.pick(&choices)
            };
            let request = request(&mut rng, command, FAR_FUTURE_MS);
            if has_relative_deadline(&request)
                || is_exec_rb(&request)
                || depends_on_clock_or_blocks(&request)
                || (is_new_in_7_2(&request) && !genuine.is_7_2())
                || is_sorted_somehow(&request)
            {
                continue;
            }
            world.start(0, &request);
            world.settle();
            let ours = sorted(command, decode(&world.reply(0)));
            let theirs = sorted(command, genuine.call(&request));
            assert_eq!(ours, theirs, "seed {seed}: {}", shown(&request));
        }
        if world.session(0).in_transaction() {
            world.start(0, &words("DISCARD"));
            genuine.type_in("DISCARD");
        }
        let Value::Simple(theirs) = genuine.type_in("DEBUG DIGEST") else {
            panic!("DEBUG is enabled")
        };
        assert_eq!(
            world.dataset().digest(),
            String::from_utf8_lossy(&theirs),
            "seed {seed}"
        );
        assert!(engine.store.len(0) > 0, "there was something to compare");
    }
}

/// Commands of which 7.2 tells other facts than 7.0: these are not compared.
const CHANGED_IN_7_2: &[&str] = &[
    "blmove",
    "blpop",
    "brpop",
    "brpoplpush",
    "bzpopmax",
    "bzpopmin",
    "command|getkeys",
    "command|getkeysandflags",
    "msetnx",
    "randomkey",
    "scan",
    "zrank",
    "zrevrank",
];

/// COMMAND INFO of every command, but for what the engine's table does not have yet and what 7.2 changed.
#[test]
fn the_table_s_facts_are_those_of_redis() {
    let Some(mut genuine) = Genuine::start() else {
        return;
    };
    let mut world = World::new(Arc::new(engine(256, 1, 1)), 1, 1);
    let mut differing = Vec::new();
    for (_, command) in Arc::clone(&world.engine).table.iter_all() {
        let name = command.full_name;
        // EXEC has an argument more than Redis's.
        if name == "exec"
            || is_newer(command)
            || (CHANGED_IN_7_2.contains(&name) && !genuine.is_7_2())
        {
            continue;
        }
        let request = words(&format!("COMMAND INFO {name}"));
        world.start(0, &request);
        let ours = without_order(decode(&world.reply(0)));
        let theirs = without_order(genuine.call(&request));
        if ours != theirs {
            differing.push(format!("{name}:\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A description as text, its sets sorted; subcommands left out, which are compared one by one.
fn without_order(reply: Value) -> String {
    fn text(value: &Value) -> String {
        match value {
            // Notes on key specs are prose, not facts.
            Value::Array(items) if items.first() == Some(&Value::Bulk(b"notes".to_vec())) => {
                text(&Value::Array(items[2..].to_vec()))
            }
            Value::Array(items) => {
                format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" "))
            }
            Value::Simple(bytes) | Value::Bulk(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            other => format!("{other:?}"),
        }
    }
    let Value::Array(commands) = reply else {
        panic!("an array of descriptions")
    };
    let Some(Value::Array(facts)) = commands.into_iter().next() else {
        return "unknown".into();
    };
    let shown = facts[..9]
        .iter()
        .enumerate()
        .map(|(i, fact)| match (i, fact) {
            // Flags, categories and tips are sets; the key specs have an order.
            (2 | 6 | 7, Value::Array(items)) => {
                let mut items: Vec<String> = items.iter().map(text).collect();
                items.sort();
                format!("{items:?}")
            }
            _ => text(fact),
        });
    shown.collect::<Vec<_>>().join(" ")
}

fn shown(request: &Request) -> String {
    let word = |arg: &Vec<u8>| arg[..arg.len().min(40)].escape_ascii().to_string();
    request.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The reply with what is in no order sorted.
fn sorted(command: &Command, reply: Value) -> Value {
    fn sort(value: &mut Value) {
        if let Value::Array(items) = value {
            items.iter_mut().for_each(sort);
            if items.iter().all(|item| matches!(item, Value::Bulk(_))) {
                items.sort_by_key(|item| format!("{item:?}"));
            }
        }
    }
    let mut reply = reply;
    if UNORDERED.contains(&command.full_name) {
        sort(&mut reply);
    }
    reply
}

/// Digests as redis-server 7.0.15 gave them after each of these lines: this much is checked everywhere.
#[test]
fn known_digests() {
    let long = format!("SET long {}", "x".repeat(100));
    let mut world = World::new(Arc::new(engine(256, 1, 1)), 1, 1);
    for (lines, expected) in [
        (&[][..], "0000000000000000000000000000000000000000"),
        (&["SET foo bar"], "d2ab4820c1be0580ea28efbfe8bfa1dc05bb802a"),
        (
            &[
                "SET n -12",
                &long,
                "SELECT 5",
                "SET foo bar PXAT 4000000000000",
            ],
            "c85aaeaa2981a1290dc98d32585c13ee220712c1",
        ),
        (
            &["SELECT 15", "SETRANGE big 70000 end"],
            "d8f4deb21fadcfaa9f61cce297b89ab690e04172",
        ),
    ] {
        for line in lines {
            world.start(0, &words(line));
        }
        assert_eq!(world.dataset().digest(), expected, "{lines:?}");
    }
}

/// DEBUG DIGEST-VALUE as redis-server 7.0.15 gave it.
#[test]
fn known_digests_of_values() {
    for (value, expected) in [
        (
            NewString::new(b"bar"),
            "68467c70ae30376e7ce005bcc8827f5ba7fd67dc",
        ),
        (
            NewString::new(b"-12"),
            "b66f371049a1c5795af9275a5a132453d88c3649",
        ),
    ] {
        let entry = Entry::string(b"any", value, 0);
        assert_eq!(Digest::of_value(&entry).to_string(), expected);
    }
}
