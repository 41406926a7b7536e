//! MONITOR: shows this client every command that runs. <https://redis.io/commands/monitor>
//!
//! Lines about one key come in the order of its commands; see [`crate::clients::Monitors`].

use std::borrow::Cow;

use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::host;

/// MONITOR.
pub(super) const MONITOR: Command = Command {
    name: "monitor",
    full_name: "monitor",
    arity: 1,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    complexity: "O(1), and a line for every command from then on",
    summary: "Shows every command that runs.",
    handler: monitor,
    ..Command::BASE
};

fn monitor(cx: &mut Ctx<'_>) -> Outcome {
    if cx.is_inside() {
        return Err(ReplyError::Text(Cow::Borrowed(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        )));
    }
    let id = cx.session.id;
    let clients = &host(cx).shared.clients;
    let Some(client) = clients.find(id) else {
        return Err(ReplyError::err("MONITOR needs a connection"));
    };
    // A second MONITOR is not answered, as in Redis.
    if clients.monitors.add(client) {
        cx.reply.ok();
    }
    Ok(Flow::Done)
}
