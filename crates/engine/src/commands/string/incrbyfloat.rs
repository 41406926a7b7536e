//! INCRBYFLOAT key increment: adds to a number. <https://redis.io/commands/incrbyfloat>

use dunlin_store::{Event, NewString, StrRef, Ttl};

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::LongDouble;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// INCRBYFLOAT.
pub(super) const INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    full_name: "incrbyfloat",
    arity: 3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Adds to a floating-point number; a key that does not exist counts as 0.",
    arguments: &[Argument::KEY, Argument::new("increment", ArgKind::Double)],
    handler: incrbyfloat,
    ..Command::BASE
};

fn incrbyfloat(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let old = match cx.keys.find(db, &key) {
        None => LongDouble::ZERO,
        Some(found) => match cx
            .keys
            .entry(found)
            .as_string()
            .ok_or(ReplyError::WrongType)?
        {
            StrRef::Int(n) => LongDouble::from(n),
            StrRef::Bytes(text) => LongDouble::parse(text).ok_or(ReplyError::NotFloat)?,
            StrRef::Chunked(_) => return Err(ReplyError::NotFloat),
        },
    };
    let increment = LongDouble::parse(cx.args.at(2)).ok_or(ReplyError::NotFloat)?;
    let new = old.plus(increment).ok_or(ReplyError::IncrementNotFinite)?;
    let text = new.to_text();
    // Never stored as an integer, even when it looks like one: so does Redis.
    cx.keys
        .put_string(db, &key, NewString::text(text.as_bytes()), Ttl::Keep);
    // As SET, so that a replica with other floats holds the same text.
    let effect = [
        "SET".into(),
        key.bytes.into(),
        text.as_str().into(),
        "KEEPTTL".into(),
    ];
    cx.keys
        .record(db, key.bytes, Event::string("incrbyfloat"), &effect);
    cx.reply.bulk(text.as_bytes());
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn adds_as_redis_does() {
        check(
            "INCRBYFLOAT n 1; GET n; INCRBYFLOAT n 0.25; GET n",
            "1; 1; 1.25; 1.25",
        );
        check(
            "SET n 0.1; INCRBYFLOAT n 0.2; INCRBYFLOAT n -0.3",
            "OK; 0.3; 0",
        );
        check(
            "SET n 17179869184; INCRBYFLOAT n 1.5; INCRBYFLOAT n 5.0e3",
            "OK; 17179869185.5; 17179874185.5",
        );
        check("SET n 1; INCRBYFLOAT n -1.1", "OK; -0.1");
        check(
            "SET n 3.0e3; INCRBYFLOAT n 200; SET n 1 PX 5; INCRBYFLOAT n 1; +5ms; GET n",
            "OK; 3200; OK; 2; nil",
        );
    }

    #[test]
    fn no_negative_zero() {
        check(
            "INCRBYFLOAT n 0.024390243902439025; INCRBYFLOAT n -0.024390243902439025; GET n",
            "0.02439024390243902; 0; 0",
        );
    }

    #[test]
    fn refuses_what_is_no_number() {
        let error = "(error) ERR value is not a valid float";
        for text in [
            " 11", "11 ", " 11 ", "", "abc", "1e", "nan", "0x", "1e5000", "1e-5000", r"1\x002",
        ] {
            check(
                &format!("SET n \"{text}\"; INCRBYFLOAT n 1"),
                &format!("OK; {error}"),
            );
            check(
                &format!("INCRBYFLOAT n \"{text}\"; KEYS *"),
                &format!("{error}; []"),
            );
        }
        check(
            &format!("SET n {}; INCRBYFLOAT n 1", "1".repeat(70_000)),
            &format!("OK; {error}"),
        );
    }

    #[test]
    fn refuses_to_end_at_infinity() {
        let error = "(error) ERR increment would produce NaN or Infinity";
        check(
            "SET n 0; INCRBYFLOAT n +inf; INCRBYFLOAT n -Infinity; GET n",
            &format!("OK; {error}; {error}; 0"),
        );
        check(
            "SET n inf; INCRBYFLOAT n -inf; INCRBYFLOAT n 1",
            &format!("OK; {error}; {error}"),
        );
        check(
            "SET n 1.1e4932; INCRBYFLOAT n 1.1e4932",
            &format!("OK; {error}"),
        );
    }
}
