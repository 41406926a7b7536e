//! SINTERCARD numkeys key [key ...] [LIMIT n]: how many members are in all sets. <https://redis.io/commands/sintercard>

use std::ops::ControlFlow;

use super::sinter::{SINTER, each_common, work};
use super::sources::gather;
use crate::command::{ArgKind, Argument, Begin, Command, Find, Flags, KeySpec};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SINTERCARD.
pub(super) const SINTERCARD: Command = Command {
    name: "sintercard",
    full_name: "sintercard",
    arity: -3,
    flags: Flags::READONLY.and(Flags::MOVABLEKEYS),
    keys: &[KeySpec {
        begin: Begin::Index(1),
        find: Find::Count {
            count: 0,
            first: 1,
            step: 1,
        },
        flags: &["RO", "access"],
    }],
    since: "7.0.0",
    summary: "Counts the members that several sets have in common.",
    tips: &[],
    arguments: &[
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.multiple(),
        Argument::new("limit", ArgKind::Integer)
            .with_token("LIMIT")
            .optional(),
    ],
    handler: sintercard,
    ..SINTER
};

fn sintercard(cx: &mut Ctx<'_>) -> Outcome {
    let args = cx.args;
    let count = parse_i64(args.at(1)).filter(|n| *n > 0);
    let count = count.ok_or_else(|| ReplyError::err("numkeys should be greater than 0"))?;
    let count = usize::try_from(count)
        .ok()
        .filter(|n| *n <= args.len() - 2)
        .ok_or_else(|| ReplyError::err("Number of keys can't be greater than number of args"))?;
    let mut limit = 0u64;
    for i in (2 + count..args.len()).step_by(2) {
        let value = args.get(i + 1).filter(|_| args.is(i, "limit"));
        let value = parse_i64(value.ok_or(ReplyError::Syntax)?);
        limit = value
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| ReplyError::err("LIMIT can't be negative"))?;
    }
    let Some(sources) = gather(cx, 2..2 + count, work)? else {
        return Ok(Flow::HeavyRead);
    };
    let mut common = 0u64;
    each_common(&sources, cx.engine.store.hasher(), |_| {
        common += 1;
        // No limit is 0, which is not reached.
        if common == limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    cx.reply.integer(common as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts() {
        check(
            "SADD a 1 2 3 x; SADD b 2 3 x y; SINTERCARD 2 a b; SINTERCARD 1 a; SINTERCARD 2 a no; SINTERCARD 1 no",
            "4; 4; 3; 4; 0; 0",
        );
        check(
            "SADD a 1 2 3; SADD b 2 3; SINTERCARD 2 a b LIMIT 0; SINTERCARD 2 a b limit 1; SINTERCARD 2 a b LIMIT 10; SINTERCARD 1 a LIMIT 1 LIMIT 2",
            "3; 2; 2; 1; 2; 2",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let numkeys = "(error) ERR numkeys should be greater than 0";
        let too_many = "(error) ERR Number of keys can't be greater than number of args";
        let syntax = "(error) ERR syntax error";
        let negative = "(error) ERR LIMIT can't be negative";
        check(
            "SINTERCARD 0 a; SINTERCARD -1 a; SINTERCARD x a; SINTERCARD 2 a; SINTERCARD 9223372036854775807 a",
            &format!("{numkeys}; {numkeys}; {numkeys}; {too_many}; {too_many}"),
        );
        check(
            "SINTERCARD 1 a b; SINTERCARD 1 a LIMIT; SINTERCARD 1 a LIMIT -1; SINTERCARD 1 a LIMIT x; SINTERCARD 1 a LIMIT 1 x",
            &format!("{syntax}; {syntax}; {negative}; {negative}; {syntax}"),
        );
        check(
            "SET k v; SADD a 1; SINTERCARD 2 a k; SINTERCARD 2 no k; SINTERCARD 1",
            "OK; 1; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR wrong number of arguments for 'sintercard' command",
        );
    }
}
