//! The buffers that the kernel picks from when bytes arrive, whichever connection they are for: an idle connection owns none.
//!
//! They are ordinary buffers of the loop. What arrived in one is handed to the handler as it is, and the empty buffer that the loop had
//! lent for it takes its place: no byte is copied.
//!
//! Invariant: memory that the kernel may write to is owned by this structure; it leaves it only after the completion that names its
//! number. See io_uring_register_buf_ring(3).

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::ring::Ring;
use crate::buffer::BUFFER_BYTES;

/// The kernel's name for these buffers; a ring has only these.
pub(super) const GROUP: u16 = 0;

/// Buffers provided at first (1 MiB), and at most (16 MiB): the number doubles whenever the kernel ran out of them.
const BUFFERS_MIN: u16 = 64;
const BUFFERS_MAX: u16 = 1_024;

const RING_BYTES: usize = BUFFERS_MAX as usize * size_of::<BufRingEntry>();

pub(super) struct Buffers {
    entries: NonNull<BufRingEntry>,
    tail: u16,
    /// By number: the memory that the kernel has; empty if it has none under that number.
    provided: Vec<Vec<u8>>,
    /// Numbers under which the kernel has nothing.
    vacant: Vec<u16>,
    /// How many buffers the kernel should have.
    wanted: u16,
}

impl Buffers {
    pub(super) fn new() -> io::Result<Buffers> {
        #[allow(unsafe_code)]
        // SAFETY: fresh memory at an address of the kernel's choice.
        let memory = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                RING_BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::POPULATE,
            )?
        };
        Ok(Buffers {
            entries: NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            tail: 0,
            provided: (0..BUFFERS_MAX).map(|_| Vec::new()).collect(),
            vacant: (0..BUFFERS_MAX).rev().collect(),
            wanted: BUFFERS_MIN,
        })
    }

    /// Tells the kernel of the ring, and fills it.
    pub(super) fn register(&mut self, ring: &Ring) -> io::Result<()> {
        let address = self.entries.as_ptr() as u64;
        #[allow(unsafe_code)]
        // SAFETY: `Uring` drops its ring before its buffers, or leaks these.
        unsafe {
            ring.register_buffers(address, BUFFERS_MAX, GROUP)?;
        }
        self.replenish();
        Ok(())
    }

    /// Provides buffers until the kernel has as many as it should: those whose bytes wait for a paused connection are missing.
    pub(super) fn replenish(&mut self) {
        // Short by less than half, the kernel does with what it has: the others come back.
        let provided = BUFFERS_MAX - self.vacant.len() as u16;
        if provided > self.wanted / 2 {
            return;
        }
        for _ in provided..self.wanted {
            self.give(Vec::with_capacity(BUFFER_BYTES));
        }
    }

    /// The kernel ran out: it gets more from now on.
    pub(super) fn grow(&mut self) {
        let provided = BUFFERS_MAX - self.vacant.len() as u16;
        self.wanted = (self.wanted * 2).min(BUFFERS_MAX);
        for _ in provided..self.wanted {
            self.give(Vec::with_capacity(BUFFER_BYTES));
        }
    }

    /// Provides an ordinary buffer of the loop, whose content is dropped; one of another size, or one too many, is freed.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        if buffer.capacity() < BUFFER_BYTES || BUFFERS_MAX - self.vacant.len() as u16 >= self.wanted
        {
            return;
        }
        let Some(number) = self.vacant.pop() else {
            return;
        };
        let index = (self.tail & (BUFFERS_MAX - 1)) as usize;
        #[allow(unsafe_code)]
        // SAFETY: the index lies inside the ring, which this structure owns; the kernel reads an entry only after the tail passed it. Fields
        // are written one by one, since the last one of entry 0 is the tail.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(index);
            entry.set_addr(buffer.as_mut_ptr() as u64);
            entry.set_len(buffer.capacity() as u32);
            entry.set_bid(number);
        }
        self.provided[number as usize] = buffer;
        self.tail = self.tail.wrapping_add(1);
        self.publish();
    }

    /// Takes the buffer that a completion named, with the `bytes` that arrived in it.
    pub(super) fn take(&mut self, number: u16, bytes: usize) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.provided[number as usize]);
        assert!(
            bytes <= buffer.capacity(),
            "more bytes than the buffer holds"
        );
        self.vacant.push(number);
        #[allow(unsafe_code)]
        // SAFETY: the kernel initialized the first `bytes` bytes, which lie inside the capacity as was just asserted.
        unsafe {
            buffer.set_len(bytes);
        }
        buffer
    }

    fn publish(&self) {
        #[allow(unsafe_code)]
        // SAFETY: the tail lies in the first entry, which is valid and aligned, and is only ever accessed atomically or by the kernel.
        let tail = unsafe { &*BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        #[allow(unsafe_code)]
        // SAFETY: mapped by `new`, and the ring that knew of it is gone.
        let unmapped = unsafe { munmap(self.entries.as_ptr().cast(), RING_BYTES) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[allow(unsafe_code)]
// SAFETY: the mapping is owned, and moves with the structure; it is used through `&mut` only.
unsafe impl Send for Buffers {}
