//! String commands.

mod get;
mod set;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[&get::GET, &set::SET];
