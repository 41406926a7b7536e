//! UNSUBSCRIBE [channel ...], PUNSUBSCRIBE [pattern ...], SUNSUBSCRIBE [shardchannel ...]: no more messages of these, or of any.
//! <https://redis.io/commands/unsubscribe>
//!
//! Each is confirmed by a message of its own, subscribed to or not; who names none and has none gets one without a name.

use std::sync::Arc;

use super::subscribe::SHARD_CHANNELS;
use super::{BASE, confirm};
use crate::command::{ArgKind, Argument, Command, Scope};
use crate::pubsub::Kind;
use crate::{Ctx, Flow, Outcome};

/// UNSUBSCRIBE.
pub(super) const UNSUBSCRIBE: Command = Command {
    name: "unsubscribe",
    full_name: "unsubscribe",
    arity: -1,
    complexity: "O(N) for N channels",
    summary: "Sends no more messages to these channels, or to any, to this client.",
    arguments: &[Argument::new("channel", ArgKind::String)
        .optional()
        .multiple()],
    handler: |cx| unsubscribe(cx, Kind::Channel, "unsubscribe"),
    ..BASE
};

/// PUNSUBSCRIBE.
pub(super) const PUNSUBSCRIBE: Command = Command {
    name: "punsubscribe",
    full_name: "punsubscribe",
    complexity: "O(N) for N patterns",
    summary: "Sends no more messages for these patterns, or for any, to this client.",
    arguments: &[Argument::new("pattern", ArgKind::Pattern)
        .optional()
        .multiple()],
    handler: |cx| unsubscribe(cx, Kind::Pattern, "punsubscribe"),
    ..UNSUBSCRIBE
};

/// SUNSUBSCRIBE.
pub(super) const SUNSUBSCRIBE: Command = Command {
    name: "sunsubscribe",
    full_name: "sunsubscribe",
    since: "7.0.0",
    complexity: "O(N) for N shard channels",
    summary: "Sends no more messages to these shard channels, or to any, to this client.",
    keys: SHARD_CHANNELS,
    // They are no keys, and lie behind no stripe.
    scope: Scope::Nothing,
    arguments: &[Argument::new("shardchannel", ArgKind::String)
        .optional()
        .multiple()],
    handler: |cx| unsubscribe(cx, Kind::Shard, "sunsubscribe"),
    ..UNSUBSCRIBE
};

fn unsubscribe(cx: &mut Ctx<'_>, kind: Kind, word: &str) -> Outcome {
    let pubsub = &cx.engine.pubsub;
    for i in 1..cx.args.len() {
        let name = cx.args.at(i);
        pubsub.unsubscribe(cx.session, kind, name);
        confirm(cx, word, kind, Some(name));
    }
    if cx.args.len() == 1 {
        let mine = cx.session.subscriptions.iter();
        let names: Vec<Arc<[u8]>> = mine.flat_map(|mine| mine.names(kind).cloned()).collect();
        for name in &names {
            pubsub.unsubscribe(cx.session, kind, name);
            confirm(cx, word, kind, Some(name));
        }
        if names.is_empty() {
            confirm(cx, word, kind, None);
        }
    }
    cx.host.subscribed(cx.session);
    Ok(Flow::Done)
}
