//! HGET key field; HMGET key field [field ...]. <https://redis.io/commands/hget>

use super::hash_of;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

const BASE: Command = Command {
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::HASH).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "hash",
    since: "2.0.0",
    ..Command::BASE
};

/// HGET.
pub(super) const HGET: Command = Command {
    name: "hget",
    full_name: "hget",
    arity: 3,
    complexity: "O(1)",
    summary: "Returns the value of a field of a hash.",
    arguments: &[Argument::KEY, Argument::new("field", ArgKind::String)],
    handler: hget,
    ..BASE
};

/// HMGET.
pub(super) const HMGET: Command = Command {
    name: "hmget",
    full_name: "hmget",
    arity: -3,
    complexity: "O(N) in the number of fields asked for",
    summary: "Returns the values of several fields of a hash.",
    arguments: &[
        Argument::KEY,
        Argument::new("field", ArgKind::String).multiple(),
    ],
    handler: hmget,
    ..BASE
};

fn hget(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, field) = (cx.db(), cx.key(1), cx.args.at(2));
    let store = cx.keys.store();
    let entry = cx.keys.read(db, &key);
    let hash = hash_of(&entry)?;
    match hash.and_then(|hash| hash.get(store.hasher(), field)) {
        Some(value) => cx.reply.element(value),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

fn hmget(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let store = cx.keys.store();
    let entry = cx.keys.read(db, &key);
    let hash = hash_of(&entry)?;
    cx.reply.array(args.len() - 2);
    for field in args.from(2) {
        match hash.and_then(|hash| hash.get(store.hasher(), field)) {
            Some(value) => cx.reply.element(value),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn reads_fields() {
        check(
            "HSET h a 1 b two; HGET h a; HGET h b; HGET h c; HGET none a; HMGET h b c a; HMGET none a b",
            "2; 1; two; nil; nil; [two nil 1]; [nil nil]",
        );
        check(
            "SET s v; HGET s a; HMGET s a",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
