//! What the engine's integration tests share: a seeded generator of commands, and a small world of clients that park.
//!
//! Everything is decided by a seed, which a failing test prints.

// Each test binary uses its own part.
#![allow(dead_code)]

pub(crate) mod commands;
pub(crate) mod genuine;
pub(crate) mod rng;
pub(crate) mod sessions;
pub(crate) mod world;
