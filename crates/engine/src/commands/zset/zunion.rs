//! ZUNION, ZINTER, ZDIFF numkeys key [key ...] and ZINTERCARD: what several sorted sets make together.
//! <https://redis.io/commands/zunion>, <https://redis.io/commands/zinter>, <https://redis.io/commands/zdiff>,
//! <https://redis.io/commands/zintercard>

use super::combine::{Form, Operation, Query};
use super::{SLOW_READ, reply_items};
use crate::command::{ArgKind, Argument, Begin, Command, Find, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// Keys behind their number at an argument.
pub(super) const fn counted_keys(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Count {
            count: 0,
            first: 1,
            step: 1,
        },
        flags,
    }
}

/// The number of keys.
pub(super) const NUMKEYS: Argument = Argument::new("numkeys", ArgKind::Integer);
/// WEIGHTS.
pub(super) const WEIGHTS: Argument = Argument::new("weight", ArgKind::Integer)
    .with_token("WEIGHTS")
    .optional()
    .multiple();
/// AGGREGATE.
pub(super) const AGGREGATE: Argument = Argument::one_of(
    "aggregate",
    &[
        Argument::token("sum", "SUM"),
        Argument::token("min", "MIN"),
        Argument::token("max", "MAX"),
    ],
)
.with_token("AGGREGATE")
.optional();
const WITH_SCORES: Argument = Argument::token("withscores", "WITHSCORES").optional();

/// ZUNION.
pub(super) const ZUNION: Command = Command {
    name: "zunion",
    full_name: "zunion",
    flags: Flags::READONLY.and(Flags::MOVABLEKEYS),
    arity: -3,
    keys: &[counted_keys(1, &["RO", "access"])],
    since: "6.2.0",
    complexity: "O(N log N) for N members in all sources together",
    summary: "Returns the members that stand in any of several sorted sets.",
    arguments: &[
        NUMKEYS,
        Argument::KEY.multiple(),
        WEIGHTS,
        AGGREGATE,
        WITH_SCORES,
    ],
    handler: |cx| answer(cx, Operation::Union),
    ..SLOW_READ
};

/// ZINTER.
pub(super) const ZINTER: Command = Command {
    name: "zinter",
    full_name: "zinter",
    complexity: "O(N K log M + R log R) for K sources, of which the smallest has N and the largest M members, and R results",
    summary: "Returns the members that stand in all of several sorted sets.",
    handler: |cx| answer(cx, Operation::Intersection),
    ..ZUNION
};

/// ZDIFF.
pub(super) const ZDIFF: Command = Command {
    name: "zdiff",
    full_name: "zdiff",
    complexity: "O(N log N) for N members in all sources together",
    summary: "Returns the members of a sorted set that stand in none of others.",
    arguments: &[NUMKEYS, Argument::KEY.multiple(), WITH_SCORES],
    handler: |cx| answer(cx, Operation::Difference),
    ..ZUNION
};

/// ZINTERCARD.
pub(super) const ZINTERCARD: Command = Command {
    name: "zintercard",
    full_name: "zintercard",
    since: "7.0.0",
    complexity: "O(N K log M) for K sources, of which the smallest has N and the largest M members",
    summary: "Counts the members that stand in all of several sorted sets.",
    arguments: &[
        NUMKEYS,
        Argument::KEY.multiple(),
        Argument::new("limit", ArgKind::Integer)
            .with_token("LIMIT")
            .optional(),
    ],
    handler: zintercard,
    ..ZUNION
};

fn answer(cx: &mut Ctx<'_>, operation: Operation) -> Outcome {
    let form = Form {
        operation,
        count_at: 1,
        answers: true,
        counts: false,
    };
    let Some(mut query) = Query::read(cx, form)? else {
        return Ok(Flow::HeavyRead);
    };
    let with_scores = query.with_scores;
    let items = query.result(cx.engine.store.hasher());
    reply_items(&mut cx.reply, items.into_iter(), with_scores);
    Ok(Flow::Done)
}

