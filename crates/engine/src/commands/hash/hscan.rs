//! HSCAN key cursor [MATCH pattern] [COUNT n]: some fields with values, and where to go on. <https://redis.io/commands/hscan>
//!
//! A field that is there from the first call to the last is returned exactly once.

use super::hash_of;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::keyspace::scan::{ScanOptions, cursor_of, reply_cursor};
use crate::{Ctx, Flow, Outcome};

/// HSCAN.
pub(super) const HSCAN: Command = Command {
    name: "hscan",
    full_name: "hscan",
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::HASH).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "hash",
    since: "2.8.0",
    complexity: "O(COUNT) for a call, O(N) in the number of fields for a whole iteration",
    summary: "Iterates over the fields of a hash and their values.",
    tips: &["nondeterministic_output"],
    arguments: &[
        Argument::KEY,
        Argument::new("cursor", ArgKind::Integer),
        Argument::new("pattern", ArgKind::Pattern)
            .with_token("MATCH")
            .optional(),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: hscan,
    ..Command::BASE
};

fn hscan(cx: &mut Ctx<'_>) -> Outcome {
    let cursor = cursor_of(cx.args.at(2))?;
    let (db, key, may_defer) = (cx.db(), cx.key(1), cx.may_defer);
    let entry = cx.keys.read(db, &key);
    let Some(hash) = hash_of(&entry)? else {
        reply_cursor(cx, 0);
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let options = ScanOptions::of_collection(cx.args)?;
    if may_defer && Ctx::is_many(options.count().min(hash.len())) {
        return Ok(Flow::HeavyRead);
    }
    let mut pairs = Vec::new();
    let next = hash.scan(cursor, options.count(), |(field, value)| {
        if field.with_text(|field| options.matches(field)) {
            pairs.push((field, value));
        }
    });
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(pairs.len() * 2);
    for (field, value) in pairs {
        cx.reply.element(field);
        cx.reply.element(value);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn a_packed_hash_is_answered_at_once() {
        check(
            "HSET h aa 1 ab 2 b 3; HSCAN h 0; HSCAN h 0 MATCH a* COUNT 1; HSCAN none 0",
            "3; [0 [aa 1 ab 2 b 3]]; [0 [aa 1 ab 2]]; [0 []]",
        );
        check(
            "HSCAN h x; HSET h a 1; HSCAN h 0 COUNT 0; HSCAN h 0 MATCH; SET s v; HSCAN s 0",
            "(error) ERR invalid cursor; 1; (error) ERR syntax error; (error) ERR syntax error; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn what_stays_is_returned_once_while_the_rest_comes_and_goes() {
        let mut console = Console::default();
        for at in 0..2_000 {
            console.run(&format!("HSET h stays:{at} {at} goes:{at} x"));
        }
        let mut seen = std::collections::BTreeMap::new();
        let (mut cursor, mut calls) = ("0".to_owned(), 0);
        loop {
            let reply = console.run(&format!("HSCAN h {cursor} COUNT 50"));
            let (next, rest) = reply[1..].split_once(" [").expect("a cursor and an array");
            let words: Vec<&str> = rest.trim_end_matches(']').split(' ').collect();
            for pair in words.chunks(2).filter(|pair| pair[0].starts_with("stays:")) {
                *seen.entry(pair[0].to_owned()).or_insert(0) += 1;
            }
            cursor = next.to_owned();
            if cursor == "0" {
                break;
            }
            console.run(&format!("HDEL h goes:{calls}"));
            console.run(&format!("HSET h comes:{calls} x"));
            calls += 1;
        }
        assert_eq!(seen.len(), 2_000);
        assert!(seen.values().all(|count| *count == 1));
        assert!(calls > 40, "{calls} calls");
    }
}
