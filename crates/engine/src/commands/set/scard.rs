//! SCARD key: the number of members of a set. <https://redis.io/commands/scard>

use dunlin_store::set::SetRef;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SCARD.
pub(super) const SCARD: Command = Command {
    name: "scard",
    full_name: "scard",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::SET).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the number of members of a set.",
    arguments: &[Argument::KEY],
    handler: scard,
    ..Command::BASE
};

fn scard(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let len = match cx.keys.read(db, &key) {
        None => 0,
        Some(entry) => SetRef::of(&entry).ok_or(ReplyError::WrongType)?.len(),
    };
    cx.reply.count(len);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts() {
        check(
            "SCARD s; SADD s a b; SCARD s; SADD n 1 2 3; SCARD n; SET k v; SCARD k",
            "0; 2; 2; 3; 3; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
