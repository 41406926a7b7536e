//! LTRIM key start stop: keeps a range of elements. <https://redis.io/commands/ltrim>

use dunlin_store::Event;

use super::{integer, length, span, take, tell_deleted};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// LTRIM.
pub(super) const LTRIM: Command = Command {
    name: "ltrim",
    full_name: "ltrim",
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(log N) in the length of the list; what is removed is freed in the background",
    summary: "Removes the elements of a list outside a range of indices.",
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::Integer),
        Argument::new("stop", ArgKind::Integer),
    ],
    handler: ltrim,
    ..Command::BASE
};

fn ltrim(cx: &mut Ctx<'_>) -> Outcome {
    let (start, stop) = (integer(cx, 2)?, integer(cx, 3)?);
    let (db, key) = (cx.db(), cx.key(1));
    let Some(found) = cx.keys.find(db, &key) else {
        cx.reply.ok();
        return Ok(Flow::Done);
    };
    let len = length(cx, found)?;
    let kept = span(start, stop, len);
    if kept.len() == len {
        // Nothing changes, but watchers see a change, as in Redis.
        cx.keys.tell(db, key.bytes, Event::list("ltrim"));
        cx.reply.ok();
        return Ok(Flow::Done);
    }
    let deleted = kept.is_empty();
    if deleted {
        take(cx, &key, found, 0..len, len);
    } else {
        // From the right, so that the indices on the left stay.
        if kept.end < len {
            take(cx, &key, found, kept.end..len, len);
        }
        if kept.start > 0 {
            take(cx, &key, found, 0..kept.start, kept.end);
        }
    }
    cx.record_verbatim(key.bytes, Event::list("ltrim"));
    cx.keys.count_changes((len - kept.len()) as u64 - 1);
    tell_deleted(cx, key.bytes, deleted);
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::testing::{Console, check};

    #[test]
    fn keeps_a_range() {
        check(
            "RPUSH k a b 3 d e; LTRIM k 1 -2; LRANGE k 0 -1; LTRIM k 0 -1; LTRIM k -2 100; LRANGE k 0 -1; LTRIM k 1 0; EXISTS k; LTRIM k 0 1",
            "5; OK; [b 3 d]; OK; OK; [3 d]; OK; 0; OK",
        );
        check("RPUSH k a b; LTRIM k 5 9; EXISTS k", "2; OK; 0");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SET s v; LTRIM s x 1; LTRIM s 0 1",
            "OK; (error) ERR value is not an integer or out of range; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn a_big_list() {
        let mut console = Console::default();
        let many: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
        console.run(&format!("RPUSH k {}", many.join(" ")));
        assert_eq!(
            console.run("LTRIM k 10000 -10001; LLEN k; LINDEX k 0; LINDEX k -1; LTRIM k 500 502; LRANGE k 0 -1; OBJECT ENCODING k"),
            "OK; 80000; 10000; 89999; OK; [10500 10501 10502]; listpack"
        );
        console
            .engine
            .encodings
            .list_size
            .store(3, Ordering::Relaxed);
        assert_eq!(
            console.run("DEL k; RPUSH k a b c d; OBJECT ENCODING k; LTRIM k 1 1; OBJECT ENCODING k; LRANGE k 0 -1"),
            "1; 4; quicklist; OK; listpack; [b]"
        );
    }

    #[test]
    fn watchers_see_it_even_if_nothing_was_cut() {
        check(
            "RPUSH k a; WATCH k; LTRIM k 0 -1; MULTI; PING; EXEC",
            "1; OK; OK; OK; QUEUED; nil",
        );
    }
}
