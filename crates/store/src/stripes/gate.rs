//! The gate: what keeps newcomers away while somebody takes all stripes.
//!
//! Invariants: the gate is up exactly while one taker of all has it (from the moment it starts until it releases); takers of
//! all have it one at a time; while it is down nobody waits at it. The flag changes only under the queue's lock.
//!
//! The gate is about progress, not about exclusion: the stripes' own locks exclude. A thread that has not yet heard that the
//! gate is up merely delays the taker of all by one command, which is why the flag may be read relaxed.

use std::sync::Arc;

use super::{
    queue::Queue,
    sync::{AtomicBool, Mutex, Ordering, hold},
    waiter::Waiter,
};

pub(super) struct Gate {
    up: AtomicBool,
    queue: Mutex<Queue>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            up: AtomicBool::new(false),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// One relaxed load.
    #[inline]
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Goes through (true), or queues at a gate that is up (false). For ordinary takers, holding nothing.
    pub(super) fn pass_or_queue(&self, waiter: &Arc<Waiter>) -> bool {
        let mut queue = hold(&self.queue);
        // Looked at again under the lock: had the gate fallen meanwhile, nobody would come to wake us.
        if !self.is_up() {
            return true;
        }
        Self::join(&mut queue, waiter);
        false
    }

    /// Raises the gate (true), or queues where another taker of all has it (false).
    pub(super) fn raise_or_queue(&self, waiter: &Arc<Waiter>) -> bool {
        let mut queue = hold(&self.queue);
        if self.is_up() {
            Self::join(&mut queue, waiter);
            return false;
        }
        self.up.store(true, Ordering::Relaxed);
        true
    }

    #[allow(unsafe_code)]
    fn join(queue: &mut Queue, waiter: &Arc<Waiter>) {
        waiter.join();
        // SAFETY: `join` has just made sure that the waiter was in no list.
        unsafe { queue.push(Arc::clone(waiter)) };
    }

    /// The taker of all is through. Those who waited may start, in their order, up to and including the next taker of all, to
    /// which the gate passes without falling; the rest stays. They are appended to `granted`.
    #[allow(unsafe_code)]
    pub(super) fn lower(&self, granted: &mut Queue) {
        let mut queue = hold(&self.queue);
        debug_assert!(self.is_up());
        while let Some(waiter) = queue.pop() {
            if !waiter.grant() {
                continue;
            }
            let takes_all = waiter.takes_all();
            // SAFETY: just taken out of the queue of the gate and granted.
            unsafe { granted.push(waiter) };
            if takes_all {
                return;
            }
        }
        self.up.store(false, Ordering::Relaxed);
    }
}
