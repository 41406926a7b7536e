//! ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]: take members out of the first of several sorted sets that is there.
//! BZMPOP, with a timeout before the rest, waits for one. <https://redis.io/commands/zmpop>, <https://redis.io/commands/bzmpop>

use std::ops::Range;

use dunlin_store::ValueType;

use super::zpop::{End, take};
use super::{SLOW_WRITE, view};
use crate::blocking::{deadline_of_seconds, wait};
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec};
use crate::number::parse_i64;
use crate::{Ctx, Flow, ReplyError};

/// ZMPOP.
pub(super) const ZMPOP: Command = Command {
    name: "zmpop",
    full_name: "zmpop",
    arity: -4,
    flags: Flags::WRITE.and(Flags::MOVABLEKEYS),
    keys: &[KeySpec {
        begin: Begin::Index(1),
        find: Find::Count {
            count: 0,
            first: 1,
            step: 1,
        },
        flags: &["RW", "access", "delete"],
    }],
    since: "7.0.0",
    complexity: "O(K + M log N) for K keys and M members out of N",
    summary: "Takes the members with the lowest or highest scores out of the first sorted set that is not empty.",
    arguments: &[
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.multiple(),
        Argument::one_of(
            "where",
            &[Argument::token("min", "MIN"), Argument::token("max", "MAX")],
        ),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: |cx| match zmpop(cx, 1)? {
        Popped::Done(flow) => Ok(flow),
        Popped::Nothing(_) => {
            cx.reply.null_array();
            Ok(Flow::Done)
        }
    },
    ..SLOW_WRITE
};

/// BZMPOP.
pub(super) const BZMPOP: Command = Command {
    name: "bzmpop",
    full_name: "bzmpop",
    arity: -5,
    flags: ZMPOP.flags.and(Flags::BLOCKING),
    categories: ZMPOP.categories.and(Categories::BLOCKING),
    keys: &[KeySpec {
        begin: Begin::Index(2),
        ..ZMPOP.keys[0]
    }],
    summary: "Takes the members with the lowest or highest scores out of the first sorted set that is not empty; waits until there is one.",
    arguments: &[
        Argument::new("timeout", ArgKind::Double),
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.multiple(),
        Argument::one_of(
            "where",
            &[Argument::token("min", "MIN"), Argument::token("max", "MAX")],
        ),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: |cx| {
        let deadline_ms = deadline_of_seconds(cx, 1)?;
        match zmpop(cx, 2)? {
            Popped::Done(flow) => Ok(flow),
            Popped::Nothing(keys) => wait(cx, keys, ValueType::ZSet, deadline_ms),
        }
    },
    ..ZMPOP
};

/// What became of it.
enum Popped {
    Done(Flow),
    /// None of these keys had any.
    Nothing(Range<usize>),
}

/// The keys' number is argument `at`.
fn zmpop(cx: &mut Ctx<'_>, at: usize) -> Result<Popped, ReplyError> {
    let args = cx.args;
    let at_least_one = |text: &[u8], refusal: &str| match parse_i64(text) {
        Some(n) if n >= 1 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        _ => Err(ReplyError::err(refusal)),
    };
    let keys = at_least_one(args.at(at), "numkeys should be greater than 0")?;
    let place = keys.saturating_add(at + 1);
    let end = if args.is(place, "min") {
        End::Min
    } else if args.is(place, "max") {
        End::Max
    } else {
        return Err(ReplyError::Syntax);
    };
    let mut count = None;
    let mut i = place + 1;
    while i < args.len() {
        if count.is_some() || !args.is(i, "count") || i + 1 >= args.len() {
            return Err(ReplyError::Syntax);
        }
        let refusal = "count should be greater than 0";
        count = Some(at_least_one(args.at(i + 1), refusal)?);
        i += 2;
    }
    for i in at + 1..place {
        let Some(found) = cx.find(i) else {
            continue;
        };
        let len = view(&cx.keys.entry(found))?.len();
        let taken = len.min(count.unwrap_or(1));
        if cx.is_heavy(taken) {
            return Ok(Popped::Done(Flow::Heavy));
        }
        let key = cx.key(i);
        cx.reply.array(2);
        cx.reply.bulk(key.bytes);
        cx.reply.array(taken);
        take(cx, &key, (found, len), taken, end, true);
        return Ok(Popped::Done(Flow::Done));
    }
    Ok(Popped::Nothing(at + 1..place))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn pops_from_the_first() {
        check(
            "ZADD y 1 a 2 b 3 c; ZMPOP 2 z y MIN; ZMPOP 2 z y max COUNT 9; ZMPOP 2 z y MAX; EXISTS y",
            "3; [y [[a 1]]]; [y [[c 3] [b 2]]]; nil; 0",
        );
        let mut console = Console::default();
        let reply = console.call(1, &[b"ZMPOP", b"1", b"z", b"MIN"]);
        assert_eq!(reply, b"*-1\r\n");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let syntax = "(error) ERR syntax error";
        check(
            "ZMPOP 1 z x; ZMPOP 2 z MIN; ZMPOP 1 z MIN COUNT; ZMPOP 1 z MIN COUNT 1 COUNT 1; ZMPOP 1 z MIN x 1; \
             ZMPOP 9223372036854775807 z MIN",
            &[syntax; 6].join("; "),
        );
        check(
            "ZMPOP a z MIN; ZMPOP 0 z MIN; ZMPOP 1 z MIN COUNT 0; ZMPOP 1 z MIN COUNT -1; ZMPOP 1 z MIN COUNT x; SET s v; \
             ZADD z 1 a; ZMPOP 2 s z MIN; ZMPOP 2 z s MIN",
            "(error) ERR numkeys should be greater than 0; (error) ERR numkeys should be greater than 0; \
             (error) ERR count should be greater than 0; (error) ERR count should be greater than 0; \
             (error) ERR count should be greater than 0; OK; 1; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; [z [[a 1]]]",
        );
    }
}
