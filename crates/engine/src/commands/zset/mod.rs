//! Commands on sorted sets.

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[];
