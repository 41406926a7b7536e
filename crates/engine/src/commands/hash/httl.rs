//! HTTL key FIELDS numfields field [field ...], and HPTTL, HEXPIRETIME and HPEXPIRETIME: when fields expire.
//! <https://redis.io/commands/httl>

use super::fields::{FIELDS, NO_FIELD, first_field};
use super::hash_of;
use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::expiry::Unit;
use crate::{Ctx, Flow, Outcome};

/// What is answered for a field without a deadline.
const NO_DEADLINE: i64 = -1;

/// HTTL.
pub(super) const HTTL: Command = Command {
    name: "httl",
    full_name: "httl",
    arity: -5,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::HASH).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "hash",
    since: "7.4.0",
    complexity: "O(N log M) for N fields given out of M",
    summary: "Returns in how many seconds fields of a hash expire.",
    tips: &["nondeterministic_output"],
    arguments: &[Argument::KEY, FIELDS],
    weight: Some(argument_count),
    handler: |cx| tell(cx, Unit::EX),
    ..Command::BASE
};

/// HPTTL.
pub(super) const HPTTL: Command = Command {
    name: "hpttl",
    full_name: "hpttl",
    summary: "Returns in how many milliseconds fields of a hash expire.",
    handler: |cx| tell(cx, Unit::PX),
    ..HTTL
};

/// HEXPIRETIME.
pub(super) const HEXPIRETIME: Command = Command {
    name: "hexpiretime",
    full_name: "hexpiretime",
    summary: "Returns when fields of a hash expire, in seconds since 1970.",
    tips: &[],
    handler: |cx| tell(cx, Unit::EXAT),
    ..HTTL
};

/// HPEXPIRETIME.
pub(super) const HPEXPIRETIME: Command = Command {
    name: "hpexpiretime",
    full_name: "hpexpiretime",
    summary: "Returns when fields of a hash expire, in milliseconds since 1970.",
    tips: &[],
    handler: |cx| tell(cx, Unit::PXAT),
    ..HTTL
};

fn tell(cx: &mut Ctx<'_>, unit: Unit) -> Outcome {
    let (db, key, args, now_ms) = (cx.db(), cx.key(1), cx.args, cx.keys.now_ms());
    let hasher = cx.engine.store.hasher();
    if let Some(entry) = cx.keys.peek(db, &key) {
        // A wrong type is seen before wrong arguments are.
        hash_of(&Some(entry))?;
    }
    let first = first_field(cx, 2, "Number of fields must be a positive integer")?;
    let fields = args.from(first);
    let entry = cx.keys.read(db, &key);
    let hash = hash_of(&entry)?;
    let timed = entry.as_ref().and_then(|entry| entry.timed());
    cx.reply.array(fields.len());
    for field in fields {
        if hash.and_then(|hash| hash.get(hasher, field)).is_none() {
            cx.reply.integer(NO_FIELD);
            continue;
        }
        let deadline = timed.and_then(|deadlines| deadlines.of_field(hasher, field));
        let time = deadline.map(|at| {
            let ms = if unit.absolute {
                at
            } else {
                at.saturating_sub(now_ms)
            };
            if unit.seconds { ms.div_ceil(1000) } else { ms }
        });
        cx.reply
            .integer(time.map_or(NO_DEADLINE, |time| time as i64));
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{START_MS, check};

    #[test]
    fn the_four_ways_to_tell() {
        check(
            "HSET h a 1 b 2; HPEXPIRE h 1500 FIELDS 1 a; HTTL h FIELDS 3 a b c; HPTTL h FIELDS 1 a; HEXPIRETIME h FIELDS 1 a; \
             HPEXPIRETIME h FIELDS 1 a; HTTL none FIELDS 2 a b",
            &format!(
                "2; [1]; [2 -1 -2]; [1500]; [{}]; [{}]; [-2 -2]",
                START_MS / 1000 + 2,
                START_MS + 1500
            ),
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let number = "(error) ERR Number of fields must be a positive integer";
        check(
            "HTTL h x 1 a; HTTL h FIELDS 0 a; HPTTL h FIELDS x a; HEXPIRETIME h FIELDS 2 a; SET s v; HPEXPIRETIME s x 1 a",
            &format!(
                "(error) ERR Mandatory argument FIELDS is missing or not at the right position; {number}; {number}; \
                 (error) ERR The `numfields` parameter must match the number of arguments; OK; \
                 (error) WRONGTYPE Operation against a key holding the wrong kind of value"
            ),
        );
    }
}
