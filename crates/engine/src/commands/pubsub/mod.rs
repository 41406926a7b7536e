//! Commands of pub/sub: see [`crate::pubsub`].

mod container;
mod publish;
mod subscribe;
mod unsubscribe;

use crate::Command;
use crate::command::{Categories, Flags};
use crate::context::Ctx;
use crate::pubsub::Kind;
use crate::reply::Reply;
use crate::session::Replies;

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &container::PUBSUB,
    &unsubscribe::PUNSUBSCRIBE,
    &publish::SPUBLISH,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &unsubscribe::SUNSUBSCRIBE,
    &unsubscribe::UNSUBSCRIBE,
];

const FLAGS: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);

/// What the commands that change a client's subscriptions start from.
const BASE: Command = Command {
    flags: FLAGS.and(Flags::NOSCRIPT),
    categories: Categories::PUBSUB.and(Categories::SLOW),
    group: "pubsub",
    since: "2.0.0",
    ..Command::BASE
};

/// Tells the client of one change of its subscriptions, and how many it has now: of shard channels, or of channels and patterns. A
/// push in RESP3; sent even if replies are not (CLIENT REPLY).
fn confirm(cx: &mut Ctx<'_>, word: &str, kind: Kind, name: Option<&[u8]>) {
    let count = cx
        .session
        .subscriptions
        .as_ref()
        .map_or(0, |mine| match kind {
            Kind::Shard => mine.len(Kind::Shard),
            Kind::Channel | Kind::Pattern => mine.len(Kind::Channel) + mine.len(Kind::Pattern),
        });
    let write = |reply: &mut Reply<'_>| {
        reply.push(3);
        reply.bulk(word.as_bytes());
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.count(count);
    };
    if cx.session.replies == Replies::On {
        write(&mut cx.reply);
    } else {
        let version = cx.reply.version();
        write(&mut Reply::new(
            cx.session.pushes.get_or_insert_default(),
            version,
        ));
    }
}

#[cfg(test)]
mod tests;
