//! SINTER key [key ...], SINTERSTORE destination key [key ...]: members that are in all sets. <https://redis.io/commands/sinter>
//! <https://redis.io/commands/sinterstore>

use std::ops::ControlFlow;

use dunlin_store::set::{SetRef, Snapshot};
use dunlin_store::{KeyHasher, Kind};
use dunlin_structures::packed::Element;

use super::sources::{Sources, existing, form_of_common, gather, reply_members, store_members};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// SINTER.
pub(super) const SINTER: Command = Command {
    name: "sinter",
    full_name: "sinter",
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::SET).and(Categories::SLOW),
    keys: &[KeySpec::rest(1, 1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(N*M), N members of the smallest set and M sets",
    summary: "Returns the members that several sets have in common.",
    tips: &["nondeterministic_output_order"],
    arguments: &[Argument::KEY.multiple()],
    weight: Some(argument_count),
    handler: sinter,
    ..Command::BASE
};

/// SINTERSTORE.
pub(super) const SINTERSTORE: Command = Command {
    name: "sinterstore",
    full_name: "sinterstore",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE.and(Categories::SET).and(Categories::SLOW),
    keys: &[
        KeySpec::one(1, &["RW", "update"]),
        KeySpec::rest(2, 1, &["RO", "access"]),
    ],
    summary: "Stores the members that several sets have in common.",
    tips: &[],
    arguments: &[
        Argument::new("destination", ArgKind::Key(0)),
        Argument::new("key", ArgKind::Key(1)).multiple(),
    ],
    handler: sinterstore,
    ..SINTER
};

/// The smallest set is gone through, and each member looked up in the others.
pub(super) fn work(lens: &[usize]) -> usize {
    let smallest = lens.iter().min().copied().unwrap_or(0);
    smallest.saturating_mul(lens.len())
}

/// Hands over the members that are in all sets, in the order of the smallest one.
pub(super) fn each_common<'a>(
    sources: &'a Sources,
    hasher: &KeyHasher,
    mut f: impl FnMut(Element<'a>) -> ControlFlow<()>,
) {
    if sources.iter().any(Option::is_none) {
        return;
    }
    let mut sets: Vec<(usize, SetRef<'_>)> =
        existing(sources).map(|set| (set.len(), set)).collect();
    sets.sort_by_key(|(len, _)| *len);
    let Some(((_, smallest), others)) = sets.split_first() else {
        return;
    };
    for member in smallest.iter() {
        let mut others = others.iter();
        if others.all(|(_, set)| set.contains(hasher, member)) && f(member).is_break() {
            return;
        }
    }
}

fn common<'a>(cx: &Ctx<'_>, sources: &'a Sources) -> Vec<Element<'a>> {
    let mut members = Vec::new();
    each_common(sources, cx.engine.store.hasher(), |member| {
        members.push(member);
        ControlFlow::Continue(())
    });
    members
}

fn sinter(cx: &mut Ctx<'_>) -> Outcome {
    let Some(sources) = gather(cx, 1..cx.args.len(), work)? else {
        return Ok(Flow::HeavyRead);
    };
    if let [Some(only)] = sources.as_slice() {
        return reply_whole(cx, only);
    }
    let members = common(cx, &sources);
    reply_members(cx, &members)
}

/// Answers with all members of one set.
pub(super) fn reply_whole(cx: &mut Ctx<'_>, set: &Snapshot) -> Outcome {
    cx.reply.set(set.as_ref().len());
    set.as_ref().for_each_text(|text| cx.reply.bulk(text));
    Ok(Flow::Done)
}

fn sinterstore(cx: &mut Ctx<'_>) -> Outcome {
    let Some(sources) = gather(cx, 2..cx.args.len(), work)? else {
        return Ok(Flow::Heavy);
    };
    let members = common(cx, &sources);
    // The first of equally small ones, whose members `each_common` hands over.
    let smallest = existing(&sources).min_by_key(|set| set.len());
    let form = smallest.map_or(Kind::Set, |set| form_of_common(cx, &members, set));
    store_members(cx, &members, form, "sinterstore")
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    const WRONG: &str = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn intersects() {
        check(
            "SADD a 1 2 3 x y; SADD b 2 3 y z; SADD c 3 2; SINTER a b; SINTER a b c; SINTER a; SINTER a no; SINTER no",
            "5; 4; 2; [2 3 y]; [2 3]; [1 2 3 x y]; []; []",
        );
        check(
            "SADD a 1; SET k v; SINTER a k; SINTER no k; SINTER k no; SINTERSTORE a no k; SMEMBERS a",
            &format!("1; OK; {WRONG}; {WRONG}; {WRONG}; {WRONG}; [1]"),
        );
    }

    #[test]
    fn stores() {
        check(
            "SADD a 1 2 x; SADD b 2 x; SADD d old; PEXPIRE d 100; SINTERSTORE d a b; SMEMBERS d; PTTL d; OBJECT ENCODING d",
            "3; 2; 1; 1; 2; [2 x]; -1; listpack",
        );
        check(
            "SADD a 1 2 x; SADD b 2; SINTERSTORE a a b; SMEMBERS a; OBJECT ENCODING a; SINTERSTORE a a no; EXISTS a; SINTERSTORE a no b",
            "3; 1; 1; [2]; intset; 0; 0; 0",
        );
        check(
            "SET d v; SADD a 1; SINTERSTORE d a; SMEMBERS d; SET d v; SINTERSTORE d no; EXISTS d; SINTERSTORE d",
            "OK; 1; 1; [1]; OK; 0; 0; (error) ERR wrong number of arguments for 'sinterstore' command",
        );
        check(
            "SADD d 1; WATCH d; 2> SINTERSTORE d no; MULTI; EXISTS d; EXEC; WATCH d; 2> SINTERSTORE d no; MULTI; EXISTS d; EXEC",
            "1; OK; 0; OK; QUEUED; nil; OK; 0; OK; QUEUED; [0]",
        );
    }

    #[test]
    fn big_sets_meet_small_ones() {
        let mut console = Console::default();
        let members: Vec<String> = (0..30_000).map(|i| i.to_string()).collect();
        console.run(&format!(
            "SADD big {}; SADD same {}",
            members.join(" "),
            members.join(" ")
        ));
        console.run("SADD s x 5 29999 30000");
        assert_eq!(
            console.run("SINTER big s; SINTER s same big"),
            "[5 29999]; [5 29999]"
        );
        assert_eq!(
            console.run("SINTERSTORE d big same; SCARD d; OBJECT ENCODING d"),
            "30000; 30000; hashtable"
        );
        assert_eq!(
            console.run("SINTERSTORE d big s; OBJECT ENCODING d"),
            "2; intset"
        );
    }

    #[test]
    fn answers_a_set_in_resp3() {
        let mut console = Console::default();
        resp3(&mut console);
        console.run("SADD s a");
        assert_eq!(
            console.call(1, &[b"SINTER", b"s", b"s"]),
            b"~1\r\n$1\r\na\r\n"
        );
        assert_eq!(console.call(1, &[b"SINTER", b"s", b"t"]), b"~0\r\n");
    }
}
