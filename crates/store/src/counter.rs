//! A counter with one writer and any readers, without a read-modify-write instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// Only its owning worker may write; any thread may read a value that was true a moment ago.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Two concurrent writers would lose counts, nothing worse.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Takes `n` back.
    pub fn sub(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// The count.
    #[inline]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
