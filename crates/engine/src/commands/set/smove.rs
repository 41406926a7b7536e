//! SMOVE source destination member: moves a member from one set to another. <https://redis.io/commands/smove>

use dunlin_store::Event;
use dunlin_store::set::{self, SetRef};
use dunlin_structures::packed::Element;

use super::{limits, remove_emptied};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SMOVE.
pub(super) const SMOVE: Command = Command {
    name: "smove",
    full_name: "smove",
    arity: 4,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE.and(Categories::SET).and(Categories::FAST),
    keys: &[
        KeySpec::one(1, &["RW", "access", "delete"]),
        KeySpec::one(2, &["RW", "insert"]),
    ],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Moves a member from one set to another.",
    arguments: &[
        Argument::new("source", ArgKind::Key(0)),
        Argument::new("destination", ArgKind::Key(1)),
        Argument::new("member", ArgKind::String),
    ],
    handler: smove,
    ..Command::BASE
};

fn smove(cx: &mut Ctx<'_>) -> Outcome {
    let (db, source, destination) = (cx.db(), cx.key(1), cx.key(2));
    let (hasher, limits) = (cx.engine.store.hasher(), limits(cx.engine));
    let member = Element::of(cx.args.at(3));
    // Both are looked up, so that an expired destination is gone before.
    let (from, to) = (cx.keys.find(db, &source), cx.keys.find(db, &destination));
    // Removing an expired destination may have moved the source.
    let Some(from) = from.and_then(|_| cx.keys.find(db, &source)) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let (place, left) = {
        let entry = cx.keys.entry(from);
        let set = SetRef::of(&entry).ok_or(ReplyError::WrongType)?;
        (set.find(hasher, member), set.len() - 1)
    };
    if let Some(to) = to {
        SetRef::of(&cx.keys.entry(to)).ok_or(ReplyError::WrongType)?;
    }
    let Ok(place) = place else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    if source.bytes == destination.bytes {
        cx.reply.integer(1);
        return Ok(Flow::Done);
    }
    if left > 0 {
        cx.keys.update(from, |entry| set::remove(entry, place));
    }
    cx.record_verbatim(source.bytes, Event::set("srem"));
    if left == 0 {
        remove_emptied(cx, &source);
    }
    match cx.keys.find(db, &destination) {
        None => {
            let clock = cx.keys.local().clock;
            let empty = set::empty_for(destination.bytes, member, 1, &limits, clock);
            let (entry, _) = set::add(empty, member, &limits, hasher);
            cx.keys.put_entry(db, &destination, entry, None);
        }
        Some(to) => {
            let set = cx.keys.entry(to);
            let has = SetRef::of(&set).is_some_and(|set| set.contains(hasher, member));
            if has {
                cx.reply.integer(1);
                return Ok(Flow::Done);
            }
            cx.keys
                .update(to, |entry| set::add(entry, member, &limits, hasher).0);
        }
    }
    cx.keys.changed(db, destination.bytes, Event::set("sadd"));
    cx.reply.integer(1);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn moves() {
        check(
            "SADD a 1 x; SADD b 2; SMOVE a b x; SMEMBERS a; SMEMBERS b; SMOVE a b x; SMOVE a c 1; EXISTS a; SMEMBERS c; OBJECT ENCODING c",
            "2; 1; 1; [1]; [2 x]; 0; 1; 0; [1]; intset",
        );
        check(
            "SADD a x y; SADD b x; SMOVE a b x; SMEMBERS a; SMEMBERS b; SMOVE a b z; SMOVE no b x; SCARD b",
            "2; 1; 1; [y]; [x]; 0; 0; 1",
        );
        check(
            "SADD a x; SMOVE a a x; SMOVE a a y; SMEMBERS a",
            "1; 1; 0; [x]",
        );
    }

    #[test]
    fn refuses_other_types() {
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SET k v; SADD s x; SMOVE k s x; SMOVE s k x; SMOVE s k y; SMOVE no k x; SMEMBERS s",
            &format!("OK; 1; {wrong}; {wrong}; {wrong}; 0; [x]"),
        );
    }

    #[test]
    fn watched_sets_trip() {
        for (key, tripped) in [("a", "nil"), ("b", "nil"), ("c", "[1]")] {
            check(
                &format!(
                    "SADD a x y; SADD b z; WATCH {key}; 2> SMOVE a b x; MULTI; EXISTS a; EXEC"
                ),
                &format!("2; 1; OK; 1; OK; QUEUED; {tripped}"),
            );
        }
        check(
            "SADD a x y; SADD b x; WATCH b; 2> SMOVE a b x; MULTI; EXISTS b; EXEC",
            "2; 1; OK; 1; OK; QUEUED; [1]",
        );
    }
}
