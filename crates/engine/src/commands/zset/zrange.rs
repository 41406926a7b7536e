//! ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES] and its forebears ZREVRANGE, Z[REV]RANGEBYSCORE,
//! Z[REV]RANGEBYLEX: members of a range, in order. <https://redis.io/commands/zrange>
//!
//! Every range is one of ranks in the end: its ends are located, LIMIT moves them, and then the members are walked.

use std::ops::Range;

use dunlin_store::zset::{LexRange, ScoreRange, ZSetRef};

use super::bounds::{lex_range, rank_range, score_range};
use super::{SLOW_READ, elements_max, integer, reply_items, view};
use crate::command::{ArgKind, Argument, Command};
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// BYSCORE or BYLEX.
pub(super) const SORT_BY: Argument = Argument::one_of(
    "sortby",
    &[
        Argument::token("byscore", "BYSCORE"),
        Argument::token("bylex", "BYLEX"),
    ],
)
.optional();
/// REV.
pub(super) const REV: Argument = Argument::token("rev", "REV").optional();
/// LIMIT.
pub(super) const LIMIT: Argument = Argument::block(
    "limit",
    &[
        Argument::new("offset", ArgKind::Integer),
        Argument::new("count", ArgKind::Integer),
    ],
)
.with_token("LIMIT")
.optional();
const WITH_SCORES: Argument = Argument::token("withscores", "WITHSCORES").optional();

/// ZRANGE.
pub(super) const ZRANGE: Command = Command {
    name: "zrange",
    full_name: "zrange",
    arity: -4,
    complexity: "O(log N + M) for M members out of N",
    summary: "Returns the members of a sorted set in a range of ranks, of scores or of bytes.",
    history: &[("6.2.0", "Takes REV, BYSCORE, BYLEX and LIMIT.")],
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::String),
        Argument::new("stop", ArgKind::String),
        SORT_BY.since("6.2.0"),
        REV.since("6.2.0"),
        LIMIT.since("6.2.0"),
        WITH_SCORES,
    ],
    handler: |cx| range(cx, Form::default()),
    ..SLOW_READ
};

/// ZREVRANGE.
pub(super) const ZREVRANGE: Command = Command {
    name: "zrevrange",
    full_name: "zrevrange",
    summary: "Returns the members of a sorted set in a range of ranks, from the highest score down.",
    history: &[],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::Integer),
        Argument::new("stop", ArgKind::Integer),
        WITH_SCORES,
    ],
    handler: |cx| range(cx, Form::fixed(By::Rank, true)),
    ..ZRANGE
};

