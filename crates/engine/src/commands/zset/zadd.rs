//! ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...], ZINCRBY key increment member: add members, change
//! scores. <https://redis.io/commands/zadd>, <https://redis.io/commands/zincrby>
//!
//! ZINCRBY is ZADD with INCR, down to taking ZADD's options in the place of the increment, whereupon nothing is left to be one.

use dunlin_store::Event;
use dunlin_store::zset::edit;
use smallvec::SmallVec;

use super::{FAST_WRITE, rules, view};
use crate::command::{ArgKind, Argument, Command, Flags, KeySpec};
use crate::commands::string::argument_count;
use crate::number::parse_double;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// ZADD.
pub(crate) const ZADD: Command = Command {
    name: "zadd",
    full_name: "zadd",
    arity: -4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    complexity: "O(log N) for each member, with N members in the sorted set",
    summary: "Adds members to a sorted set, or changes their scores; makes the key if there is none.",
    history: &[
        ("2.4.0", "Takes several members."),
        ("3.0.2", "Takes XX, NX, CH and INCR."),
        ("6.2.0", "Takes GT and LT."),
    ],
    arguments: &[
        Argument::KEY,
        Argument::one_of(
            "condition",
            &[Argument::token("nx", "NX"), Argument::token("xx", "XX")],
        )
        .optional()
        .since("3.0.2"),
        Argument::one_of(
            "comparison",
            &[Argument::token("gt", "GT"), Argument::token("lt", "LT")],
        )
        .optional()
        .since("6.2.0"),
        Argument::token("change", "CH").optional().since("3.0.2"),
        Argument::token("increment", "INCR")
            .optional()
            .since("3.0.2"),
        Argument::block(
            "data",
            &[
                Argument::new("score", ArgKind::Double),
                Argument::new("member", ArgKind::String),
            ],
        )
        .multiple(),
    ],
    weight: Some(argument_count),
    handler: zadd,
    ..FAST_WRITE
};

/// ZINCRBY.
pub(super) const ZINCRBY: Command = Command {
    name: "zincrby",
    full_name: "zincrby",
    arity: 4,
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    complexity: "O(log N) with N members in the sorted set",
    summary: "Adds to the score of a member of a sorted set; one that is not there counts as 0.",
    history: &[],
    arguments: &[
        Argument::KEY,
        Argument::new("increment", ArgKind::Integer),
        Argument::new("member", ArgKind::String),
    ],
    weight: None,
    handler: zincrby,
    ..ZADD
};

#[derive(Clone, Copy, Default)]
struct Options {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
}

impl Options {
    /// The options, and the first argument behind them.
    fn parse(args: Args<'_>, incr: bool) -> (Options, usize) {
        let mut options = Options {
            incr,
            ..Options::default()
        };
        let mut i = 2;
        while let Some(arg) = args.get(i) {
            let option = match arg {
                [_, _] if args.is(i, "nx") => &mut options.nx,
                [_, _] if args.is(i, "xx") => &mut options.xx,
                [_, _] if args.is(i, "gt") => &mut options.gt,
                [_, _] if args.is(i, "lt") => &mut options.lt,
                [_, _] if args.is(i, "ch") => &mut options.ch,
                [_, _, _, _] if args.is(i, "incr") => &mut options.incr,
                _ => break,
            };
            *option = true;
            i += 1;
        }
        (options, i)
    }

    fn check(self, pairs: usize) -> Result<(), ReplyError> {
        let refuse = |text: &str| Err(ReplyError::err(text));
        if self.nx && self.xx {
            refuse("XX and NX options at the same time are not compatible")
        } else if [self.nx, self.gt, self.lt]
            .into_iter()
            .filter(|given| *given)
            .count()
            > 1
        {
            refuse("GT, LT, and/or NX options at the same time are not compatible")
        } else if self.incr && pairs > 1 {
            refuse("INCR option supports a single increment-element pair")
        } else {
            Ok(())
        }
    }

    /// What becomes of a member with this score or none.
    fn decide(self, old: Option<f64>, score: f64) -> Decision {
        match old {
            None if self.xx => Decision::Skip,
            None => Decision::Add(score),
            Some(_) if self.nx => Decision::Skip,
            Some(old) => {
                let new = if self.incr { old + score } else { score };
                if new.is_nan() {
                    Decision::NotANumber
                } else if (self.lt && new >= old) || (self.gt && new <= old) {
                    Decision::Skip
                } else if new == old {
                    Decision::Keep(new)
                } else {
                    Decision::Change(new)
                }
            }
        }
    }
}

