//! HINCRBYFLOAT key field increment. <https://redis.io/commands/hincrbyfloat>

use dunlin_structures::packed::Element;

use super::{hash_of_found, set_and_record};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::LongDouble;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// HINCRBYFLOAT.
pub(super) const HINCRBYFLOAT: Command = Command {
    name: "hincrbyfloat",
    full_name: "hincrbyfloat",
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HASH)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "hash",
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Adds to the floating-point number in a field of a hash; a field that does not exist counts as 0.",
    arguments: &[
        Argument::KEY,
        Argument::new("field", ArgKind::String),
        Argument::new("increment", ArgKind::Double),
    ],
    handler: hincrbyfloat,
    ..Command::BASE
};

fn hincrbyfloat(cx: &mut Ctx<'_>) -> Outcome {
    let increment = LongDouble::parse(cx.args.at(3)).ok_or(ReplyError::NotFloat)?;
    if increment.is_infinite() {
        return Err(ReplyError::err("value is NaN or Infinity"));
    }
    let field = cx.args.at(2);
    let old = hash_of_found(cx, |hash, hasher| match hash.get(hasher, field) {
        None => Some(LongDouble::ZERO),
        Some(Element::Int(n)) => Some(LongDouble::from(n)),
        Some(Element::Bytes(text)) => LongDouble::parse(text),
    })?;
    let old = old
        .unwrap_or(Some(LongDouble::ZERO))
        .ok_or(ReplyError::err("hash value is not a float"))?;
    let new = old.plus(increment).ok_or(ReplyError::IncrementNotFinite)?;
    // The effect is an HSET, so that a replica with other floats holds the same text.
    set_and_record(cx, field, new.to_text().as_bytes(), "hincrbyfloat")?;
    cx.reply.bulk(new.to_text().as_bytes());
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn adds() {
        check(
            "HINCRBYFLOAT h f 10.50; HINCRBYFLOAT h f 0.1; HSET h f 5.0e3; HINCRBYFLOAT h f 2.0e2; HGET h f",
            "10.5; 10.6; 0; 5200; 5200",
        );
        check(
            "HINCRBYFLOAT h f +inf; HINCRBYFLOAT h f nan; EXISTS h",
            "(error) ERR value is NaN or Infinity; (error) ERR value is not a valid float; 0",
        );
        check(
            "HSET h t x; HINCRBYFLOAT h t 1; HINCRBYFLOAT h t x; SET s 1; HINCRBYFLOAT s f 1",
            "1; (error) ERR hash value is not a float; (error) ERR value is not a valid float; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
