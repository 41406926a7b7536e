//! MGET key [key ...]: several values at one moment. <https://redis.io/commands/mget>

use super::argument_count;
use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// MGET.
pub(super) const MGET: Command = Command {
    name: "mget",
    full_name: "mget",
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::rest(1, 1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(N) in the number of keys",
    summary: "Returns the strings stored under several keys, all as of one moment.",
    tips: &["request_policy:multi_shard"],
    arguments: &[Argument::KEY.multiple()],
    weight: Some(argument_count),
    handler: mget,
    ..Command::BASE
};

fn mget(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    cx.reply.array(cx.args.len() - 1);
    for i in 1..cx.args.len() {
        let key = cx.key(i);
        // A key of another type reads as one that does not exist: MGET never fails.
        match cx
            .keys
            .read(db, &key)
            .as_deref()
            .and_then(|entry| entry.as_string())
        {
            None => cx.reply.null(),
            Some(value) => cx.reply.string(value),
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn answers_for_every_key() {
        check("MSET a 1 b two; MGET a nosuch b a", "OK; [1 nil two 1]");
        check("SET a 1 PX 5; MGET a; +5ms; MGET a a", "OK; [1]; [nil nil]");
        check(
            "MGET",
            "(error) ERR wrong number of arguments for 'mget' command",
        );
    }
}
