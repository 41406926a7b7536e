//! The keyspace commands against a plain model: sixteen sorted maps and a clock.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::rng::Rng;
use common::world::{START_MS, engine};
use dunlin_engine::glob;
use dunlin_engine::testing::Console;

const RUNS: u64 = 400;
const COMMANDS: usize = 400;
const DATABASES: i64 = 16;

/// A value and its deadline.
type Value = (String, Option<i64>);

/// What a reply must be.
#[derive(Debug)]
enum Expected {
    /// This.
    Exactly(String),
    /// These names in any order.
    Names(BTreeSet<String>),
    /// One of these names, or null without any.
    OneOf(BTreeSet<String>),
}

use Expected::{Exactly, Names, OneOf};

struct Model {
    databases: Vec<BTreeMap<String, Value>>,
    db: usize,
    now: i64,
}

fn number(n: i64) -> Expected {
    Exactly(n.to_string())
}

fn ok() -> Expected {
    Exactly("OK".into())
}

fn error(text: &str) -> Expected {
    Exactly(format!("(error) ERR {text}"))
}

impl Model {
    fn new() -> Model {
        let databases = (0..DATABASES).map(|_| BTreeMap::new()).collect();
        Model {
            databases,
            db: 0,
            now: START_MS as i64,
        }
    }

