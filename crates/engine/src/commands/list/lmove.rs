//! LMOVE source destination LEFT | RIGHT LEFT | RIGHT: an element from one list to another, which may be the same.
//! RPOPLPUSH is its older form; BLMOVE and BRPOPLPUSH wait for an element. <https://redis.io/commands/lmove>,
//! <https://redis.io/commands/blmove>
//!
//! What is recorded is the LMOVE that it comes down to.

use dunlin_store::ValueType;
use dunlin_store::list::{self, End, ListRef};
use smallvec::SmallVec;

use super::{ENDS, at_end, end, fill, length, pop_names, push_event, take, tell_deleted};
use crate::blocking::{deadline_of_seconds, wait};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LMOVE.
pub(super) const LMOVE: Command = Command {
    name: "lmove",
    full_name: "lmove",
    arity: 5,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW),
    keys: &[
        KeySpec::one(1, &["RW", "access", "delete"]),
        KeySpec::one(2, &["RW", "insert"]),
    ],
    scope: Scope::Keys,
    group: "list",
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Takes an element from an end of one list, pushes it at an end of another, and returns it.",
    arguments: &[
        Argument::new("source", ArgKind::Key(0)),
        Argument::new("destination", ArgKind::Key(1)),
        Argument::one_of("wherefrom", ENDS),
        Argument::one_of("whereto", ENDS),
    ],
    handler: |cx| {
        let (from, to) = (end(cx.args, 3)?, end(cx.args, 4)?);
        at_once(cx, from, to)
    },
    ..Command::BASE
};

/// BLMOVE.
pub(super) const BLMOVE: Command = Command {
    name: "blmove",
    full_name: "blmove",
    arity: 6,
    flags: LMOVE.flags.and(Flags::BLOCKING),
    categories: LMOVE.categories.and(Categories::BLOCKING),
    summary: "Takes an element from an end of one list, pushes it at an end of another, and returns it; waits until there is one.",
    arguments: &[
        Argument::new("source", ArgKind::Key(0)),
        Argument::new("destination", ArgKind::Key(1)),
        Argument::one_of("wherefrom", ENDS),
        Argument::one_of("whereto", ENDS),
        Argument::new("timeout", ArgKind::Double),
    ],
    handler: |cx| {
        let (from, to) = (end(cx.args, 3)?, end(cx.args, 4)?);
        or_wait(cx, from, to, 5)
    },
    ..LMOVE
};

/// BRPOPLPUSH.
pub(super) const BRPOPLPUSH: Command = Command {
    name: "brpoplpush",
    full_name: "brpoplpush",
    arity: 4,
    since: "2.2.0",
    summary: "Takes the last element of one list, pushes it at the left end of another, and returns it; waits until there is one.",
    history: &[("6.0.0", "The timeout may have a fraction.")],
    deprecated: Some(("6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`")),
    arguments: &[
        Argument::new("source", ArgKind::Key(0)),
        Argument::new("destination", ArgKind::Key(1)),
        Argument::new("timeout", ArgKind::Double),
    ],
    handler: |cx| or_wait(cx, End::Right, End::Left, 3),
    ..BLMOVE
};

/// RPOPLPUSH.
pub(super) const RPOPLPUSH: Command = Command {
    name: "rpoplpush",
    full_name: "rpoplpush",
    arity: 3,
    since: "1.2.0",
    summary: "Takes the last element of one list, pushes it at the left end of another, and returns it.",
    deprecated: Some(("6.2.0", "`LMOVE` with `RIGHT` and `LEFT`")),
    arguments: &[
        Argument::new("source", ArgKind::Key(0)),
        Argument::new("destination", ArgKind::Key(1)),
    ],
    handler: |cx| at_once(cx, End::Right, End::Left),
    ..LMOVE
};

fn at_once(cx: &mut Ctx<'_>, from: End, to: End) -> Outcome {
    if !lmove(cx, from, to)? {
        cx.reply.null();
    }
    Ok(Flow::Done)
}

/// The timeout is argument `timeout`.
fn or_wait(cx: &mut Ctx<'_>, from: End, to: End, timeout: usize) -> Outcome {
    let deadline_ms = deadline_of_seconds(cx, timeout)?;
    if lmove(cx, from, to)? {
        return Ok(Flow::Done);
    }
    if !cx.may_block() {
        cx.reply.null();
        return Ok(Flow::Done);
    }
    wait(cx, 1..2, ValueType::List, deadline_ms)
}

