//! Values of every type and encoding, written in every version and read again: they are the same, whatever the limits of encodings are then.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::commands::{choices, request};
use common::facts::{Times, facts};
use common::files::set_low_limits;
use common::rng::Rng;
use common::world::{World, engine};
use dunlin_persist::rdb::{EncodeOptions, WriteError, dump, restore, types};
use dunlin_store::{Entry, stream};

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
                    let (read, written) = (
                        facts(&read, hasher, Times::All),
                        facts(&entry, &written_by, Times::All),
                    );
                    assert_eq!(read, written, "{case}");
                }
            }
        });
    }
    assert_eq!(met.len(), 16, "all kinds of values: {met:?}");
    assert!(refused > 0, "some hashes had deadlines of fields");
}
