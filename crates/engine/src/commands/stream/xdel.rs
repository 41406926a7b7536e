//! XDEL key id [id ...]: deletes entries. <https://redis.io/commands/xdel>

use dunlin_store::Event;
use dunlin_store::stream::Id;
use smallvec::SmallVec;

use super::{FAST_WRITE, change, id, view};
use crate::command::{ArgKind, Argument, Command, KeySpec};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XDEL.
pub(super) const XDEL: Command = Command {
    name: "xdel",
    full_name: "xdel",
    arity: -3,
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    complexity: "O(log N) for each id, with N entries in the stream",
    summary: "Deletes entries from a stream; returns how many were there.",
    arguments: &[
        Argument::KEY,
        Argument::new("ID", ArgKind::String).multiple(),
    ],
    weight: Some(argument_count),
    handler: xdel,
    ..FAST_WRITE
};

fn xdel(cx: &mut Ctx<'_>) -> Outcome {
    let Some(found) = cx.find(1) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    view(&cx.keys.entry(found))?;
    let ids = cx.args.from(2).map(id::strict);
    let ids = ids.collect::<Result<SmallVec<[Id; 8]>, ReplyError>>()?;
    let deleted = change(&mut cx.keys, found, |stream| {
        let deleted = ids.iter().filter(|id| stream.delete(**id)).count();
        (deleted, deleted > 0)
    });
    if deleted > 0 {
        cx.record_verbatim(cx.args.at(1), Event::stream("xdel"));
        cx.keys.count_changes(deleted as u64 - 1);
    }
    cx.reply.count(deleted);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn deletes_what_is_there() {
        check(
            "XADD s 1-1 a 1; XADD s 1-2 a 2; XADD s 1-3 a 3; XDEL s 1-2 5; XRANGE s - +; XDEL s 1-2; XDEL s 1-1 1-1 1-3; XLEN s; EXISTS s; XDEL none 1",
            "1-1; 1-2; 1-3; 1; [[1-1 [a 1]] [1-3 [a 3]]]; 0; 2; 0; 1; 0",
        );
    }

    #[test]
    fn a_bad_id_deletes_nothing() {
        check(
            "XADD s 1 a 1; XDEL s 1 x; XLEN s; SET k v; XDEL k 1; XDEL none x",
            "1-0; (error) ERR Invalid stream ID specified as stream command argument; 1; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; 0",
        );
    }
}
