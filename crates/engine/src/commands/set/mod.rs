//! Commands on sets.

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[];
