//! GETDEL key: the value of a string, which is removed. <https://redis.io/commands/getdel>

use dunlin_store::Event;

use super::get::reply_value;
use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// GETDEL.
pub(super) const GETDEL: Command = Command {
    name: "getdel",
    full_name: "getdel",
    arity: 2,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "delete"])],
    scope: Scope::Keys,
    group: "string",
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Returns the string stored under a key and removes the key.",
    arguments: &[Argument::KEY],
    handler: getdel,
    ..Command::BASE
};

fn getdel(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    if reply_value(cx, &key)?
        && let Some(entry) = cx.keys.remove(db, &key)
    {
        cx.keys.discard(entry);
        cx.keys.record(
            db,
            key.bytes,
            Event::generic("del"),
            &["DEL".into(), key.bytes.into()],
        );
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn returns_once() {
        check("SET k v; GETDEL k; GETDEL k; KEYS *", "OK; v; nil; []");
        check("SET k v PX 5; +5ms; GETDEL k", "OK; nil");
    }
}
