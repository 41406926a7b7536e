//! Our data beside a genuine redis-server's: value by value, and what DEBUG DIGEST does not tell of streams.

// The engine itself may neither wait nor talk to the world; this test's business is to do both.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use dunlin_engine::digest::Digest;
use dunlin_resp::Value;

use super::commands::{Request, words};
use super::facts::Times;
use super::genuine::{Genuine, decode};
use super::world::World;

/// A directory that is removed when this is dropped.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory for temporary files");
        Dir(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left is for the system to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command that must not fail.
pub(crate) fn run(world: &mut World, request: &Request) {
    world.start(0, request);
    world.settle();
    if let Value::Error(why) = decode(&world.reply(0)) {
        panic!("{}: {}", request[0].escape_ascii(), why.escape_ascii());
    }
}

/// Key by key, so that a failure says which one it is.
pub(crate) fn compare_values(world: &mut World, genuine: &mut Genuine, case: &str) {
    let mut ours = Vec::new();
    world.for_each(|db, entry| {
        let digest = Digest::of_value(entry).to_string();
        ours.push((db, entry.key().to_vec(), digest, entry.kind()));
    });
    assert!(ours.len() > 10, "{case}: there is something to compare");
    let mut differing = Vec::new();
    for (db, key, digest, kind) in ours {
        genuine.type_in(&format!("SELECT {db}"));
        let key_text = key.escape_ascii().to_string();
        let request = vec![b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec(), key];
        let theirs = genuine.call(&request);
        if theirs != Value::Array(vec![Value::Simple(digest.into_bytes())]) {
            differing.push(format!("{key_text} {kind:?}"));
        }
    }
    assert!(differing.is_empty(), "{case}: {differing:?}");
}

/// Groups, consumers and what is pending, of which DEBUG DIGEST says nothing.
pub(crate) fn compare_streams(world: &mut World, genuine: &mut Genuine, times: Times, case: &str) {
    let mut streams = Vec::new();
    world.for_each(|db, entry| {
        if dunlin_store::stream::of(entry).is_some() {
            streams.push((db, entry.key().to_vec()));
        }
    });
    for (db, key) in streams {
        let select = words(&format!("SELECT {db}"));
        let mut full = words("XINFO STREAM k FULL COUNT 0");
        full[2] = key;
        let (mut ours, mut theirs) = (Value::Null, Value::Null);
        for request in [select, full] {
            world.start(0, &request);
            world.settle();
            ours = decode(&world.reply(0));
            theirs = genuine.call(&request);
        }
        let ours = comparable(ours, times);
        assert!(matches!(ours, Value::Array(_)), "a stream's facts");
        assert_eq!(ours, comparable(theirs, times), "{case}");
    }
}

/// Without what no file tells, or not in every version.
fn comparable(reply: Value, times: Times) -> Value {
    const LEFT_OUT: &[&[u8]] = &[b"radix-tree-keys", b"radix-tree-nodes", b"active-time"];
    let Value::Array(items) = reply else {
        return reply;
    };
    let mut items = items.into_iter();
    let mut left = Vec::new();
    while let Some(item) = items.next() {
        match item {
            Value::Bulk(name)
                if LEFT_OUT.contains(&&*name) || (times == Times::None && name == b"seen-time") =>
            {
                items.next();
            }
            item => left.push(comparable(item, times)),
        }
    }
    Value::Array(left)
}
