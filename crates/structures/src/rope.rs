//! Output bytes on their way to a socket: chunks shared with stored values, parcels shared with other ropes, owned buffers, and a
//! tail that encoders append to.
//!
//! Invariant: `len` bytes remain; the first `head` bytes of the first chunk (of the tail, if there is no sealed chunk) were
//! written already and no sealed chunk is empty. The usual reply touches only the tail, so an empty rope allocates nothing and
//! a rope that never saw a big value is one `Vec`.
//! It does no I/O: the reactor asks for `slices`, writes them, and reports with `advance` how far it came.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use crate::parcel::Parcel;

/// Appending a rope whose only content is a tail of at most this size copies it instead of sealing two buffers.
const APPEND_COPY_BYTES_MAX: usize = 4 * 1024;

/// A partly written tail is moved to the front of its buffer once this much of it is gone (and at least half of it).
const COMPACT_BYTES_MIN: usize = 4 * 1024;

/// A tail as long as this is sealed by [`Rope::cut`], and a new one begun in a buffer of [`PIECE_BYTES`].
const PIECE_BYTES_MIN: usize = 56 * 1024;
/// A long reply is made of buffers of this size: none is copied by growing, and each goes back to the allocator as it came, so that
/// the next reply finds it.
const PIECE_BYTES: usize = 64 * 1024;

/// A range of a buffer that others may hold too, such as a chunk of a stored string.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The buffer. It is never changed while it is shared.
    pub bytes: Arc<Vec<u8>>,
    /// First byte of the range.
    pub start: usize,
    /// One past the last byte of the range.
    pub end: usize,
}

#[derive(Debug)]
enum Chunk {
    Owned(Vec<u8>),
    Shared(Shared),
    Parcel(Arc<Parcel>, Range<usize>),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Chunk::Owned(v) => v,
            Chunk::Shared(s) => &s.bytes[s.start..s.end],
            Chunk::Parcel(parcel, range) => &parcel.bytes()[range.clone()],
        }
    }
}

/// A queue of output bytes: sealed chunks, then an open tail.
#[derive(Debug, Default)]
pub struct Rope {
    sealed: VecDeque<Chunk>,
    /// Bytes in `sealed`, the written `head` included.
    sealed_len: usize,
    /// Capacity of the owned buffers in `sealed`.
    sealed_capacity: usize,
    tail: Vec<u8>,
    head: usize,
}

impl Rope {
    /// An empty rope. Allocates nothing.
    #[must_use]
    pub fn new() -> Rope {
        Rope::default()
    }

    /// An empty rope whose tail is the given buffer (cleared), so that encoders need not allocate.
    #[must_use]
    pub fn with_buffer(mut buffer: Vec<u8>) -> Rope {
        buffer.clear();
        Rope {
            tail: buffer,
            ..Rope::default()
        }
    }

