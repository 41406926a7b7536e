//! SUBSCRIBE channel ..., PSUBSCRIBE pattern ..., SSUBSCRIBE shardchannel ...: from now on messages come.
//! <https://redis.io/commands/subscribe>
//!
//! Each channel is confirmed by a message of its own, whether or not it was subscribed to before.

use super::{BASE, confirm};
use crate::command::{ArgKind, Argument, Begin, Command, Find, KeySpec, Scope};
use crate::pubsub::Kind;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SUBSCRIBE.
pub(super) const SUBSCRIBE: Command = Command {
    name: "subscribe",
    full_name: "subscribe",
    arity: -2,
    complexity: "O(N) for N channels",
    summary: "Has messages to these channels sent to this client.",
    arguments: &[Argument::new("channel", ArgKind::String).multiple()],
    handler: |cx| subscribe(cx, Kind::Channel, "subscribe"),
    ..BASE
};

/// PSUBSCRIBE.
pub(super) const PSUBSCRIBE: Command = Command {
    name: "psubscribe",
    full_name: "psubscribe",
    complexity: "O(N) for N patterns",
    summary: "Has messages to all channels that match these patterns sent to this client.",
    arguments: &[Argument::new("pattern", ArgKind::Pattern).multiple()],
    handler: |cx| subscribe(cx, Kind::Pattern, "psubscribe"),
    ..SUBSCRIBE
};

/// SSUBSCRIBE.
pub(super) const SSUBSCRIBE: Command = Command {
    name: "ssubscribe",
    full_name: "ssubscribe",
    since: "7.0.0",
    complexity: "O(N) for N shard channels",
    summary: "Has messages to these shard channels sent to this client.",
    keys: SHARD_CHANNELS,
    // They are no keys, and lie behind no stripe.
    scope: Scope::Nothing,
    arguments: &[Argument::new("shardchannel", ArgKind::String).multiple()],
    handler: ssubscribe,
    ..SUBSCRIBE
};

/// Shard channels go where keys of their names would.
pub(super) const SHARD_CHANNELS: &[KeySpec] = &[KeySpec {
    begin: Begin::Index(1),
    find: Find::Range {
        last: -1,
        step: 1,
        limit: 0,
    },
    flags: &["not_key"],
}];

fn ssubscribe(cx: &mut Ctx<'_>) -> Outcome {
    if cx.is_inside() {
        return Err(ReplyError::err(
            "SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    subscribe(cx, Kind::Shard, "ssubscribe")
}

fn subscribe(cx: &mut Ctx<'_>, kind: Kind, word: &str) -> Outcome {
    for i in 1..cx.args.len() {
        let name = cx.args.at(i);
        cx.engine.pubsub.subscribe(cx.session, kind, name);
        confirm(cx, word, kind, Some(name));
    }
    cx.host.subscribed(cx.session);
    Ok(Flow::Done)
}
