//! ZRANDMEMBER key [count [WITHSCORES]]: random members, each equally likely. <https://redis.io/commands/zrandmember>

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use dunlin_store::Local;

use super::{SLOW_READ, elements_max, integer, reply_head, reply_item, view};
use crate::command::{ArgKind, Argument, Command};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Where more than one in so many members is wanted, they are picked on a walk over all.
const WALK_SHARE: usize = 3;

/// ZRANDMEMBER.
pub(super) const ZRANDMEMBER: Command = Command {
    name: "zrandmember",
    full_name: "zrandmember",
    arity: -2,
    since: "6.2.0",
    complexity: "O(M log N) for M members out of N",
    summary: "Returns random members of a sorted set: different ones, or with a negative count perhaps the same ones again.",
    tips: &["nondeterministic_output"],
    arguments: &[
        Argument::KEY,
        Argument::block(
            "options",
            &[
                Argument::new("count", ArgKind::Integer),
                Argument::token("withscores", "WITHSCORES").optional(),
            ],
        )
        .optional(),
    ],
    handler: zrandmember,
    ..SLOW_READ
};

/// A number below `n`. The bias is below 2^-64 n.
fn below(local: &mut Local, n: usize) -> usize {
    ((u128::from(local.random()) * n as u128) >> 64) as usize
}

/// `count` different numbers below `n`, ascending; every choice is equally likely (Floyd's method).
fn sample(local: &mut Local, count: usize, n: usize) -> Vec<usize> {
    let mut chosen = HashSet::<usize, BuildHasherDefault<std::hash::DefaultHasher>>::default();
    for last in n - count..n {
        let candidate = below(local, last + 1);
        if !chosen.insert(candidate) {
            chosen.insert(last);
        }
    }
    let mut chosen: Vec<usize> = chosen.into_iter().collect();
    chosen.sort_unstable();
    chosen
}

/// What is to be answered.
enum Choice {
    /// Everything.
    All,
    /// These ranks, one by one.
    Ranks(Vec<usize>),
    /// A walk that takes as many members as there are set bits.
    Walk(Vec<bool>),
}

