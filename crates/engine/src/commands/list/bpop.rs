//! BLPOP, BRPOP key [key ...] timeout: an element from an end of the first list that has one; waits for it.
//! <https://redis.io/commands/blpop>
//!
//! What is recorded is the LPOP or RPOP that it comes down to.

use dunlin_store::ValueType;
use dunlin_store::list::{End, ListRef};

use super::{at_end, length, pop_names, take, tell_deleted};
use crate::blocking::{deadline_of_seconds, wait};
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// BLPOP.
pub(super) const BLPOP: Command = Command {
    name: "blpop",
    full_name: "blpop",
    arity: -3,
    flags: Flags::WRITE.and(Flags::BLOCKING),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW)
        .and(Categories::BLOCKING),
    keys: &[KeySpec {
        begin: Begin::Index(1),
        find: Find::Range {
            last: -2,
            step: 1,
            limit: 0,
        },
        flags: &["RW", "access", "delete"],
    }],
    scope: Scope::Keys,
    group: "list",
    since: "2.0.0",
    complexity: "O(N) in the number of keys",
    summary: "Takes an element from the left end of the first list that has one; waits until there is one.",
    history: &[("6.0.0", "The timeout may have a fraction.")],
    arguments: &[
        Argument::KEY.multiple(),
        Argument::new("timeout", ArgKind::Double),
    ],
    handler: |cx| pop(cx, End::Left),
    ..Command::BASE
};

/// BRPOP.
pub(super) const BRPOP: Command = Command {
    name: "brpop",
    full_name: "brpop",
    summary: "Takes an element from the right end of the first list that has one; waits until there is one.",
    handler: |cx| pop(cx, End::Right),
    ..BLPOP
};

fn pop(cx: &mut Ctx<'_>, end: End) -> Outcome {
    let (db, timeout) = (cx.db(), cx.args.len() - 1);
    let deadline_ms = deadline_of_seconds(cx, timeout)?;
    for index in 1..timeout {
        let key = cx.key(index);
        let Some(found) = cx.keys.find(db, &key) else {
            continue;
        };
        let len = length(cx, found)?;
        let range = at_end(end, 1, len);
        cx.reply.array(2);
        cx.reply.bulk(key.bytes);
        let entry = cx.keys.entry(found);
        let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
        if let Some(element) = list.get(range.start) {
            element.with_text(|text| cx.reply.bulk(text));
        }
        let deleted = take(cx, &key, found, range, len);
        let (name, event) = pop_names(end);
        let effect = [name.into(), key.bytes.into()];
        cx.keys.record(db, key.bytes, event, &effect);
        tell_deleted(cx, key.bytes, deleted);
        return Ok(Flow::Done);
    }
    wait(cx, 1..timeout, ValueType::List, deadline_ms)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn takes_at_once_what_is_there() {
        check(
            "RPUSH b 1 2 3; BLPOP a b 0; BRPOP b a 0; BLPOP b 1.5; EXISTS b",
            "3; [b 1]; [b 3]; [b 2]; 0",
        );
    }

    #[test]
    fn a_transaction_waits_for_nothing() {
        check(
            "MULTI; BLPOP a 0; BLMOVE a b LEFT LEFT 0; BRPOPLPUSH a b 0; BLMPOP 0 1 a LEFT; EXEC",
            "OK; QUEUED; QUEUED; QUEUED; QUEUED; [nil nil nil nil]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SET s v; BLPOP s 0; BLPOP a s 0; BLPOP a x; BLPOP a -1; BLPOP a 0x7FFFFFFFFFFFFFF; BLPOP a inf; BLPOP a 1e300; BLPOP a nan",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR timeout is not a float or out of range; (error) ERR timeout is negative; \
             (error) ERR timeout is out of range; (error) ERR timeout is out of range; \
             (error) ERR timeout is out of range; (error) ERR timeout is not a float or out of range",
        );
    }
}
