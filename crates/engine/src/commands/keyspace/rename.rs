//! RENAME and RENAMENX key newkey: another name for the same value and deadline. <https://redis.io/commands/rename>
//!
//! The value changes hands without being copied, so it takes O(1) whatever its size.

use dunlin_store::{Event, EventClass, Key};

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// RENAME.
pub(super) const RENAME: Command = Command {
    name: "rename",
    full_name: "rename",
    arity: 3,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::SLOW),
    keys: &[
        KeySpec::one(1, &["RW", "access", "delete"]),
        KeySpec::one(2, &["OW", "update"]),
    ],
    scope: Scope::Keys,
    group: "generic",
    summary: "Renames a key, over one of the new name if there is one.",
    arguments: &[Argument::KEY, Argument::new("newkey", ArgKind::Key(1))],
    handler: |cx| rename(cx, false),
    ..Command::BASE
};

/// RENAMENX.
pub(super) const RENAMENX: Command = Command {
    name: "renamenx",
    full_name: "renamenx",
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::FAST),
    keys: &[
        KeySpec::one(1, &["RW", "access", "delete"]),
        KeySpec::one(2, &["OW", "insert"]),
    ],
    summary: "Renames a key, unless one of the new name exists.",
    history: &[("3.2.0", "Equal names are no longer an error.")],
    handler: |cx| rename(cx, true),
    ..RENAME
};

fn rename(cx: &mut Ctx<'_>, only_new: bool) -> Outcome {
    let (db, from, to) = (cx.db(), cx.key(1), cx.key(2));
    if cx.keys.find(db, &from).is_none() {
        return Err(ReplyError::NoSuchKey);
    }
    let same = from.bytes == to.bytes;
    if only_new && (same || cx.keys.find(db, &to).is_some()) {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    }
    if !same && let Some(entry) = cx.keys.remove(db, &from) {
        let deadline = entry.deadline();
        let renamed = entry.with_timer(None).with_key(to.bytes);
        tell_replaced(cx, db, &to);
        cx.keys.put_entry(db, &to, renamed, deadline);
        cx.record_verbatim(from.bytes, Event::generic("rename_from"));
        cx.keys.tell(db, to.bytes, Event::generic("rename_to"));
    }
    if only_new {
        cx.reply.integer(1);
    } else {
        cx.reply.ok();
    }
    Ok(Flow::Done)
}

/// A key that is put in place of another is told of as new, which putting it there would do by itself if there were none.
pub(super) fn tell_replaced(cx: &mut Ctx<'_>, db: u32, key: &Key<'_>) {
    if cx.engine.store.notify.has(EventClass::New) && cx.keys.find(db, key).is_some() {
        cx.keys.notify(db, key.bytes, Event::NEW);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn value_and_deadline_go_along() {
        check(
            "SET a v PX 500; SET b w; RENAME a b; EXISTS a; GET b; PTTL b; DBSIZE",
            "OK; OK; OK; 0; v; 500; 1",
        );
        check(
            "SET a v; SET b w PX 50; RENAME a b; PTTL b; +50ms; GET b",
            "OK; OK; OK; -1; v",
        );
    }

    #[test]
    fn the_old_name_of_a_volatile_key_is_free() {
        check(
            "SET a v PX 10; RENAME a b; SET a w; +10ms; GET a; GET b",
            "OK; OK; OK; w; nil",
        );
    }

    #[test]
    fn renamenx_does_not_overwrite_what_is_alive() {
        check(
            "SET a v; SET b w PX 5; RENAMENX a b; +5ms; RENAMENX a b; GET b",
            "OK; OK; 0; 1; v",
        );
    }

    #[test]
    fn equal_names() {
        check("SET a v; RENAME a a; RENAMENX a a; GET a", "OK; OK; 0; v");
        check(
            "RENAME a a; RENAME a b; RENAMENX a a",
            "(error) ERR no such key; (error) ERR no such key; (error) ERR no such key",
        );
    }

    #[test]
    fn both_names_see_a_change_but_not_of_a_rename_to_itself() {
        check(
            "SET a v; WATCH a; RENAME a b; MULTI; PING; EXEC",
            "OK; OK; OK; OK; QUEUED; nil",
        );
        check(
            "SET a v; WATCH b; RENAME a b; MULTI; PING; EXEC",
            "OK; OK; OK; OK; QUEUED; nil",
        );
        check(
            "SET a v; WATCH a; RENAME a a; MULTI; PING; EXEC",
            "OK; OK; OK; OK; QUEUED; [PONG]",
        );
    }
}
