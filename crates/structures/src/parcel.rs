//! A buffer that several ropes send from, and that tells when the last of them is done with it.
//!
//! Invariant: the bytes never change, and what is told is what the allocator gets back. Who made the parcel keeps account of it: a
//! message that waits for slow readers is memory of clients, wherever the last reference to it is dropped.

use std::sync::Arc;

/// See the module's text. Shared as an [`Arc`].
#[derive(Debug)]
pub struct Parcel {
    bytes: Vec<u8>,
    freed: fn(usize),
}

impl Parcel {
    /// Wraps a buffer. `freed` is called with its capacity in bytes when it is gone, on the thread that dropped it.
    #[must_use]
    pub fn new(bytes: Vec<u8>, freed: fn(usize)) -> Arc<Parcel> {
        Arc::new(Parcel { bytes, freed })
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Memory that the buffer takes, bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        (self.freed)(self.bytes.capacity());
    }
}
