//! Commands that need sessions, files or configuration; the same table type as the engine's.
//!
//! Their handlers reach the server by [`crate::host::host`]. To add one: the file, and a row here or in its family.

mod acl;
mod big_keys;
mod cluster;
mod config;
mod connection;
mod debug;
mod hot_keys;
pub(crate) mod info;
mod latency;
mod lolwut;
mod memory;
pub mod migrate;
mod module;
mod persistence;
mod role;
mod shutdown;
mod slowlog;
#[cfg(test)]
pub(crate) mod testing;
mod wait;

pub use dunlin_engine::Command;
pub use dunlin_engine::command::{ArgKind, Argument};

/// Every command of the engine and the server by name, for those who describe commands rather than run them.
pub fn all() -> impl Iterator<Item = &'static Command> {
    let engine = dunlin_engine::commands::FAMILIES.iter();
    engine
        .chain(FAMILIES)
        .flat_map(|family| family.iter().copied())
}

/// Added to the engine's own families.
pub const FAMILIES: &[&[&Command]] = &[
    cluster::TABLE,
    connection::TABLE,
    persistence::TABLE,
    &[
        &acl::ACL,
        &big_keys::BIGKEYS,
        &config::CONFIG,
        &debug::DEBUG,
        &hot_keys::HOTKEYS,
        &info::INFO,
        &latency::LATENCY,
        &lolwut::LOLWUT,
        &memory::MEMORY,
        &migrate::MIGRATE,
        &module::MODULE,
        &role::ROLE,
        &shutdown::SHUTDOWN,
        &slowlog::SLOWLOG,
        &wait::WAIT,
        &wait::WAITAOF,
    ],
];
