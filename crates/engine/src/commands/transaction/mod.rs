//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

mod exec;
mod multi;
mod watch;

use crate::Command;

pub(crate) use exec::is_exec;

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &multi::DISCARD,
    &exec::EXEC,
    &multi::MULTI,
    &watch::UNWATCH,
    &watch::WATCH,
];

pub(crate) use watch::forget_watches;

#[cfg(test)]
mod tests;
