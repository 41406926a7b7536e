//! XACK key group id [id ...]: entries are no longer pending. <https://redis.io/commands/xack>

use dunlin_store::stream::Id;
use smallvec::SmallVec;

use super::{FAST_WRITE, change_quietly, find_group, id};
use crate::command::{ArgKind, Argument, Command};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XACK.
pub(super) const XACK: Command = Command {
    name: "xack",
    full_name: "xack",
    arity: -4,
    complexity: "O(log N) for each id, with N entries pending",
    summary: "Acknowledges entries that a group was given; returns how many were pending.",
    arguments: &[
        Argument::KEY,
        Argument::new("group", ArgKind::String),
        Argument::new("ID", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: xack,
    ..FAST_WRITE
};

fn xack(cx: &mut Ctx<'_>) -> Outcome {
    let group = cx.args.at(2);
    let Some((found, ())) = find_group(cx, 1, group, |_, _| ())? else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let ids = cx.args.from(3).map(id::strict);
    let ids = ids.collect::<Result<SmallVec<[Id; 8]>, ReplyError>>()?;
    let acknowledged = change_quietly(&mut cx.keys, found, |stream| {
        let group = stream.group_mut(group).expect("just found");
        ids.iter().filter(|id| group.acknowledge(**id)).count()
    });
    if acknowledged > 0 {
        let db = cx.db();
        cx.keys.effect(db, cx.args.iter());
        cx.keys.count_changes(acknowledged as u64);
    }
    cx.reply.count(acknowledged);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn acknowledges_once() {
        check(
            "XADD s 1 a 1; XADD s 2 a 2; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; XACK s g 1 3; XACK s g 1; XPENDING s g; \
             XACK s g 2 x; XPENDING s g; XACK s none 1; XACK none g 1; XACK none g x; SET k v; XACK k g 1",
            "1-0; 2-0; OK; [[s [[1-0 [a 1]] [2-0 [a 2]]]]]; 1; 0; [1 2-0 2-0 [[c 1]]]; \
             (error) ERR Invalid stream ID specified as stream command argument; [1 2-0 2-0 [[c 1]]]; 0; 0; 0; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn watch_does_not_see_it() {
        check(
            "XADD s 1 a 1; XGROUP CREATE s g 0; WATCH s; 2> XREADGROUP GROUP g c STREAMS s >; 2> XACK s g 1; MULTI; PING; EXEC",
            "1-0; OK; OK; [[s [[1-0 [a 1]]]]]; 1; OK; QUEUED; [PONG]",
        );
        check(
            "XADD s 1 a 1; WATCH s; 2> XADD s 2 a 2; MULTI; PING; EXEC",
            "1-0; OK; 2-0; OK; QUEUED; nil",
        );
    }
}
