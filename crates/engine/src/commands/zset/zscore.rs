//! ZSCORE key member, ZMSCORE key member [member ...]: scores of members. <https://redis.io/commands/zscore>,
//! <https://redis.io/commands/zmscore>

use super::{FAST_READ, view};
use crate::command::{ArgKind, Argument, Command};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// ZSCORE.
pub(super) const ZSCORE: Command = Command {
    name: "zscore",
    full_name: "zscore",
    arity: 3,
    complexity: "O(log N) with N members in the sorted set",
    summary: "Returns the score of a member of a sorted set.",
    arguments: &[Argument::KEY, Argument::new("member", ArgKind::String)],
    handler: zscore,
    ..FAST_READ
};

/// ZMSCORE.
pub(super) const ZMSCORE: Command = Command {
    name: "zmscore",
    full_name: "zmscore",
    arity: -3,
    since: "6.2.0",
    complexity: "O(M log N) for M members out of N",
    summary: "Returns the scores of several members of a sorted set.",
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: zmscore,
    ..ZSCORE
};

fn zscore(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, member) = (cx.db(), cx.key(1), cx.args.at(2));
    let hasher = cx.engine.store.hasher();
    let score = match cx.keys.read(db, &key) {
        None => None,
        Some(entry) => view(&entry)?.score(hasher, member),
    };
    match score {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

fn zmscore(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, members) = (cx.db(), cx.key(1), cx.args.from(2));
    let hasher = cx.engine.store.hasher();
    let entry = cx.keys.read(db, &key);
    let zset = entry.as_ref().map(|entry| view(entry)).transpose()?;
    cx.reply.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(hasher, member)) {
            Some(score) => cx.reply.double(score),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn scores() {
        check(
            "ZADD z 1.5 a -inf b 3 7 1e100 c; ZSCORE z a; ZSCORE z b; ZSCORE z 7; ZSCORE z c; ZSCORE z d; ZSCORE none a; \
             ZMSCORE z a x 7; ZMSCORE none a b",
            "4; 1.5; -inf; 3; 1e+100; nil; nil; [1.5 nil 3]; [nil nil]",
        );
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SET s v; ZSCORE s v; ZMSCORE s v",
            &format!("OK; {wrong}; {wrong}"),
        );
    }

    #[test]
    fn resp3_has_doubles() {
        let mut console = Console::default();
        resp3(&mut console);
        console.run("ZADD z 1.5 a inf b");
        assert_eq!(console.call(1, &[b"ZSCORE", b"z", b"a"]), b",1.5\r\n");
        assert_eq!(
            console.call(1, &[b"ZMSCORE", b"z", b"b", b"x"]),
            b"*2\r\n,inf\r\n_\r\n"
        );
    }
}
