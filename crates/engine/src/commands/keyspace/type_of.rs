//! TYPE key: the type of a value. <https://redis.io/commands/type>

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// TYPE.
pub(super) const TYPE: Command = Command {
    name: "type",
    full_name: "type",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    scope: Scope::Keys,
    group: "generic",
    summary: "Names the type of the value under a key, or `none`.",
    arguments: &[Argument::KEY],
    handler: type_of,
    ..Command::BASE
};

fn type_of(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let name = cx
        .keys
        .peek(db, &key)
        .map(|entry| entry.kind().value_type().name());
    cx.keys.count_lookup(name.is_some());
    if name.is_none() {
        cx.keys.missed(db, key.bytes);
    }
    cx.reply.simple(name.unwrap_or("none"));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn names_the_type() {
        check(
            "TYPE k; SET k v; TYPE k; SET k 1; TYPE k",
            "none; OK; string; OK; string",
        );
    }
}
