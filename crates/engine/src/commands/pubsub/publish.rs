//! PUBLISH channel message, SPUBLISH shardchannel message: sends a message to who subscribed; answers how many get it.
//! <https://redis.io/commands/publish>
//!
//! Inside a transaction or script the message waits in the outbox until that commits; what is undone is not sent.

use super::FLAGS;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// PUBLISH.
pub(super) const PUBLISH: Command = Command {
    name: "publish",
    full_name: "publish",
    arity: 3,
    flags: FLAGS.and(Flags::FAST).and(Flags::MAY_REPLICATE),
    categories: Categories::PUBSUB.and(Categories::FAST),
    group: "pubsub",
    since: "2.0.0",
    complexity: "O(N+M) for N subscribers of the channel and M patterns that anybody subscribed to",
    summary: "Sends a message to a channel; returns how many clients get it.",
    arguments: &[
        Argument::new("channel", ArgKind::String),
        Argument::new("message", ArgKind::String),
    ],
    handler: |cx| publish(cx, false),
    ..Command::BASE
};

/// SPUBLISH.
pub(super) const SPUBLISH: Command = Command {
    name: "spublish",
    full_name: "spublish",
    since: "7.0.0",
    complexity: "O(N) for N subscribers of the shard channel",
    summary: "Sends a message to a shard channel; returns how many clients get it.",
    // Shard channels go where keys of their names would, but lie behind no stripe.
    keys: &[KeySpec::one(1, &["not_key"])],
    scope: Scope::Nothing,
    arguments: &[
        Argument::new("shardchannel", ArgKind::String),
        Argument::new("message", ArgKind::String),
    ],
    handler: |cx| publish(cx, true),
    ..PUBLISH
};

fn publish(cx: &mut Ctx<'_>, shard: bool) -> Outcome {
    let (channel, message) = (cx.args.at(1), cx.args.at(2));
    let pubsub = &cx.engine.pubsub;
    let receivers = if cx.is_inside() {
        let receivers = pubsub.receivers(shard, channel);
        if receivers > 0 {
            cx.keys.local().outbox.message(shard, channel, message);
        }
        receivers
    } else {
        let store = &cx.engine.store;
        cx.keys.local().tell_now(store, |telling| {
            pubsub.publish(shard, channel, message, telling)
        })
    };
    // Replicas are to be sent the command itself from here; it is nothing for the file, which holds what keys are.
    cx.reply.count(receivers);
    Ok(Flow::Done)
}