/// See [`Options::decide`].
#[derive(Clone, Copy)]
enum Decision {
    Skip,
    NotANumber,
    Add(f64),
    /// It has this score already.
    Keep(f64),
    Change(f64),
}

/// What became of all members.
#[derive(Default)]
struct Counts {
    added: usize,
    changed: usize,
    not_a_number: bool,
    /// The new score of the last member that was not skipped.
    score: Option<f64>,
}

impl Counts {
    /// Counts a decision; the score to be stored, if any.
    fn count(&mut self, decision: Decision) -> Option<f64> {
        match decision {
            Decision::Skip => None,
            Decision::NotANumber => {
                self.not_a_number = true;
                None
            }
            Decision::Keep(score) => {
                self.score = Some(score);
                None
            }
            Decision::Add(score) => {
                self.added += 1;
                self.score = Some(score);
                Some(score)
            }
            Decision::Change(score) => {
                self.changed += 1;
                self.score = Some(score);
                Some(score)
            }
        }
    }

    fn any(&self) -> bool {
        self.added + self.changed > 0
    }
}

fn zadd(cx: &mut Ctx<'_>) -> Outcome {
    add(cx, false)
}

fn zincrby(cx: &mut Ctx<'_>) -> Outcome {
    add(cx, true)
}

fn add(cx: &mut Ctx<'_>, incr: bool) -> Outcome {
    let args = cx.args;
    let (options, first) = Options::parse(args, incr);
    let words = args.len() - first;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(ReplyError::Syntax);
    }
    options.check(words / 2)?;
    let scores = (first..args.len()).step_by(2);
    let scores = scores.map(|i| parse_double(args.at(i)).ok_or(ReplyError::NotFloat));
    let scores = scores.collect::<Result<SmallVec<[f64; 8]>, _>>()?;

    let (db, key) = (cx.db(), cx.key(1));
    let rules = rules(cx);
    let mut counts = Counts::default();
    let mut add_all = |mut entry| {
        for (i, score) in (first + 1..args.len()).step_by(2).zip(&scores) {
            entry = edit::upsert(entry, args.at(i), &rules, |old| {
                counts.count(options.decide(old, *score))
            });
        }
        (entry, counts.any())
    };
    match cx.keys.find(db, &key) {
        Some(found) => {
            view(&cx.keys.entry(found))?;
            cx.keys.update_if(found, |entry| {
                add_all(edit::expecting(entry, scores.len(), &rules))
            });
        }
        None if options.xx => {}
        None => {
            let clock = cx.keys.local().clock;
            let first_bytes = args.at(first + 1).len();
            let entry = edit::empty(key.bytes, clock, scores.len(), first_bytes, &rules);
            let (entry, _) = add_all(entry);
            cx.keys.put_entry(db, &key, entry, None);
        }
    }
    if counts.not_a_number {
        return Err(ReplyError::err("resulting score is not a number (NaN)"));
    }
    if counts.any() {
        let event = if options.incr { "zincr" } else { "zadd" };
        cx.record_verbatim(key.bytes, Event::zset(event));
        cx.keys
            .count_changes((counts.added + counts.changed - 1) as u64);
    }
    match (options.incr, counts.score) {
        (true, Some(score)) => cx.reply.double(score),
        (true, None) => cx.reply.null(),
        (false, _) if options.ch => cx.reply.count(counts.added + counts.changed),
        (false, _) => cx.reply.count(counts.added),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn adds_and_changes() {
        check(
            "ZADD z 1 a 2 b; ZADD z 3 a; ZRANGE z 0 -1 WITHSCORES; ZADD z 2 c 2 c 1 c; ZSCORE z c",
            "2; 0; [b 2 a 3]; 1; 1",
        );
        check(
            "ZADD z 10 a; ZADD z CH 11 a 5 b; ZADD z CH 11 a; ZADD z 1.5 d inf i -inf j; ZRANGE z 0 -1 WITHSCORES",
            "1; 2; 0; 3; [j -inf d 1.5 b 5 a 11 i inf]",
        );
    }

    #[test]
    fn conditions() {
        check(
            "ZADD z XX 1 a; EXISTS z; ZADD z NX 1 a; ZADD z NX 2 a 3 b; ZADD z XX CH 4 a 5 c; ZRANGE z 0 -1 WITHSCORES",
            "0; 0; 1; 1; 1; [b 3 a 4]",
        );
        check(
            "ZADD z 5 a; ZADD z GT CH 4 a 6 b; ZADD z GT CH 6 a; ZADD z LT CH 7 a 5 b; ZADD z XX LT CH 1 a 1 x; \
             ZRANGE z 0 -1 WITHSCORES",
            "1; 1; 1; 1; 1; [a 1 b 5]",
        );
        check(
            "ZADD z INCR 5 a; ZADD z incr -7.5 a; ZADD z NX INCR 1 a; ZADD z XX INCR 1 q; ZADD z GT INCR -1 a; ZADD z LT INCR -1 a",
            "5; -2.5; nil; nil; nil; -3.5",
        );
    }

    #[test]
    fn increments() {
        check(
            "ZINCRBY z 1 a; ZINCRBY z 0.1 a; ZINCRBY z -1.1 a; ZADD z inf b; ZINCRBY z -inf b; ZSCORE z b; ZINCRBY z inf b",
            "1; 1.1; 0; 1; (error) ERR resulting score is not a number (NaN); inf; inf",
        );
        check(
            "ZINCRBY z nx a; ZINCRBY z x a; SET s 1; ZINCRBY s 1 a; ZINCRBY s x a",
            "(error) ERR syntax error; (error) ERR value is not a valid float; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; (error) ERR value is not a valid float",
        );
    }

    #[test]
    fn negative_zero_lives_in_the_big_form_only() {
        check("ZADD z -0.0 a; ZSCORE z a; ZINCRBY z -0.0 b", "1; 0; -0");
        let long = "x".repeat(65);
        check(
            &format!("ZADD z -0.0 {long}; ZSCORE z {long}; ZADD z CH 0 {long}; ZSCORE z {long}"),
            "1; -0; 0; -0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let gt = "(error) ERR GT, LT, and/or NX options at the same time are not compatible";
        check(
            "ZADD z NX XX 1 a; ZADD z NX GT 1 a; ZADD z LT NX 1 a; ZADD z LT GT 1 a; ZADD z INCR 1 a 2 b; EXISTS z",
            &format!(
                "(error) ERR XX and NX options at the same time are not compatible; {gt}; {gt}; {gt}; \
                 (error) ERR INCR option supports a single increment-element pair; 0"
            ),
        );
        check(
            "ZADD z 1 a 2; ZADD z NX XX 1; ZADD z 1 a nan b; ZADD z foo a; ZADD z NX XX CH; EXISTS z",
            "(error) ERR syntax error; (error) ERR syntax error; (error) ERR value is not a valid float; \
             (error) ERR value is not a valid float; (error) ERR syntax error; 0",
        );
        check(
            "SET s v; ZADD s 1 a; ZADD s XX 1 a; ZADD s nan a; GET s",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; (error) ERR value is not a valid float; v",
        );
    }

    #[test]
    fn what_changes_nothing_touches_no_watcher() {
        check(
            "ZADD z 1 a; WATCH z; 2> ZADD z 1 a; 2> ZADD z NX 2 a; MULTI; PING; EXEC",
            "1; OK; 0; 0; OK; QUEUED; [PONG]",
        );
        check(
            "ZADD z 1 a; WATCH z; 2> ZADD z 2 a; MULTI; PING; EXEC",
            "1; OK; 0; OK; QUEUED; nil",
        );
    }

    #[test]
    fn encodings() {
        let (fits, long) = ("x".repeat(64), "x".repeat(65));
        check(
            &format!(
                "ZADD a 1 {fits}; OBJECT ENCODING a; ZADD a 1 {long}; OBJECT ENCODING a; ZREM a {long}; OBJECT ENCODING a; \
                 ZADD b 1 {long}; OBJECT ENCODING b; ZADD c 1 {fits}; ZADD c XX 1 {long}; OBJECT ENCODING c"
            ),
            "1; listpack; 1; skiplist; 1; skiplist; 1; skiplist; 1; 0; listpack",
        );
        let pairs = |n: usize| (0..n).map(|i| format!(" {i} m{i}")).collect::<String>();
        check(
            &format!(
                "ZADD a{}; OBJECT ENCODING a; ZADD a 1 m1; OBJECT ENCODING a; ZADD a 1 x; OBJECT ENCODING a; ZCARD a; \
                 ZADD b{}; OBJECT ENCODING b; ZADD c{}; OBJECT ENCODING c; ZADD d 1 a; ZADD d{}; OBJECT ENCODING d",
                pairs(128),
                pairs(129),
                " 1 a".repeat(129),
                " 1 a".repeat(129),
            ),
            "128; listpack; 0; listpack; 1; skiplist; 129; 129; skiplist; 1; skiplist; 1; 0; skiplist",
        );
    }
}
