//! BGREWRITEAOF: writes a new base of the append-only file, while commands go on. <https://redis.io/commands/bgrewriteaof>

use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::host;

/// BGREWRITEAOF.
pub(super) const BGREWRITEAOF: Command = Command {
    name: "bgrewriteaof",
    full_name: "bgrewriteaof",
    arity: 1,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::NO_ASYNC_LOADING),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    complexity: "O(1): keys are written in the background",
    summary: "Rewrites the append-only file, so that it holds nothing that is not needed any more.",
    handler: bgrewriteaof,
    ..Command::BASE
};

fn bgrewriteaof(cx: &mut Ctx<'_>) -> Outcome {
    let is_inside = cx.is_inside();
    let shared = &host(cx).shared;
    if shared.aof.figures(shared).is_running {
        let refusal = "Background append only file rewriting already in progress";
        return Err(ReplyError::err(refusal));
    }
    let waits = is_inside || shared.saving.running().is_some();
    shared.aof.schedule(shared, !waits);
    cx.reply.simple(if waits {
        "Background append only file rewriting scheduled"
    } else {
        "Background append only file rewriting started"
    });
    Ok(Flow::Done)
}
