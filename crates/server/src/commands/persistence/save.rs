//! SAVE: saves the dataset as it is now, and answers when that is done. <https://redis.io/commands/save>
//!
//! Only its own client waits for it, where Redis has all of them wait.

use std::sync::Arc;

use dunlin_engine::command::{Categories, Flags, Scope};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::IN_PROGRESS;
use crate::host::host;
use crate::persistence::saving::{Order, Purpose, Waits};

/// SAVE.
pub(super) const SAVE: Command = Command {
    name: "save",
    full_name: "save",
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::NO_ASYNC_LOADING)
        .and(Flags::NO_MULTI),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    scope: Scope::All,
    group: "server",
    complexity: "O(N), N being the number of keys",
    summary: "Saves the dataset to disk and waits for it.",
    handler: save,
    ..Command::BASE
};

fn save(cx: &mut Ctx<'_>) -> Outcome {
    let shared = Arc::clone(&host(cx).shared);
    let saving = &shared.saving;
    if cx.is_inside() {
        // On the auxiliary thread: a base of the append-only file is being written, and there is one snapshot at a time.
        let is_saved = saving.save_held(&shared, |db, visit| cx.keys.each_entry(db, visit));
        if !is_saved {
            return Err(ReplyError::Text("ERR".into()));
        }
        cx.reply.ok();
        return Ok(Flow::Done);
    }
    match saving.running() {
        Some((Purpose::Dump, _)) => return Err(ReplyError::err(IN_PROGRESS)),
        Some((Purpose::Base, _)) => return Ok(Flow::Heavy),
        None => {}
    }
    let now_ms = cx.keys.now_ms();
    let cut = |encoder| cx.keys.begin_snapshot(encoder);
    let job = saving.begin_dump(&shared, Waits::Client, now_ms, cut);
    match job {
        Some(job) => Ok(Flow::Away(Box::new(Order::Write(Box::new(job))))),
        None => Err(ReplyError::err(IN_PROGRESS)),
    }
}
