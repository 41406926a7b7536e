//! ZREMRANGEBYRANK key start stop, ZREMRANGEBYSCORE key min max, ZREMRANGEBYLEX key min max: take the members of a range out.
//! <https://redis.io/commands/zremrangebyrank>

use std::ops::Range;

use dunlin_store::Event;
use dunlin_store::zset::ZSetRef;

use super::bounds::{lex_range, rank_range, score_range};
use super::{SLOW_WRITE, has_one_score, integer, remove_ranks, tell_removed, view};
use crate::command::{ArgKind, Argument, Command};
use crate::{Ctx, Flow, Outcome};

/// ZREMRANGEBYRANK.
pub(super) const ZREMRANGEBYRANK: Command = Command {
    name: "zremrangebyrank",
    full_name: "zremrangebyrank",
    arity: 4,
    since: "2.0.0",
    complexity: "O(M log N) for M members out of N",
    summary: "Takes the members of a range of ranks out of a sorted set.",
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::Integer),
        Argument::new("stop", ArgKind::Integer),
    ],
    handler: by_rank,
    ..SLOW_WRITE
};

/// ZREMRANGEBYSCORE.
pub(super) const ZREMRANGEBYSCORE: Command = Command {
    name: "zremrangebyscore",
    full_name: "zremrangebyscore",
    since: "1.2.0",
    summary: "Takes the members of a range of scores out of a sorted set.",
    arguments: &[
        Argument::KEY,
        Argument::new("min", ArgKind::Double),
        Argument::new("max", ArgKind::Double),
    ],
    handler: by_score,
    ..ZREMRANGEBYRANK
};

/// Name and event of ZREMRANGEBYLEX.
const BY_LEX: &str = "zremrangebylex";

/// ZREMRANGEBYLEX.
pub(super) const ZREMRANGEBYLEX: Command = Command {
    name: BY_LEX,
    full_name: BY_LEX,
    since: "2.8.9",
    summary: "Takes the members of a range by their bytes out of a sorted set.",
    arguments: &[
        Argument::KEY,
        Argument::new("min", ArgKind::String),
        Argument::new("max", ArgKind::String),
    ],
    handler: by_lex,
    ..ZREMRANGEBYRANK
};

fn by_rank(cx: &mut Ctx<'_>) -> Outcome {
    let (start, stop) = (integer(cx.args.at(2))?, integer(cx.args.at(3))?);
    remove(cx, "zremrangebyrank", |zset| {
        rank_range(start, stop, zset.len())
    })
}

fn by_score(cx: &mut Ctx<'_>) -> Outcome {
    let range = score_range(cx.args.at(2), cx.args.at(3))?;
    remove(cx, "zremrangebyscore", |zset| zset.score_ranks(&range))
}

fn by_lex(cx: &mut Ctx<'_>) -> Outcome {
    let range = lex_range(cx.args.at(2), cx.args.at(3))?;
    remove(cx, BY_LEX, |zset| zset.lex_ranks(&range))
}

