//! HLEN key; HSTRLEN key field; HEXISTS key field. <https://redis.io/commands/hlen>

use dunlin_structures::packed::Element;

use super::hash_of;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

const BASE: Command = Command {
    arity: 3,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::HASH).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    scope: Scope::Keys,
    group: "hash",
    complexity: "O(1)",
    arguments: &[Argument::KEY, Argument::new("field", ArgKind::String)],
    ..Command::BASE
};

/// HLEN.
pub(super) const HLEN: Command = Command {
    name: "hlen",
    full_name: "hlen",
    arity: 2,
    since: "2.0.0",
    summary: "Returns the number of fields of a hash.",
    arguments: &[Argument::KEY],
    handler: hlen,
    ..BASE
};

/// HSTRLEN.
pub(super) const HSTRLEN: Command = Command {
    name: "hstrlen",
    full_name: "hstrlen",
    since: "3.2.0",
    summary: "Returns the length of the value of a field, in bytes.",
    handler: hstrlen,
    ..BASE
};

/// HEXISTS.
pub(super) const HEXISTS: Command = Command {
    name: "hexists",
    full_name: "hexists",
    since: "2.0.0",
    summary: "Says whether a hash has a field.",
    handler: hexists,
    ..BASE
};

fn hlen(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let entry = cx.keys.read(db, &key);
    let len = hash_of(&entry)?.map_or(0, |hash| hash.len());
    cx.reply.count(len);
    Ok(Flow::Done)
}

fn hstrlen(cx: &mut Ctx<'_>) -> Outcome {
    let len = value_len(cx)?;
    cx.reply.count(len.unwrap_or(0));
    Ok(Flow::Done)
}

fn hexists(cx: &mut Ctx<'_>) -> Outcome {
    let exists = value_len(cx)?.is_some();
    cx.reply.integer(exists.into());
    Ok(Flow::Done)
}

/// Length of the field at argument 2, if there is one.
fn value_len(cx: &mut Ctx<'_>) -> Result<Option<usize>, ReplyError> {
    let (db, key, field) = (cx.db(), cx.key(1), cx.args.at(2));
    let store = cx.keys.store();
    let entry = cx.keys.read(db, &key);
    let value = hash_of(&entry)?.and_then(|hash| hash.get(store.hasher(), field));
    Ok(value.map(Element::len))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn lengths() {
        check(
            "HSET h a 12345 b \"\" c -7; HLEN h; HSTRLEN h a; HSTRLEN h b; HSTRLEN h c; HSTRLEN h d; HLEN n; HSTRLEN n a",
            "3; 3; 5; 0; 2; 0; 0; 0",
        );
        check(
            "HSET h a 1; HEXISTS h a; HEXISTS h b; HEXISTS n a",
            "1; 1; 0; 0",
        );
    }
}
