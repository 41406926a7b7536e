//! LINSERT key BEFORE | AFTER pivot element: a new element beside another. <https://redis.io/commands/linsert>

use dunlin_store::Event;
use dunlin_store::list::{self, End, ListRef};

use super::{check_element, fill, length};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LINSERT.
pub(super) const LINSERT: Command = Command {
    name: "linsert",
    full_name: "linsert",
    arity: 5,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "insert"])],
    scope: Scope::Keys,
    group: "list",
    since: "2.2.0",
    complexity: "O(N) in the number of elements up to the pivot",
    summary: "Adds an element before or after the first one that equals a pivot.",
    arguments: &[
        Argument::KEY,
        Argument::one_of(
            "where",
            &[
                Argument::token("before", "BEFORE"),
                Argument::token("after", "AFTER"),
            ],
        ),
        Argument::new("pivot", ArgKind::String),
        Argument::new("element", ArgKind::String),
    ],
    handler: linsert,
    ..Command::BASE
};

fn linsert(cx: &mut Ctx<'_>) -> Outcome {
    let after = if cx.args.is(2, "after") {
        1
    } else if cx.args.is(2, "before") {
        0
    } else {
        return Err(ReplyError::Syntax);
    };
    let (db, key, pivot, text) = (cx.db(), cx.key(1), cx.args.at(3), cx.args.at(4));
    check_element(text)?;
    let Some(found) = cx.keys.find(db, &key) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let len = length(cx, found)?;
    if cx.is_heavy(len) {
        return Ok(Flow::Heavy);
    }
    let entry = cx.keys.entry(found);
    let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
    let mut first = None;
    list.matches(pivot, End::Left, len, |index| {
        first = Some(index);
        false
    });
    let Some(index) = first else {
        cx.reply.integer(-1);
        return Ok(Flow::Done);
    };
    let fill = fill(cx.engine);
    cx.keys.update(found, |entry| {
        list::insert(entry, index + after, text, fill)
    });
    cx.record_verbatim(key.bytes, Event::list("linsert"));
    cx.reply.count(len + 1);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn beside_the_first_pivot() {
        check(
            "RPUSH k a 5 a; LINSERT k BEFORE a x; LINSERT k after 5 y; LINSERT k AFTER a z; LRANGE k 0 -1",
            "3; 4; 5; 6; [x a z 5 y a]",
        );
    }

    #[test]
    fn nothing_without_a_pivot() {
        check(
            "LINSERT k BEFORE a x; EXISTS k; RPUSH k a; LINSERT k BEFORE A x; LINSERT k NEAR a x; LRANGE k 0 -1",
            "0; 0; 1; -1; (error) ERR syntax error; [a]",
        );
        check(
            "SET s v; LINSERT s NEAR a x; LINSERT s AFTER a x",
            "OK; (error) ERR syntax error; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn into_a_long_element_s_list() {
        let long = "x".repeat(8192);
        check(
            &format!(
                "RPUSH k a b; LINSERT k BEFORE b {long}; OBJECT ENCODING k; LINSERT k AFTER {long} c; LINDEX k 2"
            ),
            "2; 3; quicklist; 4; c",
        );
    }
}
