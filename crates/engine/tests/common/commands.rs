//! Random commands, written from the argument trees of the command table: a command that is added takes part by itself.

use dunlin_engine::command::{ArgKind, Argument, Command, Flags};
use dunlin_engine::{Engine, Table};

use super::rng::Rng;

/// A command with its name, as a client sends it.
pub(crate) type Request = Vec<Vec<u8>>;

/// A command as a person types it.
pub(crate) fn words(line: &str) -> Request {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// Commands that close the connection, or behind which it takes hardly any other.
const LEFT_OUT: &[&str] = &["psubscribe", "quit", "ssubscribe", "subscribe"];

/// The commands to choose from, each as often as it is to be chosen.
pub(crate) fn choices(engine: &Engine) -> Vec<&'static Command> {
    let mut choices = Vec::new();
    for (_, command) in engine.table.iter_all() {
        let is_container = !command.subcommands.is_empty() && command.full_name != "command";
        if is_container || LEFT_OUT.contains(&command.full_name) {
            continue;
        }
        let weight = match (command.group, command.full_name) {
            (_, "flushall" | "flushdb" | "swapdb") => 1,
            // Who waits does nothing else.
            _ if command.flags.has(Flags::BLOCKING) => 1,
            (_, "set" | "expire" | "pexpire") => 16,
            (_, "select" | "multi") => 10,
            ("stream", "xadd" | "xreadgroup" | "xgroup|create") => 30,
            // Searches that store empty their keys as often.
            (_, "geoadd") => 24,
            ("string" | "generic" | "hash" | "list" | "set" | "sorted-set" | "stream", _) => 8,
            // It is long, and the same whatever the keys are.
            (_, "pfselftest") => 0,
            ("bitmap" | "hyperloglog" | "geo", _) => 4,
            ("transactions", _) => 4,
            _ => 1,
        };
        choices.extend(std::iter::repeat_n(command, weight));
    }
    choices
}

/// A command by name.
pub(crate) fn named(table: &Table, name: &str) -> &'static Command {
    table.at(table.id_of(name.as_bytes()).expect("a command"))
}

/// Random arguments for `command` that its tree allows.
pub(crate) fn request(rng: &mut Rng, command: &Command, now_ms: u64) -> Request {
    let mut request: Request = command
        .full_name
        .split('|')
        .map(|part| part.as_bytes().to_vec())
        .collect();
    let mut count_at = None;
    for argument in command.arguments {
        let before = request.len();
        add(rng, command.group, argument, now_ms, &mut request);
        match (argument.name, count_at) {
            ("numkeys", _) => count_at = Some(before),
            ("key", Some(at)) => request[at] = (request.len() - before).to_string().into_bytes(),
            _ => {}
        }
    }
    request
}

fn add(rng: &mut Rng, group: &str, argument: &Argument, now_ms: u64, request: &mut Request) {
    if argument.optional && rng.chance(60) {
        return;
    }
    // A stream's LIMIT is one of approximate trims.
    if argument.token == "LIMIT" && group == "stream" && !request.iter().any(|word| word == b"~") {
        return;
    }
    let times = if argument.multiple {
        rng.between(1, 3)
    } else {
        1
    };
    for _ in 0..times {
        if !argument.token.is_empty() {
            request.push(argument.token.as_bytes().to_vec());
        }
        if argument.name == "streams" {
            return add_streams(rng, group, request);
        }
        match argument.kind {
            ArgKind::Token => {}
            ArgKind::OneOf => {
                let choice = rng.pick(argument.inner);
                add(rng, group, choice, now_ms, request);
            }
            ArgKind::Block => {
                let mut count_at = None;
                for inner in argument.inner {
                    let before = request.len();
                    add(rng, group, inner, now_ms, request);
                    match (inner.name, count_at) {
                        ("numfields", _) => count_at = Some(before),
                        ("field", Some(at)) => {
                            request[at] = (request.len() - before).to_string().into_bytes();
                        }
                        _ => {}
                    }
                }
            }
            _ => request.push(value(rng, group, argument, now_ms)),
        }
    }
}

/// As many ids as keys.
fn add_streams(rng: &mut Rng, group: &str, request: &mut Request) {
    let keys = if rng.chance(80) { 1 } else { rng.between(2, 3) };
    (0..keys).for_each(|_| request.push(key_of(rng, group)));
    for _ in 0..keys {
        let of_group = request[0] == b"xreadgroup";
        let id = match rng.below(10) {
            0..7 if of_group => b">".to_vec(),
            0 => b"$".to_vec(),
            _ => stream_id(rng),
        };
        request.push(id);
    }
}

/// An id out of few, or a greater one.
fn stream_id(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0 => rng.below(400).to_string().into_bytes(),
        1 => format!("{}-*", rng.below(400)).into_bytes(),
        _ => format!("{}-{}", rng.below(400), rng.below(4)).into_bytes(),
    }
}

/// A key out of few, so that commands meet.
pub(crate) fn key(rng: &mut Rng) -> Vec<u8> {
    format!("key:{}", rng.below(12)).into_bytes()
}

/// Mostly a key that holds what the group's commands are about.
fn key_of(rng: &mut Rng, group: &str) -> Vec<u8> {
    let (first, count) = match group {
        "string" => (0, 12),
        "hash" => (12, 5),
        "list" => (17, 5),
        "set" => (22, 5),
        "sorted-set" => (27, 5),
        "stream" => (32, 3),
        "bitmap" => (0, 12),
        "hyperloglog" => (35, 5),
        "geo" => (40, 3),
        _ => (0, 43),
    };
    if rng.chance(8) {
        return format!("key:{}", rng.below(43)).into_bytes();
    }
    format!("key:{}", first + rng.below(count)).into_bytes()
}

