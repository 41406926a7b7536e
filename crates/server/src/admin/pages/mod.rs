//! The pages, a file each.
//!
//! Invariant: a page reads what the workers publish and counts nothing itself; it holds a lock for no longer than a copy takes.

pub(super) mod clients;
pub(super) mod commands;
pub(super) mod config;
pub(super) mod health;
pub(super) mod keys;
pub(super) mod metrics;
pub(super) mod slowlog;
