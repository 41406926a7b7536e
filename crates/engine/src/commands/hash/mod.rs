//! Commands on hashes.

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[];