fn zintercard(cx: &mut Ctx<'_>) -> Outcome {
    let form = Form {
        operation: Operation::Intersection,
        count_at: 1,
        answers: false,
        counts: true,
    };
    let Some(mut query) = Query::read(cx, form)? else {
        return Ok(Flow::HeavyRead);
    };
    cx.reply.count(query.count(cx.engine.store.hasher()));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn combines() {
        check(
            "ZADD x 1 a 2 b 3 c; ZADD y 10 b 20 c 30 d; ZUNION 2 x y; ZUNION 2 x y WITHSCORES; ZINTER 2 x y WITHSCORES; \
             ZDIFF 2 x y WITHSCORES; ZDIFF 2 y x; ZINTERCARD 2 x y; ZINTERCARD 2 x y LIMIT 1; ZINTERCARD 2 x y LIMIT 0; \
             ZUNION 2 x none; ZINTER 2 x none; ZDIFF 1 x; ZDIFF 2 x x; ZDIFF 2 none x; ZINTER 2 x x WITHSCORES",
            "3; 3; [a b c d]; [a 1 b 12 c 23 d 30]; [b 12 c 23]; [a 1]; [d]; 2; 1; 2; [a b c]; []; [a b c]; []; []; [a 2 b 4 c 6]",
        );
    }

    #[test]
    fn weighs_and_aggregates() {
        check(
            "ZADD x 1 a 2 b; ZADD y 10 b 20 c; ZUNION 2 x y WEIGHTS 2 0.5 WITHSCORES; ZUNION 2 x y AGGREGATE MIN WITHSCORES; \
             ZINTER 2 x y weights 10 1 aggregate max withscores; ZINTER 2 x y AGGREGATE MIN WEIGHTS 1 -1 WITHSCORES",
            "2; 2; [a 2 b 9 c 10]; [a 1 b 2 c 20]; [b 20]; [b -10]",
        );
    }

    #[test]
    fn infinities() {
        check(
            "ZADD x inf a -inf b; ZADD y -inf a inf b; ZUNION 2 x y WITHSCORES; ZINTER 2 x y WITHSCORES; ZUNION 1 x WEIGHTS 0 WITHSCORES; \
             ZINTER 1 x WEIGHTS 0 WITHSCORES; ZINTER 2 x y WEIGHTS 1 0 WITHSCORES; ZUNION 2 x y WEIGHTS 1 0 WITHSCORES; \
             ZINTER 2 x x WEIGHTS inf 1 AGGREGATE MIN WITHSCORES",
            "2; 2; [a 0 b 0]; [a 0 b 0]; [a 0 b 0]; [a 0 b 0]; [a 0 b 0]; [b -inf a inf]; [b -inf a inf]",
        );
    }

    #[test]
    fn plain_sets_have_scores_of_1() {
        let members: String = (0..600).map(|i| format!(" {i}")).collect();
        check(
            &format!(
                "ZADD z 5 a 6 3 7 x; SADD s a b; SADD ints 1 2 3; SADD big{members} x; ZUNION 2 z s WITHSCORES; \
                 ZINTER 2 z s WEIGHTS 1 10 WITHSCORES; ZINTER 2 z ints WITHSCORES; ZINTER 2 z big WITHSCORES; ZDIFF 2 z big; ZDIFF 2 s z; \
                 ZUNION 1 ints WEIGHTS 2 WITHSCORES; ZINTERCARD 2 ints big; ZDIFF 4 big z s ints AGGREGATE SUM; ZDIFFSTORE d 3 big z ints; \
                 ZCARD d; ZSCORE d 4; ZUNIONSTORE s 1 s; TYPE s"
            ),
            "3; 2; 3; 601; [b 1 3 6 a 6 x 7]; [a 15]; [3 7]; [3 7 x 8]; [a]; [b]; [1 2 2 2 3 2]; 3; (error) ERR syntax error; 597; \
             597; 1; 2; zset",
        );
    }

    #[test]
    fn forms_meet() {
        let pairs: String = (0..200).map(|i| format!(" {i} {i}")).collect();
        check(
            &format!(
                "ZADD big{pairs}; ZADD small 1 5 2 7 3 x; OBJECT ENCODING big; OBJECT ENCODING small; ZINTER 2 big small WITHSCORES; \
                 ZINTERCARD 2 small big; ZDIFF 2 small big; ZDIFF 3 small big big; ZUNIONSTORE u 2 big small; ZSCORE u 5; ZCARD u; \
                 ZDIFFSTORE d 2 big small; ZSCORE d 5; ZRANK d 6; ZRANGE d 0 1"
            ),
            "200; 3; skiplist; listpack; [5 6 7 9]; 2; [x]; [x]; 201; 6; 201; 198; nil; 5; [0 1]",
        );
    }

    #[test]
    fn resp3_nests_pairs() {
        let mut console = Console::default();
        resp3(&mut console);
        let replies = console.run("ZADD x 1 a 2 b; ZUNION 1 x WITHSCORES; ZUNION 1 x");
        assert_eq!(replies, "2; [[a 1] [b 2]]; [a b]");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let syntax = "(error) ERR syntax error";
        check(
            "ZUNION 2 x; ZUNION 1 x y; ZUNION 1 x WEIGHTS; ZUNION 1 x AGGREGATE x; ZDIFF 1 x WEIGHTS 1; ZINTERCARD 1 x WITHSCORES; \
             ZINTERCARD 1 x LIMIT; ZUNION 2 x y WEIGHTS 1; ZUNION 9223372036854775807 x",
            &[syntax; 9].join("; "),
        );
        check(
            "ZUNION a x; ZUNION 0 x; ZDIFF -1 x; ZINTERCARD 0 x; ZUNION 1 x WEIGHTS y; ZINTERCARD 1 x LIMIT -1; ZINTERCARD 1 x LIMIT x; \
             SET s v; ZUNION 2 x s; ZUNION 1 s FOO; ZUNION 1 x WEIGHTS nan",
            "(error) ERR value is not an integer or out of range; (error) ERR at least 1 input key is needed for 'zunion' command; \
             (error) ERR at least 1 input key is needed for 'zdiff' command; \
             (error) ERR at least 1 input key is needed for 'zintercard' command; (error) ERR weight value is not a float; \
             (error) ERR LIMIT can't be negative; (error) ERR LIMIT can't be negative; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; (error) ERR weight value is not a float",
        );
    }
}
