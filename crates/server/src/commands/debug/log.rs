//! DEBUG LOG: a line of the client's in the server's log.

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::{Command, Ctx, Flow, Outcome};

/// DEBUG LOG.
pub(super) const LOG: Command = Command {
    summary: "Writes a message to the server's log.",
    arguments: &[Argument::new("message", ArgKind::String)],
    ..super::FAMILY.subcommand("log", "debug", log)
};

fn log(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 1..=1)?;
    let message = String::from_utf8_lossy(cx.args.at(2));
    tracing::warn!("DEBUG LOG: {message}");
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn takes_one_message() {
        assert_eq!(
            Console::with_debug().run("DEBUG LOG hello; DEBUG LOG a b"),
            "OK; (error) ERR unknown subcommand or wrong number of arguments for 'LOG'. Try DEBUG HELP."
        );
    }
}
