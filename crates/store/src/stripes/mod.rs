//! The striped lock set with parking: who may touch which part of the keyspace.
//!
//! A worker never blocks on a stripe. It tries, spins briefly, and then gives back what it has and parks the *session*: the
//! session's [`Waiter`] stands in the queue of the busy stripe, the worker goes on with its other sessions, and the release
//! of the stripe hands it to the first waiter and puts that on the [`ReadyList`] of its worker, which resumes it.
//!
//! Several stripes are taken in ascending order. A session that meets a busy one holds nothing while it waits, and comes back
//! with that one in hand to try the others. After [`ROUNDS_MAX`] failures it keeps what it has, strictly from the lowest
//! up, so that it will get there. A taker of all first raises the gate; later takers wait at the gate, holding nothing.
//!
//! Invariants:
//! - A session that holds stripes while it waits holds only lower ones than the one it waits for. One that was granted a
//!   stripe and has not yet resumed waits for no lock. Hence no cycle, hence no deadlock, as long as workers resume what
//!   their lists give them.
//! - Workers are woken after all stripes and internal locks of the call are let go: nothing is held across a system call.
//! - Waking neither allocates nor fails. (A set of more than six stripes is copied to the heap when taken.)
//!
//! Not here: how keys choose stripes, clocks, how threads sleep. How long to spin is the caller's choice.

mod gate;
mod held;
mod queue;
mod ready;
mod set;
mod stripe;
mod sync;
mod waiter;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam_utils::CachePadded;
use dunlin_structures::prefetch;

use self::{gate::Gate, queue::Queue, stripe::Stripe, waiter::Progress};
pub use self::{
    held::Held,
    ready::{ReadyList, Wake},
    set::{LockSet, SET_INLINE_STRIPES, StripeList},
    waiter::{Place, Waiter},
};

/// Stripes of a keyspace, unless configured otherwise.
pub const STRIPES_DEFAULT: usize = 256;

/// The most stripes: their numbers have 16 bits.
pub const STRIPES_MAX: usize = 1 << 16;

/// Turns of the spin loop before a session parks: some 2 us where a pause takes 40 ns (x86 since 2017), less elsewhere.
pub const SPINS_DEFAULT: u32 = 50;

/// Failed attempts to get several stripes together, after which a session keeps the lower ones while it waits.
#[cfg(not(loom))]
pub const ROUNDS_MAX: u32 = 8;
/// Under loom the fallback has to come within reach of a model.
#[cfg(loom)]
pub const ROUNDS_MAX: u32 = 2;

/// The session waits; its token will be on its ready list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the command has to wait"]
pub struct Parked {
    /// For what.
    pub at: Place,
}

/// A power of two of values of type `T`, each behind a lock on cache lines of its own, and the gate.
pub struct Stripes<T> {
    stripes: Box<[CachePadded<Stripe<T>>]>,
    spins: u32,
    /// Never used again by another `Stripes`, so that a [`Held`] is known to be of this one.
    id: u64,
    gate: CachePadded<Gate>,
}

/// Where an acquisition stands: see [`Stripes::advance`].
enum Step {
    /// Nothing is held, everything is to be tried.
    Start,
    /// This stripe is held, the others are to be tried.
    Holding(u16),
    /// Nothing is held, for this stripe was busy.
    Busy(u16),
}

