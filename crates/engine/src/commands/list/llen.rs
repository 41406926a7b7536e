//! LLEN key: the length of a list. <https://redis.io/commands/llen>

use dunlin_store::list::ListRef;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LLEN.
pub(super) const LLEN: Command = Command {
    name: "llen",
    full_name: "llen",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::LIST).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the number of elements of a list.",
    arguments: &[Argument::KEY],
    handler: llen,
    ..Command::BASE
};

fn llen(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let len = match cx.keys.read(db, &key) {
        None => 0,
        Some(entry) => ListRef::of(&entry).ok_or(ReplyError::WrongType)?.len(),
    };
    cx.reply.count(len);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_elements() {
        check(
            "LLEN k; RPUSH k a b; LLEN k; SET s v; LLEN s",
            "0; 2; 2; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
