//! SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: saves the dataset and ends the server. <https://redis.io/commands/shutdown>

use std::sync::Arc;

use dunlin_engine::command::{Argument, Categories, Flags};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::host;
use crate::persistence::saving::Order;

/// SHUTDOWN.
pub(super) const SHUTDOWN: Command = Command {
    name: "shutdown",
    full_name: "shutdown",
    arity: -1,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::NO_MULTI)
        .and(Flags::ALLOW_BUSY),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    summary: "Saves the dataset, if so asked or if there are save points, and ends the server.",
    history: &[("7.0.0", "Takes NOW, FORCE and ABORT.")],
    arguments: &[
        Argument::one_of(
            "save-selector",
            &[
                Argument::token("nosave", "NOSAVE"),
                Argument::token("save", "SAVE"),
            ],
        )
        .optional(),
        Argument::token("now", "NOW").optional().since("7.0.0"),
        Argument::token("force", "FORCE").optional().since("7.0.0"),
        Argument::token("abort", "ABORT").optional().since("7.0.0"),
    ],
    handler: shutdown,
    ..Command::BASE
};

fn shutdown(cx: &mut Ctx<'_>) -> Outcome {
    let (mut save, mut no_save, mut abort) = (false, false, false);
    let (mut now, mut force) = (false, false);
    for option in cx.args.from(1) {
        match option.to_ascii_lowercase().as_slice() {
            b"save" => save = true,
            b"nosave" => no_save = true,
            // There are no replicas to wait for.
            b"now" => now = true,
            b"force" => force = true,
            b"abort" => abort = true,
            _ => return Err(ReplyError::Syntax),
        }
    }
    if (abort && (save || no_save || now || force)) || (save && no_save) {
        return Err(ReplyError::Syntax);
    }
    if abort && host(cx).shared.abort_stop() {
        tracing::info!("Shutdown manually aborted.");
        cx.reply.ok();
        return Ok(Flow::Done);
    }
    if abort {
        return Err(ReplyError::err("No shutdown in progress."));
    }
    tracing::warn!("User requested shutdown...");
    let shared = Arc::clone(&host(cx).shared);
    // What is only loaded in part must not take the place of the whole.
    if !shared.is_loading() && (save || (!no_save && shared.saving.has_points())) {
        // Answered only if that fails.
        return Ok(Flow::Away(Box::new(Order::ShutDown { force })));
    }
    shared.request_stop(0);
    // The end of the connection is the reply.
    cx.session.close_after_reply = true;
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn asks_to_stop_without_a_reply() {
        for command in [
            &[&b"shutdown"[..], b"nosave"][..],
            &[b"SHUTDOWN", b"NOSAVE", b"NOW", b"FORCE"],
        ] {
            let mut console = Console::default();
            assert_eq!(console.call(1, command), b"");
            assert!(console.shared.is_stopping() && console.session(1).close_after_reply);
        }
    }

    #[test]
    fn a_signal_that_waits_can_be_taken_back() {
        let mut console = Console::with_debug();
        console.call(1, &[b"CONFIG", b"SET", b"save", b""]);
        assert!(!console.shared.hold_stop(), "it is acted upon at once");
        console.run("DEBUG PAUSE-CRON 1");
        assert!(console.shared.hold_stop() && !console.shared.hold_stop());
        assert_eq!(
            console.run("SHUTDOWN ABORT; SHUTDOWN ABORT; DEBUG PAUSE-CRON 0"),
            "OK; (error) ERR No shutdown in progress.; OK"
        );
        assert!(!console.shared.is_stopping());
        console.run("DEBUG PAUSE-CRON 1");
        assert!(console.shared.hold_stop());
        console.run("DEBUG PAUSE-CRON 0");
        assert!(console.shared.is_stopping());
    }

    #[test]
    fn refuses_what_it_cannot_do() {
        check(
            "SHUTDOWN ABORT; SHUTDOWN ABORT NOW; SHUTDOWN SAVE NOSAVE; SHUTDOWN LATER; MULTI; SHUTDOWN",
            "(error) ERR No shutdown in progress.; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR syntax error; OK; (error) ERR Command not allowed inside a transaction",
        );
    }
}
