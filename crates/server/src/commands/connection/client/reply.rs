//! CLIENT REPLY ON | OFF | SKIP: which replies are sent. <https://redis.io/commands/client-reply>
//!
//! Only ON is answered itself. The worker, which has the output, leaves out what is not wanted.

use dunlin_engine::command::Argument;
use dunlin_engine::{Command, Ctx, Flow, Outcome, Replies, ReplyError};

use super::FAMILY;

/// CLIENT REPLY.
pub(super) const REPLY: Command = Command {
    arity: 3,
    since: "3.2.0",
    complexity: "O(1)",
    summary: "Sends replies, sends none, or leaves out that of the next command.",
    arguments: &[Argument::one_of(
        "action",
        &[
            Argument::token("on", "ON"),
            Argument::token("off", "OFF"),
            Argument::token("skip", "SKIP"),
        ],
    )],
    ..FAMILY.subcommand("reply", "client|reply", reply)
};

fn reply(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.at(2).to_ascii_lowercase().as_slice() {
        b"on" => {
            cx.session.replies = Replies::On;
            cx.reply.ok();
        }
        b"off" => cx.session.replies = Replies::Off,
        b"skip" if cx.session.replies == Replies::Off => {}
        b"skip" => cx.session.replies = Replies::SkipNext,
        _ => return Err(ReplyError::Syntax),
    }
    Ok(Flow::Done)
}
