//! A byte string of reference-counted chunks: an image costs one reference, a change copies only the chunks it touches.
//!
//! Invariant: every chunk but the last holds exactly [`CHUNK_BYTES`] bytes, the last between 1 and that.

use std::sync::{Arc, LazyLock};

/// Bytes of a full chunk.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// One shared chunk of zeros: growing by a gap of 512 MB takes references, not memory.
static ZEROS: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(vec![0; CHUNK_BYTES]));

/// A byte string above one chunk. Cloning copies the list of chunks, not the chunks.
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    len: usize,
    chunks: Vec<Arc<Vec<u8>>>,
}

impl Chunked {
    /// Copies `bytes`. O(length).
    pub fn from_bytes(bytes: &[u8]) -> Chunked {
        let chunks = bytes.chunks(CHUNK_BYTES).map(|c| Arc::new(c.to_vec())).collect();
        Chunked { len: bytes.len(), chunks }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes allocated for chunks and their list. O(chunks).
    pub fn memory_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|c| c.capacity() + 40).sum();
        chunks + self.chunks.capacity() * size_of::<Arc<Vec<u8>>>()
    }

    /// The chunks that cover `start..end`, each with the range inside it. `end` is clamped to the length.
    pub fn shared(&self, start: usize, end: usize) -> impl Iterator<Item = (&Arc<Vec<u8>>, usize, usize)> {
        let end = end.min(self.len);
        let first = start / CHUNK_BYTES;
        let last = if start < end { end.div_ceil(CHUNK_BYTES) } else { first };
        (first..last).map(move |i| {
            let base = i * CHUNK_BYTES;
            (&self.chunks[i], start.max(base) - base, end.min(base + CHUNK_BYTES) - base)
        })
    }

    /// The bytes of `start..end`, piece by piece.
    pub fn slices(&self, start: usize, end: usize) -> impl Iterator<Item = &[u8]> {
        self.shared(start, end).map(|(chunk, from, to)| &chunk[from..to])
    }

    /// Writes `bytes` at `offset`, filling a gap with zeros. O(bytes + chunks touched).
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.grow(offset);
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (index, inside) = (at / CHUNK_BYTES, at % CHUNK_BYTES);
            if index == self.chunks.len() {
                self.chunks.push(Arc::default());
            }
            let (piece, later) = rest.split_at(rest.len().min(CHUNK_BYTES - inside));
            let chunk = Arc::make_mut(&mut self.chunks[index]);
            let over = piece.len().min(chunk.len() - inside);
            chunk[inside..inside + over].copy_from_slice(&piece[..over]);
            chunk.extend_from_slice(&piece[over..]);
            at += piece.len();
            rest = later;
        }
        self.len = self.len.max(at);
    }

    /// Lengthens the string with zeros to at least `len` bytes.
    fn grow(&mut self, len: usize) {
        if len <= self.len {
            return;
        }
        if let Some(last) = self.chunks.last_mut()
            && last.len() < CHUNK_BYTES
        {
            let base = self.len - last.len();
            Arc::make_mut(last).resize(CHUNK_BYTES.min(len - base), 0);
        }
        while self.chunks.len() < len / CHUNK_BYTES {
            self.chunks.push(Arc::clone(&ZEROS));
        }
        if self.chunks.len() * CHUNK_BYTES < len && len % CHUNK_BYTES != 0 && self.chunks.len() == len / CHUNK_BYTES {
            self.chunks.push(Arc::new(vec![0; len % CHUNK_BYTES]));
        }
        self.len = len;
    }
}
