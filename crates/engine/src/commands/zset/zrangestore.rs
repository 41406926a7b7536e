//! ZRANGESTORE destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]: ZRANGE into a key.
//! <https://redis.io/commands/zrangestore>

use dunlin_store::log::Arg;
use dunlin_store::zset::edit;
use dunlin_store::{Entry, Event, Key};

use super::zrange::{Form, LIMIT, Query, REV, SORT_BY};
use super::{SLOW_WRITE, elements_max, has_one_score, rules, view};
use crate::command::{ArgKind, Argument, Command, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// ZRANGESTORE.
pub(super) const ZRANGESTORE: Command = Command {
    name: "zrangestore",
    full_name: "zrangestore",
    arity: -5,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[
        KeySpec::one(1, &["OW", "update"]),
        KeySpec::one(2, &["RO", "access"]),
    ],
    since: "6.2.0",
    complexity: "O(log N + M) for M members out of N",
    summary: "Stores the members of a range of a sorted set under a key.",
    arguments: &[
        Argument::new("dst", ArgKind::Key(0)),
        Argument::new("src", ArgKind::Key(1)),
        Argument::new("min", ArgKind::String),
        Argument::new("max", ArgKind::String),
        SORT_BY,
        REV,
        LIMIT,
    ],
    handler: zrangestore,
    ..SLOW_WRITE
};

fn zrangestore(cx: &mut Ctx<'_>) -> Outcome {
    let query = Query::parse(cx.args, Form::STORE)?;
    let (db, source, destination) = (cx.db(), cx.key(2), cx.key(1));
    let (max, rules, clock) = (elements_max(cx), rules(cx), cx.keys.local().clock);
    let mut meant = None;
    let stored = match cx.keys.read(db, &source) {
        None => None,
        Some(entry) => {
            let zset = view(&entry)?;
            let ranks = query.ranks(zset);
            if ranks.len() > max {
                return Ok(Flow::Heavy);
            }
            if query.is_by_members() && !has_one_score(zset) {
                meant = Some(ranks.clone());
            }
            let items = zset.range(ranks);
            (items.len() > 0).then(|| {
                let len = items.len();
                (
                    edit::from_sorted(destination.bytes, clock, items, &rules),
                    len,
                )
            })
        }
    };
    let event = Event::zset(ZRANGESTORE.name);
    let Some(ranks) = meant else {
        store(cx, &destination, stored, event);
        return Ok(Flow::Done);
    };
    // No rank is behind the end of nothing: an empty range.
    let (start, stop) = match ranks.is_empty() {
        true => (1, 0),
        false => (ranks.start as i64, ranks.end as i64 - 1),
    };
    let effect = [
        ZRANGESTORE.name.into(),
        destination.bytes.into(),
        source.bytes.into(),
        start.into(),
        stop.into(),
    ];
    store_as(cx, &destination, stored, event, Some(&effect));
    Ok(Flow::Done)
}

/// Stores a result and its number of members, or removes the destination where there is none, and answers the number.
pub(crate) fn store(
    cx: &mut Ctx<'_>,
    destination: &Key<'_>,
    stored: Option<(Entry, usize)>,
    event: Event,
) {
    store_as(cx, destination, stored, event, None);
}

/// The same with this effect, where the command itself is none.
fn store_as(
    cx: &mut Ctx<'_>,
    destination: &Key<'_>,
    stored: Option<(Entry, usize)>,
    event: Event,
    effect: Option<&[Arg<'_>]>,
) {
    let db = cx.db();
    let record = |cx: &mut Ctx<'_>, event| match effect {
        Some(effect) => cx.keys.record(db, destination.bytes, event, effect),
        None => cx.record_verbatim(destination.bytes, event),
    };
    match stored {
        Some((entry, len)) => {
            cx.keys.put_entry(db, destination, entry, None);
            record(cx, event);
            cx.reply.count(len);
        }
        None => {
            if let Some(entry) = cx.keys.remove(db, destination) {
                cx.keys.discard(entry);
                record(cx, Event::generic("del"));
            }
            cx.reply.integer(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn stores() {
        check(
            "ZADD z 1 a 2 b 3 c 4 d; ZRANGESTORE y z 0 1; ZRANGE y 0 -1 WITHSCORES; ZRANGESTORE y z (1 3 BYSCORE; ZRANGE y 0 -1; \
             ZRANGESTORE y z 4 1 BYSCORE REV LIMIT 0 2; ZRANGE y 0 -1; ZRANGESTORE y z [a [b BYLEX; ZRANGE y 0 -1; \
             ZRANGESTORE z z 2 -1; ZRANGE z 0 -1",
            "4; 2; [a 1 b 2]; 2; [b c]; 2; [c d]; 2; [a b]; 2; [c d]",
        );
        check(
            "SET y v PX 5; ZADD z 1 a; ZRANGESTORE y z 0 -1; PTTL y; ZRANGESTORE y z 5 6; EXISTS y; ZRANGESTORE y none 0 -1; \
             SET y v; ZRANGESTORE y none 0 -1; EXISTS y",
            "OK; 1; 1; -1; 0; 0; 0; OK; 0; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "ZRANGESTORE y z 0 -1 WITHSCORES; SET s v; SET y v; ZRANGESTORE y s 0 -1; GET y; ZRANGESTORE y z 0 1 LIMIT 1 2",
            "(error) ERR syntax error; OK; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; v; \
             (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        );
    }

    #[test]
    fn the_form_follows_the_result() {
        let pairs: String = (0..200).map(|i| format!(" {i} m{i}")).collect();
        check(
            &format!(
                "ZADD z{pairs}; ZRANGESTORE y z 0 127; OBJECT ENCODING y; ZRANGESTORE y z 0 128; OBJECT ENCODING y; ZCARD y; \
                 ZRANK y m77"
            ),
            "200; 128; listpack; 129; skiplist; 129; 77",
        );
    }
}
