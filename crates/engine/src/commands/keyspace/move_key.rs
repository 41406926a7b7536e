//! MOVE key db: takes a key to another database, unless one of its name is there. <https://redis.io/commands/move>

use dunlin_store::Event;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// MOVE.
pub(super) const MOVE: Command = Command {
    name: "move",
    full_name: "move",
    arity: 3,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::FAST),
    // A key has the same stripe in every database.
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "generic",
    summary: "Moves a key to another database, unless it exists there.",
    arguments: &[Argument::KEY, Argument::new("db", ArgKind::Integer)],
    handler: move_key,
    ..Command::BASE
};

fn move_key(cx: &mut Ctx<'_>) -> Outcome {
    let target = cx.database(cx.args.at(2))?;
    let (db, key) = (cx.db(), cx.key(1));
    if target == db {
        return Err(ReplyError::SameObject);
    }
    let movable = cx.keys.find(db, &key).is_some() && cx.keys.find(target, &key).is_none();
    if movable && let Some(entry) = cx.keys.remove(db, &key) {
        let deadline = entry.deadline();
        cx.keys
            .put_entry(target, &key, entry.with_timer(None), deadline);
        cx.record_verbatim(key.bytes, Event::generic("move_from"));
        cx.keys.tell(target, key.bytes, Event::generic("move_to"));
    }
    cx.reply.integer(i64::from(movable));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn moves_value_and_deadline() {
        check(
            "SET k v PX 500; MOVE k 1; EXISTS k; SELECT 1; GET k; PTTL k",
            "OK; 1; 0; OK; v; 500",
        );
        check(
            "SET k v; MOVE k 1; SELECT 1; PTTL k; MOVE k 0; MOVE k 0",
            "OK; 1; OK; -1; 1; 0",
        );
    }

    #[test]
    fn does_not_overwrite_what_is_alive() {
        check(
            "SET k a; SELECT 1; SET k b PX 5; SELECT 0; MOVE k 1; GET k; +5ms; MOVE k 1; SELECT 1; GET k",
            "OK; OK; OK; OK; 0; a; 1; OK; a",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "MOVE k 0; MOVE k x; MOVE k 16; MOVE k -1; MOVE k",
            "(error) ERR source and destination objects are the same; \
             (error) ERR value is not an integer or out of range; (error) ERR DB index is out of range; \
             (error) ERR DB index is out of range; (error) ERR wrong number of arguments for 'move' command",
        );
    }

    #[test]
    fn both_databases_see_a_change() {
        check(
            "SET k v; WATCH k; MOVE k 1; MULTI; PING; EXEC",
            "OK; OK; 1; OK; QUEUED; nil",
        );
        check(
            "2> SET k v; SELECT 1; WATCH k; 2> MOVE k 1; MULTI; PING; EXEC",
            "OK; OK; OK; 1; OK; QUEUED; nil",
        );
    }
}
