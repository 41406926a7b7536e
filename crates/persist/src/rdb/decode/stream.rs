//! Streams: listpacks of entries, then the stream's own facts, then its groups with what is pending.
//!
//! ```text
//! listpack  entries, removed ones, number of names, names, 0 | entry | ...        its key: the id that others are counted from
//! entry     flags, ms and seq behind that id, then values, of the listpack's names; or number of fields, names and values in turns; elements
//! ```

use dunlin_store::stream::{self, ConsumerNumber, Group, Id, Pending, Stream};
use dunlin_structures::packed::{self, Element};

use super::super::cursor::{Cursor, Fault, Take};
use super::super::extent::ID_BYTES;
use super::{Decoded, Elements, Value, elements, listpack, within};

/// Flag of an entry that was removed.
const REMOVED: i64 = 1;
/// Flag of an entry whose names are the listpack's.
const SAME_NAMES: i64 = 2;
/// Elements of an entry beside names and values: flags, id.
const FRAME: usize = 3;
/// Names and values of all entries may come to so many times the bytes of the value, since names that entries share stand there once; and to
/// [`EXPANSION_BYTES`] beside.
const EXPANSION_MAX: usize = 128;
/// See [`EXPANSION_MAX`].
const EXPANSION_BYTES: usize = 16 << 20;

/// Reads a stream in its form of this generation.
pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>, generation: u8) -> Take<Decoded> {
    let mut stream = Stream::new();
    let mut room = Vec::new();
    let mut elements = Elements::default();
    let mut nodes = Nodes::default();
    for _ in 0..cursor.length("a stream")? {
        let at = cursor.at();
        let (key, _) = elements::blob(cursor, &mut room, "the first id of a listpack")?;
        let base = id_of_key(key, at)?;
        let (bytes, at) = elements::blob(cursor, &mut room, "a listpack of a stream")?;
        elements.list.clear();
        elements.count = 0;
        within(bytes, at, "Stream listpack", |bytes| {
            listpack::read(bytes, &mut elements)?;
            nodes.append(&elements, base, &mut stream, value)
        })?;
    }
    let at = cursor.at();
    let len = cursor.length("the length of a stream")?;
    let last_id = id(cursor)?;
    let (max_deleted_id, entries_added) = if generation >= 2 {
        // The first entry says that itself.
        id(cursor)?;
        (id(cursor)?, cursor.length("the entries added to a stream")?)
    } else {
        (Id::MIN, len)
    };
    if len != stream.len() {
        return Err(Fault::bad(
            at,
            "a stream of another number of entries than it claims",
        ));
    }
    if stream.last().is_some_and(|last| last > last_id) {
        return Err(Fault::bad(at, "a stream with an entry behind its last id"));
    }
    stream.set_id(last_id, Some(entries_added), Some(max_deleted_id));
    let mut last_name = Vec::new();
    for place in 0..cursor.length("the groups of a stream")? {
        let at = cursor.at();
        let name = read_group(cursor, generation, &mut stream)?;
        // Which is their order in Redis, and adding one before others takes time.
        if place > 0 && name <= last_name {
            return Err(Fault::bad(at, "a stream whose groups do not ascend"));
        }
        last_name = name;
    }
    let stream = stream::entry(value.key, Box::new(stream), value.rules.clock);
    Ok(Decoded::Entry(stream))
}

fn id(cursor: &mut Cursor<'_>) -> Take<Id> {
    const WHAT: &str = "an id of a stream";
    Ok(Id::new(cursor.length(WHAT)?, cursor.length(WHAT)?))
}

fn raw_id(cursor: &mut Cursor<'_>) -> Take<Id> {
    const WHAT: &str = "the id of a pending entry";
    Ok(Id::new(
        cursor.u64_big_endian(WHAT)?,
        cursor.u64_big_endian(WHAT)?,
    ))
}

fn id_of_key(key: &[u8], at: usize) -> Take<Id> {
    if key.len() != ID_BYTES {
        return Err(Fault::bad(at, "a listpack of a stream without a first id"));
    }
    raw_id(&mut Cursor::new(key))
}