fn remove(
    cx: &mut Ctx<'_>,
    event: &'static str,
    ranks: impl FnOnce(ZSetRef<'_>) -> Range<usize>,
) -> Outcome {
    let Some(found) = cx.find(1) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let (len, ranks, means_ranks) = {
        let entry = cx.keys.entry(found);
        let zset = view(&entry)?;
        let means_ranks = event == BY_LEX && !has_one_score(zset);
        (zset.len(), ranks(zset), means_ranks)
    };
    // All of them go at once, in the background.
    if ranks.len() < len && cx.is_heavy(ranks.len()) {
        return Ok(Flow::Heavy);
    }
    let removed = ranks.len();
    if removed > 0 {
        let key = cx.key(1);
        let (start, stop) = (ranks.start as i64, ranks.end as i64 - 1);
        remove_ranks(cx, &key, (found, len), ranks);
        if means_ranks {
            let name = ZREMRANGEBYRANK.name;
            let effect = [name.into(), key.bytes.into(), start.into(), stop.into()];
            let db = cx.db();
            cx.keys.record(db, key.bytes, Event::zset(event), &effect);
        } else {
            cx.record_verbatim(key.bytes, Event::zset(event));
        }
        cx.keys.count_changes(removed as u64 - 1);
        if removed == len {
            tell_removed(cx, &key);
        }
    }
    cx.reply.count(removed);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::testing::{Console, check};

    /// What a range by bytes selects among different scores depends on the encoding: the log names ranks.
    #[test]
    fn effects_mean_the_same_everywhere() {
        let mut console = Console::default();
        let engine = Arc::clone(&console.engine);
        console.run("ZADD y 1 a 1 b 1 c; ZADD z 1 a 2 b 3 c");
        let mut reader = engine.store.log.attach();
        console.run(
            "ZREMRANGEBYLEX y [b [b; ZREMRANGEBYLEX z [b +; ZRANGESTORE x z - + BYLEX; ZADD z 5 b",
        );
        console.run("ZRANGESTORE x z [b + BYLEX; ZRANGESTORE x z (b [a BYLEX");
        let mut records = Vec::new();
        reader.drain(&mut records);
        let words = records.iter().map(|record| {
            let text = String::from_utf8_lossy(&record.bytes);
            let words = text
                .split("\r\n")
                .filter(|word| !word.starts_with(['*', '$']));
            words.collect::<Vec<_>>().join(" ").trim().to_owned()
        });
        let expected = [
            "ZREMRANGEBYLEX y [b [b",
            "zremrangebyrank z 1 2",
            "ZRANGESTORE x z - + BYLEX",
            "ZADD z 5 b",
            "zrangestore x z 1 1",
            "zrangestore x z 1 0",
        ];
        assert_eq!(words.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn removes_ranges() {
        let fill = "DEL z; ZADD z 1 a 2 b 3 c 4 d";
        check(
            &format!(
                "{fill}; ZREMRANGEBYRANK z 1 2; ZRANGE z 0 -1; {fill}; ZREMRANGEBYRANK z -1 -1; ZRANGE z 0 -1; \
                 {fill}; ZREMRANGEBYRANK z 0 -1; EXISTS z; {fill}; ZREMRANGEBYRANK z 4 9; ZCARD z"
            ),
            "0; 4; 2; [a d]; 1; 4; 1; [a b c]; 1; 4; 4; 0; 0; 4; 0; 4",
        );
        check(
            &format!(
                "{fill}; ZREMRANGEBYSCORE z (1 3; ZRANGE z 0 -1; {fill}; ZREMRANGEBYSCORE z -inf +inf; TYPE z; \
                 {fill}; ZREMRANGEBYSCORE z 9 1; DEL z; ZADD z 0 a 0 b 0 c; ZREMRANGEBYLEX z [b +; ZRANGE z 0 -1"
            ),
            "0; 4; 2; [a d]; 1; 4; 4; none; 0; 4; 0; 1; 3; 2; [a]",
        );
    }

    #[test]
    fn removes_from_the_big_form() {
        let pairs: String = (0..300).map(|i| format!(" {i} m{i}")).collect();
        check(
            &format!(
                "ZADD z{pairs}; ZREMRANGEBYRANK z 10 289; ZCARD z; ZRANGE z 9 10; ZSCORE z m100; ZREMRANGEBYSCORE z 5 295; ZCARD z; \
                 ZREMRANGEBYRANK z 0 -1; EXISTS z"
            ),
            "300; 280; 20; [m9 m290]; nil; 11; 9; 9; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "ZREMRANGEBYRANK z a 1; ZREMRANGEBYSCORE z a 1; ZREMRANGEBYLEX z a 1; SET s v; ZREMRANGEBYRANK s 0 1; \
             ZREMRANGEBYRANK none 0 1",
            "(error) ERR value is not an integer or out of range; (error) ERR min or max is not a float; \
             (error) ERR min or max not valid string range item; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; 0",
        );
    }
}