/// Moves an element; false when there is none.
fn lmove(cx: &mut Ctx<'_>, from: End, to: End) -> Result<bool, ReplyError> {
    let (db, source, destination) = (cx.db(), cx.key(1), cx.key(2));
    let Some(found) = cx.keys.find(db, &source) else {
        return Ok(false);
    };
    let len = length(cx, found)?;
    let target = cx.keys.find(db, &destination);
    if let Some(target) = target {
        length(cx, target)?;
    }
    // Looking for the destination may have removed it, if it had expired.
    let found = cx.keys.find(db, &source).ok_or(ReplyError::NoSuchKey)?;
    let range = at_end(from, 1, len);
    let mut text = SmallVec::<[u8; 128]>::new();
    let entry = cx.keys.entry(found);
    if let Some(element) = ListRef::of(&entry).and_then(|list| list.get(range.start)) {
        element.with_text(|bytes| text.extend_from_slice(bytes));
    }
    let one = || std::iter::once(text.as_slice());
    let fill = fill(cx.engine);
    let mut deleted = false;
    if source.bytes == destination.bytes {
        if len > 1 {
            cx.keys.update(found, |entry| {
                list::push(list::remove(entry, range, fill), one(), to, fill)
            });
        }
    } else {
        deleted = take(cx, &source, found, range, len);
        match cx.keys.find(db, &destination) {
            Some(target) => cx
                .keys
                .update(target, |entry| list::push(entry, one(), to, fill)),
            None => {
                let clock = cx.keys.local().clock;
                let entry = list::create(destination.bytes, one(), to, fill, clock);
                cx.keys.put_entry(db, &destination, entry, None);
            }
        }
    }
    let effect = [
        "LMOVE".into(),
        source.bytes.into(),
        destination.bytes.into(),
        side(from).into(),
        side(to).into(),
    ];
    cx.keys
        .record(db, destination.bytes, push_event(to), &effect);
    cx.keys.tell(db, source.bytes, pop_names(from).1);
    tell_deleted(cx, source.bytes, deleted);
    cx.reply.bulk(&text);
    Ok(true)
}

/// How an end is named among the arguments.
fn side(end: End) -> &'static str {
    match end {
        End::Left => "LEFT",
        End::Right => "RIGHT",
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn from_any_end_to_any() {
        check(
            "RPUSH a 1 2 3 4; LMOVE a b LEFT LEFT; LMOVE a b right left; LMOVE a b LEFT RIGHT; LMOVE a b RIGHT RIGHT; \
             LRANGE b 0 -1; EXISTS a; LMOVE a b LEFT LEFT",
            "4; 1; 4; 2; 3; [4 1 2 3]; 0; nil",
        );
        check(
            "RPUSH a x y; RPOPLPUSH a b; RPOPLPUSH a b; LRANGE b 0 -1; EXISTS a",
            "2; y; x; [x y]; 0",
        );
    }

    #[test]
    fn round_and_round() {
        check(
            "RPUSH a 1 2 3; LMOVE a a LEFT RIGHT; LRANGE a 0 -1; LMOVE a a RIGHT LEFT; LRANGE a 0 -1; RPOPLPUSH a a; LRANGE a 0 -1; \
             LMOVE a a LEFT LEFT; LRANGE a 0 -1",
            "3; 1; [2 3 1]; 1; [1 2 3]; 3; [3 1 2]; 3; [3 1 2]",
        );
        check(
            "RPUSH a 1; LMOVE a a LEFT RIGHT; LRANGE a 0 -1",
            "1; 1; [1]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "RPUSH a 1; SET s v; LMOVE a s LEFT LEFT; LMOVE s a LEFT LEFT; LMOVE nosuch s LEFT LEFT; LMOVE a b UP LEFT; LMOVE a b LEFT UP; \
             LRANGE a 0 -1; GET s; RPOPLPUSH a s",
            &format!(
                "1; OK; {wrong}; {wrong}; nil; (error) ERR syntax error; (error) ERR syntax error; [1]; v; {wrong}"
            ),
        );
    }

    #[test]
    fn both_keys_are_watched() {
        for key in ["a", "b"] {
            check(
                &format!("RPUSH a 1 2; WATCH {key}; LMOVE a b LEFT LEFT; MULTI; PING; EXEC"),
                "2; OK; 1; OK; QUEUED; nil",
            );
        }
        check(
            "RPUSH b x; PEXPIRE b 5; RPUSH a 1; +5ms; LMOVE a b LEFT LEFT; LRANGE b 0 -1; PTTL b",
            "1; 1; 1; 1; [1]; -1",
        );
    }
}