fn value(rng: &mut Rng, group: &str, argument: &Argument, now_ms: u64) -> Vec<u8> {
    match argument.kind {
        ArgKind::Key(_) => key_of(rng, group),
        ArgKind::Integer if group == "bitmap" && rng.chance(80) => match argument.name {
            "value" | "bit" => rng.below(2).to_string().into_bytes(),
            "offset" if rng.chance(10) => format!("#{}", rng.below(9)).into_bytes(),
            "offset" => rng.below(300).to_string().into_bytes(),
            // Ends of all widths.
            _ => ((rng.next() as i64) >> rng.below(64))
                .to_string()
                .into_bytes(),
        },
        ArgKind::Integer => integer(rng, argument.name).to_string().into_bytes(),
        ArgKind::Double if group == "geo" => match argument.name {
            "longitude" => coordinate(rng, 180.0),
            "latitude" => coordinate(rng, 85.0),
            // Radius, width and height, in any unit.
            _ => coordinate(rng, 3000.0).replace('-', ""),
        }
        .into_bytes(),
        // Of these and their sums the versions of Redis print the same.
        ArgKind::Double if group == "sorted-set" => rng
            .pick(&["1.5", "0.25", "-3e2", "7", "-0.5", "1", "2"])
            .as_bytes()
            .to_vec(),
        ArgKind::Double => rng
            .pick(&["1.5", "0.1", "-3e2", "7", "1e-3"])
            .as_bytes()
            .to_vec(),
        ArgKind::Pattern => rng
            .pick(&["*", "key:*", "key:1", "key:[0-4]", "k*1?", "no*"])
            .as_bytes()
            .to_vec(),
        ArgKind::UnixTime => {
            let ms = now_ms as i64 + rng.between(-50, 3000);
            let time = if argument.name.contains("milli") {
                ms
            } else {
                ms / 1000
            };
            time.to_string().into_bytes()
        }
        _ if group == "stream" => stream_word(rng, argument.name),
        _ => string(rng, argument.name),
    }
}

/// A number up to `max` and down to its negative, with few digits, so that points meet.
fn coordinate(rng: &mut Rng, max: f64) -> String {
    let scale = [1.0, 0.1, 0.01][rng.below(3) as usize];
    let steps = rng.between(-1000, 1000) as f64 / 1000.0;
    format!("{:.4}", max * scale * steps)
}

fn integer(rng: &mut Rng, name: &str) -> i64 {
    match name {
        "seconds" => rng.between(1, 3),
        "milliseconds" => rng.between(1, 3000),
        "db" | "destination-db" | "index" | "index1" | "index2" => rng.between(0, 15),
        "cursor" => rng.below(1 << 48) as i64 * i64::from(rng.chance(50)),
        "count" => rng.between(1, 20),
        "ms" | "min-idle-time" => rng.between(0, 2000),
        "entries-read" | "entriesread" => rng.between(-1, 50),
        "entries-added" => rng.between(0, 500),
        // Now and then far enough for a chunked string.
        "offset" if rng.chance(5) => rng.between(65_000, 70_000),
        "offset" => rng.between(0, 30),
        _ => rng.between(-20, 20),
    }
}

fn stream_word(rng: &mut Rng, name: &str) -> Vec<u8> {
    match name {
        "group" => rng.pick(&["g", "h"]).as_bytes().to_vec(),
        "consumer" => rng.pick(&["a", "b", "c"]).as_bytes().to_vec(),
        "ID" | "id" | "start" | "end" | "last-id" | "max-deleted-id" | "lastid" => {
            match rng.below(8) {
                0 if name == "start" => b"-".to_vec(),
                0 if name == "end" => b"+".to_vec(),
                _ => stream_id(rng),
            }
        }
        "threshold" if rng.chance(60) => rng.below(60).to_string().into_bytes(),
        "threshold" => stream_id(rng),
        "min-idle-time" => rng.pick(&["0", "1", "700"]).as_bytes().to_vec(),
        _ => string(rng, name),
    }
}

fn string(rng: &mut Rng, name: &str) -> Vec<u8> {
    match name {
        "command" => b"set".to_vec(),
        "command-name" => b"get".to_vec(),
        "type" => b"string".to_vec(),
        "encoding" => {
            let signed = rng.chance(50);
            let bits = rng.between(1, 63 + i64::from(signed));
            let kind = if signed { 'i' } else { 'u' };
            format!("{kind}{bits}").into_bytes()
        }
        "subcommand" => rng
            .pick(&["getreg", "todense", "encoding", "decode"])
            .as_bytes()
            .to_vec(),
        // Now and then so many that the sparse form is left.
        "element" => rng.below(100_000).to_string().into_bytes(),
        "field" | "member" | "member1" | "member2" if rng.chance(90) => match rng.below(3) {
            0 => rng.below(20).to_string().into_bytes(),
            _ => format!("m{}", rng.below(20)).into_bytes(),
        },
        "min" | "max" => rng
            .pick(&[
                "-inf", "+inf", "(1", "0", "-", "+", "[m1", "(m2", "3", "(-7.5",
            ])
            .as_bytes()
            .to_vec(),
        _ => match rng.below(20) {
            0..8 => rng.between(-1000, 1000).to_string().into_bytes(),
            8..14 => format!("v{}", rng.below(100)).into_bytes(),
            14..19 => vec![rng.next() as u8; rng.below(100) as usize],
            // Longer than a chunk.
            _ => vec![b'x'; 66_000],
        },
    }
}
