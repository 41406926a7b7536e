//! CONFIG REWRITE. <https://redis.io/commands/config-rewrite>
//!
//! The file is written and flushed by the worker that was asked: a few milliseconds of its time, once in a while, by an
//! administrator's wish.

use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::access::described_beside;
use crate::config::Appended;
use crate::host::host;

/// CONFIG REWRITE.
pub(super) const REWRITE: Command = Command {
    arity: 2,
    since: "2.8.0",
    complexity: "O(N) in the size of the file",
    summary: "Brings the configuration file up to date with the values in force.",
    tips: super::TO_ALL,
    ..super::FAMILY.subcommand("rewrite", "config|rewrite", rewrite)
};

fn rewrite(cx: &mut Ctx<'_>) -> Outcome {
    rewrite_with(cx, Appended::Changed)
}

/// Rewrites the file and answers; DEBUG has a form of it, too.
pub(crate) fn rewrite_with(cx: &mut Ctx<'_>, appended: Appended) -> Outcome {
    // A copy: nobody else waits for the disk.
    let config = host(cx).shared.config().clone();
    let users = match config.aclfile() {
        None => described_beside(&cx.engine.users, &cx.engine.table, &config),
        Some(_) => Vec::new(),
    };
    let outcome = config.rewrite(appended, &users);
    match outcome {
        Ok(()) => tracing::info!("CONFIG REWRITE executed with success."),
        Err(error) => {
            tracing::warn!("CONFIG REWRITE failed: {error}");
            return Err(ReplyError::Text(format!("ERR {error}").into()));
        }
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::check;

    #[test]
    fn without_a_file_there_is_nothing_to_rewrite() {
        check(
            "CONFIG REWRITE; CONFIG REWRITE now",
            "(error) ERR The server is running without a config file; \
             (error) ERR wrong number of arguments for 'config|rewrite' command",
        );
    }
}
