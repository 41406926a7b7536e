//! ZREM key member [member ...]: take members out. <https://redis.io/commands/zrem>

use dunlin_store::Event;
use dunlin_store::zset::{ZSetRef, edit};

use super::{FAST_WRITE, rules, tell_removed, view};
use crate::command::{ArgKind, Argument, Command};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// ZREM.
pub(super) const ZREM: Command = Command {
    name: "zrem",
    full_name: "zrem",
    arity: -3,
    complexity: "O(M log N) for M members out of N",
    summary: "Takes members out of a sorted set; the key goes with the last one.",
    history: &[("2.4.0", "Takes several members.")],
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: zrem,
    ..FAST_WRITE
};

fn zrem(cx: &mut Ctx<'_>) -> Outcome {
    let Some(found) = cx.find(1) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    view(&cx.keys.entry(found))?;
    let (rules, members) = (rules(cx), cx.args.from(2));
    let (mut removed, mut emptied) = (0, false);
    cx.keys.update_if(found, |mut entry| {
        for member in members {
            let (rest, was_there) = edit::remove(entry, member, &rules);
            entry = rest;
            removed += usize::from(was_there);
            if was_there && ZSetRef::of(&entry).is_some_and(ZSetRef::is_empty) {
                emptied = true;
                break;
            }
        }
        (entry, removed > 0)
    });
    if removed > 0 {
        let (db, key) = (cx.db(), cx.key(1));
        if emptied && let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
        }
        cx.record_verbatim(key.bytes, Event::zset("zrem"));
        cx.keys.count_changes(removed as u64 - 1);
        if emptied {
            tell_removed(cx, &key);
        }
    }
    cx.reply.count(removed);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn removes() {
        check(
            "ZREM z a; ZADD z 1 a 2 b 3 c; ZREM z x; ZREM z a c a; ZRANGE z 0 -1; ZREM z b b; EXISTS z; TYPE z",
            "0; 3; 0; 2; [b]; 1; 0; none",
        );
        check(
            "SET s v; ZREM s v; GET s; ZREM s",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; v; \
             (error) ERR wrong number of arguments for 'zrem' command",
        );
        check(
            "ZADD z 1 a; WATCH z; 2> ZREM z x; MULTI; PING; EXEC; WATCH z; 2> ZREM z a; MULTI; PING; EXEC",
            "1; OK; 0; OK; QUEUED; [PONG]; OK; 1; OK; QUEUED; nil",
        );
    }
}
