//! Commands on lists.

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[];
