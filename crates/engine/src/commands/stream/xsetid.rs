//! XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]: what a stream remembers of entries that are gone.
//! <https://redis.io/commands/xsetid>

use dunlin_store::stream::Id;

use super::{FAST_WRITE, change_quietly, id, integer, tell_quietly, view};
use crate::command::{ArgKind, Argument, Command, Flags};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XSETID.
pub(super) const XSETID: Command = Command {
    name: "xsetid",
    full_name: "xsetid",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    summary: "Sets the last id of a stream, for replicas and files.",
    history: &[("7.0.0", "Takes ENTRIESADDED and MAXDELETEDID.")],
    arguments: &[
        Argument::KEY,
        Argument::new("last-id", ArgKind::String),
        Argument::new("entries-added", ArgKind::Integer)
            .with_token("ENTRIESADDED")
            .optional()
            .since("7.0.0"),
        Argument::new("max-deleted-id", ArgKind::String)
            .with_token("MAXDELETEDID")
            .optional()
            .since("7.0.0"),
    ],
    handler: xsetid,
    ..FAST_WRITE
};

fn xsetid(cx: &mut Ctx<'_>) -> Outcome {
    let last_id = id::strict(cx.args.at(2))?;
    let (mut added, mut max_deleted) = (None, None);
    for at in (3..cx.args.len()).step_by(2) {
        let value = cx.args.get(at + 1).ok_or(ReplyError::Syntax)?;
        if cx.args.is(at, "entriesadded") {
            let number = u64::try_from(integer(value)?);
            added = Some(number.map_err(|_| ReplyError::err("entries_added must be positive"))?);
        } else if cx.args.is(at, "maxdeletedid") {
            let id = id::strict(value)?;
            if last_id < id {
                return Err(ReplyError::err(
                    "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(id).filter(|id| *id != Id::MIN);
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let found = cx.find(1).ok_or(ReplyError::NoSuchKey)?;
    let refusal = {
        let entry = cx.keys.entry(found);
        let stream = view(&entry)?;
        if last_id < stream.max_deleted_id() {
            Some("The ID specified in XSETID is smaller than current max_deleted_entry_id")
        } else if stream.last().is_some_and(|last| last_id < last) {
            Some("The ID specified in XSETID is smaller than the target stream top item")
        } else if added.is_some_and(|added| added < stream.len()) {
            Some("The entries_added specified in XSETID is smaller than the target stream length")
        } else {
            None
        }
    };
    if let Some(text) = refusal {
        return Err(ReplyError::err(text));
    }
    change_quietly(&mut cx.keys, found, |stream| {
        stream.set_id(last_id, added, max_deleted);
    });
    tell_quietly(cx, cx.args.at(1), "xsetid");
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn sets() {
        check(
            "XADD s 1 a 1; XSETID s 9; XADD s 9 a 1; XADD s 9-1 a 1; XSETID s 10 ENTRIESADDED 50 MAXDELETEDID 7-5; XINFO STREAM s",
            "1-0; OK; (error) ERR The ID specified in XADD is equal or smaller than the target stream top item; 9-1; OK; \
             [length 2 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 10-0 max-deleted-entry-id 7-5 entries-added 50 \
             recorded-first-entry-id 1-0 groups 0 first-entry [1-0 [a 1]] last-entry [9-1 [a 1]]]",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "XSETID none 1; XADD s 5 a 1; XADD s 6 a 1; XSETID s 4; XSETID s x; XSETID s 9 ENTRIESADDED -1; XSETID s 9 ENTRIESADDED 1; \
             XSETID s 9 MAXDELETEDID 10; XSETID s 9 ENTRIESADDED; XSETID s 9 FOO 1; XDEL s 6; XSETID s 5-5; SET k v; XSETID k 1",
            "(error) ERR no such key; 5-0; 6-0; (error) ERR The ID specified in XSETID is smaller than the target stream top item; \
             (error) ERR Invalid stream ID specified as stream command argument; (error) ERR entries_added must be positive; \
             (error) ERR The entries_added specified in XSETID is smaller than the target stream length; \
             (error) ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id; \
             (error) ERR syntax error; (error) ERR syntax error; 1; \
             (error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
