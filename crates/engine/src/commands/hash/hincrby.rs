//! HINCRBY key field increment. <https://redis.io/commands/hincrby>

use dunlin_structures::packed::Element;

use super::{hash_of_found, set_and_record};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// HINCRBY.
pub(super) const HINCRBY: Command = Command {
    name: "hincrby",
    full_name: "hincrby",
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HASH)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "hash",
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Adds to the integer in a field of a hash; a field that does not exist counts as 0.",
    arguments: &[
        Argument::KEY,
        Argument::new("field", ArgKind::String),
        Argument::new("increment", ArgKind::Integer),
    ],
    handler: hincrby,
    ..Command::BASE
};

fn hincrby(cx: &mut Ctx<'_>) -> Outcome {
    let increment = parse_i64(cx.args.at(3)).ok_or(ReplyError::NotInteger)?;
    let field = cx.args.at(2);
    let old = hash_of_found(cx, |hash, hasher| match hash.get(hasher, field) {
        None => Some(0),
        Some(Element::Int(n)) => Some(n),
        Some(Element::Bytes(text)) => parse_i64(text),
    })?;
    let old = old
        .unwrap_or(Some(0))
        .ok_or(ReplyError::err("hash value is not an integer"))?;
    let new = old
        .checked_add(increment)
        .ok_or(ReplyError::IncrementOverflow)?;
    let mut text = itoa::Buffer::new();
    set_and_record(cx, field, text.format(new).as_bytes(), "hincrby")?;
    cx.reply.integer(new);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn adds() {
        check(
            "HINCRBY h f 5; HINCRBY h f -7; HGET h f; HSET h t x; HINCRBY h t 1; HINCRBY h f 1.5",
            "5; -2; -2; 1; (error) ERR hash value is not an integer; (error) ERR value is not an integer or out of range",
        );
        check(
            "HSET h f 9223372036854775807; HINCRBY h f 1; HGET h f; HSET h f -9223372036854775808; HINCRBY h f -1",
            "1; (error) ERR increment or decrement would overflow; 9223372036854775807; 0; \
             (error) ERR increment or decrement would overflow",
        );
        check(
            "SET s 1; HINCRBY s f 1; HSET h f \" 1\"; HINCRBY h f 1",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; 1; (error) ERR hash value is not an integer",
        );
    }
}
