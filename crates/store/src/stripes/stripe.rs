//! One stripe: the lock word, what it guards, and the queue of those who wait for it.
//!
//! ```text
//! FREE --lock (CAS)--> LOCKED --first waiter (CAS under the queue's lock)--> CONTENDED
//!   \_____unlock (CAS)___/                                                      |
//!    \                   \____ hand over to the last waiter ____________________/|
//!     \________________________ every waiter was dead ___________________________/
//! ```
//!
//! Invariants:
//! - `FREE` and `LOCKED` mean that the queue is empty, so a newcomer cannot pass a waiter: it sees `CONTENDED`.
//! - A word becomes or ceases to be `CONTENDED` only under the queue's lock.
//! - No wake-up is lost: a parker turns `LOCKED` into `CONTENDED` by compare-exchange *before* it stands in the queue. If the
//!   holder let go first, the exchange fails and the parker looks again; if the parker was first, the holder's
//!   exchange `LOCKED` to `FREE` fails, and it goes by the queue, whose lock it gets after the parker has joined.
//! - A hand-over leaves the word locked, on behalf of the waiter that was granted it.
//!
//! Not here: spinning policy, sets of several stripes, the gate.

use std::sync::Arc;

use super::{
    queue::Queue,
    sync::{AtomicU32, Mutex, Ordering, UnsafeCell, hold, spin_loop},
    waiter::{Place, Waiter},
};

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and somebody waits.
const CONTENDED: u32 = 2;

/// A lock word beside what it guards; the caller pads it to cache lines of its own.
#[repr(C)]
pub(super) struct Stripe<T> {
    word: AtomicU32,
    /// Bug planted by a test: see `Stripes::planted`.
    #[cfg(loom)]
    pub(super) planted: bool,
    data: UnsafeCell<T>,
    queue: Mutex<Queue>,
}

// SAFETY: `data` is reached only through `Stripes`, with proof that the lock is held; the word's acquire and release order the
// accesses. The value travels between threads, hence `T: Send`; it is never shared, so `T: Sync` is not needed.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Stripe<T> {}

impl<T> Stripe<T> {
    pub(super) fn new(data: T) -> Self {
        Self {
            word: AtomicU32::new(FREE),
            #[cfg(loom)]
            planted: false,
            data: UnsafeCell::new(data),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// A pointer to what the stripe guards. Using it takes proof that the stripe is held.
    #[inline]
    pub(super) fn data(&self) -> *mut T {
        self.data.with_mut(|data| data)
    }

    /// The same for reading only.
    #[inline]
    pub(super) fn data_to_read(&self) -> *const T {
        self.data.with(|data| data)
    }

    /// One attempt: one compare-exchange.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        // Acquire: sees what the former holder wrote, whose unlocking is the release that this reads from.
        self.word
            .compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Several attempts. Gives up early where somebody waits, for then the stripe is handed over and never falls free.
    pub(super) fn spin_lock(&self, spins: u32) -> bool {
        if self.try_lock() {
            return true;
        }
        for _ in 0..spins {
            match self.word.load(Ordering::Relaxed) {
                FREE if self.try_lock() => return true,
                CONTENDED => return false,
                _ => spin_loop(),
            }
        }
        false
    }

    /// Takes the stripe if it is free by now (true), or else puts the waiter at the end of the queue (false): from that
    /// moment on the waiter may be granted by any thread.
    #[allow(unsafe_code)]
    pub(super) fn lock_or_queue(&self, waiter: &Arc<Waiter>) -> bool {
        let mut queue = hold(&self.queue);
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = match word {
                FREE => LOCKED,
                LOCKED => CONTENDED,
                // Read under the queue's lock, so it is true now: see the second invariant.
                _ => break,
            };
            #[cfg(loom)]
            if self.planted && word == LOCKED {
                // The bug: what was true at the load need not be true at the store.
                self.word.store(CONTENDED, Ordering::Relaxed);
                break;
            }
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(FREE) => return true,
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        waiter.join();
        // SAFETY: `join` has just made sure that the waiter was in no list.
        unsafe { queue.push(Arc::clone(waiter)) };
        false
    }

    /// Puts a waiter at the head of the queue of this stripe, which the caller holds, so that it is the next to have it. False: its
    /// session is gone.
    #[allow(unsafe_code)]
    pub(super) fn queue_first(&self, waiter: &Arc<Waiter>, number: u16) -> bool {
        let Some(progress) = waiter.begin_called(Place::Stripe(number)) else {
            return false;
        };
        let mut queue = hold(&self.queue);
        // Relaxed: only the holder, which is the caller, takes the word out of `LOCKED`, but for those who do it under the queue's lock.
        self.word.store(CONTENDED, Ordering::Relaxed);
        waiter.join();
        // SAFETY: `join` has just made sure that the waiter was in no list.
        unsafe { queue.push_front(Arc::clone(waiter)) };
        drop(queue);
        drop(progress);
        true
    }

    /// Unlocks where nobody waits: one compare-exchange. False: somebody does, use [`hand_over`](Self::hand_over).
    #[inline]
    pub(super) fn unlock_uncontended(&self) -> bool {
        // Release: the next holder sees what this one wrote. A swap would not do: a stripe with waiters must not be free even
        // for a moment, or a newcomer would pass them.
        self.word
            .compare_exchange(LOCKED, FREE, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Unlocks. A waiter that got the stripe instead is appended to `granted`, for the caller to send it to its ready list.
    #[inline]
    pub(super) fn unlock(&self, granted: &mut Queue) {
        if !self.unlock_uncontended() {
            self.hand_over(granted);
        }
    }

    /// Gives the stripe, which is held and contended, to the first waiter that is alive.
    #[cold]
    #[allow(unsafe_code)]
    pub(super) fn hand_over(&self, granted: &mut Queue) {
        let mut queue = hold(&self.queue);
        let word = self.word.load(Ordering::Relaxed);
        assert!(
            word == CONTENDED,
            "a stripe is unlocked by its holder (word {word})"
        );
        while let Some(waiter) = queue.pop() {
            if queue.is_empty() {
                // Before the grant: from then on the stripe is the waiter's, and a dying one may unlock it at once. Relaxed:
                // ordered by the grant, and nobody else may act on it.
                self.word.store(LOCKED, Ordering::Relaxed);
            }
            if waiter.grant() {
                // SAFETY: just taken out of the queue of this stripe and granted.
                unsafe { granted.push(waiter) };
                return;
            }
        }
        // Release: as in `unlock_uncontended`.
        self.word.store(FREE, Ordering::Release);
    }
}
