//! Streams: nodes of entries, then the numbers of the stream, then groups with consumers and what is pending.
//!
//! ```text
//! node     id that the others are counted from | listpack
//! listpack entries, deleted ones, fields, names..., 0 | entry | entry ...
//! entry    flags, ms behind the node's, seq behind the node's, values..., elements before this
//!          or flags, ms, seq, fields, names and values in turns, elements before this
//! ```
//!
//! One node for each block of ours.

use std::io;

use dunlin_store::stream::{BlockRef, Group, Id, Stream, StreamEntry};

use super::collections::put_listpack;
use crate::rdb::put::{put_length, put_plain};
use crate::rdb::sink::{Sink, relieve};

/// The entry has the node's names.
const SAME_FIELDS: i64 = 2;
/// Elements of an entry before its fields: flags and the two parts of its id.
const FIXED_ELEMENTS: usize = 3;
/// For the number of entries that a group was given: it is not known.
const ENTRIES_READ_UNKNOWN: i64 = -1;
/// For the time when a consumer got something: never.
const NEVER: i64 = -1;

/// A stream; `active_times` since Redis 7.2.
pub(super) fn write_stream<S: Sink>(
    sink: &mut S,
    stream: &Stream,
    active_times: bool,
    compress: bool,
) -> io::Result<()> {
    put_length(sink.buffer(), stream.block_count() as u64);
    for block in stream.blocks() {
        let out = sink.buffer();
        put_plain(out, &raw_id(block.base()));
        put_block(out, block, compress);
        relieve(sink)?;
    }
    let out = sink.buffer();
    put_length(out, stream.len());
    put_id(out, stream.last_id());
    put_id(out, stream.first().unwrap_or(Id::MIN));
    put_id(out, stream.max_deleted_id());
    put_length(out, stream.entries_added());
    put_length(out, stream.groups().len() as u64);
    for group in stream.groups() {
        write_group(sink, group, active_times)?;
    }
    Ok(())
}

fn raw_id(id: Id) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_length(out, id.ms);
    put_length(out, id.seq);
}

fn put_block(out: &mut Vec<u8>, block: BlockRef<'_>, compress: bool) {
    put_listpack(out, compress, |listpack| {
        listpack.push_int(block.len() as i64);
        // What was removed is not written.
        listpack.push_int(0);
        listpack.push_int(block.names().len() as i64);
        block.names().for_each(|name| listpack.push(name));
        listpack.push_int(0);
        for entry in block.entries() {
            let StreamEntry { id, .. } = entry;
            let pairs = entry.pairs();
            let (fields, same) = (pairs.len(), entry.has_block_names());
            listpack.push_int(if same { SAME_FIELDS } else { 0 });
            listpack.push_int(id.ms.wrapping_sub(block.base().ms) as i64);
            listpack.push_int(id.seq.wrapping_sub(block.base().seq) as i64);
            if !same {
                listpack.push_int(fields as i64);
            }
            for (name, value) in pairs {
                if !same {
                    listpack.push(name);
                }
                listpack.push(value);
            }
            let elements = if same { fields } else { 2 * fields + 1 };
            listpack.push_int((FIXED_ELEMENTS + elements) as i64);
        }
    });
}

fn write_group<S: Sink>(sink: &mut S, group: &Group, active_times: bool) -> io::Result<()> {
    let out = sink.buffer();
    put_plain(out, group.name());
    put_id(out, group.last_id);
    put_length(
        out,
        group.entries_read.unwrap_or(ENTRIES_READ_UNKNOWN) as u64,
    );
    put_length(out, group.pending_len() as u64);
    for pending in group.pending_from(Id::MIN) {
        let out = sink.buffer();
        out.extend_from_slice(&raw_id(pending.id));
        out.extend_from_slice(&pending.delivered_ms.to_le_bytes());
        put_length(out, pending.deliveries);
        relieve(sink)?;
    }
    put_length(sink.buffer(), group.consumers_len() as u64);
    for consumer in group.consumers() {
        let out = sink.buffer();
        put_plain(out, consumer.name());
        out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
        if active_times {
            let active = consumer.active_ms.map_or(NEVER, |at| at as i64);
            out.extend_from_slice(&active.to_le_bytes());
        }
        put_length(out, consumer.pending_len() as u64);
        for id in consumer.pending_from(Id::MIN) {
            sink.buffer().extend_from_slice(&raw_id(id));
            relieve(sink)?;
        }
    }
    Ok(())
}
