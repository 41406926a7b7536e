//! Streams as commands: entries, groups with consumers and what is pending, then the stream's own numbers.
//!
//! What is pending may be gone from the stream, and XCLAIM takes such ids for nothing. So each of them is added as an entry for as long as the
//! claims take. Trimming removes those before the first entry, as it did then: XDEL of them would count as the last deletion.

use std::collections::BTreeSet;
use std::io;

use dunlin_store::stream::{Group, Id, Stream};

use super::{Head, put, put_element, put_head, put_number, relieve, write_items};
use crate::rdb::Sink;

/// For the number of entries that a group was given: it is not known.
const ENTRIES_READ_UNKNOWN: i64 = -1;
/// The id of an entry that makes an empty stream, if nothing else was ever added.
const FIRST_ID: Id = Id::new(0, 1);

/// Writes the commands that make a stream.
pub(super) fn write<S: Sink>(sink: &mut S, key: &[u8], stream: &Stream) -> io::Result<()> {
    let gone = pending_and_gone(stream);
    write_entries(sink, key, stream, &gone)?;
    for group in stream.groups() {
        write_group(sink, key, stream, group, &gone)?;
    }
    remove(sink, key, stream, &gone)?;
    let out = sink.buffer();
    put_head(out, 7);
    put(out, b"XSETID");
    put(out, key);
    put_id(out, stream.last_id());
    put(out, b"ENTRIESADDED");
    put_number(out, stream.entries_added());
    put(out, b"MAXDELETEDID");
    put_id(out, stream.max_deleted_id());
    relieve(sink)
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put(out, id.text().as_bytes());
}

/// Ids that are pending with somebody and have no entry any more. Those behind the last id, which only XSETID can make, can't be added.
fn pending_and_gone(stream: &Stream) -> BTreeSet<Id> {
    let pending = stream
        .groups()
        .flat_map(|group| group.pending_from(Id::MIN));
    pending
        .map(|pending| pending.id)
        .filter(|id| *id <= stream.last_id() && stream.get(*id).is_none())
        .collect()
}

fn write_entries<S: Sink>(
    sink: &mut S,
    key: &[u8],
    stream: &Stream,
    gone: &BTreeSet<Id>,
) -> io::Result<()> {
    let mut gone = gone.iter().copied().peekable();
    let is_empty = stream.is_empty() && gone.peek().is_none();
    for entry in stream.blocks().flat_map(|block| block.entries()) {
        while let Some(id) = gone.next_if(|id| *id < entry.id) {
            write_filler(sink, key, id)?;
        }
        let pairs = entry.pairs();
        let out = sink.buffer();
        put_head(out, 3 + 2 * pairs.len());
        put(out, b"XADD");
        put(out, key);
        put_id(out, entry.id);
        for (name, value) in pairs {
            put_element(out, name);
            put_element(out, value);
        }
        relieve(sink)?;
    }
    gone.try_for_each(|id| write_filler(sink, key, id))?;
    if is_empty {
        let out = sink.buffer();
        put_head(out, 7);
        for arg in [&b"XADD"[..], key, b"MAXLEN", b"0"] {
            put(out, arg);
        }
        put_id(out, stream.last_id().max(FIRST_ID));
        put(out, b"x");
        put(out, b"y");
        relieve(sink)?;
    }
    Ok(())
}

/// An entry that stands for one that is gone.
fn write_filler<S: Sink>(sink: &mut S, key: &[u8], id: Id) -> io::Result<()> {
    let out = sink.buffer();
    put_head(out, 5);
    put(out, b"XADD");
    put(out, key);
    put_id(out, id);
    put(out, b"x");
    put(out, b"y");
    relieve(sink)
}

fn write_group<S: Sink>(
    sink: &mut S,
    key: &[u8],
    stream: &Stream,
    group: &Group,
    gone: &BTreeSet<Id>,
) -> io::Result<()> {
    let out = sink.buffer();
    put_head(out, 7);
    for arg in [&b"XGROUP"[..], b"CREATE", key, group.name()] {
        put(out, arg);
    }
    put_id(out, group.last_id);
    put(out, b"ENTRIESREAD");
    put_number(out, group.entries_read.unwrap_or(ENTRIES_READ_UNKNOWN));
    relieve(sink)?;
    for consumer in group.consumers() {
        let out = sink.buffer();
        put_head(out, 5);
        for arg in [&b"XGROUP"[..], b"CREATECONSUMER", key, group.name()] {
            put(out, arg);
        }
        put(out, consumer.name());
        relieve(sink)?;
    }
    for pending in group.pending_from(Id::MIN) {
        if !gone.contains(&pending.id) && stream.get(pending.id).is_none() {
            continue;
        }
        let consumer = group.consumer(pending.consumer);
        let out = sink.buffer();
        put_head(out, 12);
        for arg in [&b"XCLAIM"[..], key, group.name(), consumer.name(), b"0"] {
            put(out, arg);
        }
        put_id(out, pending.id);
        put(out, b"TIME");
        put_number(out, pending.delivered_ms);
        put(out, b"RETRYCOUNT");
        put_number(out, pending.deliveries);
        put(out, b"JUSTID");
        put(out, b"FORCE");
        relieve(sink)?;
    }
    Ok(())
}

/// Removes what was added for entries that are gone.
fn remove<S: Sink>(
    sink: &mut S,
    key: &[u8],
    stream: &Stream,
    gone: &BTreeSet<Id>,
) -> io::Result<()> {
    let first = stream.first().unwrap_or(Id::MAX);
    if gone.first().is_some_and(|id| *id < first) {
        let out = sink.buffer();
        put_head(out, 4);
        put(out, b"XTRIM");
        put(out, key);
        if stream.is_empty() {
            put(out, b"MAXLEN");
            put(out, b"0");
        } else {
            put(out, b"MINID");
            put_id(out, first);
        }
        relieve(sink)?;
    }
    let deleted = gone.range(first..);
    let head = Head::new(b"XDEL", key, 1);
    write_items(sink, &head, deleted.clone().count(), deleted, |out, id| {
        put_id(out, *id);
    })
}
