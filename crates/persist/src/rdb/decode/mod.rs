//! From the bytes of a value to the value, in the form that the limits ask for.
//!
//! Whatever the encoding was, its elements become one packed list ([`elements`]), and the store builds the value of that in one go.
//!
//! **Invariant.** A value that is not consistent, in any byte, is refused: what comes out is what Redis could have written. Nothing is
//! allocated but in proportion to bytes that are there.

mod elements;
mod hash;
mod list;
mod listpack;
mod set;
mod stream;
mod string;
mod ziplist;
mod zset;

use dunlin_store::hash_value::HashLimits;
use dunlin_store::list::Fill;
use dunlin_store::stream::BlockLimits;
use dunlin_store::zset::edit;
use dunlin_store::{Entry, KeyHasher, set as store_set};

use super::cursor::{Cursor, Fault, Take};
use super::types::kind;
use crate::Error;
use elements::Elements;

/// What values are built by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Hashes members and fields.
    pub hasher: &'a KeyHasher,
    /// Limits of packed hashes.
    pub hash: HashLimits,
    /// Limits of sets in the entry.
    pub set: store_set::Limits,
    /// Most members of a packed sorted set.
    pub zset_entries: usize,
    /// Longest member of a packed sorted set.
    pub zset_value_bytes: usize,
    /// What a packed list may hold.
    pub list: Fill,
    /// When a block of a stream is full.
    pub blocks: BlockLimits,
    /// Access clock of the entries.
    pub clock: u32,
    /// Fields whose deadline is not after this are left out; milliseconds since 1970.
    pub now_ms: u64,
}

impl<'a> Rules<'a> {
    fn zset(&self) -> edit::Rules<'a> {
        edit::Rules {
            hasher: self.hasher,
            entries: self.zset_entries,
            value_bytes: self.zset_value_bytes,
        }
    }
}

/// What a value's bytes are.
#[derive(Debug)]
pub(super) enum Decoded {
    /// A value.
    Entry(Entry),
    /// A collection of nothing.
    Empty,
    /// A hash all of whose fields are past their deadlines.
    Expired,
}

/// The entry, without deadline of its key, that a value's bytes stand for; `None` for a collection without elements, which no key may hold,
/// or whose fields are all past their deadlines. `offset` is where the bytes stand in the file.
pub fn decode(
    kind: u8,
    value: &[u8],
    key: &[u8],
    offset: u64,
    rules: &Rules<'_>,
) -> Result<Option<Entry>, Error> {
    Ok(match decoded(kind, value, key, offset, rules)? {
        Decoded::Entry(entry) => Some(entry),
        Decoded::Empty | Decoded::Expired => None,
    })
}

/// The same, telling why there is nothing.
pub(super) fn decoded(
    kind: u8,
    value: &[u8],
    key: &[u8],
    offset: u64,
    rules: &Rules<'_>,
) -> Result<Decoded, Error> {
    let mut cursor = Cursor::new(value);
    let value_of = Value {
        kind,
        key,
        rules,
        bytes: value.len(),
    };
    let decoded = value_of.read(&mut cursor).and_then(|decoded| {
        if cursor.left() > 0 {
            return Err(Fault::bad(cursor.at(), "bytes behind the end of a value"));
        }
        Ok(decoded)
    });
    decoded.map_err(|fault| fault.into_error(offset, value.len()))
}

/// A value that is being read.
struct Value<'a> {
    kind: u8,
    key: &'a [u8],
    rules: &'a Rules<'a>,
    /// Bytes of the value.
    bytes: usize,
}

