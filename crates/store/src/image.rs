//! Values frozen at one moment: what undo, COPY and long reads stand on.
//!
//! Invariant: an image of a chunked string or of a big collection costs one reference, whatever its size.

use std::sync::Arc;

use crate::big::Big;
use crate::chunked::Chunked;
use crate::entry::{Entry, Kind, NewString, StrRef};
use crate::hash_value;

impl Entry {
    /// The value as it is now, for ever: later changes of the entry don't show in it. O(1) for chunked values, a copy
    /// of at most [`crate::entry::INLINE_BYTES_MAX`] bytes else.
    pub fn image(&self) -> Image {
        let value = match self.as_string() {
            Some(StrRef::Int(n)) => ValueImage::Int(n),
            Some(StrRef::Bytes(b)) => ValueImage::Inline(self.kind() == Kind::Embstr, b.into()),
            Some(StrRef::Chunked(_)) => ValueImage::Chunked(self.chunked_arc()),
            None => match self.big() {
                Some(big) => ValueImage::Big(big.clone()),
                None => ValueImage::Packed(self.kind(), self.value_bytes().into()),
            },
        };
        Image {
            value,
            deadline: self.deadline(),
            clock: self.clock(),
        }
    }
}

/// A value frozen at one moment, with deadline and clock.
#[derive(Clone, Debug)]
pub struct Image {
    value: ValueImage,
    deadline: Option<u64>,
    clock: u32,
}

#[derive(Clone, Debug)]
enum ValueImage {
    Int(i64),
    Inline(bool, Box<[u8]>),
    Chunked(Arc<Chunked>),
    Packed(Kind, Box<[u8]>),
    Big(Big),
}

impl Image {
    /// Deadline in milliseconds since 1970, if the key had one.
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// Bytes that were copied for it.
    pub fn copied_bytes(&self) -> usize {
        match &self.value {
            ValueImage::Inline(_, bytes) | ValueImage::Packed(_, bytes) => bytes.len(),
            ValueImage::Int(_) | ValueImage::Chunked(_) | ValueImage::Big(_) => 0,
        }
    }

    /// An entry (without deadline of its key) that holds this value under `key`. Shares chunks.
    pub fn to_entry(&self, key: &[u8]) -> Entry {
        match &self.value {
            ValueImage::Int(n) => Entry::string(key, NewString::Int(*n), self.clock),
            ValueImage::Inline(true, b) => Entry::string(key, NewString::Embstr(b), self.clock),
            ValueImage::Inline(false, b) => Entry::string(key, NewString::Raw(b), self.clock),
            ValueImage::Chunked(c) => {
                Entry::string(key, NewString::Int(0), self.clock).with_chunked(Arc::clone(c))
            }
            ValueImage::Packed(kind, bytes) => {
                let entry = Entry::packed(key, *kind, bytes, self.clock);
                hash_value::with_key_deadline(entry, None)
            }
            ValueImage::Big(big) => {
                let entry = Entry::string(key, NewString::Int(0), self.clock).with_big(big.clone());
                hash_value::with_key_deadline(entry, None)
            }
        }
    }

    /// The value as a string; `None` when it is of another type. O(1).
    pub fn as_string(&self) -> Option<StrRef<'_>> {
        match &self.value {
            ValueImage::Int(n) => Some(StrRef::Int(*n)),
            ValueImage::Inline(_, b) => Some(StrRef::Bytes(b)),
            ValueImage::Chunked(c) => Some(StrRef::Chunked(c)),
            ValueImage::Packed(..) | ValueImage::Big(_) => None,
        }
    }

    /// The text of a string image, the bytes of a packed form; empty for a big collection.
    pub fn to_vec(&self) -> Vec<u8> {
        match &self.value {
            ValueImage::Packed(_, bytes) => bytes.to_vec(),
            ValueImage::Big(_) => Vec::new(),
            ValueImage::Int(n) => StrRef::Int(*n).to_vec(),
            ValueImage::Inline(_, b) => b.to_vec(),
            ValueImage::Chunked(c) => StrRef::Chunked(c).to_vec(),
        }
    }
}
