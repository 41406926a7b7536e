//! EVAL, EVALSHA, FCALL and what manages scripts and functions.

mod eval;
mod fcall;
mod function;
mod script;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &eval::EVAL,
    &eval::EVAL_RO,
    &eval::EVALSHA,
    &eval::EVALSHA_RO,
    &fcall::FCALL,
    &fcall::FCALL_RO,
    &function::FUNCTION,
    &script::SCRIPT,
];
