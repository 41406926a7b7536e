//! BGSAVE [SCHEDULE]: saves the dataset as it is now, while commands go on. <https://redis.io/commands/bgsave>

use std::sync::Arc;

use dunlin_engine::command::{Argument, Categories, Flags, Scope};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::IN_PROGRESS;
use crate::host::host;
use crate::persistence::saving::{Order, Purpose, Waits};

/// BGSAVE.
pub(super) const BGSAVE: Command = Command {
    name: "bgsave",
    full_name: "bgsave",
    arity: -1,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::NO_ASYNC_LOADING),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    scope: Scope::All,
    group: "server",
    complexity: "O(1): keys are written in the background",
    summary: "Saves the dataset to disk while commands go on.",
    history: &[("3.2.2", "Takes SCHEDULE.")],
    arguments: &[Argument::token("schedule", "SCHEDULE")
        .optional()
        .since("3.2.2")],
    handler: bgsave,
    ..Command::BASE
};

fn bgsave(cx: &mut Ctx<'_>) -> Outcome {
    let schedule = match cx.args.len() {
        1 => false,
        2 if cx.args.is(1, "schedule") => true,
        _ => return Err(ReplyError::Syntax),
    };
    let shared = Arc::clone(&host(cx).shared);
    let saving = &shared.saving;
    match saving.running() {
        Some((Purpose::Dump, _)) => return Err(ReplyError::err(IN_PROGRESS)),
        // In a transaction the cut would come between its commands.
        running if cx.is_inside() || (running.is_some() && schedule) => {
            saving.schedule();
            cx.reply.simple("Background saving scheduled");
            return Ok(Flow::Done);
        }
        Some((Purpose::Base, _)) => {
            return Err(ReplyError::err(
                "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a \
                 BGSAVE whenever possible.",
            ));
        }
        None => {}
    }
    let now_ms = cx.keys.now_ms();
    let cut = |encoder| cx.keys.begin_snapshot(encoder);
    let Some(job) = saving.begin_dump(&shared, Waits::Nobody, now_ms, cut) else {
        return Err(ReplyError::err(IN_PROGRESS));
    };
    saving.submit(Order::Write(Box::new(job)), None);
    cx.reply.simple("Background saving started");
    Ok(Flow::Done)
}
