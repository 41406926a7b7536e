//! DEL and UNLINK: remove keys. <https://redis.io/commands/del>
//!
//! They differ in name only: a big value is freed in the background either way, so DEL returns in O(1) for each key too.

use dunlin_store::Event;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// DEL.
pub(super) const DEL: Command = Command {
    name: "del",
    full_name: "del",
    arity: -2,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::SLOW),
    keys: &[KeySpec::rest(1, 1, &["RM", "delete"])],
    scope: Scope::Keys,
    group: "generic",
    since: "1.0.0",
    complexity: "O(N) in the number of keys; values are freed in the background",
    summary: "Removes keys.",
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    arguments: &[Argument::KEY.multiple()],
    weight: Some(argument_count),
    handler: del,
    ..Command::BASE
};

/// UNLINK.
pub(super) const UNLINK: Command = Command {
    name: "unlink",
    full_name: "unlink",
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::FAST),
    since: "4.0.0",
    ..DEL
};

fn del(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let mut removed = 0;
    for i in 1..cx.args.len() {
        let key = cx.key(i);
        if let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
            cx.keys.record(
                db,
                key.bytes,
                Event::generic("del"),
                &["DEL".into(), key.bytes.into()],
            );
            removed += 1;
        }
    }
    cx.reply.integer(removed);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn removes_what_is_there() {
        check(
            "SET a 1; SET b 1; DEL a b c a; EXISTS a b; DEL a",
            "OK; OK; 2; 0; 0",
        );
        check(
            "SET a 1 PX 5; SET b 1; UNLINK a; +5ms; UNLINK a b; DBSIZE",
            "OK; OK; 1; 1; 0",
        );
        check(
            "SET a 1 PX 5; +5ms; DEL a; DEL",
            "OK; 0; (error) ERR wrong number of arguments for 'del' command",
        );
    }

    #[test]
    fn a_removal_touches_watchers() {
        check(
            "SET a 1; WATCH a; DEL a; MULTI; PING; EXEC",
            "OK; OK; 1; OK; QUEUED; nil",
        );
        check(
            "WATCH a; DEL a; MULTI; PING; EXEC",
            "OK; 0; OK; QUEUED; [PONG]",
        );
    }
}
