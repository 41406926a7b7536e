//! The table of every configuration key, by section: Redis 7.2's names and our own.
//!
//! Invariant: a name or alias stands once (tested). Adding a key is one row in its section; parser, CONFIG and
//! docs/configuration.md follow. It does not hold values.

mod clients;
mod cluster;
mod data;
mod general;
mod instructions;
mod memory;
mod network;
mod observe;
mod persistence;
mod replication;
mod security;
mod tls;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::key::Key;

/// Keys that belong together in the documentation.
#[derive(Debug)]
pub struct Section {
    /// Heading.
    pub title: &'static str,
    /// Rows, sorted by name.
    pub keys: &'static [Key],
}

/// All sections, in the order of the documentation.
pub static SECTIONS: &[Section] = &[
    Section {
        title: "Network",
        keys: network::KEYS,
    },
    Section {
        title: "General",
        keys: general::KEYS,
    },
    Section {
        title: "Clients and their limits",
        keys: clients::KEYS,
    },
    Section {
        title: "Security",
        keys: security::KEYS,
    },
    Section {
        title: "Memory",
        keys: memory::KEYS,
    },
    Section {
        title: "Encodings and limits of values",
        keys: data::KEYS,
    },
    Section {
        title: "Persistence",
        keys: persistence::KEYS,
    },
    Section {
        title: "Replication",
        keys: replication::KEYS,
    },
    Section {
        title: "Cluster",
        keys: cluster::KEYS,
    },
    Section {
        title: "TLS",
        keys: tls::KEYS,
    },
    Section {
        title: "Slow log, latency, events",
        keys: observe::KEYS,
    },
    Section {
        title: "Instructions in the file",
        keys: instructions::KEYS,
    },
];

/// All rows, sorted by name.
pub static TABLE: LazyLock<Vec<&'static Key>> = LazyLock::new(|| {
    let mut rows: Vec<&'static Key> = SECTIONS.iter().flat_map(|section| section.keys).collect();
    rows.sort_by_key(|key| key.name);
    rows
});

static INDEX: LazyLock<HashMap<&'static str, Found>> = LazyLock::new(|| {
    let mut index = HashMap::new();
    for (position, key) in TABLE.iter().copied().enumerate() {
        for name in std::iter::once(key.name).chain(key.alias) {
            let earlier = index.insert(
                name,
                Found {
                    index: position,
                    key,
                    name,
                },
            );
            assert!(earlier.is_none(), "the table has '{name}' twice");
        }
    }
    index
});

/// A row, found by one of its names.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its position in [`TABLE`].
    pub index: usize,
    /// The row.
    pub key: &'static Key,
    /// The name by which it was found, in the table's spelling: the canonical one or the alias.
    pub name: &'static str,
}

/// Finds a row by its name or alias, in any case.
pub fn find(name: &[u8]) -> Option<Found> {
    let name = std::str::from_utf8(name).ok()?;
    INDEX.get(name.to_ascii_lowercase().as_str()).copied()
}

/// As [`find`], without the instructions: a key that CONFIG GET and SET know.
pub(super) fn find_value(name: &[u8]) -> Option<Found> {
    find(name).filter(|found| found.key.holds_value())
}

/// The position of a row that must exist.
pub(super) fn index_of(name: &str) -> usize {
    match INDEX.get(name) {
        Some(found) => found.index,
        None => panic!("no configuration key is named '{name}'"),
    }
}

/// The known name that is most like a mistyped one, if any is like it at all.
pub fn nearest(name: &str) -> Option<&'static str> {
    // A third of the letters may be wrong; in a longer name more would be another word.
    const DISTANCE_MAX: usize = 6;
    let limit = (name.chars().count() / 3).clamp(1, DISTANCE_MAX);
    INDEX
        .keys()
        .map(|known| (strsim::osa_distance(name, known), *known))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, known)| known)
}
