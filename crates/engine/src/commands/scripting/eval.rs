//! EVAL, EVALSHA, EVAL_RO, EVALSHA_RO: run a script. <https://redis.io/commands/eval>

use std::rc::Rc;

use super::{READS, READS_AND_WRITES, arguments, key_count, shown};
use crate::command::{Command, Flags};
use crate::scripting::{self, Compiled, Interpreter, Invocation, Kind, Subject};
use crate::{Ctx, Outcome, ReplyError};

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
    shown(cx, |cx| {
        run(cx, |cx, interpreter| {
            interpreter.script_of(cx.engine, source)
        })
    })
}

fn evalsha(cx: &mut Ctx<'_>) -> Outcome {
    let digest = scripting::parse_hex(cx.args.at(1)).ok_or(ReplyError::NoScript)?;
    shown(cx, |cx| {
        run(cx, |cx, interpreter| {
            interpreter.script(cx.engine, &digest, None)
        })
    })
}

fn run(
    cx: &mut Ctx<'_>,
    find: impl FnOnce(&Ctx<'_>, &Interpreter) -> Result<Rc<Compiled>, ReplyError>,
) -> Outcome {
    let keys = key_count(cx)?;
    let interpreter = scripting::own(cx);
    let compiled = find(cx, &interpreter)?;
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
            shown: &|| scripting::hex(&compiled.digest),
            key: &|| compiled.digest.to_vec(),
            read_only: cx.command.flags.has(Flags::READONLY),
            keys,
        },
    )
}
