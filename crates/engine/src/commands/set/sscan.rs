//! SSCAN key cursor [MATCH pattern] [COUNT n]: some members, and where to go on. <https://redis.io/commands/sscan>
//!
//! A set inside its entry is answered at once. In the big form a cursor is the hash from which to go on: what is there from the first call
//! to the last comes exactly once.

use dunlin_resp::reply::bulk;
use dunlin_store::members;
use dunlin_store::set::SetRef;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::keyspace::scan::{ScanOptions, cursor_of, reply_cursor};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SSCAN.
pub(super) const SSCAN: Command = Command {
    name: "sscan",
    full_name: "sscan",
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::SET).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "set",
    since: "2.8.0",
    complexity: "O(COUNT) for a call, O(N) in the number of members for a whole iteration",
    summary: "Iterates over the members of a set.",
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
    handler: sscan,
    ..Command::BASE
};

fn sscan(cx: &mut Ctx<'_>) -> Outcome {
    let cursor = cursor_of(cx.args.at(2))?;
    let Some((found, len)) = super::look_up(cx, 1)? else {
        // Options are not looked at.
        reply_cursor(cx, 0);
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let options = ScanOptions::of_collection(cx.args)?;
    if cx.is_heavy(len.min(options.count())) {
        return Ok(Flow::HeavyRead);
    }
    super::hit(cx, found);
    let (mut count, mut body) = (0, Vec::new());
    let mut visit = |text: &[u8]| {
        if options.matches(text) {
            count += 1;
            bulk(&mut body, text);
        }
    };
    let entry = cx.keys.entry(found);
    let next = match SetRef::of(&entry).ok_or(ReplyError::WrongType)? {
        SetRef::Big(tree) => members::scan(tree, cursor, options.count(), |(_, text)| visit(text)),
        small => {
            small.for_each_text(visit);
            0
        }
    };
    reply_cursor(cx, next);
    cx.reply.array(count);
    cx.reply.raw(&body);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn small_sets_come_at_once() {
        check(
            "SADD s a b 1; SSCAN s 0 COUNT 1; SSCAN s 77; SSCAN s 0 MATCH [a1]; SADD n 1 2 12; SSCAN n 0 MATCH 1*; SSCAN no 0 NONSENSE",
            "3; [0 [a b 1]]; [0 [a b 1]]; [0 [a 1]]; 3; [0 [1 12]]; [0 []]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SADD s a; SET k v; SSCAN s x; SSCAN k 0; SSCAN k x; SSCAN s 0 COUNT 0; SSCAN s 0 COUNT x; SSCAN s 0 TYPE set; SSCAN s 0 MATCH; SSCAN s",
            "1; OK; (error) ERR invalid cursor; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR invalid cursor; (error) ERR syntax error; (error) ERR value is not an integer or out of range; \
             (error) ERR syntax error; (error) ERR syntax error; (error) ERR wrong number of arguments for 'sscan' command",
        );
    }

    #[test]
    fn members_that_stay_come_exactly_once() {
        let mut console = Console::default();
        let members: Vec<String> = (0..1000).map(|i| format!("m{i}")).collect();
        console.run(&format!("SADD s {}", members.join(" ")));
        for count in [1, 7, 100, 5000] {
            let (mut cursor, mut seen, mut calls) = ("0".to_owned(), Vec::new(), 0);
            loop {
                let reply = console.run(&format!("SSCAN s {cursor} COUNT {count}"));
                let (next, rest) = reply[1..].split_once(' ').expect("two elements");
                let names = rest.trim_matches(['[', ']']).split(' ');
                seen.extend(names.filter(|m| m.starts_with('m')).map(str::to_owned));
                // Others come and go meanwhile.
                console.run(&format!("SADD s x{calls}; SREM s x{}", calls / 2));
                calls += 1;
                if next == "0" {
                    break;
                }
                cursor = next.to_owned();
            }
            seen.sort_unstable();
            let mut all = members.clone();
            all.sort_unstable();
            assert_eq!(seen, all, "COUNT {count}");
            assert!(calls <= 3000 / count + 2, "{calls} calls of {count}");
        }
    }
}
