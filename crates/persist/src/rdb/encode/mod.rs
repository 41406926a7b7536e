//! Values as dump files hold them: the types that redis-server of the wanted version loads, small collections as its packed forms.
//!
//! Invariant: what is written depends on the value, the version and whether strings are compressed alone, and passes through the
//! sink's buffer piece by piece, so that no long collection is in memory twice.

mod collections;
mod listpack;
mod streams;

use std::io;

use dunlin_store::hash_value::HashRef;
use dunlin_store::list::ListRef;
use dunlin_store::set::SetRef;
use dunlin_store::zset::ZSetRef;
use dunlin_store::{Entry, Kind, stream};

use super::put::write_string;
use super::sink::Sink;
use super::types::{VERSION_FIELD_DEADLINES, VERSION_REDIS_7_2, kind};

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Version of the format: 10 (Redis 7.0), 11 (7.2), 12 (7.4).
    pub version: u16,
    /// Whether strings are compressed where that is shorter (`rdbcompression`).
    pub compress: bool,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        EncodeOptions {
            version: VERSION_REDIS_7_2,
            compress: true,
        }
    }
}

/// Why a value was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink failed.
    #[error("writing failed: {0}")]
    Io(#[from] io::Error),
    /// The version can't hold deadlines of fields.
    #[error(
        "the hash '{}' has fields with deadlines, which RDB version {version} cannot hold; version 12 (Redis 7.4) can",
        key.escape_ascii()
    )]
    NeedsFieldDeadlines {
        /// The hash's key.
        key: Box<[u8]>,
        /// The version that was wanted.
        version: u16,
    },
}

/// The version that a value needs where it is above the wanted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsFieldDeadlines;

/// The type that a value is written as. O(fields) for a packed hash that may have deadlines of fields, else O(1).
///
/// # Errors
/// If the version does not have what the value needs.
pub fn kind_of(entry: &Entry, version: u16) -> Result<u8, NeedsFieldDeadlines> {
    Ok(match entry.kind() {
        Kind::Int | Kind::Embstr | Kind::Raw | Kind::Chunked => kind::STRING,
        Kind::ListPacked | Kind::List => kind::LIST_QUICKLIST_2,
        Kind::SetInts => kind::SET_INTSET,
        Kind::SetPacked if version >= VERSION_REDIS_7_2 => kind::SET_LISTPACK,
        Kind::SetPacked | Kind::Set => kind::SET,
        Kind::ZSetPacked => kind::ZSET_LISTPACK,
        Kind::ZSet => kind::ZSET_2,
        Kind::HashPacked => kind::HASH_LISTPACK,
        Kind::Hash => kind::HASH,
        Kind::HashPackedTimed if !has_deadlines(entry) => kind::HASH_LISTPACK,
        Kind::HashTimed if !has_deadlines(entry) => kind::HASH,
        Kind::HashPackedTimed | Kind::HashTimed if version < VERSION_FIELD_DEADLINES => {
            return Err(NeedsFieldDeadlines);
        }
        Kind::HashPackedTimed => kind::HASH_LISTPACK_EX,
        Kind::HashTimed => kind::HASH_METADATA,
        Kind::Stream if version < VERSION_REDIS_7_2 => kind::STREAM_LISTPACKS_2,
        Kind::Stream => kind::STREAM_LISTPACKS_3,
    })
}

/// Whether a field has a deadline.
fn has_deadlines(entry: &Entry) -> bool {
    let deadlines = entry.timed();
    deadlines.is_some_and(|deadlines| deadlines.first_of_fields().is_some())
}

/// Writes a value, whose type is that of [`kind_of`].
///
/// # Errors
/// If the sink fails, or the version does not have what the value needs: nothing is written then.
pub fn encode<S: Sink>(
    entry: &Entry,
    sink: &mut S,
    options: &EncodeOptions,
) -> Result<(), WriteError> {
    let kind = checked_kind(entry, options)?;
    Ok(encode_as(kind, entry, sink, options)?)
}

/// [`kind_of`], its error as who writes wants it.
pub(super) fn checked_kind(entry: &Entry, options: &EncodeOptions) -> Result<u8, WriteError> {
    kind_of(entry, options.version).map_err(|NeedsFieldDeadlines| WriteError::NeedsFieldDeadlines {
        key: entry.key().into(),
        version: options.version,
    })
}

/// Writes a value as the type that it has.
pub(super) fn encode_as<S: Sink>(
    kind: u8,
    entry: &Entry,
    sink: &mut S,
    options: &EncodeOptions,
) -> io::Result<()> {
    let compress = options.compress;
    if let Some(text) = entry.as_string() {
        return write_string(sink, text, compress);
    }
    match kind {
        kind::HASH_LISTPACK_EX | kind::HASH_METADATA => {
            let deadlines = entry.timed().expect("a hash with deadlines");
            return collections::write_timed_hash(sink, deadlines, compress);
        }
        _ => {}
    }
    if let Some(hash) = HashRef::of(entry) {
        collections::write_hash(sink, hash, compress)
    } else if let Some(list) = ListRef::of(entry) {
        collections::write_list(sink, list, compress)
    } else if let Some(set) = SetRef::of(entry) {
        collections::write_set(sink, set, kind == kind::SET_LISTPACK, compress)
    } else if let Some(zset) = ZSetRef::of(entry) {
        collections::write_zset(sink, zset, compress)
    } else {
        let stream = stream::of(entry).expect("there is no further type");
        streams::write_stream(sink, stream, kind == kind::STREAM_LISTPACKS_3, compress)
    }
}
