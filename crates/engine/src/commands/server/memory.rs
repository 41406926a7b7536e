//! MEMORY USAGE: what a key costs. <https://redis.io/commands/memory-usage>

use dunlin_store::Entry;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// A key's share of its dict, bytes: a pointer and a fingerprint at the usual load.
pub const DICT_SHARE_BYTES: usize = 12;
/// A key's node in the wheel, if it has a deadline, bytes.
pub const TIMER_BYTES: usize = 24;

/// MEMORY USAGE; its container and the other subcommands need the server.
pub const USAGE: Command = Command {
    name: "usage",
    full_name: "memory|usage",
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::SLOW),
    keys: &[KeySpec::one(2, &["RO"])],
    scope: Scope::Keys,
    group: "server",
    since: "4.0.0",
    complexity: "O(N) in the number of the value's chunks",
    summary: "Returns the bytes that a key and its value take. Nothing is estimated, so SAMPLES changes nothing.",
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer)
            .with_token("SAMPLES")
            .optional(),
    ],
    handler: usage,
    ..Command::BASE
};

fn usage(cx: &mut Ctx<'_>) -> Outcome {
    for at in (3..cx.args.len()).step_by(2) {
        let samples = cx.args.get(at + 1).filter(|_| cx.args.is(at, "samples"));
        let samples = parse_i64(samples.ok_or(ReplyError::Syntax)?);
        if samples.ok_or(ReplyError::NotInteger)? < 0 {
            return Err(ReplyError::Syntax);
        }
    }
    let (db, key) = (cx.db(), cx.key(2));
    match cx.keys.peek(db, &key) {
        None => cx.reply.null(),
        Some(entry) => cx.reply.count(own_bytes(&entry) + entry.outside_bytes()),
    }
    Ok(Flow::Done)
}

/// Bytes that a key takes by itself: its entry and its place in the dict and the wheel. What its value has outside is
/// [`Entry::outside_bytes`].
pub fn own_bytes(entry: &Entry) -> usize {
    let timer = if entry.due().is_some() {
        TIMER_BYTES
    } else {
        0
    };
    entry.allocated_bytes() + DICT_SHARE_BYTES + timer
}
