//! HSET, HMSET key field value [field value ...]; HSETNX key field value. <https://redis.io/commands/hset>

use dunlin_store::Event;
use dunlin_store::hash_value::{self, HashRef};

use super::{change, limits};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

const BASE: Command = Command {
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HASH)
        .and(Categories::FAST),
    scope: Scope::Keys,
    group: "hash",
    ..Command::BASE
};

/// HSET.
pub(super) const HSET: Command = Command {
    name: "hset",
    full_name: "hset",
    arity: -4,
    keys: &[KeySpec::one(1, &["RW", "update"])],
    since: "2.0.0",
    complexity: "O(N) in the number of fields given",
    summary: "Sets fields of a hash; returns how many are new.",
    arguments: PAIRS,
    handler: |cx| set_all(cx, true),
    ..BASE
};

/// HMSET.
pub(super) const HMSET: Command = Command {
    name: "hmset",
    full_name: "hmset",
    arity: -4,
    keys: &[KeySpec::one(1, &["RW", "update"])],
    since: "2.0.0",
    deprecated: Some(("4.0.0", "`HSET` with several fields")),
    complexity: "O(N) in the number of fields given",
    summary: "Sets fields of a hash.",
    arguments: PAIRS,
    handler: |cx| set_all(cx, false),
    ..BASE
};

/// HSETNX.
pub(super) const HSETNX: Command = Command {
    name: "hsetnx",
    full_name: "hsetnx",
    arity: 4,
    keys: &[KeySpec::one(1, &["RW", "insert"])],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Sets a field of a hash only if it does not exist.",
    arguments: &[
        Argument::KEY,
        Argument::new("field", ArgKind::String),
        Argument::new("value", ArgKind::String),
    ],
    handler: hsetnx,
    ..BASE
};

const PAIRS: &[Argument] = &[
    Argument::KEY,
    Argument::block(
        "data",
        &[
            Argument::new("field", ArgKind::String),
            Argument::new("value", ArgKind::String),
        ],
    )
    .multiple(),
];

fn set_all(cx: &mut Ctx<'_>, counts: bool) -> Outcome {
    if !cx.args.len().is_multiple_of(2) {
        return Err(ReplyError::WrongArity(cx.command.full_name));
    }
    let (args, mut limits, store) = (cx.args, limits(cx), cx.keys.store());
    if (args.len() - 2) / 2 > limits.entries {
        // As in Redis, so many pairs are taken for different fields before they are looked at.
        limits.entries = 0;
    }
    let added = change(cx, |mut entry| {
        let mut added = 0;
        for at in (2..args.len()).step_by(2) {
            let (field, value) = (args.at(at), args.at(at + 1));
            let is_new;
            (entry, is_new) = hash_value::set(entry, store.hasher(), limits, field, value);
            added += usize::from(is_new);
        }
        (entry, added)
    })?;
    let fields = (cx.args.len() - 2) as u64 / 2;
    cx.record_verbatim(cx.args.at(1), Event::hash("hset"));
    cx.keys.count_changes(fields - 1);
    if counts {
        cx.reply.count(added);
    } else {
        cx.reply.ok();
    }
    Ok(Flow::Done)
}

fn hsetnx(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, field) = (cx.db(), cx.key(1), cx.args.at(2));
    let (value, limits, store) = (cx.args.at(3), limits(cx), cx.keys.store());
    if let Some(found) = cx.keys.find(db, &key) {
        let entry = cx.keys.entry(found);
        let hash = HashRef::of(&entry).ok_or(ReplyError::WrongType)?;
        if hash.get(store.hasher(), field).is_some() {
            cx.reply.integer(0);
            return Ok(Flow::Done);
        }
    }
    change(cx, |entry| {
        hash_value::set(entry, store.hasher(), limits, field, value)
    })?;
    cx.record_verbatim(key.bytes, Event::hash("hset"));
    cx.reply.integer(1);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn sets_and_counts_new_fields() {
        check(
            "HSET h a 1 b 2; HSET h b 3 c 4; HGET h b; HLEN h; HMSET h d 5; HGETALL h",
            "2; 1; 3; 3; OK; [a 1 b 3 c 4 d 5]",
        );
        check("HSETNX h a 1; HSETNX h a 2; HGET h a", "1; 0; 1");
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "HSET h a; HSET h a 1 b; HMSET h a 1 b; SET s v; HSET s a 1; HSETNX s a 1; GET s",
            "(error) ERR wrong number of arguments for 'hset' command; \
             (error) ERR wrong number of arguments for 'hset' command; \
             (error) ERR wrong number of arguments for 'hmset' command; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; v",
        );
    }

    #[test]
    fn leaves_the_packed_form_at_its_limits() {
        let long = "x".repeat(65);
        let edge = "x".repeat(64);
        check(
            &format!(
                "HSET h f {edge}; OBJECT ENCODING h; HSET h f {long}; OBJECT ENCODING h; HSET h f 1; OBJECT ENCODING h"
            ),
            "1; listpack; 0; hashtable; 0; hashtable",
        );
        let mut console = crate::testing::Console::default();
        for at in 0..512 {
            console.run(&format!("HSET h f{at} {at}"));
        }
        assert_eq!(
            console.run("OBJECT ENCODING h; HSET h f7 x; OBJECT ENCODING h"),
            "listpack; 0; listpack"
        );
        assert_eq!(
            console.run("HSET h more 1; OBJECT ENCODING h; HLEN h; HGET h f7; HGET h f511"),
            "1; hashtable; 513; x; 511"
        );
    }
}
