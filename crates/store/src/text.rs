//! String values: as they are read, and as they are to be stored.

use std::ops::ControlFlow;

use crate::chunked::Chunked;
use crate::entry::{EMBSTR_BYTES_MAX, parse_canonical_int};

/// A string value, borrowed.
#[derive(Copy, Clone, Debug)]
pub enum StrRef<'a> {
    /// An integer; its text is the canonical decimal form.
    Int(i64),
    /// Plain bytes.
    Bytes(&'a [u8]),
    /// A chunked string.
    Chunked(&'a Chunked),
}

impl StrRef<'_> {
    /// Length of the text in bytes.
    pub fn len(&self) -> usize {
        match self {
            StrRef::Int(n) => itoa::Buffer::new().format(*n).len(),
            StrRef::Bytes(b) => b.len(),
            StrRef::Chunked(c) => c.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands the text over, piece by piece.
    pub fn for_each(&self, mut f: impl FnMut(&[u8])) {
        match self {
            StrRef::Int(n) => f(itoa::Buffer::new().format(*n).as_bytes()),
            StrRef::Bytes(b) => f(b),
            StrRef::Chunked(c) => c.slices(0, c.len()).for_each(f),
        }
    }

    /// Hands the bytes `start..end` over, piece by piece, until `f` breaks; `end` is clamped to the length.
    pub fn visit<R>(
        &self,
        start: usize,
        end: usize,
        mut f: impl FnMut(&[u8]) -> ControlFlow<R>,
    ) -> Option<R> {
        let mut digits = itoa::Buffer::new();
        let bytes = match self {
            StrRef::Int(n) => digits.format(*n).as_bytes(),
            StrRef::Bytes(b) => b,
            StrRef::Chunked(c) => return c.slices(start, end).try_for_each(f).break_value(),
        };
        let end = end.min(bytes.len());
        (start < end).then(|| f(&bytes[start..end]).break_value())?
    }

    /// Copies the bytes from `offset` on into `out`, with zeros where the text ends before it.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) {
        let mut filled = 0;
        let _ = self.visit(offset, offset.saturating_add(out.len()), |piece| {
            out[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
            ControlFlow::<()>::Continue(())
        });
        out[filled..].fill(0);
    }

    /// The byte at `index`; zero behind the end.
    pub fn byte_at(&self, index: usize) -> u8 {
        let mut byte = [0];
        self.copy_to(index, &mut byte);
        byte[0]
    }

    /// The text as one vector. O(length).
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.for_each(|piece| out.extend_from_slice(piece));
        out
    }
}

/// A string value to be stored: the form is chosen by [`NewString::new`].
#[derive(Copy, Clone, Debug)]
pub enum NewString<'a> {
    /// Stored as an integer.
    Int(i64),
    /// Stored inline, reported as `embstr`.
    Embstr(&'a [u8]),
    /// Stored inline or chunked by its length, reported as `raw`.
    Raw(&'a [u8]),
}

impl<'a> NewString<'a> {
    /// The form that Redis gives a fresh string: integer where it is one, `embstr` up to 44 bytes, `raw` above.
    pub fn new(text: &'a [u8]) -> Self {
        match parse_canonical_int(text) {
            Some(n) => NewString::Int(n),
            None => NewString::text(text),
        }
    }

    /// Never an integer: `embstr` up to 44 bytes, `raw` above.
    pub fn text(text: &'a [u8]) -> Self {
        if text.len() <= EMBSTR_BYTES_MAX {
            NewString::Embstr(text)
        } else {
            NewString::Raw(text)
        }
    }
}
