//! LINDEX key index: one element. <https://redis.io/commands/lindex>

use dunlin_store::list::ListRef;

use super::{integer, resolve};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LINDEX.
pub(super) const LINDEX: Command = Command {
    name: "lindex",
    full_name: "lindex",
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::LIST).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(log N) in the length of the list",
    summary: "Returns the element of a list at an index, which counts from the end when negative.",
    arguments: &[Argument::KEY, Argument::new("index", ArgKind::Integer)],
    handler: lindex,
    ..Command::BASE
};

fn lindex(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, index) = (cx.db(), cx.key(1), integer(cx, 2));
    let Some(entry) = cx.keys.read(db, &key) else {
        // Before the index is looked at, as in Redis.
        cx.reply.null();
        return Ok(Flow::Done);
    };
    let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
    match resolve(index?, list.len()).and_then(|index| list.get(index)) {
        Some(element) => element.with_text(|text| cx.reply.bulk(text)),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_from_either_end() {
        check(
            "RPUSH k a 2 c; LINDEX k 0; LINDEX k 1; LINDEX k -1; LINDEX k -3; LINDEX k 3; LINDEX k -4",
            "3; a; 2; c; a; nil; nil",
        );
    }

    #[test]
    fn the_key_comes_before_the_index() {
        check(
            "LINDEX k x; SET s v; LINDEX s x; RPUSH k a; LINDEX k x; LINDEX k -9223372036854775808",
            "nil; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; 1; \
             (error) ERR value is not an integer or out of range; nil",
        );
    }
}
