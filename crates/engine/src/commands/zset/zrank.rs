//! ZRANK key member [WITHSCORE], ZREVRANK key member [WITHSCORE]: where a member stands. <https://redis.io/commands/zrank>,
//! <https://redis.io/commands/zrevrank>

use super::{FAST_READ, view};
use crate::command::{ArgKind, Argument, Command};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// ZRANK.
pub(super) const ZRANK: Command = Command {
    name: "zrank",
    full_name: "zrank",
    arity: -3,
    since: "2.0.0",
    complexity: "O(log N) with N members in the sorted set",
    summary: "Tells how many members of a sorted set stand before a member, in ascending order.",
    history: &[("7.2.0", "Takes WITHSCORE.")],
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String),
        Argument::token("withscore", "WITHSCORE").optional(),
    ],
    handler: zrank,
    ..FAST_READ
};

/// ZREVRANK.
pub(super) const ZREVRANK: Command = Command {
    name: "zrevrank",
    full_name: "zrevrank",
    summary: "Tells how many members of a sorted set stand before a member, in descending order.",
    handler: zrevrank,
    ..ZRANK
};

fn zrank(cx: &mut Ctx<'_>) -> Outcome {
    rank(cx, false)
}

fn zrevrank(cx: &mut Ctx<'_>) -> Outcome {
    rank(cx, true)
}

fn rank(cx: &mut Ctx<'_>, from_end: bool) -> Outcome {
    let with_score = match cx.args.len() {
        3 => false,
        4 if cx.args.is(3, "withscore") => true,
        4 => return Err(ReplyError::Syntax),
        _ => return Err(ReplyError::WrongArity(cx.command.full_name)),
    };
    let (db, key, member) = (cx.db(), cx.key(1), cx.args.at(2));
    let hasher = cx.engine.store.hasher();
    let found = match cx.keys.read(db, &key) {
        None => None,
        Some(entry) => {
            let zset = view(&entry)?;
            let found = zset.rank(hasher, member);
            found.map(|(rank, score)| {
                let rank = if from_end {
                    zset.len() - 1 - rank
                } else {
                    rank
                };
                (rank, score)
            })
        }
    };
    match found {
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
        Some((rank, score)) => {
            if with_score {
                cx.reply.array(2);
            }
            cx.reply.count(rank);
            if with_score {
                cx.reply.double(score);
            }
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn ranks() {
        check(
            "ZADD z 10 a 20 b 20 c; ZRANK z a; ZRANK z c; ZREVRANK z c; ZREVRANK z a; ZRANK z x; ZRANK none x; \
             ZRANK z b WITHSCORE; ZREVRANK z b withscore; ZRANK z x WITHSCORE; ZRANK none x WITHSCORE",
            "3; 0; 2; 0; 2; nil; nil; [1 20]; [1 20]; nil; nil",
        );
        check(
            "ZRANK z a b; ZRANK z a WITHSCORE x; ZRANK z; SET s v; ZRANK s a",
            "(error) ERR syntax error; (error) ERR wrong number of arguments for 'zrank' command; \
             (error) ERR wrong number of arguments for 'zrank' command; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn replies_for_nothing() {
        let mut console = Console::default();
        let mut call = |args: &[&[u8]]| console.call(1, args);
        assert_eq!(call(&[b"ZRANK", b"z", b"a", b"WITHSCORE"]), b"*-1\r\n");
        assert_eq!(call(&[b"ZRANK", b"z", b"a"]), b"$-1\r\n");
        let mut console = Console::default();
        resp3(&mut console);
        console.run("ZADD z 1.5 a");
        let reply = console.call(1, &[b"ZRANK", b"z", b"a", b"WITHSCORE"]);
        assert_eq!(reply, b"*2\r\n:0\r\n,1.5\r\n");
    }
}
