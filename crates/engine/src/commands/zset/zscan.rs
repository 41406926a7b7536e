//! ZSCAN key cursor [MATCH pattern] [COUNT n]: some members with their scores, and where to go on. <https://redis.io/commands/zscan>
//!
//! The packed form is answered as a whole. In the big form a cursor is the beginning of a member's hash; what is there from the first
//! call to the last is answered exactly once, even if its score changes meanwhile.

use dunlin_resp::push_double;
use dunlin_store::zset::ZSetRef;

use super::{SLOW_READ, elements_max, view};
use crate::command::{ArgKind, Argument, Command};
use crate::commands::keyspace::scan::{ScanOptions, cursor_of, reply_cursor};
use crate::number::push_general;
use crate::{Ctx, Flow, Outcome};

/// ZSCAN.
pub(super) const ZSCAN: Command = Command {
    name: "zscan",
    full_name: "zscan",
    arity: -3,
    since: "2.8.0",
    complexity: "O(COUNT + log N) for a call, O(N) in the number of members for a whole iteration",
    summary: "Iterates over the members of a sorted set and their scores.",
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
    handler: zscan,
    ..SLOW_READ
};

fn zscan(cx: &mut Ctx<'_>) -> Outcome {
    let cursor = cursor_of(cx.args.at(2))?;
    let (db, key, max) = (cx.db(), cx.key(1), elements_max(cx));
    let Some(entry) = cx.keys.read(db, &key) else {
        reply_cursor(cx, 0);
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let zset = view(&entry)?;
    let options = ScanOptions::of_collection(cx.args)?;
    let count = options.count().min(zset.len());
    if count > max {
        return Ok(Flow::HeavyRead);
    }
    let mut items = Vec::new();
    let next = zset.scan(cursor, count, |(member, score)| {
        if member.with_text(|text| options.matches(text)) {
            items.push((member, score));
        }
    });
    let is_packed = matches!(zset, ZSetRef::Packed(_));
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(items.len() * 2);
    let mut text = Vec::new();
    for (member, score) in items {
        member.with_text(|text| cx.reply.bulk(text));
        text.clear();
        // Redis prints a score that it keeps as a number in another way than one that it keeps as a text.
        if is_packed {
            push_double(&mut text, score);
        } else {
            push_general(&mut text, score);
        }
        cx.reply.bulk(&text);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::testing::{Console, check};

    #[test]
    fn the_packed_form_comes_as_a_whole() {
        check(
            "ZADD z 1 a 1.1 b 3 ab; ZSCAN z 0; ZSCAN z 77 MATCH a* COUNT 1; ZSCAN none 0; ZSCAN none 0 x",
            "3; [0 [a 1 b 1.1 ab 3]]; [0 [a 1 ab 3]]; [0 []]; [0 []]",
        );
        check(
            "ZSCAN z x; ZADD z 1 a; ZSCAN z 0 x; ZSCAN z 0 COUNT 0; ZSCAN z 0 TYPE zset; SET s v; ZSCAN s 0; ZSCAN s 0 x",
            "(error) ERR invalid cursor; 1; (error) ERR syntax error; (error) ERR syntax error; (error) ERR syntax error; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    /// Members of one score and of many, while others come and go and scores change.
    #[test]
    fn what_stays_is_seen_once() {
        for factor in [0, 1] {
            let mut console = Console::default();
            for i in 0..1000 {
                console.run(&format!("ZADD z {} m{i}", i * factor));
            }
            let (mut seen, mut cursor, mut round) = (BTreeMap::new(), "0".to_owned(), 0);
            loop {
                let reply = console.run(&format!("ZSCAN z {cursor} COUNT 7"));
                let words: Vec<&str> = reply
                    .split([' ', '[', ']'])
                    .filter(|w| !w.is_empty())
                    .collect();
                for pair in words[1..].chunks(2) {
                    *seen.entry(pair[0].to_owned()).or_insert(0) += 1;
                }
                cursor = words[0].to_owned();
                if cursor == "0" {
                    break;
                }
                round += 1;
                console.run(&format!(
                    "ZADD z {round} new{round}; ZREM z new{}; ZINCRBY z 0.1 m{round}",
                    round - 2
                ));
            }
            assert!(round > 100);
            for i in 0..1000 {
                assert_eq!(seen.get(&format!("m{i}")), Some(&1), "m{i}");
            }
        }
    }

    #[test]
    fn the_big_form_shows_17_digits() {
        let long = "x".repeat(65);
        check(
            &format!("ZADD z 1.1 {long}; ZSCAN z 0; ZSCORE z {long}"),
            &format!("1; [0 [{long} 1.1000000000000001]]; 1.1"),
        );
    }
}
