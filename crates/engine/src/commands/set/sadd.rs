//! SADD key member [member ...]: adds members to a set. <https://redis.io/commands/sadd>

use dunlin_store::set::{self, SetRef};
use dunlin_store::{Entry, Event};
use dunlin_structures::packed::Element;

use super::limits;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SADD.
pub(super) const SADD: Command = Command {
    name: "sadd",
    full_name: "sadd",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE.and(Categories::SET).and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "insert"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1) for each member",
    summary: "Adds members to a set, which is made if it does not exist.",
    history: &[("2.4.0", "Takes several members.")],
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: sadd,
    ..Command::BASE
};

fn sadd(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args, engine) = (cx.db(), cx.key(1), cx.args, cx.engine);
    let (hasher, limits) = (engine.store.hasher(), limits(engine));
    let count = args.len() - 2;
    let mut added = 0u64;
    // Adds the members from argument `first` on.
    let mut add_from = |mut entry: Entry, first: usize| {
        for member in args.from(first) {
            let (with, new) = set::add(entry, Element::of(member), &limits, hasher);
            added += u64::from(new);
            entry = with;
        }
        entry
    };
    match cx.keys.find(db, &key) {
        None => {
            let first = Element::of(args.at(2));
            let clock = cx.keys.local().clock;
            let empty = set::empty_for(key.bytes, first, count, &limits, clock);
            let entry = add_from(empty, 2);
            cx.keys.put_entry(db, &key, entry, None);
        }
        Some(found) => {
            let new = {
                let entry = cx.keys.entry(found);
                let set = SetRef::of(&entry).ok_or(ReplyError::WrongType)?;
                let place = |i| set.find(hasher, Element::of(args.at(i))).err();
                (2..args.len()).find_map(|i| Some((i, place(i)?)))
            };
            match new {
                None => {
                    // Redis takes the arguments for so many new members before it looks at them, and so do we.
                    if count > 1 {
                        cx.keys.update_if(found, |entry| {
                            (set::grown_for(entry, count, &limits, hasher), false)
                        });
                    }
                    cx.reply.integer(0);
                    return Ok(Flow::Done);
                }
                Some((i, place)) if count == 1 => {
                    let member = Element::of(args.at(i));
                    cx.keys.update(found, |entry| {
                        set::insert(entry, place, member, &limits, hasher)
                    });
                    added = 1;
                }
                Some((i, _)) => cx.keys.update(found, |entry| {
                    add_from(set::grown_for(entry, count, &limits, hasher), i)
                }),
            }
        }
    }
    cx.record_verbatim(key.bytes, Event::set("sadd"));
    cx.keys.count_changes(added - 1);
    cx.reply.integer(added as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn adds_what_is_new() {
        check(
            "SADD s a; SADD s a; SADD s a b c; SCARD s; SADD s '' ''; SMEMBERS s",
            "1; 0; 2; 3; 1; [a b c ]",
        );
        check(
            "SADD n 3 1 2 3; SMEMBERS n; SADD n 1; SADD n -5 9223372036854775807; SMEMBERS n",
            "3; [1 2 3]; 0; 2; [-5 1 2 3 9223372036854775807]",
        );
        check("SADD n 007 7 +7; SCARD n; SADD n 7", "3; 3; 0");
        check(
            "SET k v; SADD k a; GET k; SADD s",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; v; \
             (error) ERR wrong number of arguments for 'sadd' command",
        );
        check("SADD s a; PEXPIRE s 10; SADD s b; PTTL s", "1; 1; 1; 10");
    }

    fn many(prefix: &str, range: std::ops::Range<u32>) -> String {
        let members: Vec<String> = range.map(|i| format!("{prefix}{i}")).collect();
        members.join(" ")
    }

    #[test]
    fn encodings_of_new_sets() {
        for (members, encoding) in [
            ("1".to_owned(), "intset"),
            ("a".to_owned(), "listpack"),
            ("1 a".to_owned(), "listpack"),
            (many("", 0..512), "intset"),
            (many("", 0..513), "hashtable"),
            (many("m", 0..128), "listpack"),
            (many("m", 0..129), "hashtable"),
            ("x".repeat(64), "listpack"),
            ("x".repeat(65), "hashtable"),
            // The number of arguments decides, though the members are fewer.
            (many("m", 0..70) + " " + &many("m", 0..70), "hashtable"),
        ] {
            let mut console = Console::default();
            console.run(&format!("SADD s {members}"));
            assert_eq!(console.run("OBJECT ENCODING s"), encoding, "{members}");
        }
    }

    #[test]
    fn encodings_of_growing_sets() {
        check(
            "SADD s 1 2; SADD s a; OBJECT ENCODING s; SADD s 3; SREM s a; OBJECT ENCODING s; SMEMBERS s",
            "2; 1; listpack; 1; 1; listpack; [1 2 3]",
        );
        let mut console = Console::default();
        console.run(&format!("SADD s {}", many("", 0..512)));
        assert_eq!(console.run("SADD s 5; OBJECT ENCODING s"), "0; intset");
        assert_eq!(console.run("SADD s 512; OBJECT ENCODING s"), "1; hashtable");
        assert_eq!(
            console.run("SCARD s; SISMEMBER s 512; SISMEMBER s 513"),
            "513; 1; 0"
        );

        let mut console = Console::default();
        console.run(&format!("SADD s {}", many("", 0..127)));
        assert_eq!(console.run("SADD s a; OBJECT ENCODING s"), "1; listpack");
        assert_eq!(
            console.run("SADD s b; OBJECT ENCODING s; SCARD s"),
            "1; hashtable; 129"
        );

        let mut console = Console::default();
        console.run(&format!("SADD s {}", many("", 0..128)));
        assert_eq!(
            console.run("SADD s a; OBJECT ENCODING s; SCARD s"),
            "1; hashtable; 129"
        );
        // A long member, to integers and to members.
        for first in ["1", "a"] {
            let mut console = Console::default();
            let long = "x".repeat(65);
            console.run(&format!("SADD s {first}; SADD s {long}"));
            assert_eq!(console.run("OBJECT ENCODING s; SCARD s"), "hashtable; 2");
        }
        // Integers longer than members may be.
        let mut console = Console::default();
        console.engine.encodings.set.set(128, 4);
        assert_eq!(
            console.run("SADD s 12345; OBJECT ENCODING s; SADD s a; OBJECT ENCODING s; SCARD s"),
            "1; intset; 1; hashtable; 2"
        );
    }

    #[test]
    fn watched_sets_trip_when_members_are_added() {
        check(
            "SADD s a; WATCH s; 2> SADD s a; MULTI; SCARD s; EXEC; WATCH s; 2> SADD s b; MULTI; SCARD s; EXEC",
            "1; OK; 0; OK; QUEUED; [1]; OK; 1; OK; QUEUED; nil",
        );
    }
}
