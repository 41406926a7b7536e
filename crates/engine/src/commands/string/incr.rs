//! INCR, DECR, INCRBY, DECRBY: add to an integer. <https://redis.io/commands/incrby>
//!
//! They differ in where the increment comes from. The value stays in its entry: nothing is allocated for a key that exists.

use dunlin_store::{Event, NewString, StrRef, Ttl};

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// INCR.
pub(super) const INCR: Command = Command {
    name: "incr",
    full_name: "incr",
    arity: 2,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Adds one to an integer; a key that does not exist counts as 0.",
    arguments: &[Argument::KEY],
    handler: incr,
    ..Command::BASE
};

/// DECR.
pub(super) const DECR: Command = Command {
    name: "decr",
    full_name: "decr",
    summary: "Takes one from an integer; a key that does not exist counts as 0.",
    handler: decr,
    ..INCR
};

/// INCRBY.
pub(super) const INCRBY: Command = Command {
    name: "incrby",
    full_name: "incrby",
    arity: 3,
    summary: "Adds a number to an integer; a key that does not exist counts as 0.",
    arguments: &[Argument::KEY, Argument::new("increment", ArgKind::Integer)],
    handler: incrby,
    ..INCR
};

/// DECRBY.
pub(super) const DECRBY: Command = Command {
    name: "decrby",
    full_name: "decrby",
    arity: 3,
    summary: "Takes a number from an integer; a key that does not exist counts as 0.",
    arguments: &[Argument::KEY, Argument::new("decrement", ArgKind::Integer)],
    handler: decrby,
    ..INCR
};

fn incr(cx: &mut Ctx<'_>) -> Outcome {
    add(cx, 1)
}

fn decr(cx: &mut Ctx<'_>) -> Outcome {
    add(cx, -1)
}

fn incrby(cx: &mut Ctx<'_>) -> Outcome {
    let increment = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    add(cx, increment)
}

fn decrby(cx: &mut Ctx<'_>) -> Outcome {
    let decrement = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    add(
        cx,
        decrement
            .checked_neg()
            .ok_or(ReplyError::DecrementOverflow)?,
    )
}

fn add(cx: &mut Ctx<'_>, increment: i64) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let found = cx.keys.find(db, &key);
    let old = match found {
        None => 0,
        Some(found) => match cx
            .keys
            .entry(found)
            .as_string()
            .ok_or(ReplyError::WrongType)?
        {
            StrRef::Int(n) => n,
            StrRef::Bytes(text) => parse_i64(text).ok_or(ReplyError::NotInteger)?,
            StrRef::Chunked(_) => return Err(ReplyError::NotInteger),
        },
    };
    let new = old
        .checked_add(increment)
        .ok_or(ReplyError::IncrementOverflow)?;
    match found {
        None => cx
            .keys
            .put_string(db, &key, NewString::Int(new), Ttl::Clear),
        Some(found) => cx.keys.update(found, |entry| entry.with_int(new)),
    }
    cx.record_verbatim(key.bytes, Event::string("incrby"));
    cx.reply.integer(new);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn count_from_zero_or_from_what_is_there() {
        check(
            "INCR n; INCR n; GET n; DECR n; DECR m; INCR m",
            "1; 2; 2; 1; -1; 0",
        );
        check(
            "SET n 17179869184; INCRBY n 17179869184; DECRBY n 34359738369",
            "OK; 34359738368; -1",
        );
        check("SETRANGE n 0 41; INCR n; GET n", "2; 42; 42");
        check(
            "SET n 1 PX 10; INCR n; +9ms; GET n; +1ms; INCR n",
            "OK; 2; 2; 1",
        );
    }

    #[test]
    fn refuse_what_is_no_integer() {
        let error = "(error) ERR value is not an integer or out of range";
        for text in [
            " 11",
            "11 ",
            "+1",
            "01",
            "-0",
            "",
            "1.0",
            "9223372036854775808",
            "x",
        ] {
            check(
                &format!("SET n \"{text}\"; INCR n; GET n"),
                &format!("OK; {error}; {text}"),
            );
            check(
                &format!("INCRBY n \"{text}\"; DECRBY n \"{text}\"; KEYS *"),
                &format!("{error}; {error}; []"),
            );
        }
        check(
            &format!("SET n {}; INCR n", "1".repeat(70_000)),
            &format!("OK; {error}"),
        );
    }

    #[test]
    fn refuse_to_overflow() {
        let error = "(error) ERR increment or decrement would overflow";
        let (max, min) = (i64::MAX, i64::MIN);
        check(
            &format!("SET n {max}; INCR n; INCRBY n -1; INCRBY n 2"),
            &format!("OK; {error}; {}; {error}", max - 1),
        );
        check(
            &format!("SET n {min}; DECR n; DECRBY n 1; INCRBY n {max}"),
            &format!("OK; {error}; {error}; -1"),
        );
        check(
            &format!("DECRBY n {min}; INCRBY n {min}"),
            &format!("(error) ERR decrement would overflow; {min}"),
        );
        check(
            &format!("SET n -1; DECRBY n {max}; DECR n"),
            &format!("OK; {min}; {error}"),
        );
    }
}
