//! Input buffers: a growing byte queue, and the pool from which connections borrow one while they have unconsumed bytes.
//!
//! Invariant: a connection without unconsumed bytes owns no buffer; an empty [`Buffer`] holds no consumed bytes.
//! It does no I/O.

use std::mem::MaybeUninit;

/// Capacity of an ordinary pooled buffer. A batch of 64 SETs of 64 bytes takes about 7 KiB.
pub const BUFFER_BYTES: usize = 16 * 1024;

/// Capacity lent to a connection whose last read filled an ordinary buffer.
pub(crate) const WIDE_BUFFER_BYTES: usize = 64 * 1024;

/// A buffer larger than this is freed instead of pooled.
const POOLED_BYTES_MAX: usize = 256 * 1024;

/// Ordinary buffers kept in a pool (16 MiB): two for each of 512 connections that are ready in one turn, for input and output. To the
/// allocator they are large, and each would cost it some 2,500 instructions a turn.
const POOL_BUFFERS_MAX: usize = 1_024;

/// Wide buffers kept in a pool (1 to 4 MiB).
const POOL_WIDE_BUFFERS_MAX: usize = 16;

/// Every so many loans, half of the buffers that were never needed since the last time are freed.
const TRIM_PERIOD_LOANS: u32 = 64 * 1024;

