//! Commands on hashes.

mod fields;
mod hdel;
mod hexpire;
mod hget;
mod hgetall;
mod hincrby;
mod hincrbyfloat;
mod hlen;
mod hpersist;
mod hrandfield;
mod hscan;
mod hset;
mod httl;

use dunlin_store::hash_value::{self, HashLimits, HashRef};
use dunlin_store::{Entry, Event, KeyHasher};
use dunlin_structures::dict::Ref;

use crate::{Command, Ctx, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &hdel::HDEL,
    &hlen::HEXISTS,
    &hexpire::HEXPIRE,
    &hexpire::HEXPIREAT,
    &httl::HEXPIRETIME,
    &hget::HGET,
    &hgetall::HGETALL,
    &hincrby::HINCRBY,
    &hincrbyfloat::HINCRBYFLOAT,
    &hgetall::HKEYS,
    &hlen::HLEN,
    &hget::HMGET,
    &hset::HMSET,
    &hpersist::HPERSIST,
    &hexpire::HPEXPIRE,
    &hexpire::HPEXPIREAT,
    &httl::HPEXPIRETIME,
    &httl::HPTTL,
    &hrandfield::HRANDFIELD,
    &hscan::HSCAN,
    &hset::HSET,
    &hset::HSETNX,
    &hlen::HSTRLEN,
    &httl::HTTL,
    &hgetall::HVALS,
];

fn limits(cx: &Ctx<'_>) -> HashLimits {
    let limit = &cx.engine.encodings.hash;
    HashLimits {
        entries: limit.entries(),
        value_bytes: limit.value_bytes(),
    }
}

/// The hash of an entry that was looked for; `None` where there is no key.
fn hash_of<'a>(entry: &'a Option<Ref<'_, Entry>>) -> Result<Option<HashRef<'a>>, ReplyError> {
    match entry {
        None => Ok(None),
        Some(entry) => HashRef::of(entry).map(Some).ok_or(ReplyError::WrongType),
    }
}

/// Looks into the hash at argument 1 before it is changed; `None` where there is no key.
fn hash_of_found<R>(
    cx: &mut Ctx<'_>,
    look: impl FnOnce(HashRef<'_>, &KeyHasher) -> R,
) -> Result<Option<R>, ReplyError> {
    let (db, key, store) = (cx.db(), cx.key(1), cx.keys.store());
    match cx.keys.find(db, &key) {
        None => Ok(None),
        Some(found) => match HashRef::of(&cx.keys.entry(found)) {
            None => Err(ReplyError::WrongType),
            Some(hash) => Ok(Some(look(hash, store.hasher()))),
        },
    }
}

/// Changes the hash at argument 1, which is made if it is absent.
fn change<R>(cx: &mut Ctx<'_>, change: impl FnOnce(Entry) -> (Entry, R)) -> Result<R, ReplyError> {
    let (db, key) = (cx.db(), cx.key(1));
    match cx.keys.find(db, &key) {
        None => {
            let clock = cx.keys.local().clock;
            let (entry, result) = change(hash_value::new(key.bytes, clock));
            cx.keys.put_entry(db, &key, entry, None);
            Ok(result)
        }
        Some(found) => {
            if HashRef::of(&cx.keys.entry(found)).is_none() {
                return Err(ReplyError::WrongType);
            }
            let mut result = None;
            cx.keys.update(found, |entry| {
                let (entry, done) = change(entry);
                result = Some(done);
                entry
            });
            Ok(result.expect("the change ran"))
        }
    }
}

/// Sets one field, whose deadline stays, and records an effect that says so with the value that it got.
fn set_and_record(
    cx: &mut Ctx<'_>,
    field: &[u8],
    value: &[u8],
    event: &'static str,
) -> Result<(), ReplyError> {
    let (limits, store) = (limits(cx), cx.keys.store());
    change(cx, |entry| {
        hash_value::set_keeping_deadline(entry, store.hasher(), limits, field, value)
    })?;
    let (db, key) = (cx.db(), cx.key(1));
    let effect = ["HSET".into(), key.bytes.into(), field.into(), value.into()];
    cx.keys.record(db, key.bytes, Event::hash(event), &effect);
    let found = cx.keys.find(db, &key).expect("it was just changed");
    let entry = cx.keys.entry(found);
    let timed = entry.timed();
    if let Some(at_ms) = timed.and_then(|deadlines| deadlines.of_field(store.hasher(), field)) {
        // HSET takes the deadline away.
        let at_ms = at_ms.to_string();
        let effect = [
            &b"HPEXPIREAT"[..],
            key.bytes,
            at_ms.as_bytes(),
            b"FIELDS",
            b"1",
            field,
        ];
        cx.keys.effect(db, effect.into_iter());
    }
    Ok(())
}
