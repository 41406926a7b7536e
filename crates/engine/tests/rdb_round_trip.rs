//! Values of every type and encoding, written in every version and read again: they are the same, whatever the limits of encodings are then.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::commands::{choices, request};
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_engine::Engine;
use dunlin_engine::digest::Digest;
use dunlin_persist::rdb::{EncodeOptions, WriteError, dump, restore, types};
use dunlin_store::stream::{self, Id};
use dunlin_store::{Entry, KeyHasher};

const ROUNDS: u64 = 8;
const COMMANDS: usize = 3000;
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

/// Packed forms are left as soon as this.
fn set_low_limits(engine: &Engine) {
    let encodings = &engine.encodings;
    for limit in [&encodings.hash, &encodings.set, &encodings.zset] {
        limit.set(4, 20);
    }
    encodings.intset_entries.store(3, Ordering::Relaxed);
    encodings.list_size.store(3, Ordering::Relaxed);
    encodings.stream_entries.store(3, Ordering::Relaxed);
}

/// All that can be told of a value.
fn facts(entry: &Entry, hasher: &KeyHasher) -> String {
    let mut text = Digest::of_value(entry).to_string();
    if let Some(deadlines) = entry.timed() {
        let mut all = BTreeSet::new();
        deadlines.for_each(|field, at| {
            assert_eq!(deadlines.of_field(hasher, field), Some(at));
            all.insert((field.escape_ascii().to_string(), at));
        });
        // One that may have deadlines and has none is read as one that may not.
        if !all.is_empty() {
            text += &format!("{all:?}");
        }
    }
    if let Some(stream) = stream::of(entry) {
        stream.assert_consistent();
        let (last, deleted) = (stream.last_id(), stream.max_deleted_id());
        text += &format!("{last:?} {deleted:?} {}", stream.entries_added());
        for group in stream.groups() {
            let name = group.name().escape_ascii();
            text += &format!(" [{name} {:?} {:?}", group.last_id, group.entries_read);
            for pending in group.pending_from(Id::MIN) {
                let consumer = group.consumer(pending.consumer).name();
                text += &format!(
                    " {:?} {} {} {}",
                    pending.id,
                    pending.delivered_ms,
                    pending.deliveries,
                    consumer.escape_ascii()
                );
            }
            for consumer in group.consumers() {
                let name = consumer.name().escape_ascii();
                let (seen, active) = (consumer.seen_ms, consumer.active_ms);
                text += &format!(" {name} {seen} {active:?}");
            }
            text += "]";
        }
    }
    text
}

/// Written before Redis 7.2, a consumer was active when it was seen.
fn has_consumers(entry: &Entry) -> bool {
    stream::of(entry).is_some_and(|stream| stream.groups().any(|group| group.consumers_len() > 0))
}

#[test]
fn what_is_read_is_what_was_written() {
    let (mut met, mut refused) = (BTreeSet::new(), 0);
    for seed in 0..ROUNDS {
        let mut rng = Rng::new(seed + 900);
        let writing = Arc::new(engine(64, 1, seed));
        let reading = engine(64, 1, seed + 1);
        if seed % 2 == 0 {
            set_low_limits(&writing);
        }
        if seed % 4 < 2 {
            set_low_limits(&reading);
        }
        let mut choices = choices(&writing);
        choices.retain(|command| {
            GROUPS.contains(&command.group)
                && !["flushall", "flushdb", "swapdb"].contains(&command.full_name)
        });
        let mut world = World::new(writing, 1, 1);
        for _ in 0..COMMANDS {
            let command = rng.pick(&choices);
            world.start(0, &request(&mut rng, command, 4_000_000_000_000));
            world.settle();
            world.reply(0);
        }
        let hasher = reading.store.hasher();
        let rules = reading.encodings.rules(hasher, 0, world.now_ms);
        let written_by = *world.engine.store.hasher();
        world.for_each(|_, entry| {
            // The deadline of the key is not part of a value.
            let entry = entry.image().to_entry(entry.key());
            let key = entry.key();
            met.insert(format!("{:?}", entry.kind()));
            for version in [10, 11, 12] {
                for compress in [true, false] {
                    let case = format!("{key:?} {:?} {version} {compress}", entry.kind());
                    let bytes = match dump(&entry, &EncodeOptions { version, compress }) {
                        Ok(bytes) => bytes,
                        Err(WriteError::NeedsFieldDeadlines { key: named, .. }) => {
                            assert!(version < types::VERSION_FIELD_DEADLINES, "{case}");
                            assert_eq!(&*named, key, "{case}");
                            refused += 1;
                            continue;
                        }
                        Err(error) => panic!("{case}: {error}"),
                    };
                    let read = restore(&bytes, key, &rules, true);
                    let read = read.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                    let read = read.unwrap_or_else(|| panic!("{case}: nothing is left"));
                    if version < types::VERSION_REDIS_7_2 && has_consumers(&entry) {
                        continue;
                    }
                    assert_eq!(facts(&read, hasher), facts(&entry, &written_by), "{case}");
                }
            }
        });
    }
    assert_eq!(met.len(), 16, "all kinds of values: {met:?}");
    assert!(refused > 0, "some hashes had deadlines of fields");
}
