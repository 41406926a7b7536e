//! SDIFF key [key ...], SDIFFSTORE destination key [key ...]: members of the first set that are in no other.
//! <https://redis.io/commands/sdiff> <https://redis.io/commands/sdiffstore>
//!
//! Two ways lead there: looking each member of the first set up in the others, or taking the others' members out of the first set. The
//! estimate that chooses between them is Redis's, since what is stored shows which way was gone.

use std::collections::HashSet;

use dunlin_store::set::SetRef;
use dunlin_structures::packed::Element;

use super::sinter::{SINTER, SINTERSTORE};
use super::sources::{Sources, existing, form_as_added, gather, reply_members, store_members};
use super::sunion::work;
use crate::command::{Command, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// SDIFF.
pub(super) const SDIFF: Command = Command {
    name: "sdiff",
    full_name: "sdiff",
    complexity: "O(N) in the members of all sets",
    summary: "Returns the members of a set that are in none of several others.",
    handler: sdiff,
    ..SINTER
};

/// SDIFFSTORE.
pub(super) const SDIFFSTORE: Command = Command {
    name: "sdiffstore",
    full_name: "sdiffstore",
    keys: &[
        KeySpec::one(1, &["OW", "update"]),
        KeySpec::rest(2, 1, &["RO", "access"]),
    ],
    complexity: "O(N) in the members of all sets",
    summary: "Stores the members of a set that are in none of several others.",
    handler: sdiffstore,
    ..SINTERSTORE
};

/// What is left of the first set, and whether the others' members were taken out of all of it.
fn left<'a>(cx: &Ctx<'_>, sources: &'a Sources) -> (Vec<Element<'a>>, bool) {
    let hasher = cx.engine.store.hasher();
    let Some(Some(first)) = sources.first() else {
        return (Vec::new(), false);
    };
    let first = first.as_ref();
    let mut others: Vec<(usize, SetRef<'_>)> = existing(&sources[1..])
        .map(|set| (set.len(), set))
        .collect();
    let all: usize = others.iter().map(|(len, _)| len).sum();
    let looking_up = first.len().saturating_mul(others.len() + 1) / 2;
    if looking_up <= first.len().saturating_add(all) {
        // A member is likeliest in the largest set.
        others.sort_by_key(|(len, _)| std::cmp::Reverse(*len));
        let is_left = |member: &Element<'_>| {
            let mut others = others.iter();
            !others.any(|(_, set)| set.contains(hasher, *member))
        };
        return (first.iter().filter(is_left).collect(), false);
    }
    let mut gone: HashSet<Element<'_>> = HashSet::new();
    for (_, set) in others {
        gone.extend(set.iter());
    }
    let is_left = |member: &Element<'_>| !gone.contains(member);
    (first.iter().filter(is_left).collect(), true)
}

fn sdiff(cx: &mut Ctx<'_>) -> Outcome {
    let Some(sources) = gather(cx, 1..cx.args.len(), work)? else {
        return Ok(Flow::HeavyRead);
    };
    let (members, _) = left(cx, &sources);
    reply_members(cx, &members)
}

fn sdiffstore(cx: &mut Ctx<'_>) -> Outcome {
    let Some(sources) = gather(cx, 2..cx.args.len(), work)? else {
        return Ok(Flow::Heavy);
    };
    let (members, taken_out) = left(cx, &sources);
    let form = match sources.first() {
        // A copy of the first set keeps the form that all of it needed.
        Some(Some(first)) if taken_out => {
            let all: Vec<Element<'_>> = first.as_ref().iter().collect();
            form_as_added(cx, &all)
        }
        _ => form_as_added(cx, &members),
    };
    store_members(cx, &members, form, "sdiffstore")
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn subtracts() {
        check(
            "SADD a 1 2 3 x y; SADD b 2 x; SADD c 3 zz; SDIFF a b; SDIFF a b c; SDIFF a no; SDIFF no a; SDIFF a a; SDIFF a b a; SDIFF b",
            "5; 2; 2; [1 3 y]; [1 y]; [1 2 3 x y]; []; []; []; [2 x]",
        );
        check(
            "SET k v; SADD a 1; SDIFF a k; SDIFF no k; SDIFFSTORE a a k; SMEMBERS a",
            "OK; 1; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; [1]",
        );
    }

    #[test]
    fn stores() {
        check(
            "SADD a 1 2 x; SADD b x; SDIFFSTORE d a b; SMEMBERS d; OBJECT ENCODING d; SDIFFSTORE a a b; SMEMBERS a; SDIFFSTORE d a a; EXISTS d",
            "3; 1; 2; [1 2]; intset; 2; [1 2]; 0; 0",
        );
    }

    #[test]
    fn both_ways_lead_to_the_same() {
        let mut console = Console::default();
        let members: Vec<String> = (0..1000).map(|i| format!("m{i}")).collect();
        console.run(&format!(
            "SADD a {}; SADD b m1 n; SADD c m2 m1; SADD d m3",
            members.join(" ")
        ));
        // Three small sets: they are taken out.
        assert_eq!(
            console.run("SDIFFSTORE r a b c d; SCARD r; SISMEMBER r m2; SISMEMBER r m4"),
            "997; 997; 0; 1"
        );
        assert_eq!(
            console.run("SDIFFSTORE r d a; SDIFFSTORE r b a; SMEMBERS r"),
            "0; 1; [n]"
        );
        // The whole first set was in its big form on the way.
        console.run(&format!("SADD e {}", members[..130].join(" ")));
        assert_eq!(
            console.run("SDIFFSTORE r e b c d; OBJECT ENCODING r; SCARD r"),
            "127; hashtable; 127"
        );
        assert_eq!(
            console.run(&format!("SADD f {}", members[..10].join(" "))),
            "10"
        );
        assert_eq!(
            console.run("SDIFFSTORE r e f; OBJECT ENCODING r"),
            "120; listpack"
        );
    }
}
