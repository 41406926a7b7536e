//! `/api/commands`: the command table, for completion and help.

use dunlin_engine::Command;
use dunlin_engine::command::Flags;
use dunlin_engine::commands::server::help::syntax;
use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::super::routes::Context;

/// Commands that clients can call, subcommands included.
pub(in super::super) fn as_json(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let table = &cx.shared.engine.table;
    let shown = table.iter_callable().filter(|(_, c)| !c.is_hidden());
    Response::json(&shown.map(|(_, command)| described(command)).collect())
}

fn described(command: &Command) -> Value {
    let flags: Vec<&str> = Flags::NAMES
        .iter()
        .filter(|(flag, name)| command.flags.has(*flag) && !name.is_empty())
        .map(|(_, name)| *name)
        .collect();
    json!({
        "name": command.full_name,
        "summary": command.summary,
        "group": command.group,
        "since": command.since,
        "arity": command.arity,
        "flags": flags,
        "syntax": syntax(command.arguments).trim_start(),
    })
}
