//! COPY source destination [DB n] [REPLACE]: a second key with the same value and deadline. <https://redis.io/commands/copy>

use dunlin_store::Event;

use super::rename::tell_replaced;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// COPY.
pub(super) const COPY: Command = Command {
    name: "copy",
    full_name: "copy",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::SLOW),
    keys: &[
        KeySpec::one(1, &["RO", "access"]),
        KeySpec::one(2, &["OW", "update"]),
    ],
    scope: Scope::Keys,
    group: "generic",
    since: "6.2.0",
    complexity: "O(1): big values are shared until one of the two changes",
    summary: "Copies the value of a key, and its time to live, to another key.",
    arguments: &[
        Argument::new("source", ArgKind::Key(0)),
        Argument::new("destination", ArgKind::Key(1)),
        Argument::new("destination-db", ArgKind::Integer)
            .with_token("DB")
            .optional(),
        Argument::token("replace", "REPLACE").optional(),
    ],
    handler: copy,
    ..Command::BASE
};

fn copy(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let (mut target, mut replace) = (db, false);
    let mut i = 3;
    while i < cx.args.len() {
        if cx.args.is(i, "replace") {
            replace = true;
        } else if cx.args.is(i, "db") && i + 1 < cx.args.len() {
            i += 1;
            target = cx.database(cx.args.at(i))?;
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 1;
    }
    let (source, destination) = (cx.key(1), cx.key(2));
    if db == target && source.bytes == destination.bytes {
        return Err(ReplyError::SameObject);
    }
    let Some(image) = cx.keys.read(db, &source).map(|entry| entry.image()) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    if !replace && cx.keys.find(target, &destination).is_some() {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    }
    let entry = image.to_entry(destination.bytes);
    tell_replaced(cx, target, &destination);
    cx.keys
        .put_entry(target, &destination, entry, image.deadline());
    cx.keys
        .changed(target, destination.bytes, Event::generic("copy_to"));
    cx.keys.effect(db, cx.args.iter());
    cx.reply.integer(1);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn copies_value_and_deadline() {
        check(
            "SET a v PX 500; COPY a b; PTTL b; GET b; SET a w; GET b",
            "OK; 1; 500; v; OK; v",
        );
        check(
            "SET a v; SET b w PX 500; COPY a b; COPY a b REPLACE; GET b; PTTL b",
            "OK; OK; 0; 1; v; -1",
        );
        check("COPY nothing b; EXISTS b", "0; 0");
    }

    #[test]
    fn copies_between_databases() {
        check(
            "SET a v; COPY a a DB 3; SELECT 3; GET a; COPY a b db 0 replace; SELECT 0; GET b",
            "OK; 1; OK; v; 1; OK; v",
        );
        check(
            "SET a v PX 5; SELECT 1; SET a w; SELECT 0; COPY a a DB 1; +5ms; COPY a a DB 1",
            "OK; OK; OK; OK; 0; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "COPY a a; COPY a b DB x; COPY a b DB 16; COPY a b DB; COPY a b DB 99999999999; COPY a",
            "(error) ERR source and destination objects are the same; \
             (error) ERR value is not an integer or out of range; (error) ERR DB index is out of range; \
             (error) ERR syntax error; \
             (error) ERR value is out of range, value must between -2147483648 and 2147483647; \
             (error) ERR wrong number of arguments for 'copy' command",
        );
    }

    #[test]
    fn a_copy_touches_watchers_of_its_own_database_only() {
        check(
            "SET a v; WATCH b; COPY a b DB 1; MULTI; PING; EXEC",
            "OK; OK; 1; OK; QUEUED; [PONG]",
        );
        check(
            "SET a v; SELECT 1; WATCH b; 2> COPY a b DB 1; MULTI; PING; EXEC",
            "OK; OK; OK; 1; OK; QUEUED; nil",
        );
    }
}
