//! SCRIPT FLUSH: there are no scripts, so it is soon done. <https://redis.io/commands/script-flush>

use crate::command::{Argument, Categories, Command, Flags};
use crate::commands::server::help;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SCRIPT.
pub(super) const SCRIPT: Command = Command {
    name: "script",
    full_name: "script",
    arity: -2,
    categories: Categories::SLOW,
    group: "scripting",
    since: "2.6.0",
    complexity: "Depends on the subcommand",
    summary: "Manages the cache of scripts.",
    subcommands: &[&FLUSH, &HELP],
    ..Command::BASE
};

const FLUSH: Command = Command {
    name: "flush",
    full_name: "script|flush",
    arity: -2,
    flags: Flags::NOSCRIPT,
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "2.6.0",
    complexity: "O(N) in the number of scripts",
    summary: "Empties the cache of scripts.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    history: &[("6.2.0", "Takes ASYNC and SYNC.")],
    arguments: &[Argument::one_of(
        "flush-type",
        &[
            Argument::token("async", "ASYNC"),
            Argument::token("sync", "SYNC"),
        ],
    )
    .since("6.2.0")
    .optional()],
    handler: flush,
    ..Command::BASE
};

const HELP: Command = Command {
    name: "help",
    full_name: "script|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "5.0.0",
    ..help::HELP
};

fn flush(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => {}
        3 if cx.args.is(2, "sync") || cx.args.is(2, "async") => {}
        3 => return Err(ReplyError::ScriptFlushMode),
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn there_are_no_scripts() {
        check(
            "SCRIPT FLUSH; SCRIPT FLUSH sync; SCRIPT FLUSH ASYNC",
            "OK; OK; OK",
        );
        check(
            "SCRIPT FLUSH now; SCRIPT FLUSH SYNC SYNC; SCRIPT EXISTS x",
            "(error) ERR SCRIPT FLUSH only support SYNC|ASYNC option; \
             (error) ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try SCRIPT HELP.; \
             (error) ERR unknown subcommand 'EXISTS'. Try SCRIPT HELP.",
        );
    }
}
