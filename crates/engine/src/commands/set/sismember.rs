//! SISMEMBER key member, SMISMEMBER key member [member ...]: whether a set has members. <https://redis.io/commands/sismember>
//! <https://redis.io/commands/smismember>

use dunlin_store::set::SetRef;
use dunlin_structures::packed::Element;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SISMEMBER.
pub(super) const SISMEMBER: Command = Command {
    name: "sismember",
    full_name: "sismember",
    arity: 3,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::SET).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Tells whether a set has a member.",
    arguments: &[Argument::KEY, Argument::new("member", ArgKind::String)],
    handler: sismember,
    ..Command::BASE
};

/// SMISMEMBER.
pub(super) const SMISMEMBER: Command = Command {
    name: "smismember",
    full_name: "smismember",
    keys: &[KeySpec::one(1, &["RO", "access"])],
    arity: -3,
    since: "6.2.0",
    complexity: "O(1) for each member",
    summary: "Tells of several members whether a set has them.",
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: smismember,
    ..SISMEMBER
};

fn sismember(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let hasher = cx.engine.store.hasher();
    let member = Element::of(cx.args.at(2));
    let has = match cx.keys.read(db, &key) {
        None => false,
        Some(entry) => SetRef::of(&entry)
            .ok_or(ReplyError::WrongType)?
            .contains(hasher, member),
    };
    cx.reply.integer(has.into());
    Ok(Flow::Done)
}

fn smismember(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let hasher = cx.engine.store.hasher();
    let entry = cx.keys.read(db, &key);
    let set = match &entry {
        None => None,
        Some(entry) => Some(SetRef::of(entry).ok_or(ReplyError::WrongType)?),
    };
    cx.reply.array(cx.args.len() - 2);
    for member in cx.args.from(2) {
        let has = set.is_some_and(|set| set.contains(hasher, Element::of(member)));
        cx.reply.integer(has.into());
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn tells_members() {
        check(
            "SADD s a 1; SISMEMBER s a; SISMEMBER s b; SISMEMBER s 1; SISMEMBER s 01; SISMEMBER t a",
            "2; 1; 0; 1; 0; 0",
        );
        check(
            "SADD n 1 2; SISMEMBER n 1; SISMEMBER n 3; SISMEMBER n a; SMISMEMBER n 1 a 2 2; SMISMEMBER t 1 2",
            "2; 1; 0; 0; [1 0 1 1]; [0 0]",
        );
        check(
            "SET k v; SISMEMBER k a; SMISMEMBER k a b; SMISMEMBER k",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR wrong number of arguments for 'smismember' command",
        );
    }
}
