//! A byte string of reference-counted chunks: an image costs one reference, a change copies only the chunks it touches.
//!
//! Invariant: every chunk but the last holds exactly [`CHUNK_BYTES`] bytes, the last between 1 and that.

use std::sync::{Arc, LazyLock};

/// Bytes of a full chunk.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Bytes of a chunk's allocation beside its bytes: reference counts and the vector.
const CHUNK_HEAD_BYTES: usize = 2 * size_of::<usize>() + size_of::<Vec<u8>>();

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
        let chunks = bytes
            .chunks(CHUNK_BYTES)
            .map(|c| Arc::new(c.to_vec()))
            .collect();
        Chunked {
            len: bytes.len(),
            chunks,
        }
    }

    /// A string of `len` bytes. `fill` gets each chunk, all zeros, and where it begins. O(length).
    pub fn filled(len: usize, mut fill: impl FnMut(usize, &mut [u8])) -> Chunked {
        let chunks = (0..len).step_by(CHUNK_BYTES).map(|at| {
            let mut bytes = vec![0; CHUNK_BYTES.min(len - at)];
            fill(at, &mut bytes);
            Arc::new(bytes)
        });
        Chunked {
            len,
            chunks: chunks.collect(),
        }
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

    /// Bytes allocated for chunks and their list; chunks that others share count in full, untouched gaps do not count.
    /// O(chunks).
    pub fn memory_bytes(&self) -> usize {
        let owned = self.chunks.iter().filter(|c| !Arc::ptr_eq(c, &ZEROS));
        let chunks: usize = owned.map(|c| c.capacity() + CHUNK_HEAD_BYTES).sum();
        chunks + self.chunks.capacity() * size_of::<Arc<Vec<u8>>>()
    }

    /// The chunks that cover `start..end`, each with the range inside it. `end` is clamped to the length.
    pub fn shared(
        &self,
        start: usize,
        end: usize,
    ) -> impl Iterator<Item = (&Arc<Vec<u8>>, usize, usize)> {
        let end = end.min(self.len);
        let first = start / CHUNK_BYTES;
        let last = if start < end {
            end.div_ceil(CHUNK_BYTES)
        } else {
            first
        };
        (first..last).map(move |i| {
            let base = i * CHUNK_BYTES;
            (
                &self.chunks[i],
                start.max(base) - base,
                end.min(base + CHUNK_BYTES) - base,
            )
        })
    }

    /// The bytes of `start..end`, piece by piece.
    pub fn slices(&self, start: usize, end: usize) -> impl Iterator<Item = &[u8]> {
        self.shared(start, end)
            .map(|(chunk, from, to)| &chunk[from..to])
    }

    /// Writes `bytes` at `offset`, filling a gap with zeros. O(bytes + chunks touched); a chunk that others share is
    /// copied, unless all of it is overwritten.
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
            write_piece(&mut self.chunks[index], inside, piece);
            at += piece.len();
            rest = later;
        }
        self.len = self.len.max(at);
    }

    /// Frees the last chunks, so many; whether any is left. For freeing a long string in slices: it holds no string any more.
    pub(crate) fn shed(&mut self, chunks: usize) -> bool {
        let left = self.chunks.len().saturating_sub(chunks);
        self.chunks.truncate(left);
        self.len = self.len.min(left * CHUNK_BYTES);
        left > 0
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
            let filled = CHUNK_BYTES.min(len - base);
            unshared(last, filled).resize(filled, 0);
        }
        while self.chunks.len() < len / CHUNK_BYTES {
            self.chunks.push(Arc::clone(&ZEROS));
        }
        if self.chunks.len() * CHUNK_BYTES < len {
            // The last one was filled up if it had to be, so this much is left for a new one.
            let missing = len - self.chunks.len() * CHUNK_BYTES;
            self.chunks.push(Arc::new(vec![0; missing]));
        }
        self.len = len;
    }
}

/// Overwrites and lengthens a chunk from `inside` on, which is at most its length.
fn write_piece(chunk: &mut Arc<Vec<u8>>, inside: usize, piece: &[u8]) {
    if inside == 0 && piece.len() >= chunk.len() && Arc::get_mut(chunk).is_none() {
        *chunk = Arc::new(piece.to_vec());
        return;
    }
    let bytes = unshared(chunk, inside + piece.len());
    let over = piece.len().min(bytes.len() - inside);
    bytes[inside..inside + over].copy_from_slice(&piece[..over]);
    bytes.extend_from_slice(&piece[over..]);
}