/// The entries of listpacks, one after the other.
#[derive(Debug, Default)]
struct Nodes {
    /// Texts of an entry's names and values, and where each ends.
    texts: Vec<u8>,
    ends: Vec<(usize, usize)>,
    /// Bytes of the names and values of all entries so far.
    expanded: usize,
}

impl Nodes {
    fn append(
        &mut self,
        elements: &Elements,
        base: Id,
        stream: &mut Stream,
        value: &Value<'_>,
    ) -> Take<()> {
        let mut node = Node {
            elements: elements.iter(),
        };
        let (live, removed) = (node.count()?, node.count()?);
        let names_len = node.count()?;
        let names = node.elements.clone();
        for _ in 0..names_len {
            node.element()?;
        }
        if node.number()? != 0 {
            return Err(node.fault("a listpack of a stream whose names do not end"));
        }
        let (mut seen_live, mut seen_removed) = (0, 0);
        while node.elements.position() < node.elements.end_position() {
            let flags = node.number()?;
            // Counted with sign, and modulo 2^64.
            let ms = base.ms.wrapping_add(node.number()? as u64);
            let seq = base.seq.wrapping_add(node.number()? as u64);
            let has_names = flags & SAME_NAMES == 0;
            let (fields, told) = if has_names {
                let fields = node.count()?;
                (fields, fields.saturating_mul(2).saturating_add(FRAME + 1))
            } else {
                (names_len, names_len.saturating_add(FRAME))
            };
            self.texts.clear();
            self.ends.clear();
            let mut shared = names.clone();
            for _ in 0..fields {
                let name = if has_names {
                    node.element()?
                } else {
                    shared
                        .next()
                        .ok_or_else(|| node.fault("a stream's entry without names"))?
                };
                name.with_text(|text| self.texts.extend_from_slice(text));
                let middle = self.texts.len();
                node.element()?
                    .with_text(|text| self.texts.extend_from_slice(text));
                self.ends.push((middle, self.texts.len()));
            }
            if node.count()? != told {
                return Err(node.fault("a stream's entry of another length than it claims"));
            }
            self.expanded += self.texts.len();
            if self.expanded > EXPANSION_MAX.saturating_mul(value.bytes) + EXPANSION_BYTES {
                return Err(node.fault("a stream whose entries share names that are far too long"));
            }
            if flags & REMOVED != 0 {
                seen_removed += 1;
                continue;
            }
            seen_live += 1;
            let id = Id::new(ms, seq);
            if id <= stream.last_id() {
                return Err(node.fault("a stream whose ids do not ascend"));
            }
            stream.append(id, self.pairs(), value.rules.blocks);
        }
        if (seen_live, seen_removed) != (live, removed) {
            return Err(
                node.fault("a listpack of a stream of another number of entries than it claims")
            );
        }
        Ok(())
    }

    fn pairs(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.ends.iter().enumerate().map(|(place, (middle, end))| {
            let start = place.checked_sub(1).map_or(0, |before| self.ends[before].1);
            (&self.texts[start..*middle], &self.texts[*middle..*end])
        })
    }
}

/// A listpack of a stream, read element by element.
struct Node<'a> {
    elements: packed::Iter<'a>,
}

impl<'a> Node<'a> {
    #[cold]
    fn fault(&self, what: &'static str) -> Fault {
        Fault::bad(0, what)
    }

    fn element(&mut self) -> Take<Element<'a>> {
        let element = self.elements.next();
        element.ok_or_else(|| self.fault("a listpack of a stream that ends too early"))
    }

    fn number(&mut self) -> Take<i64> {
        match self.element()? {
            Element::Int(n) => Ok(n),
            Element::Bytes(_) => Err(self.fault("a text where a stream has a number")),
        }
    }

    fn count(&mut self) -> Take<usize> {
        let number = self.number()?;
        usize::try_from(number).map_err(|_| self.fault("a negative number of a stream's entries"))
    }
}