impl Value<'_> {
    fn read(&self, cursor: &mut Cursor<'_>) -> Take<Decoded> {
        match self.kind {
            kind::STRING => string::read(self, cursor),
            kind::LIST | kind::LIST_ZIPLIST | kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
                list::read(self, cursor)
            }
            kind::SET | kind::SET_INTSET | kind::SET_LISTPACK => set::read(self, cursor),
            kind::ZSET | kind::ZSET_2 | kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => {
                zset::read(self, cursor)
            }
            kind::HASH | kind::HASH_ZIPMAP | kind::HASH_ZIPLIST | kind::HASH_LISTPACK => {
                hash::read(self, cursor)
            }
            kind::HASH_METADATA
            | kind::HASH_METADATA_PRE_GA
            | kind::HASH_LISTPACK_EX
            | kind::HASH_LISTPACK_EX_PRE_GA
            | kind::HASH_VALKEY => hash::read_timed(self, cursor),
            kind::STREAM_LISTPACKS => stream::read(self, cursor, 1),
            kind::STREAM_LISTPACKS_2 => stream::read(self, cursor, 2),
            kind::STREAM_LISTPACKS_3 => stream::read(self, cursor, 3),
            // Modules and what is no type.
            other => super::extent::skip(other, cursor).map(|()| Decoded::Empty),
        }
    }

    /// What a bulk builder is given. `longest`: whether the limit of an element's length counts, which Redis does not ask of values that come
    /// packed.
    fn parts<'p>(&'p self, elements: &'p Elements, longest: bool) -> dunlin_store::bulk::Parts<'p> {
        dunlin_store::bulk::Parts {
            key: self.key,
            list: &elements.list,
            count: elements.count,
            text_bytes: elements.text_bytes,
            longest: if longest { elements.longest } else { 0 },
            clock: self.rules.clock,
        }
    }

    /// The elements of a value that is one listpack or another piece, read by `read`.
    fn packed(
        &self,
        cursor: &mut Cursor<'_>,
        read: impl FnOnce(&[u8], &mut Elements) -> Take<()>,
    ) -> Take<Elements> {
        let mut room = Vec::new();
        let (bytes, at) = elements::blob(cursor, &mut room, "a packed value")?;
        let mut elements = Elements::with_room(bytes.len() + bytes.len() / 4);
        let what = piece_name(self.kind);
        within(bytes, at, what, |bytes| read(bytes, &mut elements))?;
        Ok(elements)
    }

    fn entry(&self, entry: Option<Entry>) -> Take<Decoded> {
        let twice = || {
            let name = piece_name(self.kind);
            let form = name.rsplit(' ').next().unwrap_or(name);
            let what = format!("{name} integrity check failed: {form} with dup elements");
            Fault::bad(0, what)
        };
        entry.map(Decoded::Entry).ok_or_else(twice)
    }
}

/// Reads bytes inside a value, which begin at `at` there and are complete: that they end too early is a fault of theirs. `what` they are is
/// told as Redis tells it.
fn within<T>(
    bytes: &[u8],
    at: usize,
    what: &'static str,
    read: impl FnOnce(&[u8]) -> Take<T>,
) -> Take<T> {
    read(bytes).map_err(|fault| match fault {
        Fault::Short { what: inner, .. } => Fault::bad(
            at,
            format!("{what} integrity check failed: {inner} that ends too early"),
        ),
        // Compressed, there is no such place.
        Fault::Bad { what: inner, .. } => {
            Fault::bad(at, format!("{what} integrity check failed: {inner}"))
        }
        unknown => unknown,
    })
}

/// What a value that comes in one piece is.
fn piece_name(kind: u8) -> &'static str {
    match kind {
        kind::HASH_ZIPMAP => "Zipmap",
        kind::HASH_ZIPLIST => "Hash ziplist",
        kind::LIST_ZIPLIST => "List ziplist",
        kind::ZSET_ZIPLIST => "Zset ziplist",
        kind::ZSET_LISTPACK => "Zset listpack",
        kind::SET_LISTPACK => "Set listpack",
        kind::SET_INTSET => "Intset",
        kind::HASH_LISTPACK | kind::HASH_LISTPACK_EX | kind::HASH_LISTPACK_EX_PRE_GA => {
            "Hash listpack"
        }
        kind::SET => "Set",
        kind::ZSET | kind::ZSET_2 => "Zset",
        _ => "Hash",
    }
}
