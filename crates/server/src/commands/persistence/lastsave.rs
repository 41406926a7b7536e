//! LASTSAVE: when the dataset was last saved. <https://redis.io/commands/lastsave>

use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::{Command, Ctx, Flow, Outcome};

use crate::host::host;

/// LASTSAVE.
pub(super) const LASTSAVE: Command = Command {
    name: "lastsave",
    full_name: "lastsave",
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    categories: Categories::ADMIN
        .and(Categories::FAST)
        .and(Categories::DANGEROUS),
    group: "server",
    complexity: "O(1)",
    summary: "Returns when the dataset was last saved, in seconds since 1970.",
    tips: &["nondeterministic_output"],
    handler: lastsave,
    ..Command::BASE
};

fn lastsave(cx: &mut Ctx<'_>) -> Outcome {
    let saved_s = host(cx).shared.saving.figures().last.saved_s;
    cx.reply.integer(i64::try_from(saved_s).unwrap_or(i64::MAX));
    Ok(Flow::Done)
}
