//! Sessions as text, with settings among their lines: run by the engine, and by a genuine server where there is one of the version.

use std::sync::atomic::Ordering;

use dunlin_engine::Engine;
use dunlin_engine::testing::Console;
use dunlin_resp::{Value, split_words};

use super::genuine::Genuine;

/// Sets what the server's CONFIG SET would; the engine itself has no such command.
pub(crate) fn set(engine: &Engine, name: &str, value: i64) {
    let encodings = &engine.encodings;
    let (hash, zset, set) = (&encodings.hash, &encodings.zset, &encodings.set);
    let size = || usize::try_from(value).expect("only a list's size may be negative");
    match name {
        "hash-max-listpack-entries" => hash.set(size(), hash.value_bytes()),
        "hash-max-listpack-value" => hash.set(hash.entries(), size()),
        "set-max-listpack-entries" => set.set(size(), set.value_bytes()),
        "set-max-listpack-value" => set.set(set.entries(), size()),
        "set-max-intset-entries" => encodings.intset_entries.store(size(), Ordering::Relaxed),
        "zset-max-listpack-entries" => zset.set(size(), zset.value_bytes()),
        "zset-max-listpack-value" => zset.set(zset.entries(), size()),
        "list-max-listpack-size" => encodings.list_size.store(value, Ordering::Relaxed),
        other => panic!("no setting {other}"),
    }
}

/// The settings that [`set`] knows, as they are unless changed.
const DEFAULTS: &str = "CONFIG SET hash-max-listpack-entries 512; CONFIG SET hash-max-listpack-value 64; \
     CONFIG SET set-max-listpack-entries 128; CONFIG SET set-max-listpack-value 64; CONFIG SET set-max-intset-entries 512; \
     CONFIG SET zset-max-listpack-entries 128; CONFIG SET zset-max-listpack-value 64; CONFIG SET list-max-listpack-size -2";

/// Where sessions are run.
pub(crate) trait Subject {
    /// One line of a session, and its reply as text.
    fn answer(&mut self, line: &str) -> String;

    /// The replies to a session of lines that stand between semicolons. `ENC k` is short for OBJECT ENCODING; CONFIG SET is not
    /// among the replies.
    fn run(&mut self, session: &str) -> String {
        let mut replies = Vec::new();
        for line in session.split(';').map(str::trim).filter(|l| !l.is_empty()) {
            let reply = match line.strip_prefix("ENC ") {
                Some(key) => self.answer(&format!("OBJECT ENCODING {key}")),
                None => self.answer(line),
            };
            if line.starts_with("CONFIG SET ") {
                assert_eq!(reply, "OK", "{line}");
            } else {
                replies.push(reply);
            }
        }
        replies.join("; ")
    }
}

impl Subject for Console {
    fn answer(&mut self, line: &str) -> String {
        let Some(setting) = line.strip_prefix("CONFIG SET ") else {
            return Console::run(self, line);
        };
        let (name, value) = setting.split_once(' ').expect("a name and a value");
        set(&self.engine, name, value.parse().expect("a number"));
        "OK".to_owned()
    }
}

impl Subject for Genuine {
    fn answer(&mut self, line: &str) -> String {
        show(&self.call(&split_words(line.as_bytes()).expect("balanced quotes")))
    }
}

/// A reply as the console shows it.
fn show(value: &Value) -> String {
    match value {
        Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Error(text) => format!("(error) {}", String::from_utf8_lossy(text)),
        Value::Integer(n) => n.to_string(),
        Value::Bulk(text) => text.escape_ascii().to_string(),
        Value::Null | Value::NullArray => "nil".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(show).collect();
            format!("[{}]", items.join(" "))
        }
        other => panic!("not in RESP2: {other:?}"),
    }
}

/// Runs each session in a fresh console and, where there is a genuine server that `is_comparable`, there too.
pub(crate) fn check_all(sessions: &[(&str, &str)], is_comparable: impl Fn(&Genuine) -> bool) {
    let mut genuine = Genuine::start().filter(is_comparable);
    let mut wrong = Vec::new();
    for (session, expected) in sessions {
        let found = Subject::run(&mut Console::default(), session);
        if found != *expected {
            wrong.push(format!(
                "{session}\n  ours     {found}\n  expected {expected}"
            ));
        }
        if let Some(genuine) = &mut genuine {
            // Sessions that change settings are for 7.2 alone, and 7.0 does not have them all.
            if genuine.version >= (7, 2) {
                Subject::run(genuine, DEFAULTS);
            }
            Subject::run(genuine, "SELECT 0; FLUSHALL");
            let found = Subject::run(genuine, session);
            if found != *expected {
                wrong.push(format!(
                    "{session}\n  genuine  {found}\n  expected {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
