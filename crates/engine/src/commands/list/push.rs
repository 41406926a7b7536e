//! LPUSH, RPUSH, LPUSHX, RPUSHX key element [element ...]: elements at an end. <https://redis.io/commands/lpush>

use dunlin_store::list::{self, End};

use super::{ELEMENTS, check_element, fill, length, push_event};
use crate::command::{Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// LPUSH.
pub(super) const LPUSH: Command = Command {
    name: "lpush",
    full_name: "lpush",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "insert"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(N) in the number of elements pushed",
    summary: "Pushes elements at the left end of a list, which is made if it does not exist.",
    history: &[("2.4.0", "Takes several elements.")],
    arguments: ELEMENTS,
    weight: Some(argument_count),
    handler: |cx| push(cx, End::Left, false),
    ..Command::BASE
};

/// RPUSH.
pub(super) const RPUSH: Command = Command {
    name: "rpush",
    full_name: "rpush",
    summary: "Pushes elements at the right end of a list, which is made if it does not exist.",
    handler: |cx| push(cx, End::Right, false),
    ..LPUSH
};

/// LPUSHX.
pub(super) const LPUSHX: Command = Command {
    name: "lpushx",
    full_name: "lpushx",
    since: "2.2.0",
    summary: "Pushes elements at the left end of a list that exists.",
    history: &[("4.0.0", "Takes several elements.")],
    handler: |cx| push(cx, End::Left, true),
    ..LPUSH
};

/// RPUSHX.
pub(super) const RPUSHX: Command = Command {
    name: "rpushx",
    full_name: "rpushx",
    summary: "Pushes elements at the right end of a list that exists.",
    handler: |cx| push(cx, End::Right, true),
    ..LPUSHX
};

fn push(cx: &mut Ctx<'_>, end: End, only_existing: bool) -> Outcome {
    let (db, key, texts) = (cx.db(), cx.key(1), cx.args.from(2));
    for text in texts.clone() {
        check_element(text)?;
    }
    let (fill, added) = (fill(cx.engine), texts.len());
    let len = match cx.keys.find(db, &key) {
        Some(found) => {
            let len = length(cx, found)?;
            cx.keys
                .update(found, |entry| list::push(entry, texts, end, fill));
            len
        }
        None if only_existing => {
            cx.reply.integer(0);
            return Ok(Flow::Done);
        }
        None => {
            let clock = cx.keys.local().clock;
            let entry = list::create(key.bytes, texts, end, fill, clock);
            cx.keys.put_entry(db, &key, entry, None);
            0
        }
    };
    cx.record_verbatim(key.bytes, push_event(end));
    cx.keys.count_changes(added as u64 - 1);
    cx.reply.count(len + added);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::testing::{Console, check};

    #[test]
    fn elements_come_at_their_end_one_by_one() {
        check(
            "RPUSH k a b; LPUSH k c d; LRANGE k 0 -1; RPUSH k 12 -7; LRANGE k 0 -1; TYPE k",
            "2; 4; [d c a b]; 6; [d c a b 12 -7]; list",
        );
        check(
            "LPUSH k a b c; LRANGE k 0 -1; LLEN k; RPUSH k \"\"; LINDEX k -1",
            "3; [c b a]; 3; 4; ",
        );
    }

    #[test]
    fn the_x_twins_need_a_list() {
        check(
            "LPUSHX k a; RPUSHX k a; EXISTS k; RPUSH k a; LPUSHX k b c; RPUSHX k d e; LRANGE k 0 -1",
            "0; 0; 0; 1; 3; 5; [c b a d e]",
        );
    }

    #[test]
    fn a_time_to_live_stays() {
        check(
            "RPUSH k a; PEXPIRE k 50; RPUSH k b; PTTL k; +50ms; RPUSH k c; PTTL k; LRANGE k 0 -1",
            "1; 1; 2; 50; 1; -1; [c]",
        );
    }

    #[test]
    fn other_types_are_refused_and_stay() {
        check(
            "SET k v; LPUSH k a; RPUSHX k a; LPUSH k; GET k",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR wrong number of arguments for 'lpush' command; v",
        );
    }

    #[test]
    fn encodings() {
        let long = "x".repeat(8192);
        check(
            &format!(
                "RPUSH k a; OBJECT ENCODING k; RPUSH k {long}; OBJECT ENCODING k; LRANGE k 0 0; \
                 RPUSH l {long}; OBJECT ENCODING l; LPUSH l a; LRANGE l 0 0"
            ),
            "1; listpack; 2; quicklist; [a]; 1; quicklist; 2; [a]",
        );
        let mut console = Console::default();
        console
            .engine
            .encodings
            .list_size
            .store(3, Ordering::Relaxed);
        assert_eq!(
            console.run(
                "RPUSH k 1 2 3; OBJECT ENCODING k; LPUSHX k 4; OBJECT ENCODING k; LRANGE k 0 -1"
            ),
            "3; listpack; 4; quicklist; [4 1 2 3]"
        );
    }

    #[test]
    fn watchers_see_it() {
        check(
            "RPUSH k a; WATCH k; 2> RPUSH k b; MULTI; PING; EXEC",
            "1; OK; 2; OK; QUEUED; nil",
        );
        check(
            "WATCH k; 2> RPUSHX k b; MULTI; PING; EXEC",
            "OK; 0; OK; QUEUED; [PONG]",
        );
    }
}
