//! WATCH makes EXEC depend on keys staying as they are; UNWATCH takes that back. <https://redis.io/commands/watch>

use dunlin_store::Key;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// WATCH.
pub(super) const WATCH: Command = Command {
    name: "watch",
    full_name: "watch",
    arity: -2,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::ALLOW_BUSY),
    categories: Categories::FAST.and(Categories::TRANSACTION),
    keys: &[KeySpec::rest(1, 1, &["RO"])],
    scope: Scope::Keys,
    group: "transactions",
    since: "2.2.0",
    complexity: "O(1) for each key",
    summary: "Lets the next EXEC run only if none of these keys changes before it.",
    arguments: &[Argument::KEY.multiple()],
    weight: Some(argument_count),
    handler: watch,
    ..Command::BASE
};

/// UNWATCH.
pub(super) const UNWATCH: Command = Command {
    name: "unwatch",
    full_name: "unwatch",
    arity: 1,
    keys: &[],
    scope: Scope::Watched,
    summary: "Forgets all watched keys.",
    arguments: &[],
    weight: None,
    handler: unwatch,
    ..WATCH
};

fn watch(cx: &mut Ctx<'_>) -> Outcome {
    if cx.session.in_transaction() {
        return Err(ReplyError::WatchInMulti);
    }
    let db = cx.db();
    for i in 1..cx.args.len() {
        let key = cx.key(i);
        let watches = cx.session.watches.get_or_insert_default();
        if cx.keys.watch(db, &key, &watches.flag) {
            watches.push((db, key.bytes.into(), key.hash));
        }
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn unwatch(cx: &mut Ctx<'_>) -> Outcome {
    forget_watches(cx);
    cx.reply.ok();
    Ok(Flow::Done)
}

/// Unwatches everything; the stripes of the watched keys are held.
pub(crate) fn forget_watches(cx: &mut Ctx<'_>) {
    let Some(watches) = cx.session.watches.take() else {
        return;
    };
    for (db, key, hash) in &watches.keys {
        cx.keys.unwatch(
            *db,
            &Key {
                bytes: key,
                hash: *hash,
            },
            &watches.flag,
        );
    }
}
