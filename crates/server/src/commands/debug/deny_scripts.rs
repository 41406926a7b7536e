//! DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run what they may not otherwise, for Redis's own tests of scripts.

use std::sync::atomic::Ordering;

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

/// DEBUG SET-DISABLE-DENY-SCRIPTS.
pub(super) const SET_DISABLE_DENY_SCRIPTS: Command = Command {
    summary: "Lets scripts run commands that are not for scripts (1), or no longer (0).",
    arguments: &[Argument::new("on", ArgKind::Integer)],
    ..super::FAMILY.subcommand("set-disable-deny-scripts", "debug", set)
};

fn set(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 1..=1)?;
    let on = dunlin_engine::number::parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let allows = &cx.engine.scripts.allows_denied;
    allows.store(on != 0, Ordering::Relaxed);
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn scripts_may_then_run_anything() {
        let denied = "(error) ERR This Redis command is not allowed from script script: 2db4aa0a56c6bd4cbd4b61a5b2e6a98ed1b9b9d4, on @user_script:1.";
        let mut console = Console::with_debug();
        let script = "EVAL 'return redis.call(\"debug\", \"protocol\", \"integer\")' 0";
        let reply = console.run(script);
        assert_eq!(
            reply.split(" script: ").next(),
            denied.split(" script: ").next()
        );
        assert_eq!(console.run("DEBUG SET-DISABLE-DENY-SCRIPTS 1"), "OK");
        assert_eq!(console.run(script), "12345");
    }
}