/// Bytes that arrive at the end and are consumed from the front.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// An empty buffer over the given memory, whose content is dropped.
    #[must_use]
    pub fn from_vec(mut bytes: Vec<u8>) -> Buffer {
        bytes.clear();
        Buffer { bytes, start: 0 }
    }

    /// A buffer that holds all of `bytes`.
    pub(crate) fn filled(bytes: Vec<u8>) -> Buffer {
        Buffer { bytes, start: 0 }
    }

    /// The unconsumed bytes.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// How many bytes are unconsumed.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// True when every byte was consumed.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Drops the first `n` bytes. O(1).
    ///
    /// # Panics
    /// If there are fewer.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "consumed more than there is");
        self.start += n;
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Appends a copy of `bytes`.
    pub fn append(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes room for at least `n` more bytes, by moving the unconsumed ones to the front when that frees at least half of
    /// the buffer (O(1) per byte consumed), else by growing to twice the size.
    pub fn make_room(&mut self, n: usize) {
        if self.bytes.capacity() - self.bytes.len() >= n {
            return;
        }
        if self.start > 0 && (self.start >= self.len() || self.bytes.capacity() - self.len() >= n) {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        if self.bytes.capacity() - self.bytes.len() < n {
            self.bytes.reserve(n.max(self.bytes.capacity()));
        }
    }

    /// Like [`Buffer::make_room`], but with no more room than for the next `expected` bytes, if it is known that they complete
    /// the content (else 0).
    pub fn make_room_for(&mut self, n: usize, expected: usize) {
        if expected == 0 {
            return self.make_room(n);
        }
        if self.bytes.capacity() - self.bytes.len() >= n.min(expected) {
            return;
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        let room = self.bytes.capacity() - self.bytes.len();
        if room < n.min(expected) {
            // At most twice the size, so that a peer has to send what it makes us keep.
            let grown = expected.min(room + n.max(self.bytes.capacity()));
            self.bytes.reserve_exact(grown);
        }
    }

    /// The room behind the content, at most `max` bytes of it, to be filled from the front.
    pub fn room(&mut self, max: usize) -> &mut [MaybeUninit<u8>] {
        let room = self.bytes.spare_capacity_mut();
        let n = room.len().min(max);
        &mut room[..n]
    }

    /// Adds the first `n` bytes of [`Buffer::room`] to the content.
    ///
    /// # Safety
    /// They must have been initialized.
    #[allow(unsafe_code)]
    pub unsafe fn commit(&mut self, n: usize) {
        debug_assert!(n <= self.bytes.capacity() - self.bytes.len());
        // SAFETY: the caller initialized the `n` bytes behind the content, which lie inside the capacity.
        unsafe { self.bytes.set_len(self.bytes.len() + n) };
    }

    /// The memory, for a pool.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

/// Buffers waiting to be lent. Last in, first out: the next loan is the one most likely still in the cache.
#[derive(Debug)]
pub(crate) struct BufferPool {
    ordinary: Vec<Vec<u8>>,
    wide: Vec<Vec<u8>>,
    /// The fewest ordinary buffers that lay here since the last trim.
    unused: usize,
    loans_until_trim: u32,
    bytes: usize,
}

impl BufferPool {
    pub(crate) fn new() -> BufferPool {
        BufferPool {
            ordinary: Vec::new(),
            wide: Vec::new(),
            unused: 0,
            loans_until_trim: TRIM_PERIOD_LOANS,
            bytes: 0,
        }
    }

    /// An empty buffer of at least [`BUFFER_BYTES`].
    #[inline]
    pub(crate) fn lend(&mut self) -> Vec<u8> {
        self.loans_until_trim -= 1;
        if self.loans_until_trim == 0 {
            self.trim();
        }
        let lent = self
            .ordinary
            .pop()
            .inspect(|lent| self.bytes -= lent.capacity())
            .unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES));
        self.unused = self.unused.min(self.ordinary.len());
        lent
    }

    /// An empty buffer of at least [`WIDE_BUFFER_BYTES`].
    pub(crate) fn lend_wide(&mut self) -> Vec<u8> {
        self.wide
            .pop()
            .inspect(|lent| self.bytes -= lent.capacity())
            .unwrap_or_else(|| Vec::with_capacity(WIDE_BUFFER_BYTES))
    }

    /// Takes a buffer back; one of an unusual size is freed.
    #[inline]
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        buffer.clear();
        if (BUFFER_BYTES..WIDE_BUFFER_BYTES).contains(&capacity) {
            if self.ordinary.len() < POOL_BUFFERS_MAX {
                self.bytes += capacity;
                self.ordinary.push(buffer);
            }
        } else if (WIDE_BUFFER_BYTES..=POOLED_BYTES_MAX).contains(&capacity)
            && self.wide.len() < POOL_WIDE_BUFFERS_MAX
        {
            self.bytes += capacity;
            self.wide.push(buffer);
        }
    }

    /// Bytes that lie in the pool. O(1).
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cold]
    fn trim(&mut self) {
        self.loans_until_trim = TRIM_PERIOD_LOANS;
        let keep = self.ordinary.len() - self.unused.min(self.ordinary.len()) / 2;
        let trimmed = self.ordinary.drain(keep..);
        self.bytes -= trimmed.map(|buffer| buffer.capacity()).sum::<usize>();
        self.unused = self.ordinary.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut buffer = Buffer::default();
        let mut next_in = 0u8;
        let mut next_out = 0u8;
        for round in 0..2_000usize {
            let n = round * 7 % 61;
            let chunk: Vec<u8> = (0..n).map(|i| next_in.wrapping_add(i as u8)).collect();
            next_in = next_in.wrapping_add(n as u8);
            buffer.append(&chunk);
            let take = (round * 11 % 67).min(buffer.len());
            for byte in &buffer.as_slice()[..take] {
                assert_eq!(*byte, next_out);
                next_out = next_out.wrapping_add(1);
            }
            buffer.consume(take);
        }
        assert!(buffer.capacity() < 64 * 1024, "consumed room is reused");
    }

    #[test]
    #[should_panic(expected = "more than there is")]
    fn consuming_too_much_is_a_bug() {
        Buffer::default().consume(1);
    }

    #[test]
    fn the_pool_keeps_useful_sizes_only() {
        let mut pool = BufferPool::new();
        for capacity in [100, BUFFER_BYTES, WIDE_BUFFER_BYTES, 10 * POOLED_BYTES_MAX] {
            pool.give(Vec::with_capacity(capacity));
        }
        assert_eq!(pool.bytes(), BUFFER_BYTES + WIDE_BUFFER_BYTES);
        assert_eq!(pool.lend().capacity(), BUFFER_BYTES);
        assert_eq!(pool.lend_wide().capacity(), WIDE_BUFFER_BYTES);
    }

    #[test]
    fn a_burst_is_given_back_in_time() {
        let mut pool = BufferPool::new();
        let burst: Vec<_> = (0..POOL_BUFFERS_MAX + 9).map(|_| pool.lend()).collect();
        burst.into_iter().for_each(|b| pool.give(b));
        assert_eq!(pool.ordinary.len(), POOL_BUFFERS_MAX);
        for _ in 0..TRIM_PERIOD_LOANS * 12 {
            let buffer = pool.lend();
            pool.give(buffer);
        }
        assert!(pool.ordinary.len() <= 2, "{}", pool.ordinary.len());
    }
}
