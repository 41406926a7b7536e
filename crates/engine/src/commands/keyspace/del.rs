//! DEL and UNLINK: remove keys. <https://redis.io/commands/del>
//!
//! They differ in name only: a big value is freed in the background either way, so DEL returns in O(1) for each key too.

use dunlin_store::Event;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// DEL.
pub(super) const DEL: Command = Command {
    name: "del",
    full_name: "del",
    arity: -2,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE.and(Categories::WRITE).and(Categories::SLOW),
    keys: &[KeySpec::rest(1, 1, &["RM", "delete"])],
    scope: Scope::Keys,
    group: "generic",
    since: "1.0.0",
    complexity: "O(N) in the number of keys; values are freed in the background",
    summary: "Removes keys.",
    arguments: &[Argument::KEY.multiple()],
    handler: del,
    ..Command::BASE
};

/// UNLINK.
pub(super) const UNLINK: Command = Command {
    name: "unlink",
    full_name: "unlink",
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::KEYSPACE.and(Categories::WRITE).and(Categories::FAST),
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
            cx.keys.record(db, key.bytes, Event::generic("del"), &["DEL".into(), key.bytes.into()]);
            removed += 1;
        }
    }
    cx.reply.integer(removed);
    Ok(Flow::Done)
}
