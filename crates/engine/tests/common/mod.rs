//! What the engine's integration tests share: a seeded generator of commands, and a small world of clients that park.
//!
//! Everything is decided by a seed, which a failing test prints.

// Each test binary uses its own part.
#![allow(dead_code)]

pub(crate) mod commands;
pub(crate) mod compare;
pub(crate) mod facts;
pub(crate) mod files;
pub(crate) mod genuine;
pub(crate) mod refusals;
pub(crate) mod rng;
pub(crate) mod sessions;
pub(crate) mod threads;
pub(crate) mod world;

/// `DUNLIN_MODEL_OPERATIONS`, which makes tests of random commands run so many.
#[allow(
    clippy::disallowed_methods,
    reason = "a test's length is for who starts it"
)]
pub(crate) fn operations(unless_set: usize) -> usize {
    match std::env::var("DUNLIN_MODEL_OPERATIONS") {
        Ok(text) => text.parse().expect("DUNLIN_MODEL_OPERATIONS is a number"),
        Err(_) => unless_set,
    }
}
