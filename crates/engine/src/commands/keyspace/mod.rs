//! Commands on keys whatever they hold.

mod del;
mod keys;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[&del::DEL, &keys::KEYS, &del::UNLINK];
