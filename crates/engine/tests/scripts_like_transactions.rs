//! A script is a transaction whose commands come from Lua: the same random commands, once in MULTI and EXEC and once by `redis.pcall`,
//! give the same replies and leave the same dataset.

mod common;

use std::sync::Arc;

use common::commands::{Request, choices, request, words};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_engine::command::{Command, Flags};

const WORKLOADS: u64 = 60;
const TRANSACTIONS: usize = 60;
const COMMANDS_MAX: u64 = 8;
/// Integers beyond this are rounded where they are Lua numbers.
const EXACT_MAX: u64 = 1 << 53;

/// Runs the commands that its arguments hold, each behind the number of its words; the replies.
const SCRIPT: &str = "local at, replies = 1, {} \
    while at <= #ARGV do \
      local count = tonumber(ARGV[at]) \
      replies[#replies + 1] = redis.pcall(unpack(ARGV, at + 1, at + count)) \
      at = at + count + 1 \
    end \
    return replies";

/// Whether a command does the same both ways, by what is known of it.
fn is_comparable(command: &Command) -> bool {
    const GROUPS: [&str; 10] = [
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
    // Chance decides; or, for SORT, the order of a set, which scripts see sorted.
    const OTHERWISE: [&str; 7] = [
        "randomkey",
        "spop",
        "srandmember",
        "hrandfield",
        "zrandmember",
        "sort",
        "sort_ro",
    ];
    GROUPS.contains(&command.group)
        && !OTHERWISE.contains(&command.full_name)
        && !command.flags.has(Flags::NOSCRIPT)
        && !command.flags.has(Flags::BLOCKING)
}

/// A reply without what Lua's types can't tell apart.
fn as_lua_tells(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply);
    let lines = text.split("\r\n").map(|line| match line {
        "*-1" => "$-1".to_owned(),
        _ => match line.strip_prefix(':').map(str::parse::<i64>) {
            Some(Ok(n)) if n.unsigned_abs() > EXACT_MAX => ":big".to_owned(),
            _ => line.to_owned(),
        },
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

/// Runs the commands in a transaction; EXEC's reply.
fn in_transaction(world: &mut World, requests: &[Request]) -> Option<Vec<u8>> {
    world.start(0, &words("MULTI"));
    world.settle();
    let _ = world.reply(0);
    let mut all_queued = true;
    for request in requests {
        world.start(0, request);
        world.settle();
        all_queued &= world.reply(0) == b"+QUEUED\r\n";
    }
    world.start(0, &words(if all_queued { "EXEC" } else { "DISCARD" }));
    world.settle();
    let reply = world.reply(0);
    all_queued.then_some(reply)
}

/// Runs the commands in a script; its reply.
fn in_script(world: &mut World, requests: &[Request]) -> Vec<u8> {
    let mut eval = words("EVAL");
    eval.push(SCRIPT.as_bytes().to_vec());
    eval.push(b"0".to_vec());
    for request in requests {
        eval.push(request.len().to_string().into_bytes());
        eval.extend(request.iter().cloned());
    }
    world.start(0, &eval);
    world.settle();
    world.reply(0)
}

#[test]
fn a_script_does_what_a_transaction_does() {
    let (mut compared, mut keys) = (0, 0);
    for seed in 0..WORKLOADS {
        let mut rng = Rng::new(seed);
        let engines = [(); 2].map(|()| Arc::new(engine(64, 1, seed)));
        let [mut one, mut other] = engines.clone().map(|engine| World::new(engine, 1, 1));
        let choices = choices(&engines[0]);
        let choices: Vec<&Command> = choices.into_iter().filter(|c| is_comparable(c)).collect();
        for _ in 0..TRANSACTIONS {
            let count = 1 + rng.below(COMMANDS_MAX);
            let requests: Vec<Request> = (0..count)
                .map(|_| {
                    let command = *rng.pick(&choices);
                    request(&mut rng, command, one.now_ms)
                })
                .collect();
            let Some(reply) = in_transaction(&mut one, &requests) else {
                // It was refused before it ran.
                continue;
            };
            let shown = || {
                let lines = requests.iter().map(|words| {
                    let words = words.iter().map(|word| word.escape_ascii().to_string());
                    words.collect::<Vec<_>>().join(" ")
                });
                lines.collect::<Vec<_>>().join("\n")
            };
            let said = in_script(&mut other, &requests);
            assert_eq!(
                as_lua_tells(&said),
                as_lua_tells(&reply),
                "seed {seed}:\n{}",
                shown()
            );
            assert_eq!(other.dataset(), one.dataset(), "seed {seed}:\n{}", shown());
            compared += requests.len();
            if rng.chance(10) {
                let ms = rng.below(1500);
                one.advance(ms, true);
                other.advance(ms, true);
            }
        }
        keys += engines[0].store.len(0);
    }
    // Had they been refused, or left nothing, this would mean little.
    assert!(compared > 100 * WORKLOADS as usize, "{compared}");
    assert!(keys > 2 * WORKLOADS, "{keys}");
}
