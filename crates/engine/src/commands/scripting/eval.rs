//! EVAL, EVALSHA, EVAL_RO, EVALSHA_RO: run a script. <https://redis.io/commands/eval>

use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec, Scope};
use crate::scripting::{self, Invocation, Kind, Subject};
use crate::{Ctx, Outcome, ReplyError};

/// Keys: as many as the second argument says.
pub(super) const fn key_spec(flags: &'static [&'static str]) -> KeySpec {
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
pub(super) const fn arguments(what: &'static str) -> [Argument; 4] {
    [
        Argument::new(what, ArgKind::String),
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.optional().multiple(),
        Argument::new("arg", ArgKind::String).optional().multiple(),
    ]
}

/// What commands that run scripts have in common.
pub(super) const READS_AND_WRITES: Command = Command {
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
pub(super) const READS: Command = Command {
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

/// EVAL.
pub(super) const EVAL: Command = Command {
    name: "eval",
    full_name: "eval",
    since: "2.6.0",
    complexity: "Depends on the script",
    summary: "Runs a Lua script.",
    arguments: &arguments("script"),
    handler: eval,
    ..READS_AND_WRITES
};

/// EVALSHA.
pub(super) const EVALSHA: Command = Command {
    name: "evalsha",
    full_name: "evalsha",
    summary: "Runs a Lua script that is known by the SHA-1 of its source.",
    arguments: &arguments("sha1"),
    handler: evalsha,
    ..EVAL
};

/// EVAL_RO.
pub(super) const EVAL_RO: Command = Command {
    name: "eval_ro",
    full_name: "eval_ro",
    complexity: "Depends on the script",
    summary: "Runs a Lua script that only reads.",
    arguments: &arguments("script"),
    handler: eval,
    ..READS
};

/// EVALSHA_RO.
pub(super) const EVALSHA_RO: Command = Command {
    name: "evalsha_ro",
    full_name: "evalsha_ro",
    summary: "Runs a Lua script that is known by the SHA-1 of its source and only reads.",
    arguments: &arguments("sha1"),
    handler: evalsha,
    ..EVAL_RO
};

fn eval(cx: &mut Ctx<'_>) -> Outcome {
    let source = cx.args.at(1);
    run(cx, &scripting::digest(source), Some(source))
}

fn evalsha(cx: &mut Ctx<'_>) -> Outcome {
    let digest = scripting::parse_hex(cx.args.at(1)).ok_or(ReplyError::NoScript)?;
    run(cx, &digest, None)
}

/// The number of keys among the arguments from the third on.
pub(super) fn key_count(cx: &Ctx<'_>) -> Result<usize, ReplyError> {
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

fn run(cx: &mut Ctx<'_>, digest: &scripting::Digest, source: Option<&[u8]>) -> Outcome {
    // Its own commands are shown behind it.
    if cx.observed {
        cx.host.executed(cx.command, cx.session, cx.args);
    }
    let keys = key_count(cx)?;
    let interpreter = scripting::own(cx);
    let compiled = interpreter.script(cx.engine, digest, source)?;
    let script = &compiled.script;
    scripting::run(
        cx,
        &interpreter,
        &Subject {
            function: &compiled.function,
            flags: script.flags,
            habits: &script.habits,
            kind: Kind::Script,
        },
        &Invocation {
            shown: &|| scripting::hex(digest),
            key: &|| digest.to_vec(),
            read_only: cx.command.flags.has(Flags::READONLY),
            keys,
        },
    )
}
