//! SREM key member [member ...]: takes members out of a set. <https://redis.io/commands/srem>

use dunlin_store::Event;
use dunlin_store::set::{self, SetRef};
use dunlin_structures::packed::Element;

use super::remove_emptied;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SREM.
pub(super) const SREM: Command = Command {
    name: "srem",
    full_name: "srem",
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE.and(Categories::SET).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1) for each member",
    summary: "Takes members out of a set, which goes with its last one.",
    history: &[("2.4.0", "Takes several members.")],
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: srem,
    ..Command::BASE
};

fn srem(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let hasher = cx.engine.store.hasher();
    let Some(found) = cx.keys.find(db, &key) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let (first, mut left) = {
        let entry = cx.keys.entry(found);
        let set = SetRef::of(&entry).ok_or(ReplyError::WrongType)?;
        let is_there = |i: &usize| set.contains(hasher, Element::of(args.at(*i)));
        match (2..args.len()).find(is_there) {
            Some(first) => (first, set.len()),
            None => {
                cx.reply.integer(0);
                return Ok(Flow::Done);
            }
        }
    };
    let mut removed = 0u64;
    cx.keys.update(found, |mut entry| {
        for member in args.from(first) {
            let set = SetRef::of(&entry).expect("a set, as seen above");
            let Ok(place) = set.find(hasher, Element::of(member)) else {
                continue;
            };
            (removed, left) = (removed + 1, left - 1);
            if left == 0 {
                // The last one goes with the key.
                break;
            }
            entry = set::remove(entry, place);
        }
        entry
    });
    cx.record_verbatim(key.bytes, Event::set("srem"));
    if left == 0 {
        remove_emptied(cx, &key);
    }
    cx.keys.count_changes(removed - 1);
    cx.reply.integer(removed as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn takes_members_out() {
        check(
            "SADD s a b c d; SREM s x; SREM s b x d b; SMEMBERS s; SREM s c a z; EXISTS s; SREM s a",
            "4; 0; 2; [a c]; 2; 0; 0",
        );
        check(
            "SADD n 1 2 100000; SREM n 2 x; SMEMBERS n; SREM n 100000 1; EXISTS n",
            "3; 1; [1 100000]; 2; 0",
        );
        check(
            "SET k v; SREM k a; SREM k",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR wrong number of arguments for 'srem' command",
        );
        check(
            "SADD s a; WATCH s; 2> SREM s b; 2> SREM s a; MULTI; EXISTS s; EXEC",
            "1; OK; 0; 1; OK; QUEUED; nil",
        );
    }

    #[test]
    fn big_sets_stay_big_until_they_are_empty() {
        let members: Vec<String> = (0..200).map(|i| format!("m{i}")).collect();
        let script = format!(
            "SADD s {}; SREM s {}; OBJECT ENCODING s; SMEMBERS s; SREM s m0; EXISTS s",
            members.join(" "),
            members[1..].join(" ")
        );
        check(&script, "200; 199; hashtable; [m0]; 1; 0");
    }
}
