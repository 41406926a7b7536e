//! ECHO message: answers with the message. <https://redis.io/commands/echo>

use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::{Ctx, Flow, Outcome};

/// ECHO.
pub(super) const ECHO: Command = Command {
    name: "echo",
    full_name: "echo",
    arity: 2,
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    categories: Categories::FAST.and(Categories::CONNECTION),
    group: "connection",
    summary: "Returns its argument.",
    arguments: &[Argument::new("message", ArgKind::String)],
    handler: echo,
    ..Command::BASE
};

fn echo(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.bulk(cx.args.at(1));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn answers_with_the_message() {
        check(
            "ECHO 'a b'; echo",
            "a b; (error) ERR wrong number of arguments for 'echo' command",
        );
    }
}
