//! Commands about the server that need nothing but the command table and the clock, and what answers for the functions and
//! scripts that there are not.

mod command;
mod function;
pub mod help;
pub mod memory;
mod script;
mod time;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &command::COMMAND,
    &function::FUNCTION,
    &script::SCRIPT,
    &time::TIME,
];
