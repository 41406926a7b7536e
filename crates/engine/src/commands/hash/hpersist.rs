//! HPERSIST key FIELDS numfields field [field ...]: takes deadlines of fields away. <https://redis.io/commands/hpersist>

use dunlin_store::hash_value::{self, HashRef};

use super::fields::{FIELDS, NO_FIELD, first_field, record_fields};
use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// HPERSIST.
pub(super) const HPERSIST: Command = Command {
    name: "hpersist",
    full_name: "hpersist",
    arity: -5,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HASH)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    scope: Scope::Keys,
    group: "hash",
    since: "7.4.0",
    complexity: "O(N log M) for N fields given out of M",
    summary: "Takes away the deadlines of fields of a hash.",
    arguments: &[Argument::KEY, FIELDS],
    weight: Some(argument_count),
    handler: hpersist,
    ..Command::BASE
};

/// What is answered for a field without a deadline, and for one that has lost it.
const NO_DEADLINE: i64 = -1;
const PERSISTED: i64 = 1;

fn hpersist(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let hasher = cx.engine.store.hasher();
    let found = cx.keys.find(db, &key);
    if let Some(found) = found {
        HashRef::of(&cx.keys.entry(found)).ok_or(ReplyError::WrongType)?;
    }
    let first = first_field(cx, 2, "Number of fields must be a positive integer")?;
    let fields = args.from(first);
    cx.reply.array(fields.len());
    let Some(found) = found else {
        fields.for_each(|_| cx.reply.integer(NO_FIELD));
        return Ok(Flow::Done);
    };
    let (reply, mut changed) = (&mut cx.reply, Vec::new());
    cx.keys.update_fields(found, |mut entry| {
        for field in fields {
            let hash = HashRef::of(&entry).expect("its type was looked at");
            if hash.get(hasher, field).is_none() {
                reply.integer(NO_FIELD);
                continue;
            }
            let timed = entry.timed();
            if timed.is_none_or(|deadlines| deadlines.of_field(hasher, field).is_none()) {
                reply.integer(NO_DEADLINE);
                continue;
            }
            entry = hash_value::set_deadline(entry, hasher, field, None);
            changed.push(field);
            reply.integer(PERSISTED);
        }
        (entry, !changed.is_empty())
    });
    if !changed.is_empty() {
        let head = ["HPERSIST".into(), key.bytes.into()];
        record_fields(cx, &key, "hpersist", &head, &changed);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn persisted_fields_stay() {
        check(
            "HSET h a 1 b 2; HPERSIST h FIELDS 1 a; HPEXPIRE h 10 FIELDS 2 a b; HPERSIST h FIELDS 3 a c a; +10ms; HGETALL h; \
             HPERSIST none FIELDS 2 a b; OBJECT ENCODING h",
            "2; [-1]; [1 1]; [1 -2 -1]; [a 1]; [-2 -2]; listpackex",
        );
        check(
            "HPERSIST h x 1 a; HPERSIST h FIELDS 0 a; HPERSIST h FIELDS 2 a; SET s v; HPERSIST s x 1 a",
            "(error) ERR Mandatory argument FIELDS is missing or not at the right position; \
             (error) ERR Number of fields must be a positive integer; \
             (error) ERR The `numfields` parameter must match the number of arguments; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