impl<T> Stripes<T> {
    /// Makes `count` stripes, the value of each from its number. `spins` is how often a worker looks again before it
    /// parks a session ([`SPINS_DEFAULT`]; 0 where one thread plays all workers).
    ///
    /// # Panics
    /// Unless `count` is a power of two of at most [`STRIPES_MAX`].
    pub fn new(count: usize, spins: u32, mut make: impl FnMut(usize) -> T) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        assert!(
            count.is_power_of_two() && count <= STRIPES_MAX,
            "the count of stripes is a power of two up to {STRIPES_MAX}, not {count}"
        );
        Self {
            stripes: (0..count)
                .map(|number| CachePadded::new(Stripe::new(make(number))))
                .collect(),
            spins,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            gate: CachePadded::new(Gate::new()),
        }
    }

    /// Stripes with a planted bug (the mark that somebody waits is set without looking again), for the test that shows that the
    /// tests can fail.
    #[cfg(loom)]
    pub fn planted(count: usize, make: impl FnMut(usize) -> T) -> Self {
        let mut stripes = Self::new(count, 0, make);
        for stripe in &mut stripes.stripes {
            stripe.planted = true;
        }
        stripes
    }

    /// Brings a stripe's lock into this core's cache, for who will take it soon: the exchange then waits for no other core.
    #[inline]
    pub fn prefetch(&self, stripe: usize) {
        prefetch::line_to_write(std::ptr::from_ref(&self.stripes[stripe]).cast());
    }

    /// How many stripes there are.
    #[inline]
    pub fn count(&self) -> usize {
        self.stripes.len()
    }

    /// Takes a set of stripes. Never blocks: where one is busy, the session parks, and the caller goes on with other work until
    /// the session's token is on its ready list; then [`resume`](Self::resume). A parked session may appear there even
    /// before this returns.
    ///
    /// One free stripe costs a relaxed load and a compare-exchange.
    ///
    /// # Panics
    /// When the session waits already; in debug builds also when it holds stripes.
    #[inline]
    pub fn lock(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Result<Held, Parked> {
        if let LockSet::One(stripe) = *set
            && let Some(held) = self.try_lock(stripe, waiter)
        {
            return Ok(held);
        }
        waiter.assert_holds_nothing();
        self.lock_slow(set, waiter)
    }

    /// One attempt at one stripe, which leaves no trace if it is busy. A relaxed load and a compare-exchange.
    ///
    /// # Panics
    /// In debug builds, when the session holds stripes.
    #[inline]
    pub fn try_lock(&self, stripe: u16, waiter: &Arc<Waiter>) -> Option<Held> {
        waiter.assert_holds_nothing();
        (!self.gate.is_up() && self.stripe(stripe).try_lock())
            .then(|| self.held(LockSet::One(stripe), waiter))
    }

    #[inline(never)]
    fn lock_slow(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Result<Held, Parked> {
        if *set == LockSet::All {
            let mut progress = waiter.begin(true);
            progress.place = Place::Gate;
            if !self.gate.raise_or_queue(waiter) {
                return Err(Parked { at: Place::Gate });
            }
            progress.raised = true;
            return self.advance(set, waiter, &mut progress, Step::Start);
        }
        let step = if self.gate.is_up() {
            Step::Start
        } else {
            // The waiter is not touched where all goes well.
            match self.take_others(set, None) {
                None => return Ok(self.held(set.clone(), waiter)),
                Some(busy) => Step::Busy(busy),
            }
        };
        let mut progress = waiter.begin(false);
        if matches!(step, Step::Start) {
            progress.place = Place::Gate;
            if !self.gate.pass_or_queue(waiter) {
                return Err(Parked { at: Place::Gate });
            }
        }
        self.advance(set, waiter, &mut progress, step)
    }

    /// Goes on with a session whose token came out of its ready list: it has the stripe, or the passage, that it waited for, and
    /// tries to get the rest of the same set. May park again.
    ///
    /// # Panics
    /// When the session did not come out of its ready list, or waited for a stripe that is not in the set.
    pub fn resume(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Result<Held, Parked> {
        let mut progress = waiter.take_up();
        let step = match progress.place {
            Place::Gate => {
                // A taker of all comes from the gate's queue with the gate handed to it.
                progress.raised = *set == LockSet::All;
                assert!(
                    progress.raised == waiter.takes_all(),
                    "resumed with another set"
                );
                Step::Start
            }
            Place::Stripe(stripe) => {
                assert!(set.covers(stripe), "resumed with another set");
                if progress.in_order {
                    assert!(progress.set == *set, "resumed with another set");
                    debug_assert_eq!(set.at(progress.kept), stripe);
                    progress.kept += 1;
                }
                Step::Holding(stripe)
            }
        };
        self.advance(set, waiter, &mut progress, step)
    }

    /// Tries until the set is taken or the session parks. Once it is in a queue, another thread may resume it; that one then
    /// waits for the caller to let go of `progress`.
    fn advance(
        &self,
        set: &LockSet,
        waiter: &Arc<Waiter>,
        progress: &mut Progress,
        mut step: Step,
    ) -> Result<Held, Parked> {
        while !progress.in_order {
            let busy = match step {
                Step::Busy(stripe) => Some(stripe),
                Step::Start => self.take_others(set, None),
                Step::Holding(stripe) => self.take_others(set, Some(stripe)),
            };
            let Some(busy) = busy else {
                progress.reset();
                return Ok(self.held(set.clone(), waiter));
            };
            progress.failed_rounds += 1;
            if progress.failed_rounds >= ROUNDS_MAX {
                progress.in_order = true;
                progress.set = set.clone();
                break;
            }
            progress.place = Place::Stripe(busy);
            if !self.stripe(busy).lock_or_queue(waiter) {
                return Err(Parked {
                    at: Place::Stripe(busy),
                });
            }
            step = Step::Holding(busy);
        }
        self.advance_in_order(set, waiter, progress)
    }

    /// Takes the stripes from the lowest up and keeps them while the session waits for the next one.
    fn advance_in_order(
        &self,
        set: &LockSet,
        waiter: &Arc<Waiter>,
        progress: &mut Progress,
    ) -> Result<Held, Parked> {
        while progress.kept < set.size(self.count()) {
            let next = set.at(progress.kept);
            debug_assert!(
                progress.kept == 0 || set.at(progress.kept - 1) < next,
                "lock order: stripe {next} is not above what is kept"
            );
            progress.place = Place::Stripe(next);
            let stripe = self.stripe(next);
            if !stripe.spin_lock(self.spins) && !stripe.lock_or_queue(waiter) {
                return Err(Parked { at: progress.place });
            }
            progress.kept += 1;
        }
        progress.reset();
        Ok(self.held(set.clone(), waiter))
    }

    /// Takes all of the set but `have`, which is held already. Where one is busy, everything (`have` too) is released, and the
    /// busy one is the answer.
    fn take_others(&self, set: &LockSet, have: Option<u16>) -> Option<u16> {
        let size = set.size(self.count());
        for index in 0..size {
            let next = set.at(index);
            if Some(next) == have || self.stripe(next).spin_lock(self.spins) {
                continue;
            }
            let mut granted = Queue::new();
            for index in 0..index {
                self.stripe(set.at(index)).unlock(&mut granted);
            }
            if let Some(stripe) = have
                && stripe > next
            {
                self.stripe(stripe).unlock(&mut granted);
            }
            granted.send_ready();
            return Some(next);
        }
        None
    }

    /// Takes one stripe for housekeeping, only if it is free, nobody waits for it and the gate is down.
    #[inline]
    pub fn try_lock_one(&self, stripe: usize) -> Option<Held> {
        if self.gate.is_up() || !self.stripes[stripe].try_lock() {
            return None;
        }
        // A stripe that exists has a number of 16 bits.
        Some(Held::new(LockSet::One(stripe as u16), self.id))
    }

    /// Has a session that waits for no stripe take one that is held here, before all who wait for it: it will be on its ready list, and
    /// resumes with a set that has this stripe. False: the session is gone.
    ///
    /// # Panics
    /// When `held` does not cover the stripe, and when the session waits for a stripe already.
    pub fn summon(&self, held: &mut Held, stripe: usize, waiter: &Arc<Waiter>) -> bool {
        held.assert_covers(self.id, stripe);
        // A stripe that exists has a number of 16 bits.
        self.stripes[stripe].queue_first(waiter, stripe as u16)
    }

    /// Gives the stripes back, each to its first waiter if it has one.
    ///
    /// # Panics
    /// When they are of another `Stripes`.
    #[inline]
    pub fn release(&self, held: Held) {
        held.assert_of(self.id);
        if let LockSet::One(stripe) = *held.set()
            && self.stripe(stripe).unlock_uncontended()
        {
            held.retire();
        } else {
            self.release_slow(held);
        }
    }

    #[inline(never)]
    fn release_slow(&self, held: Held) {
        let mut granted = Queue::new();
        let set = held.set();
        for index in 0..set.size(self.count()) {
            self.stripe(set.at(index)).unlock(&mut granted);
        }
        if *set == LockSet::All {
            self.gate.lower(&mut granted);
        }
        // Before others are woken: in debug builds the session may be checked the moment it goes on.
        held.retire();
        granted.send_ready();
    }

    /// The session is gone. What it had been granted, or kept while waiting, is released, now; its place in a queue is left when its
    /// turn comes. The waiter cannot be used again. A [`Held`] of the session is not touched: that is released by who has it.
    pub fn abandon(&self, waiter: &Arc<Waiter>) {
        let Some((mut progress, was_granted)) = waiter.die() else {
            return;
        };
        let mut granted = Queue::new();
        let mut raised = progress.raised;
        if was_granted {
            match progress.place {
                Place::Stripe(stripe) => self.stripe(stripe).unlock(&mut granted),
                Place::Gate => raised = waiter.takes_all(),
            }
        }
        for index in 0..progress.kept {
            self.stripe(progress.set.at(index)).unlock(&mut granted);
        }
        if raised {
            self.gate.lower(&mut granted);
        }
        progress.reset();
        drop(progress);
        granted.send_ready();
    }

    /// What a held stripe guards.
    ///
    /// # Panics
    /// When `held` does not cover the stripe or is of another `Stripes`.
    #[inline]
    #[allow(unsafe_code)]
    pub fn with<'a>(&'a self, held: &'a mut Held, stripe: usize) -> &'a mut T {
        held.assert_covers(self.id, stripe);
        // SAFETY: `held` proves that this stripe is locked for whoever has `held`, which is borrowed exclusively for as long as
        // the answer lives: so there is no other reference to this value.
        unsafe { &mut *self.stripes[stripe].data() }
    }

    /// What two different held stripes guard, together: for a command that carries something from one to the other.
    ///
    /// # Panics
    /// As [`with`](Self::with), and when both are the same stripe.
    #[inline]
    #[allow(unsafe_code)]
    pub fn with_two<'a>(
        &'a self,
        held: &'a mut Held,
        one: usize,
        other: usize,
    ) -> (&'a mut T, &'a mut T) {
        held.assert_covers(self.id, one);
        held.assert_covers(self.id, other);
        assert!(one != other, "stripe {one} twice");
        // SAFETY: as in `with`, and the two are different values.
        unsafe {
            (
                &mut *self.stripes[one].data(),
                &mut *self.stripes[other].data(),
            )
        }
    }

    /// What a held stripe guards, for reading; several may be read together.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    #[inline]
    #[allow(unsafe_code)]
    pub fn read<'a>(&'a self, held: &'a Held, stripe: usize) -> &'a T {
        held.assert_covers(self.id, stripe);
        // SAFETY: `held` proves that the stripe is locked for whoever has `held`; while it is borrowed shared, `with` cannot be
        // called, and as `Held` is not `Sync`, all readers are on this thread.
        unsafe { &*self.stripes[stripe].data_to_read() }
    }

    /// All values, where no other thread is about: start-up and tests.
    #[allow(unsafe_code)]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.stripes
            .iter_mut()
            // SAFETY: the exclusive borrow of the stripes excludes every other reference to the values.
            .map(|stripe| unsafe { &mut *stripe.data() })
    }

    #[inline]
    fn stripe(&self, number: u16) -> &Stripe<T> {
        &self.stripes[usize::from(number)]
    }

    #[inline]
    #[cfg_attr(not(debug_assertions), allow(unused_variables))]
    fn held(&self, set: LockSet, waiter: &Arc<Waiter>) -> Held {
        #[allow(unused_mut)]
        let mut held = Held::new(set, self.id);
        #[cfg(debug_assertions)]
        {
            waiter.note_holds(true);
            held.holder = Some(Arc::clone(waiter));
        }
        held
    }
}

impl<T> fmt::Debug for Stripes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripes")
            .field("count", &self.count())
            .field("gate_is_up", &self.gate.is_up())
            .finish_non_exhaustive()
    }
}
