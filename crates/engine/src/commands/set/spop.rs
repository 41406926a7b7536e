//! SPOP key [count]: takes members out at random. <https://redis.io/commands/spop>
//!
//! The effect tells which: an SREM of the members, or DEL when none is left.

use dunlin_store::set::{self, SetRef};
use dunlin_store::{Event, Found, Key, Kind};
use dunlin_structures::packed::Element;

use super::smembers::reply_all;
use super::{limits, remove_emptied};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::sample::{below, distinct};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Most members that one SREM of the log has.
const EFFECT_MEMBERS_MAX: usize = 1024;
/// A big set of which less than this part is left is made anew, in the form that suits the rest.
const REST_PART: usize = 5;

/// SPOP.
pub(super) const SPOP: Command = Command {
    name: "spop",
    full_name: "spop",
    arity: -2,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE.and(Categories::SET).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "delete"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1) for one member, O(N) in the count",
    summary: "Takes members out of a set at random and returns them.",
    tips: &["nondeterministic_output"],
    history: &[("3.2.0", "Takes a count.")],
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer)
            .optional()
            .since("3.2.0"),
    ],
    handler: spop,
    ..Command::BASE
};

fn spop(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => one(cx),
        3 => several(cx),
        _ => Err(ReplyError::Syntax),
    }
}

fn length(cx: &mut Ctx<'_>, found: Found) -> Result<usize, ReplyError> {
    let len = SetRef::of(&cx.keys.entry(found)).map(SetRef::len);
    len.ok_or(ReplyError::WrongType)
}

fn one(cx: &mut Ctx<'_>) -> Outcome {
    let Some(found) = cx.find(1) else {
        cx.reply.null();
        return Ok(Flow::Done);
    };
    let len = length(cx, found)?;
    let index = below(cx.keys.local().random(), len);
    pop(cx, found, &[index], len, |cx| {
        let entry = cx.keys.entry(found);
        if let Some(member) = SetRef::of(&entry).and_then(|set| set.get(index)) {
            member.with_text(|text| cx.reply.bulk(text));
        }
    });
    Ok(Flow::Done)
}

fn several(cx: &mut Ctx<'_>) -> Outcome {
    let count = parse_i64(cx.args.at(2)).and_then(|n| usize::try_from(n).ok());
    let count = count.ok_or_else(|| ReplyError::err("value is out of range, must be positive"))?;
    let Some(found) = cx.find(1) else {
        cx.reply.set(0);
        return Ok(Flow::Done);
    };
    let len = length(cx, found)?;
    let count = count.min(len);
    if count == 0 {
        cx.reply.set(0);
        return Ok(Flow::Done);
    }
    if cx.is_heavy(count) {
        return Ok(Flow::Heavy);
    }
    cx.reply.set(count);
    if count == len {
        reply_all(cx, found);
        remove_all(cx, len);
        return Ok(Flow::Done);
    }
    let local = cx.keys.local();
    let indexes = distinct(len, count, || local.random());
    pop(cx, found, &indexes, len, |cx| {
        let entry = cx.keys.entry(found);
        if let Some(set) = SetRef::of(&entry) {
            set.pick(indexes.iter().copied(), |member| {
                member.with_text(|text| cx.reply.bulk(text));
            });
        }
    });
    Ok(Flow::Done)
}

