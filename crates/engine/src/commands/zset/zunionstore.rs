//! ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE destination numkeys key [key ...]: what several sorted sets make together, into a key.
//! <https://redis.io/commands/zunionstore>, <https://redis.io/commands/zinterstore>, <https://redis.io/commands/zdiffstore>

use dunlin_store::Event;
use dunlin_store::zset::edit;

use super::combine::{Form, Operation, Query};
use super::zrangestore::store;
use super::zunion::{AGGREGATE, NUMKEYS, WEIGHTS, ZDIFF, ZINTER, ZUNION, counted_keys};
use super::{SLOW_WRITE, rules};
use crate::command::{ArgKind, Argument, Command, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome};

const DESTINATION: Argument = Argument::new("destination", ArgKind::Key(0));
const SOURCES: Argument = Argument::new("key", ArgKind::Key(1)).multiple();

/// ZUNIONSTORE.
pub(super) const ZUNIONSTORE: Command = Command {
    name: "zunionstore",
    full_name: "zunionstore",
    arity: -4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::MOVABLEKEYS),
    keys: &[
        KeySpec::one(1, &["OW", "update"]),
        counted_keys(2, &["RO", "access"]),
    ],
    since: "2.0.0",
    complexity: ZUNION.complexity,
    summary: "Stores the members that stand in any of several sorted sets under a key.",
    arguments: &[DESTINATION, NUMKEYS, SOURCES, WEIGHTS, AGGREGATE],
    handler: |cx| combine(cx, Operation::Union, "zunionstore"),
    ..SLOW_WRITE
};

/// ZINTERSTORE.
pub(super) const ZINTERSTORE: Command = Command {
    name: "zinterstore",
    full_name: "zinterstore",
    complexity: ZINTER.complexity,
    summary: "Stores the members that stand in all of several sorted sets under a key.",
    handler: |cx| combine(cx, Operation::Intersection, "zinterstore"),
    ..ZUNIONSTORE
};

/// ZDIFFSTORE.
pub(super) const ZDIFFSTORE: Command = Command {
    name: "zdiffstore",
    full_name: "zdiffstore",
    since: "6.2.0",
    complexity: ZDIFF.complexity,
    summary: "Stores the members of a sorted set that stand in none of others under a key.",
    arguments: &[DESTINATION, NUMKEYS, SOURCES],
    handler: |cx| combine(cx, Operation::Difference, "zdiffstore"),
    ..ZUNIONSTORE
};

fn combine(cx: &mut Ctx<'_>, operation: Operation, event: &'static str) -> Outcome {
    let form = Form {
        operation,
        count_at: 2,
        answers: false,
        counts: false,
    };
    let Some(mut query) = Query::read(cx, form)? else {
        return Ok(Flow::Heavy);
    };
    let (key, rules, clock) = (cx.key(1), rules(cx), cx.keys.local().clock);
    let items = query.result(rules.hasher);
    let stored = (!items.is_empty()).then(|| {
        let entry = edit::from_sorted(key.bytes, clock, items.iter().copied(), &rules);
        (entry, items.len())
    });
    store(cx, &key, stored, Event::zset(event));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn stores() {
        check(
            "ZADD x 1 a 2 b; ZADD y 10 b 20 c; ZUNIONSTORE d 2 x y WEIGHTS 1 2; ZRANGE d 0 -1 WITHSCORES; ZINTERSTORE d 2 x y; \
             ZRANGE d 0 -1 WITHSCORES; ZDIFFSTORE d 2 x y; ZRANGE d 0 -1 WITHSCORES; ZUNIONSTORE x 2 x y AGGREGATE MAX; \
             ZRANGE x 0 -1 WITHSCORES",
            "2; 2; 3; [a 1 b 22 c 40]; 1; [b 12]; 1; [a 1]; 3; [a 1 b 10 c 20]",
        );
        check(
            "SET d v PX 5; ZINTERSTORE d 1 none; EXISTS d; ZINTERSTORE d 1 none; SET d v PX 5; ZADD x 1 a; ZUNIONSTORE d 1 x; PTTL d; \
             TYPE d",
            "OK; 0; 0; 0; OK; 1; 1; -1; zset",
        );
    }

    #[test]
    fn the_form_follows_the_result() {
        let (fits, long) = ("x".repeat(64), "x".repeat(65));
        check(
            &format!(
                "ZADD z 1 {fits} 2 {long}; OBJECT ENCODING z; ZADD y 1 {long}; ZDIFFSTORE d 2 z y; OBJECT ENCODING d; \
                 ZUNIONSTORE d 1 z; OBJECT ENCODING d"
            ),
            "2; skiplist; 1; 1; listpack; 2; skiplist",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SET d v; ZUNIONSTORE d 1 x WITHSCORES; ZUNIONSTORE d 0 x; ZUNIONSTORE d 1 d; GET d",
            "OK; (error) ERR syntax error; (error) ERR at least 1 input key is needed for 'zunionstore' command; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; v",
        );
    }
}
