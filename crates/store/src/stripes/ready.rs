//! The ready list of a worker: sessions that were granted what they waited for.
//!
//! Any thread pushes, the worker drains. The links are in the waiters, so that a wake-up neither allocates nor needs room
//! anywhere. The worker is woken only when it said that it may sleep and the list was empty.
//!
//! Invariant: one word says all: empty and the worker awake (null), empty and the worker perhaps asleep (`ASLEEP`), or the
//! waiter pushed last. As both "nothing there" and "I sleep" are states of the same word, a push either sees the sleeper
//! and wakes it, or comes first and is seen by `prepare_sleep`: there is no window between. Not here: how a thread sleeps.

use std::{fmt, ptr, sync::Arc};

use super::{
    sync::{AtomicPtr, Ordering},
    waiter::Waiter,
};

/// Ends the sleep of a worker, from any thread. Must neither block nor be lost when the worker is just going to
/// sleep (an eventfd is like that, and so is `Thread::unpark`).
pub trait Wake: Send + Sync {
    /// Makes the worker's present sleep, or else its next one, end.
    fn wake(&self);
}

impl<F: Fn() + Send + Sync> Wake for F {
    fn wake(&self) {
        self();
    }
}

/// The head of a list that is empty while its worker may be asleep. Never the address of a waiter: those are aligned.
const ASLEEP: *mut Waiter = ptr::without_provenance_mut(1);

/// The sessions of one worker that may go on, first come first served.
///
/// The worker's part: [`drain`](Self::drain) once a turn, and [`prepare_sleep`](Self::prepare_sleep) before it sleeps without
/// a time limit. A list that still has waiters is kept alive by them: a worker that ends drains it after its last session.
pub struct ReadyList {
    head: AtomicPtr<Waiter>,
    wake: Box<dyn Wake>,
    #[cfg(loom)]
    planted: bool,
}

impl ReadyList {
    /// Makes the empty list of a worker that is awake.
    pub fn new(wake: impl Wake + 'static) -> Arc<Self> {
        Arc::new(Self {
            head: AtomicPtr::new(ptr::null_mut()),
            wake: Box::new(wake),
            #[cfg(loom)]
            planted: false,
        })
    }

    /// A list with a planted bug, for the test that shows that the tests can fail: going to sleep without looking.
    #[cfg(loom)]
    pub fn planted(wake: impl Wake + 'static) -> Arc<Self> {
        Arc::new(Self {
            head: AtomicPtr::new(ptr::null_mut()),
            wake: Box::new(wake),
            planted: true,
        })
    }

    /// Whether nothing is there to drain, as far as this thread has heard. One relaxed load.
    #[inline]
    pub fn is_empty(&self) -> bool {
        let head = self.head.load(Ordering::Relaxed);
        head.is_null() || head == ASLEEP
    }

    /// Called by the worker before it sleeps. False: there is something to drain, do not sleep. True: from now on the first push
    /// calls [`Wake::wake`]; the next [`drain`](Self::drain) says that the worker is awake again.
    pub fn prepare_sleep(&self) -> bool {
        #[cfg(loom)]
        if self.planted {
            self.head.store(ASLEEP, Ordering::Relaxed);
            return true;
        }
        // Relaxed: nothing is read on the strength of this; the drain that follows a wake-up acquires.
        match self.head.compare_exchange(
            ptr::null_mut(),
            ASLEEP,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            Ok(_) => true,
            Err(head) => head == ASLEEP,
        }
    }

    /// Appends the tokens of the sessions that may go on to `tokens`, in the order in which they were granted, and answers
    /// how many. The worker then resumes each ([`Stripes::resume`](super::Stripes::resume)). Sessions that died meanwhile are
    /// left out; one that dies between this call and its turn is for the caller to know. O(n).
    #[allow(unsafe_code)]
    pub fn drain(&self, tokens: &mut Vec<u64>) -> usize {
        if self.head.load(Ordering::Relaxed).is_null() {
            return 0;
        }
        // Acquire: sees the links of all waiters (each push is a read-modify-write with release, so they form one release
        // sequence), and all that the former holders wrote under the stripes granted.
        let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        if head == ASLEEP {
            return 0;
        }
        // The stack has the last on top: turn it round.
        let mut first: *const Waiter = ptr::null();
        let mut rest: *const Waiter = head;
        while !rest.is_null() {
            let waiter = rest;
            // SAFETY: every waiter of the list is kept by the reference that `push` took, and its link belongs to this list
            // until it is delivered below.
            unsafe {
                rest = (*waiter).next.with(|next| *next);
                (*waiter).next.with_mut(|next| *next = first);
            }
            first = waiter;
        }
        let before = tokens.len();
        while !first.is_null() {
            // SAFETY: the pointer came from `Arc::into_raw` in `push`; the reference is turned back once, for the
            // list was taken whole by the swap above.
            let waiter = unsafe { Arc::from_raw(first) };
            // SAFETY: the link belongs to the list until `deliver`.
            first = waiter.next.with(|next| unsafe { *next });
            if waiter.deliver() {
                tokens.push(waiter.token());
            }
        }
        tokens.len() - before
    }

    /// Adds a waiter that was granted a place, and wakes the worker where it may sleep.
    ///
    /// # Safety
    /// The waiter is in no list, and it is the caller that took it out of its queue.
    #[allow(unsafe_code)]
    pub(super) unsafe fn push(&self, waiter: Arc<Waiter>) {
        let new = Arc::into_raw(waiter).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let below = if head == ASLEEP {
                ptr::null_mut()
            } else {
                head
            };
            // SAFETY: `new` is kept by the reference just turned into a pointer; its link is ours until the exchange succeeds.
            unsafe { (*new).next.with_mut(|next| *next = below) };
            // Release: what this thread did under the stripe is seen by the worker that drains.
            match self
                .head
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        if head == ASLEEP {
            self.wake.wake();
        }
    }
}

impl fmt::Debug for ReadyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyList")
            .field("is_empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}