/// The bytes of a chunk for changing, copied when others share them, with room for `len` bytes in all. Room doubles as
/// in any vector, but a chunk never has room for more than [`CHUNK_BYTES`].
fn unshared(chunk: &mut Arc<Vec<u8>>, len: usize) -> &mut Vec<u8> {
    let room = if len <= chunk.capacity() {
        chunk.capacity()
    } else {
        len.max((2 * chunk.capacity()).min(CHUNK_BYTES))
    };
    if Arc::get_mut(chunk).is_none() {
        let mut copy = Vec::with_capacity(room);
        copy.extend_from_slice(chunk);
        *chunk = Arc::new(copy);
    }
    let bytes = Arc::get_mut(chunk).expect("nobody shares it any more");
    bytes.reserve_exact(room - bytes.len());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chunked: &Chunked) -> Vec<u8> {
        chunked
            .slices(0, chunked.len())
            .flatten()
            .copied()
            .collect()
    }

    fn check_invariant(chunked: &Chunked) {
        let (last, full) = chunked
            .chunks
            .split_last()
            .expect("only strings that are not empty are looked at");
        assert!(full.iter().all(|c| c.len() == CHUNK_BYTES));
        assert!((1..=CHUNK_BYTES).contains(&last.len()));
        assert_eq!(full.len() * CHUNK_BYTES + last.len(), chunked.len());
        assert!(
            chunked.chunks.iter().all(|c| c.capacity() <= CHUNK_BYTES),
            "room for more than a chunk"
        );
    }

    #[test]
    fn writes_around_the_edges_of_chunks() {
        let lens = [
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            2 * CHUNK_BYTES,
        ];
        for before in lens {
            for offset in lens
                .into_iter()
                .chain([0, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 1])
            {
                for added in [1, 2, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 2] {
                    let mut model = vec![b'a'; before];
                    let mut chunked = Chunked::from_bytes(&model);
                    model.resize(model.len().max(offset + added), 0);
                    model[offset..offset + added].fill(b'b');
                    chunked.write(offset, &vec![b'b'; added]);
                    check_invariant(&chunked);
                    assert!(text(&chunked) == model, "{before} {offset} {added}");
                }
            }
        }
    }

    #[test]
    fn chunks_are_filled_one_by_one() {
        for len in [1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7] {
            let byte = |i: usize| (i % 251) as u8;
            let chunked = Chunked::filled(len, |at, bytes| {
                bytes
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, b)| *b = byte(at + i));
            });
            check_invariant(&chunked);
            assert!(text(&chunked).into_iter().eq((0..len).map(byte)), "{len}");
        }
    }

    #[test]
    fn a_gap_takes_no_memory() {
        let mut chunked = Chunked::from_bytes(b"x");
        chunked.write(512 * 1024 * 1024 - 1, b"y");
        assert_eq!(chunked.len(), 512 * 1024 * 1024);
        assert!(
            chunked.memory_bytes() < 4 * CHUNK_BYTES,
            "{}",
            chunked.memory_bytes()
        );
        chunked.write(100 * CHUNK_BYTES, b"z");
        assert_eq!(
            chunked
                .slices(101 * CHUNK_BYTES - 1, 101 * CHUNK_BYTES + 1)
                .flatten()
                .copied()
                .max(),
            Some(0)
        );
        check_invariant(&chunked);
    }

    #[test]
    fn a_clone_keeps_its_bytes_and_shares_the_rest() {
        let mut chunked = Chunked::from_bytes(&vec![b'a'; 10 * CHUNK_BYTES + 5]);
        let clone = chunked.clone();
        chunked.write(3 * CHUNK_BYTES + 7, b"b");
        chunked.write(5 * CHUNK_BYTES, &vec![b'c'; CHUNK_BYTES]);
        chunked.write(chunked.len(), b"d");
        assert!(text(&clone).iter().all(|&b| b == b'a') && clone.len() == 10 * CHUNK_BYTES + 5);
        let shared = (0..11)
            .filter(|&i| Arc::ptr_eq(&chunked.chunks[i], &clone.chunks[i]))
            .count();
        assert_eq!(shared, 8);
    }

    #[test]
    fn small_appends_do_not_copy_each_time() {
        let mut chunked = Chunked::from_bytes(&vec![b'a'; CHUNK_BYTES + 1]);
        let mut moves = 0;
        for _ in 0..2 * CHUNK_BYTES {
            let last = |c: &Chunked| c.chunks[c.chunks.len() - 1].as_ptr();
            let before = last(&chunked);
            chunked.write(chunked.len(), b"x");
            moves += u32::from(before != last(&chunked));
        }
        assert!(moves < 50, "{moves}");
        check_invariant(&chunked);
    }

    #[test]
    fn slices_cover_what_is_asked_for() {
        let model: Vec<u8> = (0..3 * CHUNK_BYTES + 9).map(|i| (i % 251) as u8).collect();
        let chunked = Chunked::from_bytes(&model);
        let len = model.len();
        for (from, to) in [
            (0, 0),
            (0, 1),
            (CHUNK_BYTES - 1, CHUNK_BYTES + 1),
            (CHUNK_BYTES, CHUNK_BYTES),
            (7, len),
            (len, len),
        ] {
            assert!(
                chunked.slices(from, to).flatten().eq(&model[from..to]),
                "{from}..{to}"
            );
        }
        assert_eq!(
            chunked.slices(len - 1, len + 100).flatten().count(),
            1,
            "the end is cut off"
        );
        assert_eq!(chunked.slices(5, 3).count(), 0);
    }
}