/// What is pending in a group, before it is known with whom.
struct Unowned {
    id: Id,
    delivered_ms: u64,
    deliveries: u64,
    owner: Option<ConsumerNumber>,
}

/// Reads a group, and gives its name.
fn read_group(cursor: &mut Cursor<'_>, generation: u8, stream: &mut Stream) -> Take<Vec<u8>> {
    let at = cursor.at();
    let mut room = Vec::new();
    let (name, _) = elements::blob(cursor, &mut room, "the name of a group")?;
    let last_id = id(cursor)?;
    let entries_read = if generation >= 2 {
        let read = cursor.length("the entries that a group has read")? as i64;
        (read >= 0).then_some(read)
    } else {
        stream.progress().entries_up_to(last_id)
    };
    if !stream.add_group(name, last_id, entries_read) {
        return Err(Fault::bad(at, "a stream with two groups of one name"));
    }
    let mut pending = read_pending(cursor)?;
    let group = stream.group_mut(name).expect("just added");
    let mut last_consumer = Vec::new();
    for place in 0..cursor.length("the consumers of a group")? {
        let at = cursor.at();
        let consumer = read_consumer(cursor, generation, group, &mut pending)?;
        if place > 0 && consumer <= last_consumer {
            return Err(Fault::bad(at, "a group whose consumers do not ascend"));
        }
        last_consumer = consumer;
    }
    for unowned in pending {
        let Some(consumer) = unowned.owner else {
            return Err(Fault::bad(at, "an entry pending with nobody"));
        };
        group.assign(Pending {
            id: unowned.id,
            delivered_ms: unowned.delivered_ms,
            deliveries: unowned.deliveries,
            consumer,
        });
    }
    Ok(name.to_vec())
}

/// Reads a consumer and what is pending with it, and gives its name.
fn read_consumer(
    cursor: &mut Cursor<'_>,
    generation: u8,
    group: &mut Group,
    pending: &mut [Unowned],
) -> Take<Vec<u8>> {
    let at = cursor.at();
    let mut room = Vec::new();
    let (name, _) = elements::blob(cursor, &mut room, "the name of a consumer")?;
    let Some(number) = group.add_consumer(name, 0) else {
        return Err(Fault::bad(at, "Duplicate stream consumer detected"));
    };
    let seen_ms = time(cursor)?;
    let active_ms = if generation >= 3 {
        time(cursor)?
    } else {
        seen_ms
    };
    let consumer = group.consumer_mut(number);
    consumer.seen_ms = seen_ms.unwrap_or(0);
    consumer.active_ms = active_ms;
    for _ in 0..cursor.length("the pending entries of a consumer")? {
        let at = cursor.at();
        let id = raw_id(cursor)?;
        let found = pending.binary_search_by_key(&id, |pending| pending.id);
        let Some(pending) = found.ok().map(|place| &mut pending[place]) else {
            return Err(Fault::bad(at, "an entry pending with a consumer only"));
        };
        if pending.owner.replace(number).is_some() {
            return Err(Fault::bad(
                at,
                "Stream consumer PEL entry already has a consumer assigned",
            ));
        }
    }
    Ok(name.to_vec())
}

/// The entries pending in a group, in the order of their ids.
fn read_pending(cursor: &mut Cursor<'_>) -> Take<Vec<Unowned>> {
    let at = cursor.at();
    let mut pending = Vec::new();
    for _ in 0..cursor.length("the pending entries of a group")? {
        pending.push(Unowned {
            id: raw_id(cursor)?,
            delivered_ms: time(cursor)?.unwrap_or(0),
            deliveries: cursor.length("a pending entry")?,
            owner: None,
        });
    }
    pending.sort_unstable_by_key(|pending| pending.id);
    if !pending.is_sorted_by(|a, b| a.id < b.id) {
        return Err(Fault::bad(at, "an entry pending twice"));
    }
    Ok(pending)
}

/// A time; `None` for those before 1970, as -1 for never.
fn time(cursor: &mut Cursor<'_>) -> Take<Option<u64>> {
    let ms = cursor.u64("a time")? as i64;
    Ok(u64::try_from(ms).ok())
}
