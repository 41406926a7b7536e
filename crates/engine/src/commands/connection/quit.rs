//! QUIT: closes the connection behind the reply. <https://redis.io/commands/quit>

use crate::command::{Categories, Command, Flags};
use crate::{Ctx, Flow, Outcome};

/// QUIT.
pub(super) const QUIT: Command = Command {
    name: "quit",
    full_name: "quit",
    arity: -1,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY),
    categories: Categories::FAST.and(Categories::CONNECTION),
    group: "connection",
    summary: "Closes the connection.",
    deprecated: Some(("7.2.0", "just closing the connection")),
    handler: quit,
    ..Command::BASE
};

fn quit(cx: &mut Ctx<'_>) -> Outcome {
    cx.session.close_after_reply = true;
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::Console;

    #[test]
    fn closes_behind_the_reply_even_inside_multi() {
        let mut console = Console::default();
        console.session(1).authenticated = false;
        assert_eq!(console.run("QUIT"), "OK");
        assert!(console.session(1).close_after_reply);
        assert_eq!(console.run("2> MULTI; 2> QUIT"), "OK; OK");
        assert!(console.session(2).close_after_reply);
    }
}
