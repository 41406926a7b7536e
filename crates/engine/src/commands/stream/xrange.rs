//! XRANGE key start end [COUNT count], XREVRANGE key end start [COUNT count]: entries by their ids. <https://redis.io/commands/xrange>

use super::{READ, id, integer, reply_entry, stream_of};
use crate::command::{ArgKind, Argument, Command};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XRANGE.
pub(super) const XRANGE: Command = Command {
    name: "xrange",
    full_name: "xrange",
    arity: -4,
    complexity: "O(log N) with N entries in the stream, and O(M) in the number of entries returned",
    summary: "Returns the entries of a stream between two ids.",
    history: &[("6.2.0", "Takes ids that are outside.")],
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::String),
        Argument::new("end", ArgKind::String),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: |cx| range(cx, false),
    ..READ
};

/// XREVRANGE.
pub(super) const XREVRANGE: Command = Command {
    name: "xrevrange",
    full_name: "xrevrange",
    summary: "Returns the entries of a stream between two ids, the last first.",
    arguments: &[
        Argument::KEY,
        Argument::new("end", ArgKind::String),
        Argument::new("start", ArgKind::String),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
    ],
    handler: |cx| range(cx, true),
    ..XRANGE
};

fn range(cx: &mut Ctx<'_>, backwards: bool) -> Outcome {
    let (start, end) = if backwards { (3, 2) } else { (2, 3) };
    let from = id::range_start(cx.args.at(start))?;
    let to = id::range_end(cx.args.at(end))?;
    let mut count = usize::MAX;
    for at in (4..cx.args.len()).step_by(2) {
        let value = cx.args.get(at + 1).filter(|_| cx.args.is(at, "count"));
        let value = integer(value.ok_or(ReplyError::Syntax)?)?;
        count = usize::try_from(value).unwrap_or(0);
    }
    let (db, key, may_defer) = (cx.db(), cx.key(1), cx.may_defer);
    let entry = cx.keys.read(db, &key);
    let Some(stream) = stream_of(&entry)? else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    if count == 0 {
        cx.reply.null_array();
        return Ok(Flow::Done);
    }
    let len = stream.count_range(from, to, count);
    if may_defer && Ctx::is_many(len) {
        return Ok(Flow::HeavyRead);
    }
    cx.reply.array(len);
    if backwards {
        let entries = stream.range_back(from, to).take(len);
        entries.for_each(|entry| reply_entry(&mut cx.reply, entry));
    } else {
        let entries = stream.range(from, to).take(len);
        entries.for_each(|entry| reply_entry(&mut cx.reply, entry));
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn ranges() {
        check(
            "XADD s 1-1 a 1; XADD s 1-2 b 2; XADD s 3-0 a 3 b 4; XRANGE s - +; XRANGE s 1-2 3; XRANGE s (1-2 +; XRANGE s 1 1; \
             XRANGE s - (3; XRANGE s 2 2; XRANGE s + -",
            "1-1; 1-2; 3-0; [[1-1 [a 1]] [1-2 [b 2]] [3-0 [a 3 b 4]]]; [[1-2 [b 2]] [3-0 [a 3 b 4]]]; [[3-0 [a 3 b 4]]]; \
             [[1-1 [a 1]] [1-2 [b 2]]]; [[1-1 [a 1]] [1-2 [b 2]] [3-0 [a 3 b 4]]]; []; []",
        );
        check(
            "XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XREVRANGE s + -; XREVRANGE s (3-0 - COUNT 1; XRANGE s - + count 2; \
             XREVRANGE s 2 2; XRANGE none - +; XRANGE s - + COUNT 0; XRANGE s - + COUNT -5; XRANGE none - + COUNT 0",
            "1-0; 2-0; 3-0; [[3-0 [a 3]] [2-0 [a 2]] [1-0 [a 1]]]; [[2-0 [a 2]]]; [[1-0 [a 1]] [2-0 [a 2]]]; [[2-0 [a 2]]]; \
             []; nil; nil; []",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "XRANGE s x +; XRANGE s - x; XRANGE s (18446744073709551615-18446744073709551615 +; XRANGE s - (0-0; XRANGE s (- +; \
             XRANGE s - + COUNT; XRANGE s - + COUNT x; XRANGE s - + FOO 1; SET k v; XRANGE k - +; XREVRANGE k + - COUNT 0",
            "(error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR invalid start ID for the interval; (error) ERR invalid end ID for the interval; \
             (error) ERR Invalid stream ID specified as stream command argument; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn a_long_one_goes_to_the_auxiliary_thread_and_comes_back_whole() {
        let mut console = Console::default();
        for id in 1..=21_000 {
            console.run(&format!("XADD s {id} n {id}"));
        }
        let all = console.run("XRANGE s - +");
        assert_eq!(all.matches(" [n ").count(), 21_000);
        let back = console.run("XREVRANGE s + -");
        assert!(
            back.starts_with("[[21000-0 [n 21000]] [20999-0 "),
            "{}",
            &back[..60]
        );
        assert_eq!(back.len(), all.len());
    }
}
