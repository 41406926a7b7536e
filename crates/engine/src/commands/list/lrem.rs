//! LREM key count element: removes elements that equal one. <https://redis.io/commands/lrem>

use dunlin_store::Event;
use dunlin_store::list::{self, End, ListRef};

use super::{fill, integer, length, take, tell_deleted};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LREM.
pub(super) const LREM: Command = Command {
    name: "lrem",
    full_name: "lrem",
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(N + M log N) for M of N elements removed",
    summary: "Removes elements that equal a given one: the first so many, the last so many for a negative count, all for 0.",
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer),
        Argument::new("element", ArgKind::String),
    ],
    handler: lrem,
    ..Command::BASE
};

fn lrem(cx: &mut Ctx<'_>) -> Outcome {
    let count = integer(cx, 2)?;
    let (from, most) = match count {
        0 => (End::Left, u64::MAX),
        1.. => (End::Left, count.unsigned_abs()),
        _ => (End::Right, count.unsigned_abs()),
    };
    let (db, key, text) = (cx.db(), cx.key(1), cx.args.at(3));
    let Some(found) = cx.keys.find(db, &key) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let len = length(cx, found)?;
    if cx.is_heavy(len) {
        return Ok(Flow::Heavy);
    }
    let entry = cx.keys.entry(found);
    let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
    let mut indices = Vec::new();
    list.matches(text, from, len, |index| {
        indices.push(index);
        (indices.len() as u64) < most
    });
    if from == End::Right {
        indices.reverse();
    }
    if !indices.is_empty() {
        let deleted = indices.len() == len;
        if deleted {
            take(cx, &key, found, 0..len, len);
        } else {
            let fill = fill(cx.engine);
            cx.keys
                .update(found, |entry| list::remove_all(entry, &indices, fill));
        }
        cx.record_verbatim(key.bytes, Event::list("lrem"));
        cx.keys.count_changes(indices.len() as u64 - 1);
        tell_deleted(cx, key.bytes, deleted);
    }
    cx.reply.count(indices.len());
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::testing::{Console, check};

    #[test]
    fn the_sign_says_from_where() {
        check(
            "RPUSH k a b a c a; LREM k 2 a; LRANGE k 0 -1",
            "5; 2; [b c a]",
        );
        check(
            "RPUSH k a b a c a; LREM k -2 a; LRANGE k 0 -1",
            "5; 2; [a b c]",
        );
        check(
            "RPUSH k 1 b 1 c 1; LREM k 0 1; LRANGE k 0 -1",
            "5; 3; [b c]",
        );
        check(
            "RPUSH k a a; LREM k 9 b; LREM k 9 a; EXISTS k; LREM k 0 a",
            "2; 0; 2; 0; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SET s v; LREM s x a; LREM s 1 a; RPUSH k a b a; LREM k -9223372036854775808 a; LRANGE k 0 -1",
            "OK; (error) ERR value is not an integer or out of range; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; 3; 2; [b]",
        );
    }

    #[test]
    fn in_a_big_list() {
        let mut console = Console::default();
        console
            .engine
            .encodings
            .list_size
            .store(3, Ordering::Relaxed);
        assert_eq!(
            console.run(
                "RPUSH k a a a d; OBJECT ENCODING k; LREM k 3 a; OBJECT ENCODING k; LRANGE k 0 -1"
            ),
            "4; quicklist; 3; listpack; [d]"
        );
        assert_eq!(
            console.run("DEL k; RPUSH k a 1 a a 1 a a a 1; LREM k -4 a; LRANGE k 0 -1; LREM k 0 1; LRANGE k 0 -1"),
            "1; 9; 4; [a 1 a 1 1]; 3; [a a]"
        );
    }
}