/// ZRANGEBYSCORE.
pub(super) const ZRANGEBYSCORE: Command = Command {
    name: "zrangebyscore",
    full_name: "zrangebyscore",
    since: "1.0.5",
    summary: "Returns the members of a sorted set in a range of scores.",
    history: &[("2.0.0", "Takes WITHSCORES.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
    arguments: &[
        Argument::KEY,
        Argument::new("min", ArgKind::Double),
        Argument::new("max", ArgKind::Double),
        WITH_SCORES.since("2.0.0"),
        LIMIT,
    ],
    handler: |cx| range(cx, Form::fixed(By::Score, false)),
    ..ZRANGE
};

/// ZREVRANGEBYSCORE.
pub(super) const ZREVRANGEBYSCORE: Command = Command {
    name: "zrevrangebyscore",
    full_name: "zrevrangebyscore",
    since: "2.2.0",
    summary: "Returns the members of a sorted set in a range of scores, from the highest down.",
    history: &[("2.1.6", "Ends of the range may be outside.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
    arguments: &[
        Argument::KEY,
        Argument::new("max", ArgKind::Double),
        Argument::new("min", ArgKind::Double),
        WITH_SCORES,
        LIMIT,
    ],
    handler: |cx| range(cx, Form::fixed(By::Score, true)),
    ..ZRANGE
};

/// ZRANGEBYLEX.
pub(super) const ZRANGEBYLEX: Command = Command {
    name: "zrangebylex",
    full_name: "zrangebylex",
    since: "2.8.9",
    summary: "Returns the members of a sorted set in a range by their bytes.",
    history: &[],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
    arguments: &[
        Argument::KEY,
        Argument::new("min", ArgKind::String),
        Argument::new("max", ArgKind::String),
        LIMIT,
    ],
    handler: |cx| range(cx, Form::fixed(By::Lex, false)),
    ..ZRANGE
};

/// ZREVRANGEBYLEX.
pub(super) const ZREVRANGEBYLEX: Command = Command {
    name: "zrevrangebylex",
    full_name: "zrevrangebylex",
    summary: "Returns the members of a sorted set in a range by their bytes, from the last to the first.",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
    arguments: &[
        Argument::KEY,
        Argument::new("max", ArgKind::String),
        Argument::new("min", ArgKind::String),
        LIMIT,
    ],
    handler: |cx| range(cx, Form::fixed(By::Lex, true)),
    ..ZRANGEBYLEX
};

/// What a range is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// What the name of a command settles; the rest is asked of its options.
#[derive(Clone, Copy, Default)]
pub(super) struct Form {
    by: Option<By>,
    reversed: Option<bool>,
    /// The source stands at argument 2, and scores are always wanted.
    stores: bool,
}

impl Form {
    const fn fixed(by: By, reversed: bool) -> Self {
        Form {
            by: Some(by),
            reversed: Some(reversed),
            stores: false,
        }
    }

    /// The form of ZRANGESTORE.
    pub(super) const STORE: Form = Form {
        by: None,
        reversed: None,
        stores: true,
    };
}

enum Span<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

/// A range as arguments describe it.
pub(super) struct Query<'a> {
    span: Span<'a>,
    pub(super) reversed: bool,
    with_scores: bool,
    offset: i64,
    /// Negative: no limit.
    count: i64,
}

impl<'a> Query<'a> {
    pub(super) fn parse(args: Args<'a>, form: Form) -> Result<Self, ReplyError> {
        let source = if form.stores { 2 } else { 1 };
        let (mut by, mut reversed) = (form.by, form.reversed);
        let (mut with_scores, mut offset, mut count) = (false, 0, -1);
        let mut i = source + 3;
        while i < args.len() {
            if !form.stores && args.is(i, "withscores") {
                with_scores = true;
            } else if args.is(i, "limit") && i + 2 < args.len() {
                offset = integer(args.at(i + 1))?;
                count = integer(args.at(i + 2))?;
                i += 2;
            } else if form.reversed.is_none() && reversed.is_none() && args.is(i, "rev") {
                reversed = Some(true);
            } else if by.is_none() && args.is(i, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && args.is(i, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(ReplyError::Syntax);
            }
            i += 1;
        }
        let (by, reversed) = (by.unwrap_or(By::Rank), reversed.unwrap_or(false));
        if count != -1 && by == By::Rank {
            return Err(ReplyError::err(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(ReplyError::err(
                "syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (first, second) = (args.at(source + 1), args.at(source + 2));
        // Of scores and members the end where the answer begins comes first.
        let (min, max) = if reversed {
            (second, first)
        } else {
            (first, second)
        };
        let span = match by {
            By::Rank => Span::Ranks(integer(first)?, integer(second)?),
            By::Score => Span::Scores(score_range(min, max)?),
            By::Lex => Span::Members(lex_range(min, max)?),
        };
        Ok(Query {
            span,
            reversed,
            with_scores,
            offset,
            count,
        })
    }

    /// Whether it asks for members by their bytes.
    pub(super) fn is_by_members(&self) -> bool {
        matches!(self.span, Span::Members(_))
    }

    /// The ranks that it selects, ascending. O(log n).
    pub(super) fn ranks(&self, zset: ZSetRef<'_>) -> Range<usize> {
        let ranks = match &self.span {
            Span::Ranks(start, stop) => {
                let ranks = rank_range(*start, *stop, zset.len());
                return if self.reversed {
                    zset.len() - ranks.end..zset.len() - ranks.start
                } else {
                    ranks
                };
            }
            Span::Scores(range) => zset.score_ranks(range),
            Span::Members(range) => zset.lex_ranks(range),
        };
        let Ok(offset) = usize::try_from(self.offset) else {
            return 0..0;
        };
        let skipped = offset.min(ranks.len());
        let left = ranks.len() - skipped;
        let count = usize::try_from(self.count).map_or(left, |count| count.min(left));
        if self.reversed {
            let end = ranks.end - skipped;
            end - count..end
        } else {
            let start = ranks.start + skipped;
            start..start + count
        }
    }
}

fn range(cx: &mut Ctx<'_>, form: Form) -> Outcome {
    let query = Query::parse(cx.args, form)?;
    let (db, key, max) = (cx.db(), cx.key(1), elements_max(cx));
    let Some(entry) = cx.keys.read(db, &key) else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let zset = view(&entry)?;
    let ranks = query.ranks(zset);
    if ranks.len() > max {
        return Ok(Flow::HeavyRead);
    }
    let items = zset.range(ranks);
    if query.reversed {
        reply_items(&mut cx.reply, items.rev(), query.with_scores);
    } else {
        reply_items(&mut cx.reply, items, query.with_scores);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    const Z: &str = "ZADD z 1 a 2 b 3 c 4 d; ";

    #[track_caller]
    fn check_on_z(script: &str, expected: &str) {
        check(&format!("{Z}{script}"), &format!("4; {expected}"));
        // The big form answers the same.
        let long = "y".repeat(65);
        let big = format!("ZADD z 9 {long}; ZREM z {long}; ");
        check(
            &format!("{Z}{big}{script}"),
            &format!("4; 1; 1; {expected}"),
        );
    }

    #[test]
    fn by_rank() {
        check_on_z(
            "ZRANGE z 0 -1; ZRANGE z 1 2; ZRANGE z -2 -1 WITHSCORES; ZRANGE z 3 1; ZRANGE z 9 10; ZRANGE z 0 -9; ZRANGE z -9 0",
            "[a b c d]; [b c]; [c 3 d 4]; []; []; []; [a]",
        );
        check_on_z(
            "ZREVRANGE z 0 1; ZREVRANGE z -1 -1 WITHSCORES; ZRANGE z 0 1 REV; ZREVRANGE z 4 9; ZREVRANGE none 0 -1",
            "[d c]; [a 1]; [d c]; []; []",
        );
    }

    #[test]
    fn by_score() {
        check_on_z(
            "ZRANGEBYSCORE z 2 3; ZRANGEBYSCORE z (2 +inf WITHSCORES; ZRANGEBYSCORE z -inf (1; ZRANGEBYSCORE z 3 2; \
             ZREVRANGEBYSCORE z 3 (1; ZREVRANGEBYSCORE z 1 3; ZRANGE z 2 3 BYSCORE; ZRANGE z 3 2 BYSCORE REV",
            "[b c]; [c 3 d 4]; []; []; [c b]; []; [b c]; [c b]",
        );
        check_on_z(
            "ZRANGEBYSCORE z 1 4 LIMIT 1 2; ZRANGEBYSCORE z 1 4 LIMIT 3 9; ZRANGEBYSCORE z 1 4 LIMIT 4 1; \
             ZRANGEBYSCORE z 1 4 LIMIT -1 2; ZRANGEBYSCORE z 1 4 LIMIT 2 -7; ZRANGEBYSCORE z 1 4 LIMIT 0 0; \
             ZREVRANGEBYSCORE z 4 1 LIMIT 1 2 WITHSCORES; ZRANGEBYSCORE z 1 4 LIMIT 9223372036854775807 9223372036854775807",
            "[b c]; [d]; []; []; [c d]; []; [c 3 b 2]; []",
        );
    }

    #[test]
    fn by_bytes() {
        check_on_z(
            "ZADD z 0 a 0 b 0 c 0 d; ZRANGEBYLEX z - +; ZRANGEBYLEX z [b (d; ZRANGEBYLEX z (b +; ZRANGEBYLEX z + -; \
             ZREVRANGEBYLEX z + [c; ZREVRANGEBYLEX z (d - LIMIT 1 1; ZRANGE z [b [c BYLEX; ZRANGE z [c [b BYLEX REV; \
             ZRANGEBYLEX z [bb [bc; ZRANGEBYLEX z [b (b",
            "0; [a b c d]; [b c]; [c d]; []; [d c]; [b]; [b c]; [c b]; []; []",
        );
    }

    #[test]
    fn resp3_nests_pairs() {
        let mut console = Console::default();
        resp3(&mut console);
        console.run(Z);
        let reply =
            console.run("ZRANGE z 0 1 WITHSCORES; ZRANGE z 0 0; ZRANGEBYSCORE z 1 1 WITHSCORES");
        assert_eq!(reply, "[[a 1] [b 2]]; [a]; [[a 1]]");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let syntax = "(error) ERR syntax error";
        check(
            "ZRANGE z 0 1 x; ZRANGE z 0 1 LIMIT 1; ZRANGE z 0 1 BYLEX BYSCORE; ZREVRANGE z 0 1 REV; ZRANGEBYSCORE z 0 1 BYLEX; \
             ZRANGE z 0 1 REV REV",
            &[syntax; 6].join("; "),
        );
        check(
            "ZRANGE z 0 1 LIMIT 0 1; ZRANGE z 0 1 LIMIT 5 -1; ZRANGE z [a [b BYLEX WITHSCORES; ZRANGEBYLEX z - + WITHSCORES; \
             ZRANGE z a b; ZRANGE z a b BYSCORE; ZRANGE z a b BYLEX; ZRANGEBYSCORE z 0 1 LIMIT x 1",
            "(error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX; []; \
             (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX; \
             (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX; \
             (error) ERR value is not an integer or out of range; (error) ERR min or max is not a float; \
             (error) ERR min or max not valid string range item; (error) ERR value is not an integer or out of range",
        );
        check(
            "SET s v; ZRANGE s 0 -1; ZRANGEBYSCORE s a b",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; (error) ERR min or max is not a float",
        );
    }
}