    /// Bytes that remain to be written. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.sealed_len + self.tail.len() - self.head
    }

    /// True when nothing remains to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The open end of the rope, for encoders to append to. Append only: bytes already there may be half written.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Begins another piece if the tail has become long: called between the elements of a reply, it keeps a reply of any length
    /// from being copied over and over, or freed in one long go. Whether it did.
    #[inline]
    pub fn cut(&mut self) -> bool {
        let is_long = self.tail.len() >= PIECE_BYTES_MIN;
        if is_long {
            self.begin_piece();
        }
        is_long
    }

    #[cold]
    fn begin_piece(&mut self) {
        self.seal();
        self.tail = Vec::with_capacity(PIECE_BYTES);
    }

    /// Appends a shared range without copying it. What the tail held so far goes before it.
    ///
    /// # Panics
    /// If the range does not lie inside the buffer.
    pub fn push_shared(&mut self, s: Shared) {
        assert!(
            s.start <= s.end && s.end <= s.bytes.len(),
            "shared range outside its buffer"
        );
        if s.start == s.end {
            return;
        }
        self.seal();
        self.sealed_len += s.end - s.start;
        self.sealed.push_back(Chunk::Shared(s));
    }

    /// Appends a range of a parcel without copying it. What the tail held so far goes before it.
    ///
    /// # Panics
    /// If the range does not lie inside the parcel.
    pub fn push_parcel(&mut self, parcel: &Arc<Parcel>, range: Range<usize>) {
        assert!(
            range.start <= range.end && range.end <= parcel.bytes().len(),
            "range outside its parcel"
        );
        if range.is_empty() {
            return;
        }
        self.seal();
        self.sealed_len += range.len();
        self.sealed
            .push_back(Chunk::Parcel(Arc::clone(parcel), range));
    }

    /// Appends a buffer without copying it. What the tail held so far goes before it.
    pub fn push_owned(&mut self, v: Vec<u8>) {
        if v.is_empty() {
            return;
        }
        self.seal();
        self.push_sealed(v);
    }

    fn push_sealed(&mut self, v: Vec<u8>) {
        self.sealed_len += v.len();
        self.sealed_capacity += v.capacity();
        self.sealed.push_back(Chunk::Owned(v));
    }

    /// Moves everything of `other` to the end of this rope; `other` is empty afterwards. An empty rope swaps with `other`; else
    /// O(chunks of `other`), or a copy when `other` is a short tail only (at most 4 KiB; `other` then keeps its buffer).
    pub fn append(&mut self, other: &mut Rope) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            // Nothing to copy, and no buffer is allocated or lost: `other` gets this rope's empty one, if it has any.
            mem::swap(self, other);
            return;
        }
        if other.sealed.is_empty() && other.len() <= APPEND_COPY_BYTES_MAX {
            // A reader that never catches up would otherwise have one buffer for all, copied whenever it grows.
            self.cut();
            self.tail.extend_from_slice(&other.tail[other.head..]);
            other.tail.clear();
            other.head = 0;
            return;
        }
        other.settle_head();
        self.seal();
        self.sealed_len += other.sealed_len;
        self.sealed_capacity += other.sealed_capacity;
        self.sealed.append(&mut other.sealed);
        (other.sealed_len, other.sealed_capacity) = (0, 0);
        self.tail = mem::take(&mut other.tail);
    }

    /// Fills `out` with the next bytes to write, in order, for one writev; returns how many slices were filled. No slice is
    /// empty.
    pub fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        self.slices_within(usize::MAX, out)
    }

    /// Like [`Rope::slices`], but for no more than `bytes_max` bytes.
    pub fn slices_within<'a>(&'a self, bytes_max: usize, out: &mut [IoSlice<'a>]) -> usize {
        let mut left = bytes_max;
        let mut filled = 0;
        let mut skip = self.head;
        let tail = [self.tail.as_slice()];
        for slice in self.sealed.iter().map(Chunk::as_slice).chain(tail) {
            let rest = &slice[skip..];
            let rest = &rest[..rest.len().min(left)];
            left -= rest.len();
            skip = 0;
            if rest.is_empty() {
                continue;
            }
            let Some(place) = out.get_mut(filled) else {
                break;
            };
            *place = IoSlice::new(rest);
            filled += 1;
        }
        filled
    }

    /// The bytes that come first, contiguous; empty only when the rope is. The whole content when it is only a tail.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        match self.sealed.front() {
            Some(chunk) => &chunk.as_slice()[self.head..],
            None => &self.tail[self.head..],
        }
    }

    /// True when everything that remains stands in the tail, so that one plain send writes it.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        self.sealed.is_empty()
    }

    /// Drops the first `n` bytes, which were written; buffers are freed as they are passed.
    ///
    /// # Panics
    /// If fewer than `n` bytes remain.
    pub fn advance(&mut self, n: usize) {
        self.advance_recycling(n, drop);
    }

    /// Like [`Rope::advance`], and hands owned buffers that were passed to `recycle` (not cleared). The tail's buffer stays.
    ///
    /// # Panics
    /// If fewer than `n` bytes remain.
    pub fn advance_recycling(&mut self, n: usize, mut recycle: impl FnMut(Vec<u8>)) {
        assert!(n <= self.len(), "advanced past the end of the rope");
        self.head += n;
        while let Some(front) = self.sealed.front() {
            let front_len = front.as_slice().len();
            if self.head < front_len {
                return;
            }
            self.head -= front_len;
            self.sealed_len -= front_len;
            if let Some(Chunk::Owned(v)) = self.sealed.pop_front() {
                self.sealed_capacity -= v.capacity();
                recycle(v);
            }
        }
        if self.head == self.tail.len() {
            self.tail.clear();
            self.head = 0;
        } else if self.head >= COMPACT_BYTES_MIN && self.head * 2 >= self.tail.len() {
            // A peer that reads steadily but never catches up would otherwise make the tail grow for ever. The bytes moved are
            // at most those written since the last move: O(1) per byte.
            self.settle_head();
        }
    }

    /// Moves the first `bytes_max` bytes into a new rope; an owned buffer that goes beyond is moved as a whole. O(chunks moved).
    #[must_use]
    pub fn take_front(&mut self, bytes_max: usize) -> Rope {
        if self.sealed.is_empty() || self.len() <= bytes_max {
            return mem::take(self);
        }
        self.settle_head();
        let mut front = Rope::new();
        while front.len() < bytes_max {
            let Some(chunk) = self.pop_within(bytes_max - front.len()) else {
                break;
            };
            let len = chunk.as_slice().len();
            self.sealed_len -= len;
            front.sealed_len += len;
            if let Chunk::Owned(v) = &chunk {
                self.sealed_capacity -= v.capacity();
                front.sealed_capacity += v.capacity();
            }
            front.sealed.push_back(chunk);
        }
        front
    }

    /// The first chunk, or of one that is shared the first `bytes` bytes.
    fn pop_within(&mut self, bytes: usize) -> Option<Chunk> {
        let part = match self.sealed.front_mut()? {
            Chunk::Shared(s) if s.end - s.start > bytes => {
                let part = Shared {
                    end: s.start + bytes,
                    ..s.clone()
                };
                s.start += bytes;
                Chunk::Shared(part)
            }
            Chunk::Parcel(parcel, range) if range.len() > bytes => {
                let part = range.start..range.start + bytes;
                range.start += bytes;
                Chunk::Parcel(Arc::clone(parcel), part)
            }
            _ => return self.sealed.pop_front(),
        };
        Some(part)
    }

    /// Takes the tail's buffer out, with those of its bytes that were not written; the rope's sealed chunks stay. From an
    /// empty rope this is the empty buffer, to be given back to a pool.
    pub fn take_tail(&mut self) -> Vec<u8> {
        if self.sealed.is_empty() {
            self.settle_head();
        }
        mem::take(&mut self.tail)
    }

    /// Drops all content. The tail keeps its buffer.
    pub fn clear(&mut self) {
        self.sealed.clear();
        (self.sealed_len, self.sealed_capacity) = (0, 0);
        self.tail.clear();
        self.head = 0;
    }

    /// Bytes of memory this rope holds by itself: owned buffers and the chunk queue, without shared ranges. O(1).
    #[inline]
    #[must_use]
    pub fn owned_bytes(&self) -> usize {
        self.sealed_capacity
            + self.tail.capacity()
            + self.sealed.capacity() * mem::size_of::<Chunk>()
    }

    /// Moves a non-empty tail to the sealed chunks.
    fn seal(&mut self) {
        if self.sealed.is_empty() {
            self.settle_head();
        }
        if self.tail.is_empty() {
            return;
        }
        let tail = mem::take(&mut self.tail);
        self.push_sealed(tail);
    }

    /// Makes `head` 0 by cutting the written bytes off the first chunk.
    fn settle_head(&mut self) {
        let head = mem::take(&mut self.head);
        if head == 0 {
            return;
        }
        match self.sealed.front_mut() {
            None => drop(self.tail.drain(..head)),
            Some(Chunk::Shared(s)) => {
                s.start += head;
                self.sealed_len -= head;
            }
            Some(Chunk::Parcel(_, range)) => {
                range.start += head;
                self.sealed_len -= head;
            }
            Some(Chunk::Owned(v)) => {
                drop(v.drain(..head));
                self.sealed_len -= head;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn content(rope: &Rope) -> Vec<u8> {
        let mut out = [IoSlice::new(&[]); 64];
        let n = rope.slices(&mut out);
        out[..n].iter().flat_map(|s| s.iter().copied()).collect()
    }

    #[test]
    fn an_empty_rope_allocates_nothing() {
        let mut rope = Rope::new();
        assert_eq!(rope.owned_bytes(), 0);
        assert_eq!(rope.take_tail().capacity(), 0);
        assert!(rope.is_empty() && rope.first().is_empty());
    }

    #[test]
    fn the_tail_keeps_its_buffer_once_written() {
        let mut rope = Rope::with_buffer(Vec::with_capacity(1024));
        rope.tail().extend_from_slice(b"+OK\r\n");
        assert!(rope.is_contiguous());
        let mut out = [IoSlice::new(&[]); 2];
        assert_eq!(rope.slices_within(2, &mut out), 1);
        assert_eq!(&*out[0], b"+O");
        rope.advance(3);
        assert_eq!(rope.first(), b"\r\n");
        rope.advance(2);
        assert!(rope.is_empty());
        assert_eq!(rope.take_tail().capacity(), 1024);
    }

    #[test]
    fn a_long_reply_is_cut_into_pieces() {
        let mut rope = Rope::new();
        let mut written = Vec::new();
        for n in 0..20_000u32 {
            rope.tail().extend_from_slice(&n.to_le_bytes());
            written.extend_from_slice(&n.to_le_bytes());
            rope.cut();
        }
        assert_eq!((rope.len(), content(&rope)), (written.len(), written));
        let [Chunk::Owned(first)] = &rope.sealed.make_contiguous()[..1] else {
            panic!("a sealed piece");
        };
        assert!((PIECE_BYTES_MIN..=PIECE_BYTES).contains(&first.len()));
        assert_eq!(rope.tail.capacity(), PIECE_BYTES);
    }

    #[test]
    fn shared_chunks_are_let_go_one_by_one() {
        let value = Arc::new(vec![7u8; 100]);
        let mut rope = Rope::new();
        rope.tail().extend_from_slice(b"$50\r\n");
        for start in [0, 50] {
            rope.push_shared(Shared {
                bytes: Arc::clone(&value),
                start,
                end: start + 50,
            });
        }
        rope.tail().extend_from_slice(b"\r\n");
        assert_eq!(Arc::strong_count(&value), 3);
        assert_eq!(rope.len(), 107);
        rope.advance(60);
        assert_eq!(Arc::strong_count(&value), 2);
        assert_eq!(rope.first().len(), 45);
        rope.advance(45);
        assert_eq!(Arc::strong_count(&value), 1);
        assert_eq!(content(&rope), b"\r\n");
    }

    #[test]
    fn the_front_of_a_shared_chunk_can_be_taken() {
        let value = Arc::new(vec![7u8; 1_000]);
        let mut rope = Rope::new();
        rope.tail().extend_from_slice(b"head");
        rope.push_shared(Shared {
            bytes: Arc::clone(&value),
            start: 0,
            end: 1_000,
        });
        rope.advance(2);
        let front = rope.take_front(102);
        assert_eq!((front.len(), rope.len()), (102, 900));
        assert_eq!(&content(&front)[..3], b"ad\x07");
    }

    #[test]
    fn a_parcel_is_freed_behind_its_last_reader() {
        static FREED_BYTES: AtomicUsize = AtomicUsize::new(0);
        let parcel = Parcel::new(Vec::with_capacity(100), |bytes| {
            FREED_BYTES.fetch_add(bytes, Ordering::Relaxed);
        });
        drop(parcel);
        assert_eq!(FREED_BYTES.load(Ordering::Relaxed), 100);
        let parcel = Parcel::new(vec![7u8; 50], |bytes| {
            FREED_BYTES.fetch_add(bytes, Ordering::Relaxed);
        });
        let mut ropes = [Rope::new(), Rope::new()];
        for rope in &mut ropes {
            rope.tail().extend_from_slice(b">");
            rope.push_parcel(&parcel, 1..50);
            assert_eq!((rope.len(), content(rope).len()), (50, 50));
        }
        drop(parcel);
        ropes[0].advance(50);
        ropes[1].advance(49);
        assert_eq!(FREED_BYTES.load(Ordering::Relaxed), 100);
        assert_eq!(ropes[1].first(), [7]);
        ropes[1].clear();
        assert_eq!(FREED_BYTES.load(Ordering::Relaxed), 150);
    }

    #[test]
    fn who_never_catches_up_gets_no_buffer_without_end() {
        let mut rope = Rope::new();
        for _ in 0..1_000 {
            let mut other = Rope::new();
            other.tail().extend_from_slice(&[3; 1_000]);
            rope.append(&mut other);
        }
        assert_eq!(rope.len(), 1_000_000);
        assert!(rope.tail.capacity() <= PIECE_BYTES);
        assert!(rope.owned_bytes() < 1_200_000, "{}", rope.owned_bytes());
    }

    #[test]
    fn a_tail_that_never_empties_stays_bounded() {
        let mut rope = Rope::new();
        rope.tail().extend_from_slice(&[1; 10_000]);
        for _ in 0..10_000 {
            rope.tail().extend_from_slice(&[2; 1_000]);
            rope.advance(1_000);
        }
        assert_eq!(rope.len(), 10_000);
        assert!(rope.owned_bytes() < 100_000, "{}", rope.owned_bytes());
    }

    #[test]
    #[should_panic(expected = "past the end")]
    fn advancing_too_far_is_a_bug() {
        Rope::new().advance(1);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Tail(usize),
        Shared(usize),
        Parcel(usize),
        Owned(usize),
        Append { sealed: usize, tail: usize },
        Advance(usize),
        TakeTail,
        TakeFront(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => (0usize..6000).prop_map(Op::Tail),
            1 => (0usize..300).prop_map(Op::Shared),
            1 => (0usize..300).prop_map(Op::Parcel),
            1 => (0usize..300).prop_map(Op::Owned),
            1 => ((0usize..50), (0usize..6000)).prop_map(|(sealed, tail)| Op::Append { sealed, tail }),
            4 => (0usize..9000).prop_map(Op::Advance),
            1 => Just(Op::TakeTail),
            2 => (0usize..9000).prop_map(Op::TakeFront),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_queue_of_bytes(ops in prop::collection::vec(op(), 1..40)) {
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut rope = Rope::new();
            let mut next = 0u8;
            let mut fresh = |n: usize| -> Vec<u8> {
                (0..n).map(|_| { next = next.wrapping_add(1); next }).collect()
            };
            for op in ops {
                match op {
                    Op::Tail(n) => { let v = fresh(n); model.extend(&v); rope.tail().extend_from_slice(&v); }
                    Op::Owned(n) => { let v = fresh(n); model.extend(&v); rope.push_owned(v); }
                    Op::Shared(n) => {
                        let v = fresh(n + 2);
                        model.extend(&v[1..=n]);
                        rope.push_shared(Shared { bytes: Arc::new(v), start: 1, end: n + 1 });
                    }
                    Op::Parcel(n) => {
                        let v = fresh(n + 2);
                        model.extend(&v[1..=n]);
                        rope.push_parcel(&Parcel::new(v, |_| {}), 1..n + 1);
                    }
                    Op::Append { sealed, tail } => {
                        let mut other = Rope::new();
                        let (a, b) = (fresh(sealed), fresh(tail));
                        model.extend(&a);
                        model.extend(&b);
                        other.push_owned(a);
                        other.tail().extend_from_slice(&b);
                        rope.append(&mut other);
                        prop_assert!(other.is_empty());
                    }
                    Op::Advance(n) => {
                        let n = n.min(model.len());
                        drop(model.drain(..n));
                        rope.advance(n);
                    }
                    Op::TakeFront(n) => {
                        let mut front = rope.take_front(n);
                        // Only a tail may be left behind although there was room for some of it.
                        prop_assert!(front.len() >= n.min(model.len()) || rope.is_contiguous());
                        prop_assert!(!front.is_empty() || n == 0 || model.is_empty());
                        while !front.is_empty() {
                            let n = front.first().len();
                            prop_assert!(front.first().iter().eq(model.drain(..n).collect::<Vec<u8>>().iter()));
                            front.advance(n);
                        }
                    }
                    Op::TakeTail => {
                        let tail = rope.take_tail();
                        prop_assert!(model.iter().rev().zip(tail.iter().rev()).all(|(a, b)| a == b));
                        model.truncate(model.len() - tail.len());
                    }
                }
                prop_assert_eq!(rope.len(), model.len());
            }
            let mut got = Vec::new();
            while !rope.is_empty() {
                let n = rope.first().len();
                got.extend_from_slice(rope.first());
                rope.advance(n);
            }
            prop_assert_eq!(got, Vec::from(model));
        }
    }
}
