//! Commands on sorted sets.

mod bounds;
mod bzpop;
mod combine;
mod zadd;
mod zcard;
mod zcount;
mod zmpop;
mod zpop;
mod zrandmember;
mod zrange;
mod zrangestore;
mod zrank;
mod zrem;
mod zremrange;
mod zscan;
mod zscore;
mod zunion;
mod zunionstore;

pub(crate) use zadd::ZADD;
pub(crate) use zrangestore::store;

use std::ops::Range;

use dunlin_store::zset::{Item, ZSetRef, edit};
use dunlin_store::{Entry, Event, Found, Key};

use crate::command::{Categories, Command, Flags, KeySpec, Scope};
use crate::dispatch::HEAVY_ELEMENTS;
use crate::reply::Reply;
use crate::{Ctx, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &zmpop::BZMPOP,
    &bzpop::BZPOPMAX,
    &bzpop::BZPOPMIN,
    &zadd::ZADD,
    &zcard::ZCARD,
    &zcount::ZCOUNT,
    &zunion::ZDIFF,
    &zunionstore::ZDIFFSTORE,
    &zadd::ZINCRBY,
    &zunion::ZINTER,
    &zunion::ZINTERCARD,
    &zunionstore::ZINTERSTORE,
    &zcount::ZLEXCOUNT,
    &zmpop::ZMPOP,
    &zscore::ZMSCORE,
    &zpop::ZPOPMAX,
    &zpop::ZPOPMIN,
    &zrandmember::ZRANDMEMBER,
    &zrange::ZRANGE,
    &zrange::ZRANGEBYLEX,
    &zrange::ZRANGEBYSCORE,
    &zrangestore::ZRANGESTORE,
    &zrank::ZRANK,
    &zrem::ZREM,
    &zremrange::ZREMRANGEBYLEX,
    &zremrange::ZREMRANGEBYRANK,
    &zremrange::ZREMRANGEBYSCORE,
    &zrange::ZREVRANGE,
    &zrange::ZREVRANGEBYLEX,
    &zrange::ZREVRANGEBYSCORE,
    &zrank::ZREVRANK,
    &zscan::ZSCAN,
    &zscore::ZSCORE,
    &zunion::ZUNION,
    &zunionstore::ZUNIONSTORE,
];

/// What the constant of a reading command starts from: one key, fast.
const FAST_READ: Command = Command {
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::SORTEDSET)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "sorted-set",
    since: "1.2.0",
    ..Command::BASE
};

/// The same, not fast.
const SLOW_READ: Command = Command {
    flags: Flags::READONLY,
    categories: Categories::READ
        .and(Categories::SORTEDSET)
        .and(Categories::SLOW),
    ..FAST_READ
};

/// What the constant of a writing command starts from: one key that may go, fast.
const FAST_WRITE: Command = Command {
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::SORTEDSET)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    ..FAST_READ
};

/// The same, not fast.
const SLOW_WRITE: Command = Command {
    flags: Flags::WRITE,
    categories: Categories::WRITE
        .and(Categories::SORTEDSET)
        .and(Categories::SLOW),
    ..FAST_WRITE
};

/// What editing needs to know.
pub(crate) fn rules<'a>(cx: &Ctx<'a>) -> edit::Rules<'a> {
    edit::Rules {
        hasher: cx.engine.store.hasher(),
        entries: cx.engine.encodings.zset.entries(),
        value_bytes: cx.engine.encodings.zset.value_bytes(),
    }
}

/// The sorted set in an entry.
fn view(entry: &Entry) -> Result<ZSetRef<'_>, ReplyError> {
    ZSetRef::of(entry).ok_or(ReplyError::WrongType)
}

/// Whether all scores are equal. Only then a range by bytes means the same to every server and in every encoding: else effects name ranks.
fn has_one_score(zset: ZSetRef<'_>) -> bool {
    let score = |rank| zset.get(rank).map(|(_, score)| score);
    score(0) == zset.len().checked_sub(1).and_then(score)
}

/// Most elements that this call may touch where it runs; above, [`crate::Flow::Heavy`]. To be asked before the keys are borrowed.
fn elements_max(cx: &Ctx<'_>) -> usize {
    if cx.is_heavy(usize::MAX) {
        HEAVY_ELEMENTS as usize
    } else {
        usize::MAX
    }
}

/// Takes the members of these ranks, at least one, out of a key of `len` members. The key goes with the last one, of
/// which [`tell_removed`] tells when the change has been recorded.
fn remove_ranks(
    cx: &mut Ctx<'_>,
    key: &Key<'_>,
    (found, len): (Found, usize),
    ranks: Range<usize>,
) {
    if ranks.len() < len {
        let rules = rules(cx);
        cx.keys
            .update(found, |entry| edit::remove_ranks(entry, ranks, &rules));
    } else if let Some(entry) = cx.keys.remove(cx.session.db, key) {
        cx.keys.discard(entry);
    }
}

/// Tells that a key is gone that lost its last member.
fn tell_removed(cx: &mut Ctx<'_>, key: &Key<'_>) {
    cx.keys
        .notify(cx.session.db, key.bytes, Event::generic("del"));
}

/// An integer argument.
fn integer(text: &[u8]) -> Result<i64, ReplyError> {
    crate::number::parse_i64(text).ok_or(ReplyError::NotInteger)
}

/// A member, and its score if it is wanted: with scores, one array of both in RESP2, pairs in RESP3. The head of so many items.
fn reply_head(reply: &mut Reply<'_>, items: usize, with_scores: bool) {
    if with_scores && reply.version() == dunlin_resp::Version::Resp2 {
        reply.array(items * 2);
    } else {
        reply.array(items);
    }
}

/// See [`reply_head`].
#[inline]
fn reply_item(reply: &mut Reply<'_>, (member, score): Item<'_>, with_scores: bool) {
    if with_scores && reply.version() == dunlin_resp::Version::Resp3 {
        reply.array(2);
    }
    member.with_text(|text| reply.bulk(text));
    if with_scores {
        reply.double(score);
    }
}

/// See [`reply_head`].
fn reply_items<'a>(
    reply: &mut Reply<'_>,
    items: impl ExactSizeIterator<Item = Item<'a>>,
    with_scores: bool,
) {
    reply_head(reply, items.len(), with_scores);
    items.for_each(|item| reply_item(reply, item, with_scores));
}
