//! The commands, one file each (or one for a family of twins), a folder for each group.
//!
//! A file holds documentation, handler, tests and the [`crate::Command`] constant; the group's `mod.rs` lists the
//! constants in a sorted table. To add a command: the file, and one row.

pub mod connection;
pub mod keyspace;
pub mod server;
pub mod string;
pub mod transaction;

/// The engine's own families.
pub const FAMILIES: &[&[&crate::Command]] = &[
    connection::TABLE,
    keyspace::TABLE,
    server::TABLE,
    string::TABLE,
    transaction::TABLE,
];
