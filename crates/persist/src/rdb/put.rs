//! Lengths and strings, appended.

use std::cell::RefCell;
use std::io;

use dunlin_store::StrRef;
use dunlin_store::chunked::{CHUNK_BYTES, Chunked};
use dunlin_structures::packed::{Element, canonical_int};

use super::compress::Compressor;
use super::sink::{Sink, relieve};
use super::types::length;

/// Strings up to this are not compressed: there is nothing to gain.
const PLAIN_BYTES_MAX: usize = 20;
/// What compression must save at least.
const SAVED_BYTES_MIN: usize = 4;
/// Texts of integers that are kept as such are no longer than this.
const INT_TEXT_BYTES_MAX: usize = 11;
/// Room that a thread keeps from one value to the next.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Chunked strings up to this are compressed into memory; longer ones twice, once to learn how long that is.
const COMPRESSED_AT_ONCE_MAX: usize = 16 * CHUNK_BYTES;

/// What a thread that encodes keeps.
struct Scratch {
    compressor: Compressor,
    compressed: Vec<u8>,
    listpack: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        compressor: Compressor::new(),
        compressed: Vec::new(),
        listpack: Vec::new(),
    });
}

/// Lends an empty buffer for a listpack; it keeps its room for the next time.
pub(super) fn with_listpack_room<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut room = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.listpack));
    room.clear();
    let result = f(&mut room);
    if room.capacity() <= KEPT_BYTES_MAX {
        SCRATCH.with_borrow_mut(|scratch| scratch.listpack = room);
    }
    result
}

/// Appends a length, in its shortest form.
#[inline]
pub(super) fn put_length(out: &mut Vec<u8>, len: u64) {
    if len < 1 << 6 {
        out.push(length::BITS_6 << 6 | len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&[length::BITS_14 << 6 | (len >> 8) as u8, len as u8]);
    } else if let Ok(len) = u32::try_from(len) {
        out.push(length::BITS_32);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(length::BITS_64);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

/// Appends a string that is an integer.
#[inline]
pub(super) fn put_int(out: &mut Vec<u8>, n: i64) {
    const HEAD: u8 = length::SPECIAL << 6;
    if let Ok(n) = i8::try_from(n) {
        out.extend_from_slice(&[HEAD | length::INT_8, n as u8]);
    } else if let Ok(n) = i16::try_from(n) {
        out.push(HEAD | length::INT_16);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i32::try_from(n) {
        out.push(HEAD | length::INT_32);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        put_plain(out, itoa::Buffer::new().format(n).as_bytes());
    }
}

/// Appends a string as it is.
#[inline]
pub(super) fn put_plain(out: &mut Vec<u8>, text: &[u8]) {
    put_length(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Appends a string in its shortest form: as an integer, compressed, or as it is.
#[inline]
pub(super) fn put_string(out: &mut Vec<u8>, text: &[u8], compress: bool) {
    if text.len() <= INT_TEXT_BYTES_MAX
        && let Some(n) = canonical_int(text)
        && i32::try_from(n).is_ok()
    {
        return put_int(out, n);
    }
    put_text(out, text, compress);
}

/// Appends a string compressed, or as it is.
#[inline]
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8], compress: bool) {
    if compress && text.len() > PLAIN_BYTES_MAX && put_compressed(out, text) {
        return;
    }
    put_plain(out, text);
}

/// Appends an element as a string.
#[inline]
pub(super) fn put_element(out: &mut Vec<u8>, element: Element<'_>, compress: bool) {
    match element {
        Element::Int(n) => put_int(out, n),
        Element::Bytes(text) => put_string(out, text, compress),
    }
}

fn put_compressed_head(out: &mut Vec<u8>, compressed: usize, plain: usize) {
    out.push(length::SPECIAL << 6 | length::LZF);
    put_length(out, compressed as u64);
    put_length(out, plain as u64);
}

/// Whether it was appended, which it is if that is shorter.
fn put_compressed(out: &mut Vec<u8>, text: &[u8]) -> bool {
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch {
            compressor,
            compressed,
            ..
        } = scratch;
        compressed.clear();
        let fits = compressor.compress(text, compressed, text.len() - SAVED_BYTES_MIN);
        if fits {
            put_compressed_head(out, compressed.len(), text.len());
            out.extend_from_slice(compressed);
        }
        if compressed.capacity() > KEPT_BYTES_MAX {
            *compressed = Vec::new();
        }
        fits
    })
}

/// Writes a string value.
pub(super) fn write_string<S: Sink>(
    sink: &mut S,
    text: StrRef<'_>,
    compress: bool,
) -> io::Result<()> {
    match text {
        StrRef::Int(n) => put_int(sink.buffer(), n),
        StrRef::Bytes(text) => put_string(sink.buffer(), text, compress),
        StrRef::Chunked(chunked) => return write_chunked(sink, chunked, compress),
    }
    Ok(())
}

/// Never as an integer: it is far too long, or else it was edited, and who loads it sees what it is.
fn write_chunked<S: Sink>(sink: &mut S, chunked: &Chunked, compress: bool) -> io::Result<()> {
    let len = chunked.len();
    if len <= CHUNK_BYTES {
        return match chunked.slices(0, len).next() {
            Some(text) => {
                put_string(sink.buffer(), text, compress);
                Ok(())
            }
            None => {
                put_plain(sink.buffer(), b"");
                Ok(())
            }
        };
    }
    if compress && write_chunked_compressed(sink, chunked)? {
        return Ok(());
    }
    put_length(sink.buffer(), len as u64);
    for chunk in chunked.slices(0, len) {
        sink.buffer().extend_from_slice(chunk);
        relieve(sink)?;
    }
    Ok(())
}

/// Whether it was written, which it is if that is shorter. Compressed chunks one behind the other are the compressed string.
fn write_chunked_compressed<S: Sink>(sink: &mut S, chunked: &Chunked) -> io::Result<bool> {
    let len = chunked.len();
    let max = len - SAVED_BYTES_MIN;
    let at_once = len <= COMPRESSED_AT_ONCE_MAX;
    let mut compressed = Vec::new();
    let mut total = 0;
    for chunk in chunked.slices(0, len) {
        if !at_once {
            compressed.clear();
        }
        let from = compressed.len();
        let fits = compress_chunk(chunk, &mut compressed, max - total);
        total += compressed.len() - from;
        if !fits || total > max {
            return Ok(false);
        }
    }
    put_compressed_head(sink.buffer(), total, len);
    if at_once {
        sink.buffer().extend_from_slice(&compressed);
        relieve(sink)?;
        return Ok(true);
    }
    for chunk in chunked.slices(0, len) {
        let from = sink.buffer().len();
        compress_chunk(chunk, sink.buffer(), usize::MAX / 2);
        total -= sink.buffer().len() - from;
        relieve(sink)?;
    }
    assert_eq!(total, 0, "a chunk is compressed alike each time");
    Ok(true)
}

fn compress_chunk(chunk: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
    SCRATCH.with_borrow_mut(|scratch| scratch.compressor.compress(chunk, out, max))
}
