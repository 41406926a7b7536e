//! FCALL, FCALL_RO: call a function of a library. <https://redis.io/commands/fcall>

use std::sync::Arc;

use super::{READS, READS_AND_WRITES, arguments, key_count, shown};
use crate::command::{Command, Flags};
use crate::scripting::{self, Invocation, Kind, Subject};
use crate::{Ctx, Outcome, ReplyError};

/// FCALL.
pub(super) const FCALL: Command = Command {
    name: "fcall",
    full_name: "fcall",
    since: "7.0.0",
    complexity: "Depends on the function",
    summary: "Calls a function.",
    arguments: &arguments("function"),
    handler: fcall,
    ..READS_AND_WRITES
};

/// FCALL_RO.
pub(super) const FCALL_RO: Command = Command {
    name: "fcall_ro",
    full_name: "fcall_ro",
    complexity: "Depends on the function",
    summary: "Calls a function that only reads.",
    arguments: &arguments("function"),
    handler: fcall,
    ..READS
};

fn fcall(cx: &mut Ctx<'_>) -> Outcome {
    shown(cx, run)
}

fn run(cx: &mut Ctx<'_>) -> Outcome {
    let name = cx.args.at(1);
    let libraries = cx.engine.scripts.libraries();
    let found = libraries.find(name);
    let (library, place) = found.ok_or_else(|| ReplyError::err("Function not found"))?;
    let keys = key_count(cx).map_err(|error| match error {
        ReplyError::NotInteger => ReplyError::err("Bad number of keys provided"),
        other => other,
    })?;
    let interpreter = scripting::own(cx);
    let body = interpreter.function(cx, &Arc::clone(library), *place)?;
    let function = &library.functions[*place];
    scripting::run(
        cx,
        &interpreter,
        &Subject {
            function: &body,
            flags: function.flags,
            habits: &function.habits,
            kind: Kind::Function,
        },
        &Invocation {
            shown: &|| String::from_utf8_lossy(&function.name).into_owned(),
            key: &|| scripting::function_key(&function.name),
            read_only: cx.command.flags.has(Flags::READONLY),
            keys,
        },
    )
}
