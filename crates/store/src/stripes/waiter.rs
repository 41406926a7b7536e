//! A session as something that waits: its state, and the link by which it stands in one list at a time.
//!
//! The life of a waiter: it is idle; it joins the queue of a stripe or of the gate; a releaser takes it out, grants
//! it the place and puts it on the ready list of its worker; the worker drains that list, which delivers it, and
//! resumes the session, which makes it idle again. A dead session leaves this circle from any point.
//!
//! ```text
//! IDLE --join--> QUEUED --grant--> GRANTED --deliver--> DELIVERED --take_up--> IDLE
//!   \______________\________________\_____________________\____ die ____> DEAD
//! ```
//!
//! Invariant: each step is one compare-exchange by exactly one party, so the link belongs to one list (or to none), and
//! a place is granted to a live session or to nobody. Not here: what is granted; see `stripe` and `gate`.

use std::{fmt, ptr, sync::Arc};

use super::{
    ready::ReadyList,
    set::LockSet,
    sync::{AtomicBool, AtomicU32, Mutex, MutexGuard, Ordering, UnsafeCell, hold},
};

const IDLE: u32 = 0;
/// In the queue of a stripe or of the gate.
const QUEUED: u32 = 1;
/// Taken out of the queue: the place is the session's, which is on its way to the ready list or on it.
const GRANTED: u32 = 2;
/// Taken from the ready list; the session has yet to resume.
const DELIVERED: u32 = 3;
/// The session is gone. The lists drop the waiter when they come across it.
const DEAD: u32 = 4;

/// Where a session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the queue of this stripe.
    Stripe(u16),
    /// At the gate that a taker of all stripes has raised.
    Gate,
}

/// How far one acquisition has come. Meaningless while the waiter is idle.
#[derive(Debug)]
pub(super) struct Progress {
    /// Where the session waits or was granted.
    pub(super) place: Place,
    /// Attempts that ended at a busy stripe.
    pub(super) failed_rounds: u32,
    /// Whether lower stripes are kept while waiting for a higher one.
    pub(super) in_order: bool,
    /// How many stripes, from the first of `set`, are kept while the session waits.
    pub(super) kept: usize,
    /// The set that `kept` counts in; valid when `in_order`.
    pub(super) set: LockSet,
    /// Whether this session has the gate up.
    pub(super) raised: bool,
}

impl Progress {
    const START: Self = Self {
        place: Place::Gate,
        failed_rounds: 0,
        in_order: false,
        kept: 0,
        set: LockSet::All,
        raised: false,
    };

    /// Back to the start, once what was kept belongs to a [`Held`](super::Held) or was given back.
    pub(super) fn reset(&mut self) {
        *self = Self::START;
    }
}

/// A session as the locks see it: allocated once per session, used for every wait. About 150 bytes.
pub struct Waiter {
    state: AtomicU32,
    /// Set before joining the queue of the gate, read under its lock: this one will be the next to raise it.
    takes_all: AtomicBool,
    /// In debug builds: the session has a [`Held`](super::Held). A plain standard atomic, so that loom does not follow it.
    #[cfg(debug_assertions)]
    holds: std::sync::atomic::AtomicBool,
    token: u64,
    ready: Arc<ReadyList>,
    /// The next waiter of the list that this one is in. Belongs to that list.
    pub(super) next: UnsafeCell<*const Waiter>,
    progress: Mutex<Progress>,
}

// SAFETY: the only field that is not `Sync` by itself is `next`, which is touched by the list that the waiter is in and
// by nobody else; the lists synchronise (a mutex; release and acquire on the head of the ready list).
#[allow(unsafe_code)]
unsafe impl Sync for Waiter {}
// SAFETY: as above; nothing in a waiter is bound to a thread.
#[allow(unsafe_code)]
unsafe impl Send for Waiter {}