/// Takes out the members of ascending indexes, which `answer` writes while they are there.
fn pop(
    cx: &mut Ctx<'_>,
    found: Found,
    indexes: &[usize],
    len: usize,
    answer: impl FnOnce(&mut Ctx<'_>),
) {
    answer(cx);
    if indexes.len() == len {
        return remove_all(cx, len);
    }
    let (db, key) = (cx.db(), cx.key(1));
    let spop = Event::set("spop");
    let effects = effects(cx, &key, found, indexes);
    let limits = limits(cx.engine);
    cx.keys.update(found, |entry| {
        let left = len - indexes.len();
        let is_rest = entry.kind() == Kind::Set && left.saturating_mul(REST_PART) <= indexes.len();
        let entry = set::remove_indexes(entry, indexes);
        if is_rest {
            set::shrunk(entry, &limits)
        } else {
            entry
        }
    });
    cx.keys.changed(db, key.bytes, spop);
    cx.keys.count_changes(indexes.len() as u64 - 1);
    for effect in effects {
        cx.keys.effect(db, effect.iter().map(Vec::as_slice));
    }
}

/// The SREMs of members, where anyone reads the log.
fn effects(cx: &mut Ctx<'_>, key: &Key<'_>, found: Found, indexes: &[usize]) -> Vec<Vec<Vec<u8>>> {
    if !cx.engine.store.log.is_active() {
        return Vec::new();
    }
    let entry = cx.keys.entry(found);
    let mut members = Vec::with_capacity(indexes.len());
    if let Some(set) = SetRef::of(&entry) {
        set.pick(indexes.iter().copied(), |member| {
            members.push(Element::to_vec(member))
        });
    }
    let effect = |some: &[Vec<u8>]| {
        let command = [b"SREM".to_vec(), key.bytes.to_vec()];
        command.into_iter().chain(some.iter().cloned()).collect()
    };
    members.chunks(EFFECT_MEMBERS_MAX).map(effect).collect()
}

/// Takes all members out, and with them the key.
fn remove_all(cx: &mut Ctx<'_>, len: usize) {
    let (db, key) = (cx.db(), cx.key(1));
    let effect: [&[u8]; 2] = [b"DEL", key.bytes];
    cx.keys
        .record_args(db, key.bytes, Event::set("spop"), effect.into_iter());
    cx.keys.count_changes(len as u64 - 1);
    remove_emptied(cx, &key);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::testing::{Console, check, resp3};

    #[test]
    fn takes_out_what_it_returns() {
        for (prefix, limit) in [("", 128), ("m", 128), ("m", 0)] {
            for count in ["", "1", "3", "17", "19", "50"] {
                let mut console = Console::default();
                console.engine.encodings.set.set(limit, 64);
                let mut left: BTreeSet<String> = (0..50).map(|i| format!("{prefix}{i}")).collect();
                for member in &left {
                    console.run(&format!("SADD s {member}"));
                }
                while !left.is_empty() {
                    let reply = console.run(&format!("SPOP s {count}"));
                    let popped: Vec<&str> = reply.trim_matches(['[', ']']).split(' ').collect();
                    let expected = count.parse().unwrap_or(1).min(left.len());
                    assert_eq!(popped.len(), expected);
                    for member in popped {
                        assert!(left.remove(member), "{member} was not there");
                    }
                    assert_eq!(console.run("SCARD s"), left.len().to_string());
                    for member in &left {
                        assert_eq!(console.run(&format!("SISMEMBER s {member}")), "1");
                    }
                }
                assert_eq!(console.run("EXISTS s; SPOP s"), "0; nil");
            }
        }
    }

    #[test]
    fn a_small_rest_is_made_anew() {
        let members: Vec<String> = (0..200).map(|i| format!("m{i}")).collect();
        let fill = format!("DEL s; SADD s {}", members.join(" "));
        let mut console = Console::default();
        console.run(&fill);
        assert_eq!(console.run("SPOP s 166").split(' ').count(), 166);
        assert_eq!(console.run("OBJECT ENCODING s"), "hashtable");
        console.run(&fill);
        assert_eq!(console.run("SPOP s 167").split(' ').count(), 167);
        assert_eq!(console.run("OBJECT ENCODING s; SCARD s"), "listpack; 33");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let range = "(error) ERR value is out of range, must be positive";
        check(
            "SADD s a; SPOP s -1; SPOP s x; SPOP s 1 2; SPOP s 0; SPOP no 2; SPOP no; SPOP no -1; SCARD s",
            &format!("1; {range}; {range}; (error) ERR syntax error; []; []; nil; {range}; 1"),
        );
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SET k v; SPOP k; SPOP k 0",
            &format!("OK; {wrong}; {wrong}"),
        );
    }

    #[test]
    fn watched_sets_trip() {
        for (command, tripped) in [
            ("SPOP s", "nil"),
            ("SPOP s 2", "nil"),
            ("SPOP s 9", "nil"),
            ("SPOP s 0", "[1]"),
        ] {
            let mut console = Console::default();
            console.run(&format!("SADD s a b c; WATCH s; 2> {command}"));
            assert_eq!(
                console.run("MULTI; EXISTS s; EXEC"),
                format!("OK; QUEUED; {tripped}")
            );
        }
    }

    #[test]
    fn answers_a_set_in_resp3() {
        let mut console = Console::default();
        resp3(&mut console);
        console.run("SADD s a b");
        assert_eq!(console.call(1, &[b"SPOP", b"s", b"0"]), b"~0\r\n");
        assert!(
            console
                .call(1, &[b"SPOP", b"s", b"1"])
                .starts_with(b"~1\r\n$1\r\n")
        );
        assert!(
            console
                .call(1, &[b"SPOP", b"s", b"9"])
                .starts_with(b"~1\r\n$1\r\n")
        );
        assert_eq!(console.call(1, &[b"SPOP", b"s", b"9"]), b"~0\r\n");
    }
}
