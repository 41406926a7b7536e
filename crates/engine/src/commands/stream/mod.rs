//! Commands on streams.
//!
//! As in Redis, a change of the entries trips WATCH, and a change of groups alone does not.

mod id;
mod trim;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

use dunlin_store::stream::{self, Group, Id, Pending, Remains, Stream, StreamEntry};
use dunlin_store::{Entry, Event, Found, Txn};
use dunlin_structures::dict::Ref;

use crate::command::{Categories, Command, Flags, KeySpec, Scope};
use crate::reply::Reply;
use crate::{Ctx, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &xack::XACK,
    &xadd::XADD,
    &xautoclaim::XAUTOCLAIM,
    &xclaim::XCLAIM,
    &xdel::XDEL,
    &xgroup::XGROUP,
    &xinfo::XINFO,
    &xlen::XLEN,
    &xpending::XPENDING,
    &xrange::XRANGE,
    &xread::XREAD,
    &xreadgroup::XREADGROUP,
    &xrange::XREVRANGE,
    &xsetid::XSETID,
    &xtrim::XTRIM,
];

/// What the constant of a reading command starts from.
const READ: Command = Command {
    flags: Flags::READONLY,
    categories: Categories::READ
        .and(Categories::STREAM)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "stream",
    since: "5.0.0",
    ..Command::BASE
};

/// The same, of a writing one.
const WRITE: Command = Command {
    flags: Flags::WRITE,
    categories: Categories::WRITE
        .and(Categories::STREAM)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    ..READ
};

/// The same, of a fast writing one.
const FAST_WRITE: Command = Command {
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STREAM)
        .and(Categories::FAST),
    ..WRITE
};

/// The stream in an entry.
fn view(entry: &Entry) -> Result<&Stream, ReplyError> {
    stream::of(entry).ok_or(ReplyError::WrongType)
}

/// The stream of an entry that was looked for; `None` where there is no key.
fn stream_of<'a>(entry: &'a Option<Ref<'_, Entry>>) -> Result<Option<&'a Stream>, ReplyError> {
    entry.as_ref().map(|entry| view(entry)).transpose()
}

/// Changes the stream that was found.
///
/// # Panics
/// If the key holds something else.
fn change<R>(keys: &mut Txn<'_>, found: Found, change: impl FnOnce(&mut Stream) -> (R, bool)) -> R {
    let mut result = None;
    keys.update_if(found, |mut entry| {
        let stream = stream::of_mut(&mut entry).expect("a stream, as was seen before");
        let (answer, changed) = change(stream);
        result = Some(answer);
        (entry, changed)
    });
    result.expect("the change ran")
}

/// Changes something of the stream that was found that WATCH does not see, so that nothing need be told of it.
fn change_quietly<R>(
    keys: &mut Txn<'_>,
    found: Found,
    change_it: impl FnOnce(&mut Stream) -> R,
) -> R {
    change(keys, found, |stream| (change_it(stream), false))
}

/// Frees what a change took out of a stream, in the background.
fn discard(cx: &mut Ctx<'_>, remains: Option<Remains>) {
    if let Some(remains) = remains {
        cx.keys.discard(stream::entry(b"", remains, 0));
    }
}

/// Tells of a change that WATCH does not see, with the command itself as its effect.
fn tell_quietly(cx: &mut Ctx<'_>, key: &[u8], event: &'static str) {
    let db = cx.session.db;
    cx.keys.effect(db, cx.args.iter());
    cx.keys.count_changes(1);
    cx.keys.notify(db, key, Event::stream(event));
}

/// Milliseconds since 1970, also while the log is replayed, which has no time of its own.
fn now_ms(cx: &mut Ctx<'_>) -> u64 {
    match cx.keys.now_ms() {
        0 => u64::from(cx.keys.local().clock) * 1000,
        now => now,
    }
}

/// A name as it stands in an error.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// There is no such key, or no such group of it.
fn no_group(key: &[u8], group: &[u8], where_from: &str) -> ReplyError {
    let (key, group) = (shown(key), shown(group));
    let text = format!("NOGROUP No such key '{key}' or consumer group '{group}'{where_from}");
    ReplyError::Text(text.into())
}

/// The key exists, and has no such group.
fn no_group_of(key: &[u8], group: &[u8]) -> ReplyError {
    let (key, group) = (shown(key), shown(group));
    let text = format!("NOGROUP No such consumer group '{group}' for key name '{key}'");
    ReplyError::Text(text.into())
}

/// Finds the group at an argument for changing it; also whether the key exists.
fn find_group<R>(
    cx: &mut Ctx<'_>,
    key_at: usize,
    group: &[u8],
    look: impl FnOnce(&Stream, &Group) -> R,
) -> Result<Option<(Found, R)>, ReplyError> {
    let Some(found) = cx.find(key_at) else {
        return Ok(None);
    };
    let entry = cx.keys.entry(found);
    let stream = view(&entry)?;
    let looked = stream.group(group).map(|group| look(stream, group));
    Ok(looked.map(|looked| (found, looked)))
}

/// An integer argument.
fn integer(text: &[u8]) -> Result<i64, ReplyError> {
    crate::number::parse_i64(text).ok_or(ReplyError::NotInteger)
}

fn reply_id(reply: &mut Reply<'_>, id: Id) {
    reply.bulk(id.text().as_bytes());
}

/// An entry: its id, and its fields and values in one array.
fn reply_entry(reply: &mut Reply<'_>, entry: StreamEntry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    let pairs = entry.pairs();
    reply.array(pairs.len() * 2);
    for (name, value) in pairs {
        reply.element(name);
        reply.element(value);
    }
}

/// Effects that make groups as they are.
struct GroupEffects<'k> {
    key: &'k [u8],
    group: &'k [u8],
}

impl GroupEffects<'_> {
    /// A consumer came.
    fn consumer_added(&self, cx: &mut Ctx<'_>, consumer: &[u8]) {
        let db = cx.session.db;
        let effect = [
            &b"XGROUP"[..],
            b"CREATECONSUMER",
            self.key,
            self.group,
            consumer,
        ];
        cx.keys.effect(db, effect.into_iter());
        cx.keys.count_changes(1);
        cx.keys
            .notify(db, self.key, Event::stream("xgroup-createconsumer"));
    }

    /// An entry is pending like this, or, where the stream has no such entry any more, is so no longer.
    fn assigned(&self, cx: &mut Ctx<'_>, consumer: &[u8], pending: Pending, last_id: Id) {
        let db = cx.session.db;
        let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (id, last_id) = (pending.id.text(), last_id.text());
        let effect = [
            &b"XCLAIM"[..],
            self.key,
            self.group,
            consumer,
            b"0",
            id.as_bytes(),
            b"TIME",
            time.format(pending.delivered_ms).as_bytes(),
            b"RETRYCOUNT",
            count.format(pending.deliveries).as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            last_id.as_bytes(),
        ];
        cx.keys.effect(db, effect.into_iter());
    }

    /// The group has come so far.
    fn advanced(&self, cx: &mut Ctx<'_>, last_id: Id, entries_read: Option<i64>) {
        let db = cx.session.db;
        let (last_id, mut read) = (last_id.text(), itoa::Buffer::new());
        let effect = [
            &b"XGROUP"[..],
            b"SETID",
            self.key,
            self.group,
            last_id.as_bytes(),
            b"ENTRIESREAD",
            read.format(entries_read.unwrap_or(-1)).as_bytes(),
        ];
        cx.keys.effect(db, effect.into_iter());
    }
}
