//! Lists, sets, hashes and sorted sets: what is small as one packed form, what is big element by element.

use std::io;

use dunlin_store::Deadlines;
use dunlin_store::hash_value::HashRef;
use dunlin_store::list::{self, ListRef};
use dunlin_store::set::SetRef;
use dunlin_store::zset::ZSetRef;
use dunlin_structures::packed::{self, Element};

use super::listpack::{FRAME_BYTES, Listpack, element_bytes_max};
use crate::rdb::put::{put_element, put_length, put_string, put_text, with_listpack_room};
use crate::rdb::sink::{Sink, relieve};
use crate::rdb::types::quicklist;

/// Bytes of a list's node, if it has more than one element: what `list-max-listpack-size -2` allows.
const NODE_BYTES_MAX: usize = 8 * 1024;
/// Elements above this stand alone and not in a listpack, which has an end at 4 GiB.
const PACKED_ELEMENT_BYTES_MAX: usize = 1 << 30;
/// Integers up to this, either way, are doubles without loss.
const WHOLE_SCORE_MAX: f64 = (1u64 << 53) as f64;

/// Appends a collection as one listpack.
pub(super) fn put_listpack(
    out: &mut Vec<u8>,
    compress: bool,
    fill: impl FnOnce(&mut Listpack<'_>),
) {
    with_listpack_room(|room| {
        let mut listpack = Listpack::begin(room);
        fill(&mut listpack);
        listpack.finish();
        put_text(out, room, compress);
    });
}

/// A list as nodes.
pub(super) fn write_list<S: Sink>(
    sink: &mut S,
    list: ListRef<'_>,
    compress: bool,
) -> io::Result<()> {
    match list {
        ListRef::Packed(elements, _) => {
            let out = sink.buffer();
            put_length(out, 1);
            put_length(out, quicklist::PACKED);
            put_listpack(out, compress, |listpack| {
                packed::iter(elements).for_each(|element| listpack.push(element));
            });
            Ok(())
        }
        ListRef::Big(tree) => {
            // The number of nodes comes first.
            let mut nodes = Nodes::default();
            let starts = tree.iter().filter(|(_, text)| nodes.starts(text.len()));
            put_length(sink.buffer(), starts.count() as u64);
            with_listpack_room(|room| write_nodes(sink, room, list.iter(), compress))
        }
    }
}

/// Where the nodes of a list begin.
#[derive(Default)]
struct Nodes {
    /// Bytes of the last one.
    bytes: usize,
}

impl Nodes {
    /// Whether the next element, of so many bytes, begins a node.
    #[inline]
    fn starts(&mut self, text: usize) -> bool {
        let more = element_bytes_max(text);
        let starts = self.bytes == 0 || self.bytes + more > NODE_BYTES_MAX;
        if starts {
            self.bytes = FRAME_BYTES;
        }
        self.bytes += more;
        starts
    }
}

fn write_nodes<S: Sink>(
    sink: &mut S,
    room: &mut Vec<u8>,
    elements: list::Iter<'_>,
    compress: bool,
) -> io::Result<()> {
    let mut nodes = Nodes::default();
    let mut listpack = Listpack::begin(room);
    for element in elements {
        let Element::Bytes(text) = element else {
            unreachable!("a big list has texts");
        };
        if nodes.starts(text.len()) && listpack.count() > 0 {
            listpack.finish();
            write_node(sink, room, compress)?;
            room.clear();
            listpack = Listpack::begin(room);
        }
        if text.len() > PACKED_ELEMENT_BYTES_MAX {
            put_length(sink.buffer(), quicklist::PLAIN);
            put_text(sink.buffer(), text, compress);
            relieve(sink)?;
        } else {
            listpack.push_text(text);
        }
    }
    if listpack.count() > 0 {
        listpack.finish();
        write_node(sink, room, compress)?;
    }
    Ok(())
}

fn write_node<S: Sink>(sink: &mut S, listpack: &[u8], compress: bool) -> io::Result<()> {
    put_length(sink.buffer(), quicklist::PACKED);
    put_text(sink.buffer(), listpack, compress);
    relieve(sink)
}

/// A set: integers as such, a packed one as a listpack where the version has that, else member by member.
pub(super) fn write_set<S: Sink>(
    sink: &mut S,
    set: SetRef<'_>,
    is_listpack: bool,
    compress: bool,
) -> io::Result<()> {
    match set {
        SetRef::Ints(ints) => {
            let out = sink.buffer();
            with_listpack_room(|room| {
                // The same numbers behind another head.
                room.extend_from_slice(&(ints.width() as u32).to_le_bytes());
                let count = u32::try_from(ints.len()).expect("64 KiB hold fewer");
                room.extend_from_slice(&count.to_le_bytes());
                room.extend_from_slice(ints.bytes());
                put_text(out, room, compress);
            });
        }
        SetRef::Packed(list) if is_listpack => put_listpack(sink.buffer(), compress, |listpack| {
            packed::iter(list).for_each(|member| listpack.push(member));
        }),
        SetRef::Packed(list) => {
            put_length(sink.buffer(), packed::count(list) as u64);
            for member in packed::iter(list) {
                put_element(sink.buffer(), member, compress);
            }
        }
        SetRef::Big(tree) => {
            put_length(sink.buffer(), tree.len() as u64);
            for (_, member) in tree.iter() {
                put_string(sink.buffer(), member, compress);
                relieve(sink)?;
            }
        }
    }
    Ok(())
}

/// A hash without deadlines of fields.
pub(super) fn write_hash<S: Sink>(
    sink: &mut S,
    hash: HashRef<'_>,
    compress: bool,
) -> io::Result<()> {
    if matches!(hash, HashRef::Packed(..)) {
        put_listpack(sink.buffer(), compress, |listpack| {
            for (field, value) in hash.iter() {
                listpack.push(field);
                listpack.push(value);
            }
        });
        return Ok(());
    }
    put_length(sink.buffer(), hash.len() as u64);
    for (field, value) in hash.iter() {
        put_element(sink.buffer(), field, compress);
        put_element(sink.buffer(), value, compress);
        relieve(sink)?;
    }
    Ok(())
}

/// A hash with deadlines of fields: the first deadline, then the fields.
pub(super) fn write_timed_hash<S: Sink>(
    sink: &mut S,
    deadlines: Deadlines<'_>,
    compress: bool,
) -> io::Result<()> {
    let first = deadlines
        .first_of_fields()
        .expect("who has none is written as another type");
    sink.buffer().extend_from_slice(&first.to_le_bytes());
    if matches!(deadlines, Deadlines::Packed(_)) {
        let mut fields: Vec<_> = deadlines.fields().collect();
        // Readers rely on this order: the first that is due first, those without deadlines last.
        fields.sort_by_key(|(_, _, at)| at.unwrap_or(u64::MAX));
        put_listpack(sink.buffer(), compress, |listpack| {
            for (field, value, at) in fields {
                listpack.push(field);
                listpack.push(value);
                listpack.push_int(at.unwrap_or(0) as i64);
            }
        });
        return Ok(());
    }
    put_length(sink.buffer(), deadlines.len() as u64);
    for (field, value, at) in deadlines.fields() {
        let out = sink.buffer();
        // Counted from one before the first, so that 0 means none.
        put_length(out, at.map_or(0, |at| at - first + 1));
        put_element(out, field, compress);
        put_element(out, value, compress);
        relieve(sink)?;
    }
    Ok(())
}

/// A sorted set.
pub(super) fn write_zset<S: Sink>(
    sink: &mut S,
    zset: ZSetRef<'_>,
    compress: bool,
) -> io::Result<()> {
    if matches!(zset, ZSetRef::Packed(_)) {
        put_listpack(sink.buffer(), compress, |listpack| {
            for (member, score) in zset.iter() {
                listpack.push(member);
                push_score(listpack, score);
            }
        });
        return Ok(());
    }
    put_length(sink.buffer(), zset.len() as u64);
    // From the highest on: redis-server inserts each before all others then, which is quick.
    for (member, score) in zset.iter().rev() {
        put_element(sink.buffer(), member, compress);
        sink.buffer().extend_from_slice(&score.to_le_bytes());
        relieve(sink)?;
    }
    Ok(())
}

fn push_score(listpack: &mut Listpack<'_>, score: f64) {
    if score.fract() == 0.0 && score.abs() <= WHOLE_SCORE_MAX {
        listpack.push_int(score as i64);
    } else if score.is_infinite() {
        listpack.push_bytes(if score > 0.0 { b"inf" } else { b"-inf" });
    } else {
        listpack.push_bytes(zmij::Buffer::new().format_finite(score).as_bytes());
    }
}