fn zrandmember(cx: &mut Ctx<'_>) -> Outcome {
    let args = cx.args;
    if args.len() == 2 {
        return one(cx);
    }
    let count = integer(args.at(2))?;
    if count == i64::MIN {
        return Err(ReplyError::err(format!(
            "value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )));
    }
    let with_scores = args.len() > 3;
    if args.len() > 4 || (with_scores && !args.is(3, "withscores")) {
        return Err(ReplyError::Syntax);
    }
    if with_scores && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(ReplyError::OutOfRange);
    }
    let (db, key, max) = (cx.db(), cx.key(1), elements_max(cx));
    let Some(len) = cx
        .keys
        .read(db, &key)
        .map(|entry| view(&entry).map(|zset| zset.len()))
        .transpose()?
    else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let answered = if count < 0 { wanted } else { wanted.min(len) };
    if answered > max {
        return Ok(Flow::HeavyRead);
    }
    if count < 0 {
        return repeated(cx, wanted, len, with_scores);
    }
    let choice = if answered == len {
        Choice::All
    } else if answered.saturating_mul(WALK_SHARE) > len {
        Choice::Walk(walk(cx.keys.local(), answered, len))
    } else {
        Choice::Ranks(sample(cx.keys.local(), answered, len))
    };
    reply_head(&mut cx.reply, answered, with_scores);
    let Some(entry) = cx.keys.peek(db, &key) else {
        unreachable!("it was read just now");
    };
    let zset = view(&entry)?;
    let reply = &mut cx.reply;
    match choice {
        Choice::All => zset
            .iter()
            .for_each(|item| reply_item(reply, item, with_scores)),
        Choice::Walk(taken) => zset
            .iter()
            .zip(taken)
            .filter(|(_, taken)| *taken)
            .for_each(|(item, _)| reply_item(reply, item, with_scores)),
        Choice::Ranks(ranks) => ranks
            .into_iter()
            .filter_map(|rank| zset.get(rank))
            .for_each(|item| reply_item(reply, item, with_scores)),
    }
    Ok(Flow::Done)
}

/// Which of `n` members are taken so that they are `count`; every choice is equally likely.
fn walk(local: &mut Local, count: usize, n: usize) -> Vec<bool> {
    let mut left = count;
    (0..n)
        .map(|at| {
            let taken = below(local, n - at) < left;
            left -= usize::from(taken);
            taken
        })
        .collect()
}

/// One member, without a count.
fn one(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let random = cx.keys.local().random();
    let Some(entry) = cx.keys.read(db, &key) else {
        cx.reply.null();
        return Ok(Flow::Done);
    };
    let zset = view(&entry)?;
    let rank = ((u128::from(random) * zset.len() as u128) >> 64) as usize;
    match zset.get(rank) {
        Some((member, _)) => member.with_text(|text| cx.reply.bulk(text)),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

/// So many members, each drawn from all.
fn repeated(cx: &mut Ctx<'_>, count: usize, len: usize, with_scores: bool) -> Outcome {
    /// Ranks drawn before the members are looked at.
    const DRAWN: usize = 256;
    let (db, key) = (cx.db(), cx.key(1));
    reply_head(&mut cx.reply, count, with_scores);
    let mut left = count;
    while left > 0 && !cx.reply_is_too_long() {
        let ranks: Vec<usize> = (0..left.min(DRAWN))
            .map(|_| below(cx.keys.local(), len))
            .collect();
        left -= ranks.len();
        let Some(entry) = cx.keys.peek(db, &key) else {
            unreachable!("it was read just now");
        };
        let zset = view(&entry)?;
        for item in ranks.into_iter().filter_map(|rank| zset.get(rank)) {
            reply_item(&mut cx.reply, item, with_scores);
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::testing::{Console, check, resp3};

    #[test]
    fn replies() {
        check(
            "ZRANDMEMBER z; ZRANDMEMBER z 1; ZRANDMEMBER z -5; ZADD z 1.5 a; ZRANDMEMBER z; ZRANDMEMBER z 0; ZRANDMEMBER z 5; \
             ZRANDMEMBER z -3; ZRANDMEMBER z -2 WITHSCORES; ZRANDMEMBER z 2 withscores",
            "nil; []; []; 1; a; []; [a]; [a a a]; [a 1.5 a 1.5]; [a 1.5]",
        );
        let mut console = Console::default();
        resp3(&mut console);
        let replies = console.run("ZADD z 1.5 a; ZRANDMEMBER z -2 WITHSCORES; ZRANDMEMBER z 1");
        assert_eq!(replies, "1; [[a 1.5] [a 1.5]]; [a]");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "ZRANDMEMBER z x; ZRANDMEMBER z 1 x; ZRANDMEMBER z 1 WITHSCORES x; ZRANDMEMBER z -9223372036854775808; \
             ZRANDMEMBER z 9223372036854775807 WITHSCORES; ZRANDMEMBER z -4611686018427387904 WITHSCORES; \
             ZRANDMEMBER z 4611686018427387903 WITHSCORES; SET s v; ZRANDMEMBER s; ZRANDMEMBER s 1",
            "(error) ERR value is not an integer or out of range; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807; \
             (error) ERR value is out of range; (error) ERR value is out of range; []; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    /// 10 members, drawn 3000 times in all: each comes up about 300 times, whatever way they are drawn.
    #[test]
    fn every_member_is_equally_likely() {
        let pairs: String = (0..10).map(|i| format!(" {i} m{i}")).collect();
        for (count, calls) in [
            ("", 3000),
            ("1", 3000),
            ("2", 1500),
            ("6", 500),
            ("-30", 100),
        ] {
            let mut console = Console::default();
            console.run(&format!("ZADD z{pairs}"));
            let mut seen = BTreeMap::<String, u32>::new();
            for _ in 0..calls {
                let reply = console.run(&format!("ZRANDMEMBER z {count}"));
                let members: Vec<&str> = reply.trim_matches(['[', ']']).split(' ').collect();
                if !count.starts_with('-') {
                    let mut different = members.clone();
                    different.dedup();
                    assert_eq!(different.len(), members.len(), "{reply}");
                }
                for member in members {
                    *seen.entry(member.to_owned()).or_default() += 1;
                }
            }
            assert_eq!(seen.values().sum::<u32>(), 3000);
            for (member, times) in seen {
                assert!((220..380).contains(&times), "{count} {member} {times}");
            }
        }
    }
}
