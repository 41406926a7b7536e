//! BZPOPMIN, BZPOPMAX key [key ...] timeout: the member with the lowest or highest score of the first sorted set that has one; waits
//! for it. <https://redis.io/commands/bzpopmin>
//!
//! What is recorded is the ZPOPMIN or ZPOPMAX that it comes down to.

use dunlin_store::ValueType;

use super::zpop::{End, take};
use super::{FAST_WRITE, view};
use crate::blocking::{deadline_of_seconds, wait};
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// BZPOPMIN.
pub(super) const BZPOPMIN: Command = Command {
    name: "bzpopmin",
    full_name: "bzpopmin",
    arity: -3,
    flags: FAST_WRITE.flags.and(Flags::BLOCKING),
    categories: FAST_WRITE.categories.and(Categories::BLOCKING),
    keys: &[KeySpec {
        begin: Begin::Index(1),
        find: Find::Range {
            last: -2,
            step: 1,
            limit: 0,
        },
        flags: &["RW", "access", "delete"],
    }],
    since: "5.0.0",
    complexity: "O(log N) in the number of members",
    summary: "Takes the member with the lowest score out of the first sorted set that has one; waits until there is one.",
    history: &[("6.0.0", "The timeout may have a fraction.")],
    arguments: &[
        Argument::KEY.multiple(),
        Argument::new("timeout", ArgKind::Double),
    ],
    handler: |cx| pop(cx, End::Min),
    ..FAST_WRITE
};

/// BZPOPMAX.
pub(super) const BZPOPMAX: Command = Command {
    name: "bzpopmax",
    full_name: "bzpopmax",
    summary: "Takes the member with the highest score out of the first sorted set that has one; waits until there is one.",
    handler: |cx| pop(cx, End::Max),
    ..BZPOPMIN
};

fn pop(cx: &mut Ctx<'_>, end: End) -> Outcome {
    let timeout = cx.args.len() - 1;
    let deadline_ms = deadline_of_seconds(cx, timeout)?;
    for index in 1..timeout {
        let Some(found) = cx.find(index) else {
            continue;
        };
        let len = view(&cx.keys.entry(found))?.len();
        let key = cx.key(index);
        cx.reply.array(3);
        cx.reply.bulk(key.bytes);
        take(cx, &key, (found, len), 1, end, false);
        return Ok(Flow::Done);
    }
    wait(cx, 1..timeout, ValueType::ZSet, deadline_ms)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn takes_at_once_what_is_there() {
        check(
            "ZADD y 1 a 2 b 3 c; BZPOPMIN z y 0; BZPOPMAX y z 0; BZMPOP 0 2 z y MIN; EXISTS y",
            "3; [y a 1]; [y c 3]; [y [[b 2]]]; 0",
        );
        check(
            "MULTI; BZPOPMIN z 0; BZPOPMAX z 0; BZMPOP 0 1 z MAX; EXEC",
            "OK; QUEUED; QUEUED; QUEUED; [nil nil nil]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SET s v; BZPOPMIN s 0; BZPOPMIN z x; BZPOPMAX z -1; BZMPOP x 1 z MIN; BZMPOP 0 0 z MIN; BZMPOP 0 1 z UP",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR timeout is not a float or out of range; (error) ERR timeout is negative; \
             (error) ERR timeout is not a float or out of range; (error) ERR numkeys should be greater than 0; (error) ERR syntax error",
        );
    }
}
