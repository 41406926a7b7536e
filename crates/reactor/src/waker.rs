//! Waking a loop from another thread.
//!
//! Invariant: after [`Waker::wake`] returns, the loop runs a full turn, in which `Handler::woken` is called, without having
//! slept in between. Wake-ups coalesce, and one that finds the loop awake costs no system call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The part that a backend provides: ends a wait, now or the next one. May be called from any thread.
pub trait Wake: Send + Sync {
    /// Makes the current wait return, or the next one if none is going on.
    fn wake(&self);
}

struct Shared {
    /// A wake-up that the loop has not seen.
    pending: AtomicBool,
    /// The loop waits, or is about to and will look at `pending` first.
    asleep: AtomicBool,
    backend: Arc<dyn Wake>,
}

/// Wakes one loop. Cheap to clone.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

impl Waker {
    pub(crate) fn new(backend: Arc<dyn Wake>) -> Waker {
        Waker {
            shared: Arc::new(Shared {
                pending: AtomicBool::new(false),
                asleep: AtomicBool::new(false),
                backend,
            }),
        }
    }

    /// Makes the loop run a turn soon.
    pub fn wake(&self) {
        // Both sides store their own flag, then load the other's, all sequentially consistent: at least one of them sees the
        // other, so either the loop does not sleep or it is woken.
        if !self.shared.pending.swap(true, Ordering::SeqCst)
            && self.shared.asleep.load(Ordering::SeqCst)
        {
            self.shared.backend.wake();
        }
    }

    /// Announces that the loop is going to wait. False: it must not, someone woke it.
    #[inline]
    pub(crate) fn fall_asleep(&self) -> bool {
        self.shared.asleep.store(true, Ordering::SeqCst);
        !self.shared.pending.load(Ordering::SeqCst)
    }

    #[inline]
    pub(crate) fn rise(&self) {
        self.shared.asleep.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.shared.pending.load(Ordering::Relaxed)
    }

    /// True if someone woke the loop since the last call.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        self.is_pending() && self.shared.pending.swap(false, Ordering::SeqCst)
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker")
            .field("pending", &self.is_pending())
            .finish_non_exhaustive()
    }
}
