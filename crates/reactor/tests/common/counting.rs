//! An allocator that counts what the calling thread does, and an echo that keeps off the heap, for tests that hold a loop to what it
//! allocates. A test file that wants it says `#[path = "common/counting.rs"] mod counting;` and makes [`Counting`] its allocator.
//!
//! Invariant: a thread sees its own figures only; memory that another thread frees stays counted.

#![allow(dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Peer, Rope};

/// The system's allocator, counted.
pub(crate) struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// Allocations of this thread so far.
pub(crate) fn calls() -> usize {
    CALLS.get()
}

/// Bytes that this thread has allocated and not freed.
pub(crate) fn live_bytes() -> isize {
    LIVE_BYTES.get()
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        LIVE_BYTES.set(LIVE_BYTES.get() + layout.size() as isize);
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get() - layout.size() as isize);
        // SAFETY: the caller's obligations are the same.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Echoes without touching the heap itself.
#[derive(Default)]
pub(crate) struct Echo {
    /// Wake-ups that it was told of.
    pub(crate) woken: usize,
}

impl Handler for Echo {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let mut rope = Rope::with_buffer(io.buffer());
            rope.tail().extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
            io.send(input.conn(), &mut rope);
        }
    }

    fn woken(&mut self, _: &mut Io<'_>) {
        self.woken += 1;
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
}
