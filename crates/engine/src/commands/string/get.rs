//! GET key: the value of a string. <https://redis.io/commands/get>

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// GET.
pub(super) const GET: Command = Command {
    name: "get",
    full_name: "get",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::STRING).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the string stored under a key.",
    arguments: &[Argument::KEY],
    handler: get,
    ..Command::BASE
};

fn get(cx: &mut Ctx<'_>) -> Outcome {
    let key = cx.key(1);
    match cx.keys.read(cx.session.db, &key) {
        None => cx.reply.null(),
        Some(entry) => cx.reply.string(entry.as_string().ok_or(ReplyError::WrongType)?),
    }
    Ok(Flow::Done)
}