    fn advance(&mut self, ms: i64) {
        self.now += ms;
        let now = self.now;
        for keys in &mut self.databases {
            keys.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > now));
        }
    }

    fn keys(&mut self) -> &mut BTreeMap<String, Value> {
        &mut self.databases[self.db]
    }

    fn names(&self) -> BTreeSet<String> {
        self.databases[self.db].keys().cloned().collect()
    }

    /// Carries a command out.
    fn run(&mut self, words: &[&str]) -> Expected {
        let arg = |i: usize| words.get(i).copied().unwrap_or_default();
        let count = |words: &[&str], keys: &BTreeMap<String, Value>| {
            words.iter().filter(|key| keys.contains_key(**key)).count() as i64
        };
        match arg(0) {
            "SELECT" => match arg(1).parse() {
                Ok(db) if (0..DATABASES).contains(&db) => {
                    self.db = db as usize;
                    ok()
                }
                _ => error("DB index is out of range"),
            },
            "SET" => {
                let deadline =
                    (arg(3) == "PX").then(|| self.now + arg(4).parse::<i64>().expect("a time"));
                self.keys().insert(arg(1).into(), (arg(2).into(), deadline));
                ok()
            }
            "GET" => Exactly(
                self.keys()
                    .get(arg(1))
                    .map_or("nil".into(), |(value, _)| value.clone()),
            ),
            "DEL" | "UNLINK" => number(
                words[1..]
                    .iter()
                    .filter(|key| self.keys().remove(**key).is_some())
                    .count() as i64,
            ),
            "EXISTS" | "TOUCH" => number(count(&words[1..], self.keys())),
            "TYPE" => Exactly(
                if self.keys().contains_key(arg(1)) {
                    "string"
                } else {
                    "none"
                }
                .into(),
            ),
            "COPY" => self.copy(words),
            "MOVE" => self.move_key(arg(1), arg(2).parse().expect("a number")),
            "RENAME" | "RENAMENX" => self.rename(arg(1), arg(2), arg(0) == "RENAMENX"),
            "RANDOMKEY" => OneOf(self.names()),
            "KEYS" | "SCAN" => {
                let pattern = arg(1).as_bytes();
                Names(
                    self.names()
                        .into_iter()
                        .filter(|name| glob::matches(pattern, name.as_bytes(), false))
                        .collect(),
                )
            }
            "DBSIZE" => number(self.keys().len() as i64),
            "FLUSHDB" => {
                self.keys().clear();
                ok()
            }
            "FLUSHALL" => {
                self.databases.iter_mut().for_each(BTreeMap::clear);
                ok()
            }
            "SWAPDB" => {
                self.databases.swap(
                    arg(1).parse().expect("a number"),
                    arg(2).parse().expect("a number"),
                );
                ok()
            }
            "PERSIST" => {
                let deadline = self
                    .keys()
                    .get_mut(arg(1))
                    .and_then(|(_, deadline)| deadline.take());
                number(i64::from(deadline.is_some()))
            }
            "TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME" => self.ttl(arg(0), arg(1)),
            "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" => {
                self.expire(arg(0), arg(1), arg(2), &words[3..])
            }
            other => unreachable!("{other} is not in the model"),
        }
    }

    fn copy(&mut self, words: &[&str]) -> Expected {
        let (from, to) = (words[1], words[2]);
        let target = words
            .iter()
            .position(|w| *w == "DB")
            .map_or(self.db, |i| words[i + 1].parse().expect("a number"));
        if target == self.db && from == to {
            return error("source and destination objects are the same");
        }
        let Some(value) = self.keys().get(from).cloned() else {
            return number(0);
        };
        if self.databases[target].contains_key(to) && !words.contains(&"REPLACE") {
            return number(0);
        }
        self.databases[target].insert(to.into(), value);
        number(1)
    }

    fn move_key(&mut self, key: &str, target: usize) -> Expected {
        if target == self.db {
            return error("source and destination objects are the same");
        }
        if self.databases[target].contains_key(key) {
            return number(0);
        }
        match self.keys().remove(key) {
            None => number(0),
            Some(value) => {
                self.databases[target].insert(key.into(), value);
                number(1)
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str, only_new: bool) -> Expected {
        if !self.keys().contains_key(from) {
            return error("no such key");
        }
        if only_new && self.keys().contains_key(to) {
            return number(0);
        }
        if let Some(value) = self.keys().remove(from) {
            self.keys().insert(to.into(), value);
        }
        if only_new { number(1) } else { ok() }
    }

    fn ttl(&mut self, command: &str, key: &str) -> Expected {
        let now = self.now;
        let Some((_, deadline)) = self.keys().get(key) else {
            return number(-2);
        };
        let Some(at) = *deadline else {
            return number(-1);
        };
        number(match command {
            "TTL" => (at - now + 500) / 1000,
            "PTTL" => at - now,
            "EXPIRETIME" => (at + 500) / 1000,
            _ => at,
        })
    }

    fn expire(&mut self, command: &str, key: &str, time: &str, conditions: &[&str]) -> Expected {
        let time: i64 = time.parse().expect("a number");
        let unit = if command.starts_with('P') { 1 } else { 1000 };
        let base = if command.ends_with("AT") { 0 } else { self.now };
        let moment = time * unit + base;
        let now = self.now;
        let has = |word: &str| conditions.contains(&word);
        if has("NX") && conditions.len() > 1 {
            return error("NX and XX, GT or LT options at the same time are not compatible");
        }
        if has("GT") && has("LT") {
            return error("GT and LT options at the same time are not compatible");
        }
        let Some((_, deadline)) = self.keys().get_mut(key) else {
            return number(0);
        };
        let refused = (has("NX") && deadline.is_some())
            || (has("XX") && deadline.is_none())
            || (has("GT") && deadline.is_none_or(|at| moment <= at))
            || (has("LT") && deadline.is_some_and(|at| moment >= at));
        if refused {
            return number(0);
        }
        *deadline = Some(moment);
        if moment <= now {
            self.keys().remove(key);
        }
        number(1)
    }
}

fn command(rng: &mut Rng, now: i64) -> String {
    const NAMES: &[&str] = &[
        "SELECT",
        "SET",
        "SET",
        "SET",
        "SET",
        "GET",
        "DEL",
        "UNLINK",
        "EXISTS",
        "TOUCH",
        "TYPE",
        "COPY",
        "COPY",
        "MOVE",
        "RENAME",
        "RENAMENX",
        "RANDOMKEY",
        "KEYS",
        "SCAN",
        "DBSIZE",
        "PERSIST",
        "TTL",
        "PTTL",
        "EXPIRETIME",
        "PEXPIRETIME",
        "EXPIRE",
        "EXPIRE",
        "PEXPIRE",
        "EXPIREAT",
        "PEXPIREAT",
        "SWAPDB",
        "FLUSHDB",
    ];
    let name = *rng.pick(NAMES);
    let mut words = vec![name.to_owned()];
    let key = |rng: &mut Rng| format!("k{}", rng.below(10));
    // Few databases, so that things meet.
    let db = |rng: &mut Rng| rng.below(3).to_string();
    match name {
        "SELECT" => words.push(rng.pick(&["0", "1", "2", "2", "16"]).to_string()),
        "SET" => {
            words.extend([key(rng), format!("v{}", rng.below(1000))]);
            if rng.chance(40) {
                words.extend(["PX".into(), rng.between(1, 3000).to_string()]);
            }
        }
        "DEL" | "UNLINK" | "EXISTS" | "TOUCH" => {
            (0..rng.between(1, 3)).for_each(|_| words.push(key(rng)))
        }
        "COPY" => {
            words.extend([key(rng), key(rng)]);
            if rng.chance(40) {
                words.extend(["DB".into(), db(rng)]);
            }
            if rng.chance(50) {
                words.push("REPLACE".into());
            }
        }
        "MOVE" => words.extend([key(rng), db(rng)]),
        "RENAME" | "RENAMENX" => words.extend([key(rng), key(rng)]),
        "KEYS" | "SCAN" => words.push(rng.pick(&["*", "k?", "k[0-4]", "k1", "no*"]).to_string()),
        "SWAPDB" => words.extend([db(rng), db(rng)]),
        // The one command that undoes everything is not to come too often.
        "FLUSHDB" if rng.chance(20) => words[0] = "FLUSHALL".into(),
        "RANDOMKEY" | "DBSIZE" | "FLUSHDB" => {}
        "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" => {
            let (relative, unit) = (
                !name.ends_with("AT"),
                if name.starts_with('P') { 1 } else { 1000 },
            );
            let ms = rng.between(-500, 4000) + if relative { 0 } else { now };
            words.extend([key(rng), (ms / unit).to_string()]);
            (0..rng.below(3))
                .for_each(|_| words.push(rng.pick(&["NX", "XX", "GT", "LT"]).to_string()));
            words[3..].sort();
            words.dedup();
        }
        _ => words.push(key(rng)),
    }
    words.join(" ")
}

/// All names that SCAN returns from its start to its end.
fn scan(rng: &mut Rng, console: &mut Console, pattern: &str) -> BTreeSet<String> {
    let (mut cursor, mut names) = ("0".to_owned(), BTreeSet::new());
    loop {
        let reply = console.run(&format!(
            "SCAN {cursor} MATCH {pattern} COUNT {}",
            rng.between(1, 20)
        ));
        let (next, found) = reply[1..reply.len() - 1]
            .split_once(' ')
            .expect("two elements");
        for name in list(found) {
            assert!(names.insert(name.clone()), "{name} came twice");
        }
        if next == "0" {
            return names;
        }
        cursor = next.to_owned();
    }
}

fn list(reply: &str) -> Vec<String> {
    reply
        .trim_matches(['[', ']'])
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn check_one(rng: &mut Rng, console: &mut Console, model: &mut Model, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    if words[0] == "DBSIZE" {
        // It counts what is there, due or not.
        console.expire();
    }
    let expected = model.run(&words);
    match expected {
        Exactly(expected) => assert_eq!(console.run(line), expected, "{line}"),
        Names(expected) if words[0] == "SCAN" => {
            assert_eq!(scan(rng, console, words[1]), expected, "{line}")
        }
        Names(expected) => {
            let names = list(&console.run(line));
            assert_eq!(names.len(), expected.len(), "{line}: {names:?}");
            assert_eq!(
                names.into_iter().collect::<BTreeSet<_>>(),
                expected,
                "{line}"
            );
        }
        OneOf(names) if names.is_empty() => assert_eq!(console.run(line), "nil", "{line}"),
        OneOf(names) => assert!(names.contains(&console.run(line)), "{line}"),
    }
}

/// What was done so far, shown when a check fails.
struct History {
    seed: u64,
    lines: Vec<String>,
}

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: {}", self.seed, self.lines.join("; "));
        }
    }
}

#[test]
fn keyspace_commands_do_what_the_model_does() {
    for seed in 0..RUNS {
        let mut rng = Rng::new(seed);
        let stripes = *rng.pick(&[1, 4, 256]);
        let mut console = Console::new(Arc::new(engine(stripes, 1, seed)));
        let mut model = Model::new();
        let mut history = History {
            seed,
            lines: Vec::new(),
        };
        for _ in 0..COMMANDS {
            if rng.chance(10) {
                let ms = rng.between(0, 600);
                history.lines.push(format!("+{ms}ms"));
                console.advance_ms(ms as u64);
                model.advance(ms);
                if rng.chance(50) {
                    console.expire();
                }
                continue;
            }
            let line = command(&mut rng, model.now);
            history.lines.push(line.clone());
            check_one(&mut rng, &mut console, &mut model, &line);
        }
    }
}
