//! The commands, one file each (or one for a family of twins), a folder for each group.
//!
//! A file holds documentation, handler, tests and the [`crate::Command`] constant; the group's `mod.rs` lists the
//! constants in a sorted table. To add a command: the file, and one row.

pub mod bitmap;
pub mod connection;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod keyspace;
pub mod list;
pub mod pubsub;
pub mod scripting;
pub mod server;
pub mod set;
pub mod stream;
pub mod string;
pub mod transaction;
pub mod zset;

/// The engine's own families.
pub const FAMILIES: &[&[&crate::Command]] = &[
    bitmap::TABLE,
    connection::TABLE,
    geo::TABLE,
    hash::TABLE,
    hyperloglog::TABLE,
    keyspace::TABLE,
    list::TABLE,
    pubsub::TABLE,
    scripting::TABLE,
    server::TABLE,
    set::TABLE,
    stream::TABLE,
    string::TABLE,
    transaction::TABLE,
    zset::TABLE,
];
