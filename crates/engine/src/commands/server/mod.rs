//! Commands about the server that need nothing but the command table and the clock, and what answers for the functions and
//! scripts that there are not.

mod command;
pub mod help;
pub mod memory;
mod time;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[&command::COMMAND, &time::TIME];
