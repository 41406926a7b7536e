//! PING [message]: PONG, or the message. <https://redis.io/commands/ping>

use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// PING.
pub(super) const PING: Command = Command {
    name: "ping",
    full_name: "ping",
    arity: -1,
    flags: Flags::FAST,
    categories: Categories::FAST.and(Categories::CONNECTION),
    group: "connection",
    summary: "Answers PONG or its argument: the server lives.",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    arguments: &[Argument::new("message", ArgKind::String).optional()],
    handler: ping,
    ..Command::BASE
};

fn ping(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        1 | 2 if cx.session.only_listens() => {
            // Between messages, which are arrays too.
            cx.reply.array(2);
            cx.reply.bulk(b"pong");
            cx.reply.bulk(cx.args.get(1).unwrap_or_default());
        }
        1 => cx.reply.simple("PONG"),
        2 => cx.reply.bulk(cx.args.at(1)),
        _ => return Err(ReplyError::WrongArity("ping")),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn pongs() {
        check(
            "PING; PING hello; PING a b",
            "PONG; hello; (error) ERR wrong number of arguments for 'ping' command",
        );
    }
}
