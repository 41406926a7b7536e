//! EVAL, EVALSHA, FCALL and what manages scripts and functions.

mod eval;
mod fcall;
mod function;
mod script;

use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

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

/// Runs a script after it was shown to who monitors, so that its own commands are shown behind it. One that has to be run again is
/// shown once.
fn shown(cx: &mut Ctx<'_>, run: impl FnOnce(&mut Ctx<'_>) -> Outcome) -> Outcome {
    if cx.observed && !std::mem::take(&mut cx.session.is_shown) {
        cx.host.executed(cx.command, cx.session, cx.args);
    }
    let outcome = run(cx);
    cx.session.is_shown = cx.observed && matches!(outcome, Ok(Flow::Again | Flow::Heavy));
    outcome
}

/// Keys: as many as the second argument says.
const fn key_spec(flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(2),
        find: Find::Count {
            count: 0,
            first: 1,
            step: 1,
        },
        flags,
    }
}

/// Arguments of a command that calls `what`.
const fn arguments(what: &'static str) -> [Argument; 4] {
    [
        Argument::new(what, ArgKind::String),
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.optional().multiple(),
        Argument::new("arg", ArgKind::String).optional().multiple(),
    ]
}

/// What commands that run scripts have in common.
const READS_AND_WRITES: Command = Command {
    arity: -3,
    flags: Flags::NOSCRIPT
        .and(Flags::STALE)
        .and(Flags::SKIP_MONITOR)
        .and(Flags::MAY_REPLICATE)
        .and(Flags::NO_MANDATORY_KEYS)
        .and(Flags::MOVABLEKEYS),
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    keys: &[key_spec(&["RW", "access", "update"])],
    scope: Scope::Script,
    group: "scripting",
    ..Command::BASE
};

/// The same of those that only read.
const READS: Command = Command {
    flags: Flags::NOSCRIPT
        .and(Flags::READONLY)
        .and(Flags::STALE)
        .and(Flags::SKIP_MONITOR)
        .and(Flags::NO_MANDATORY_KEYS)
        .and(Flags::MOVABLEKEYS),
    keys: &[key_spec(&["RO", "access"])],
    since: "7.0.0",
    ..READS_AND_WRITES
};

/// The number of keys among the arguments from the third on.
fn key_count(cx: &Ctx<'_>) -> Result<usize, ReplyError> {
    let count = crate::number::parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let count =
        usize::try_from(count).map_err(|_| ReplyError::err("Number of keys can't be negative"))?;
    if count > cx.args.len() - 3 {
        return Err(ReplyError::err(
            "Number of keys can't be greater than number of args",
        ));
    }
    Ok(count)
}
