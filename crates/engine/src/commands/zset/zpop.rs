//! ZPOPMIN key [count], ZPOPMAX key [count]: take the members with the lowest or highest scores out and return them.
//! <https://redis.io/commands/zpopmin>, <https://redis.io/commands/zpopmax>

use dunlin_store::log::Arg;
use dunlin_store::{Event, Found, Key};

use super::{FAST_WRITE, remove_ranks, tell_removed, view};
use crate::command::{ArgKind, Argument, Command, KeySpec};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// ZPOPMIN.
pub(super) const ZPOPMIN: Command = Command {
    name: "zpopmin",
    full_name: "zpopmin",
    arity: -2,
    keys: &[KeySpec::one(1, &["RW", "access", "delete"])],
    since: "5.0.0",
    complexity: "O(M log N) for M members out of N",
    summary: "Takes the members with the lowest scores out of a sorted set and returns them.",
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer).optional(),
    ],
    handler: |cx| pop(cx, End::Min),
    ..FAST_WRITE
};

/// ZPOPMAX.
pub(super) const ZPOPMAX: Command = Command {
    name: "zpopmax",
    full_name: "zpopmax",
    summary: "Takes the members with the highest scores out of a sorted set and returns them.",
    handler: |cx| pop(cx, End::Max),
    ..ZPOPMIN
};

/// Where members are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    /// The plain command that takes from here: its event, and the name of the effect.
    pub(super) fn name(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

fn pop(cx: &mut Ctx<'_>, end: End) -> Outcome {
    let count = match cx.args.len() {
        2 => None,
        3 => Some(positive(cx.args.at(2))?),
        _ => return Err(ReplyError::Syntax),
    };
    let Some(found) = cx.find(1) else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let len = view(&cx.keys.entry(found))?.len();
    let taken = len.min(count.unwrap_or(1));
    if taken == 0 {
        cx.reply.array(0);
        return Ok(Flow::Done);
    }
    if cx.is_heavy(taken) {
        return Ok(Flow::Heavy);
    }
    // One member without a count stands alone in RESP3, too.
    let nested = count.is_some() && cx.reply.version() == dunlin_resp::Version::Resp3;
    cx.reply.array(if nested { taken } else { taken * 2 });
    let key = cx.key(1);
    take(cx, &key, (found, len), taken, end, nested);
    Ok(Flow::Done)
}

/// A count that is not negative.
fn positive(text: &[u8]) -> Result<usize, ReplyError> {
    let n = parse_i64(text).and_then(|n| usize::try_from(n).ok());
    n.ok_or_else(|| ReplyError::err("value is out of range, must be positive"))
}

/// Takes `taken` members out, at least one, and answers them without a head, each with its score: as a pair when `nested`.
pub(super) fn take(
    cx: &mut Ctx<'_>,
    key: &Key<'_>,
    (found, len): (Found, usize),
    taken: usize,
    end: End,
    nested: bool,
) {
    let ranks = match end {
        End::Min => 0..taken,
        End::Max => len - taken..len,
    };
    let entry = cx.keys.entry(found);
    let zset = dunlin_store::zset::ZSetRef::of(&entry).expect("its type was seen to");
    let mut items = zset.range(ranks.clone());
    while let Some(item) = match end {
        End::Min => items.next(),
        End::Max => items.next_back(),
    } {
        if nested {
            cx.reply.array(2);
        }
        item.0.with_text(|text| cx.reply.bulk(text));
        cx.reply.double(item.1);
    }
    remove_ranks(cx, key, (found, len), ranks);
    let effect = [end.name().into(), key.bytes.into(), Arg::from(taken as u64)];
    cx.keys
        .record(cx.session.db, key.bytes, Event::zset(end.name()), &effect);
    cx.keys.count_changes(taken as u64 - 1);
    if taken == len {
        tell_removed(cx, key);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn pops() {
        check(
            "ZADD z 1 a 2 b 3 c 4 d 5 e; ZPOPMIN z; ZPOPMAX z; ZPOPMIN z 0; ZPOPMAX z 2; ZPOPMIN z 9; EXISTS z; ZPOPMIN z; ZPOPMIN z 3",
            "5; [a 1]; [e 5]; []; [d 4 c 3]; [b 2]; 0; []; []",
        );
        let pairs: String = (0..300).map(|i| format!(" {i} m{i}")).collect();
        check(
            &format!("ZADD z{pairs}; ZPOPMAX z 2; ZPOPMIN z; ZCARD z; ZSCORE z m299; ZRANK z m1"),
            "300; [m299 299 m298 298]; [m0 0]; 297; nil; 0",
        );
    }

    #[test]
    fn resp3_nests_what_was_counted() {
        let mut console = Console::default();
        resp3(&mut console);
        let replies = console.run("ZADD z 1 a 2 b 3 c; ZPOPMIN z; ZPOPMIN z 1; ZPOPMIN z 0");
        assert_eq!(replies, "3; [a 1]; [[b 2]]; []");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "ZPOPMIN z 1 2; ZPOPMIN z a; ZPOPMIN z -1; SET s v; ZPOPMAX s; ZPOPMAX s 0; ZPOPMAX s -1",
            "(error) ERR syntax error; (error) ERR value is out of range, must be positive; \
             (error) ERR value is out of range, must be positive; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR value is out of range, must be positive",
        );
    }
}
