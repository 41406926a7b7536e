//! LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]: elements from the first list that has some. BLMPOP, with a timeout before
//! the rest, waits for them. <https://redis.io/commands/lmpop>, <https://redis.io/commands/blmpop>
//!
//! What is recorded is the LPOP or RPOP that it comes down to.

use std::ops::Range;

use dunlin_store::ValueType;
use dunlin_store::list::End;

use super::{ENDS, end, length, pop_many, pop_names, tell_deleted};
use crate::blocking::{deadline_of_seconds, wait};
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, ReplyError};

/// LMPOP.
pub(super) const LMPOP: Command = Command {
    name: "lmpop",
    full_name: "lmpop",
    arity: -4,
    flags: Flags::WRITE.and(Flags::MOVABLEKEYS),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW),
    keys: &[KeySpec {
        begin: Begin::Index(1),
        find: Find::Count {
            count: 0,
            first: 1,
            step: 1,
        },
        flags: &["RW", "access", "delete"],
    }],
    scope: Scope::Keys,
    group: "list",
    since: "7.0.0",
    complexity: "O(N + M) for N keys and M elements returned",
    summary: "Takes elements from an end of the first of several lists that is not empty.",
    arguments: &[
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.multiple(),
        Argument::one_of("where", ENDS),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: |cx| match lmpop(cx, 1)? {
        Popped::Done(flow) => Ok(flow),
        Popped::Nothing(_) => {
            cx.reply.null_array();
            Ok(Flow::Done)
        }
    },
    ..Command::BASE
};

/// BLMPOP.
pub(super) const BLMPOP: Command = Command {
    name: "blmpop",
    full_name: "blmpop",
    arity: -5,
    flags: LMPOP.flags.and(Flags::BLOCKING),
    categories: LMPOP.categories.and(Categories::BLOCKING),
    keys: &[KeySpec {
        begin: Begin::Index(2),
        ..LMPOP.keys[0]
    }],
    summary: "Takes elements from an end of the first of several lists that is not empty; waits until there is one.",
    arguments: &[
        Argument::new("timeout", ArgKind::Double),
        Argument::new("numkeys", ArgKind::Integer),
        Argument::KEY.multiple(),
        Argument::one_of("where", ENDS),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: |cx| {
        let deadline_ms = deadline_of_seconds(cx, 1)?;
        match lmpop(cx, 2)? {
            Popped::Done(flow) => Ok(flow),
            Popped::Nothing(keys) => wait(cx, keys, ValueType::List, deadline_ms),
        }
    },
    ..LMPOP
};

/// What became of it.
enum Popped {
    Done(Flow),
    /// None of these keys had any.
    Nothing(Range<usize>),
}

/// The keys' number, which is argument `at`, where to pop, and how many.
fn options(cx: &Ctx<'_>, at: usize) -> Result<(usize, End, usize), ReplyError> {
    let positive = |index: usize, refusal: &str| {
        let n = parse_i64(cx.args.at(index)).and_then(|n| usize::try_from(n).ok());
        n.filter(|n| *n > 0).ok_or_else(|| ReplyError::err(refusal))
    };
    let keys = positive(at, "numkeys should be greater than 0")?;
    let ending = keys
        .checked_add(at + 1)
        .filter(|at| *at < cx.args.len())
        .ok_or(ReplyError::Syntax)?;
    let end = end(cx.args, ending)?;
    let (mut count, mut i) = (None, ending + 1);
    while i < cx.args.len() {
        if count.is_some() || !cx.args.is(i, "count") || i + 1 == cx.args.len() {
            return Err(ReplyError::Syntax);
        }
        count = Some(positive(i + 1, "count should be greater than 0")?);
        i += 2;
    }
    Ok((keys, end, count.unwrap_or(1)))
}

fn lmpop(cx: &mut Ctx<'_>, at: usize) -> Result<Popped, ReplyError> {
    let (keys, end, count) = options(cx, at)?;
    let keys = at + 1..at + 1 + keys;
    let db = cx.db();
    for index in keys.clone() {
        let key = cx.key(index);
        let Some(found) = cx.keys.find(db, &key) else {
            continue;
        };
        let count = count.min(length(cx, found)?);
        if cx.is_heavy(count) {
            return Ok(Popped::Done(Flow::Heavy));
        }
        cx.reply.array(2);
        cx.reply.bulk(key.bytes);
        let deleted = pop_many(cx, &key, found, end, count)?;
        let (name, event) = pop_names(end);
        let effect = [name.into(), key.bytes.into(), (count as i64).into()];
        cx.keys.record(db, key.bytes, event, &effect);
        cx.keys.count_changes(count as u64 - 1);
        tell_deleted(cx, key.bytes, deleted);
        return Ok(Popped::Done(Flow::Done));
    }
    Ok(Popped::Nothing(keys))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_first_list_that_is_there() {
        check(
            "RPUSH b 1 2 3 4; RPUSH c x; LMPOP 3 a b c LEFT; LMPOP 3 a b c RIGHT COUNT 2; LMPOP 2 a b left count 9; EXISTS b; \
             LMPOP 3 a b c LEFT; LMPOP 3 a b c LEFT",
            "4; 1; [b [1]]; [b [4 3]]; [b [2]]; 0; [c [x]]; nil",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let (numkeys, count, syntax) = (
            "(error) ERR numkeys should be greater than 0",
            "(error) ERR count should be greater than 0",
            "(error) ERR syntax error",
        );
        check(
            "LMPOP 0 k LEFT; LMPOP -1 k LEFT; LMPOP x k LEFT; LMPOP 9223372036854775807 k LEFT; LMPOP 2 k LEFT; LMPOP 1 k UP",
            &format!("{numkeys}; {numkeys}; {numkeys}; {syntax}; {syntax}; {syntax}"),
        );
        check(
            "LMPOP 1 k LEFT COUNT; LMPOP 1 k LEFT COUNT 0; LMPOP 1 k LEFT COUNT 1 COUNT 2; LMPOP 1 k LEFT x; LMPOP 1 k LEFT COUNT -1",
            &format!("{syntax}; {count}; {syntax}; {syntax}; {count}"),
        );
        check(
            "SET s v; RPUSH k a; LMPOP 2 s k LEFT; LMPOP 2 k s LEFT",
            "OK; 1; (error) WRONGTYPE Operation against a key holding the wrong kind of value; [k [a]]",
        );
    }
}
