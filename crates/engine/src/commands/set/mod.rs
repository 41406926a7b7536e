//! Commands on sets.

mod sadd;
mod scard;
mod sdiff;
mod sinter;
mod sintercard;
mod sismember;
mod smembers;
mod smove;
mod sources;
mod spop;
mod srandmember;
mod srem;
mod sscan;
mod sunion;

use std::sync::atomic::Ordering;

use dunlin_store::set::{Limits, SetRef};
use dunlin_store::{Event, Found, Key};

use crate::{Command, Ctx, Engine, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &sadd::SADD,
    &scard::SCARD,
    &sdiff::SDIFF,
    &sdiff::SDIFFSTORE,
    &sinter::SINTER,
    &sintercard::SINTERCARD,
    &sinter::SINTERSTORE,
    &sismember::SISMEMBER,
    &smembers::SMEMBERS,
    &sismember::SMISMEMBER,
    &smove::SMOVE,
    &spop::SPOP,
    &srandmember::SRANDMEMBER,
    &srem::SREM,
    &sscan::SSCAN,
    &sunion::SUNION,
    &sunion::SUNIONSTORE,
];

/// The configured limits.
fn limits(engine: &Engine) -> Limits {
    let encodings = &engine.encodings;
    Limits {
        ints: encodings.intset_entries.load(Ordering::Relaxed),
        packed: encodings.set.entries(),
        value_bytes: encodings.set.value_bytes(),
    }
}

/// Looks a set up for reading: where it is and its length. Counts a miss; a hit is counted by [`hit`], once the command is sure not to
/// be deferred.
fn look_up(cx: &mut Ctx<'_>, index: usize) -> Result<Option<(Found, usize)>, ReplyError> {
    let Some(found) = cx.find(index) else {
        cx.keys.count_lookup(false);
        cx.keys.missed(cx.session.db, cx.args.at(index));
        return Ok(None);
    };
    let len = SetRef::of(&cx.keys.entry(found)).map(SetRef::len);
    if len.is_none() {
        cx.keys.count_lookup(true);
    }
    len.map(|len| Some((found, len)))
        .ok_or(ReplyError::WrongType)
}

/// Counts a read and sets the access clock.
fn hit(cx: &mut Ctx<'_>, found: Found) {
    cx.keys.count_lookup(true);
    let clock = cx.keys.local().clock;
    cx.keys.entry(found).set_clock(clock);
}

/// Removes a set whose last member went; the change itself has been recorded.
fn remove_emptied(cx: &mut Ctx<'_>, key: &Key<'_>) {
    let db = cx.db();
    if let Some(entry) = cx.keys.remove(db, key) {
        cx.keys.discard(entry);
    }
    cx.keys.tell(db, key.bytes, Event::generic("del"));
}
