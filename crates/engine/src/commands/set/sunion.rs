//! SUNION key [key ...], SUNIONSTORE destination key [key ...]: members that are in any set. <https://redis.io/commands/sunion>
//! <https://redis.io/commands/sunionstore>

use std::collections::HashSet;

use dunlin_structures::packed::Element;

use super::sinter::{SINTER, SINTERSTORE, reply_whole};
use super::sources::{Sources, existing, form_as_added, gather, reply_members, store_members};
use crate::command::{Command, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// SUNION.
pub(super) const SUNION: Command = Command {
    name: "sunion",
    full_name: "sunion",
    complexity: "O(N) in the members of all sets",
    summary: "Returns the members that are in at least one of several sets.",
    handler: sunion,
    ..SINTER
};

/// SUNIONSTORE.
pub(super) const SUNIONSTORE: Command = Command {
    name: "sunionstore",
    full_name: "sunionstore",
    keys: &[
        KeySpec::one(1, &["OW", "update"]),
        KeySpec::rest(2, 1, &["RO", "access"]),
    ],
    complexity: "O(N) in the members of all sets",
    summary: "Stores the members that are in at least one of several sets.",
    handler: sunionstore,
    ..SINTERSTORE
};

/// Every set is gone through.
pub(super) fn work(lens: &[usize]) -> usize {
    lens.iter().fold(0, |sum, len| sum.saturating_add(*len))
}

/// Every member once.
fn distinct(sources: &Sources) -> Vec<Element<'_>> {
    let mut sets = existing(sources);
    let Some(first) = sets.next() else {
        return Vec::new();
    };
    let mut members: Vec<Element<'_>> = first.iter().collect();
    let mut rest = sets.peekable();
    if rest.peek().is_none() {
        return members;
    }
    let mut seen: HashSet<Element<'_>> = members.iter().copied().collect();
    for set in rest {
        members.extend(set.iter().filter(|member| seen.insert(*member)));
    }
    members
}

fn sunion(cx: &mut Ctx<'_>) -> Outcome {
    let Some(sources) = gather(cx, 1..cx.args.len(), work)? else {
        return Ok(Flow::HeavyRead);
    };
    if let [Some(only)] = sources.as_slice() {
        return reply_whole(cx, only);
    }
    reply_members(cx, &distinct(&sources))
}

fn sunionstore(cx: &mut Ctx<'_>) -> Outcome {
    let Some(sources) = gather(cx, 2..cx.args.len(), work)? else {
        return Ok(Flow::Heavy);
    };
    let members = distinct(&sources);
    let form = form_as_added(cx, &members);
    store_members(cx, &members, form, "sunionstore")
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn unites() {
        check(
            "SADD a 1 2 x; SADD b 2 x y; SADD c 7; SUNION a b; SUNION a no c; SUNION c; SUNION no; SUNION c c",
            "3; 3; 1; [1 2 x y]; [1 2 x 7]; [7]; []; [7]",
        );
        check(
            "SET k v; SADD a 1; SUNION a k; SUNIONSTORE a a k; SMEMBERS a",
            "OK; 1; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; [1]",
        );
    }

    #[test]
    fn stores_in_the_smallest_form() {
        check(
            "SADD a 1 2; SADD b 3; SADD c x; SUNIONSTORE d a b; OBJECT ENCODING d; SUNIONSTORE d a b c; OBJECT ENCODING d; SMEMBERS d; \
             SUNIONSTORE d d no; SCARD d; SUNIONSTORE d no no; EXISTS d; SUNIONSTORE d no",
            "2; 1; 1; 3; intset; 4; listpack; [1 2 3 x]; 4; 4; 0; 0; 0",
        );
        let range = |from: u32, to: u32| {
            let members: Vec<String> = (from..to).map(|i| i.to_string()).collect();
            members.join(" ")
        };
        let mut console = Console::default();
        console.run(&format!(
            "SADD a {}; SADD b {}; SADD c x",
            range(0, 300),
            range(300, 512)
        ));
        assert_eq!(
            console.run("SUNIONSTORE d a b; OBJECT ENCODING d"),
            "512; intset"
        );
        assert_eq!(
            console.run("SUNIONSTORE d a b c; OBJECT ENCODING d"),
            "513; hashtable"
        );
        console.run("SADD b 1000");
        assert_eq!(
            console.run("SUNIONSTORE d a b; OBJECT ENCODING d; SISMEMBER d 1000"),
            "513; hashtable; 1"
        );
    }
}
