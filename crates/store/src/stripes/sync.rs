//! The primitives that the stripes are built of: those of the standard library, or loom's under `cfg(loom)`.
//!
//! Invariant: everything that two threads share in this module goes through here, so that loom sees it. Not here:
//! `Arc` (its counting is not what we test) and the debug-only checks, which must not add interleavings.

#[cfg(not(loom))]
pub(super) use std::{
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering},
    },
};

#[cfg(loom)]
pub(super) use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering},
    },
};

/// The standard cell with the closure interface of loom's.
#[cfg(not(loom))]
#[derive(Debug)]
pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Gives a pointer for reading. Under loom this is where the access is checked against all others.
    #[inline]
    pub(super) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Gives a pointer for writing.
    #[inline]
    pub(super) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Locks one of the tiny internal mutexes. They are held for a few instructions and never across a call out.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("a panic ends the process, so nobody sees a poisoned lock")
}