impl Waiter {
    /// Makes the waiter of a session. `ready` is the list of the worker that runs the session; `token` is what that
    /// worker will find on it and should name the session for good (an index with a generation).
    pub fn new(ready: Arc<ReadyList>, token: u64) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU32::new(IDLE),
            takes_all: AtomicBool::new(false),
            #[cfg(debug_assertions)]
            holds: std::sync::atomic::AtomicBool::new(false),
            token,
            ready,
            next: UnsafeCell::new(ptr::null()),
            progress: Mutex::new(Progress::START),
        })
    }

    /// The session, as its worker named it.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Whether the session waits (parked, or granted and not yet resumed).
    pub fn is_waiting(&self) -> bool {
        matches!(
            self.state.load(Ordering::Relaxed),
            QUEUED | GRANTED | DELIVERED
        )
    }

    pub(super) fn ready(&self) -> &Arc<ReadyList> {
        &self.ready
    }

    pub(super) fn takes_all(&self) -> bool {
        self.takes_all.load(Ordering::Relaxed)
    }

    /// Starts an acquisition that may wait.
    pub(super) fn begin(&self, takes_all: bool) -> MutexGuard<'_, Progress> {
        let progress = hold(&self.progress);
        let state = self.state.load(Ordering::Relaxed);
        assert!(
            state == IDLE,
            "a session that waits or is gone asks for a lock (state {state})"
        );
        debug_assert!(!progress.raised && progress.kept == 0);
        // Published by the lock of the queue that the waiter may join.
        self.takes_all.store(takes_all, Ordering::Relaxed);
        progress
    }

    /// Starts an acquisition on behalf of a session that waits for nothing and does not run meanwhile: somebody calls it to `place`.
    /// Nothing when it is gone.
    pub(super) fn begin_called(&self, place: Place) -> Option<MutexGuard<'_, Progress>> {
        let mut progress = hold(&self.progress);
        let state = self.state.load(Ordering::Relaxed);
        if state == DEAD {
            return None;
        }
        assert!(
            state == IDLE,
            "a session that waits is called (state {state})"
        );
        self.takes_all.store(false, Ordering::Relaxed);
        progress.place = place;
        Some(progress)
    }

    /// Puts a session that waits for nothing on its ready list: it has been granted nothing, and takes note of that by
    /// [`Waiter::note_passed`]. Nothing happens when it is gone.
    #[allow(unsafe_code)]
    pub(crate) fn pass(self: Arc<Self>) {
        let Some(progress) = self.begin_called(Place::Gate) else {
            return;
        };
        self.join();
        let is_alive = self.grant();
        drop(progress);
        if is_alive {
            let list = Arc::clone(&self.ready);
            // SAFETY: `join` has just made sure that the waiter was in no list.
            unsafe { list.push(self) };
        }
    }

    /// A session that came out of its ready list because of `Waiter::pass` goes on.
    pub fn note_passed(&self) {
        drop(self.take_up());
    }

    /// Before standing in a queue. The caller holds the lock of that queue.
    pub(super) fn join(&self) {
        // Relaxed: whoever takes the waiter out of the queue takes the lock of the queue before.
        let joined =
            self.state
                .compare_exchange(IDLE, QUEUED, Ordering::Relaxed, Ordering::Relaxed);
        assert!(
            joined.is_ok(),
            "a session waits in one place at a time (state {joined:?})"
        );
    }

    /// Gives the place to the session; false when it is dead. The caller has just taken it out of a queue.
    pub(super) fn grant(&self) -> bool {
        // Release: pairs with the acquire of `die`, which may give the stripe on without going by the ready list.
        match self
            .state
            .compare_exchange(QUEUED, GRANTED, Ordering::Release, Ordering::Relaxed)
        {
            Ok(_) => true,
            Err(state) => {
                assert!(
                    state == DEAD,
                    "a queued waiter is queued or dead (state {state})"
                );
                false
            }
        }
    }

    /// Taken from the ready list; false when the session is dead.
    pub(super) fn deliver(&self) -> bool {
        match self
            .state
            .compare_exchange(GRANTED, DELIVERED, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => true,
            Err(state) => {
                assert!(
                    state == DEAD,
                    "a ready waiter is granted or dead (state {state})"
                );
                false
            }
        }
    }

    /// The session goes on with what it was granted.
    pub(super) fn take_up(&self) -> MutexGuard<'_, Progress> {
        let progress = hold(&self.progress);
        // Relaxed: what the former holder wrote is seen since the acquire of `ReadyList::drain`.
        let taken =
            self.state
                .compare_exchange(DELIVERED, IDLE, Ordering::Relaxed, Ordering::Relaxed);
        assert!(
            taken.is_ok(),
            "only a session from the ready list resumes (state {taken:?})"
        );
        progress
    }

    /// The session is gone. Answers how far it had come and whether `place` had been granted to it; nothing when it was
    /// dead already.
    pub(super) fn die(&self) -> Option<(MutexGuard<'_, Progress>, bool)> {
        let progress = hold(&self.progress);
        // Acquire: see `grant`. Release: what this thread did to kept stripes is ordered by their own unlocking.
        match self.state.swap(DEAD, Ordering::Acquire) {
            DEAD => None,
            GRANTED | DELIVERED => Some((progress, true)),
            _ => Some((progress, false)),
        }
    }

    /// Debug builds: a session that holds stripes must not ask for more, for it might then wait out of order.
    #[inline]
    pub(super) fn assert_holds_nothing(&self) {
        #[cfg(debug_assertions)]
        assert!(
            !self.holds.load(Ordering::Relaxed),
            "lock order: session {} asks for stripes while it holds some",
            self.token
        );
    }

    /// Debug builds: notes that the session has got, or given back, its stripes.
    #[cfg(debug_assertions)]
    pub(super) fn note_holds(&self, holds: bool) {
        self.holds.store(holds, Ordering::Relaxed);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("token", &self.token)
            .field("state", &self.state.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
