//! What a pool holds: idle objects, how many are lent, and who waits.
//!
//! Invariant: nobody waits while an object is idle or a place is free. Every method leaves it so.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::{PoolOptions, PoolStats};

/// An object with its age.
#[derive(Debug)]
pub(super) struct Idle<T> {
    pub(super) object: T,
    pub(super) born: Instant,
    /// When it was last given back.
    pub(super) since: Instant,
}

impl<T> Idle<T> {
    pub(super) fn new(object: T) -> Idle<T> {
        let now = Instant::now();
        Idle {
            object,
            born: now,
            since: now,
        }
    }
}

/// What a borrower gets.
#[derive(Debug)]
pub(super) enum Grant<T> {
    Object(Idle<T>),
    /// The right to make one: its place is counted already.
    Place,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter<T> {
    /// The grant, and whether there will be none.
    grant: Mutex<(Option<Grant<T>>, bool)>,
    came: Condvar,
}

impl<T> Default for Waiter<T> {
    fn default() -> Waiter<T> {
        Waiter {
            grant: Mutex::new((None, false)),
            came: Condvar::new(),
        }
    }
}

impl<T> Waiter<T> {
    /// To be followed by [`Waiter::tell`].
    fn serve(&self, grant: Grant<T>) {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(grant);
    }

    /// Wakes it, once the pool's lock is free: it may well run at once.
    pub(super) fn tell(&self) {
        self.came.notify_one();
    }

    pub(super) fn give_up(&self) {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.came.notify_one();
    }

    pub(super) fn take(&self) -> Option<Grant<T>> {
        let mut grant = self.grant.lock().unwrap_or_else(PoisonError::into_inner);
        grant.0.take()
    }

    pub(super) fn wait(&self, until: Instant) -> Option<Grant<T>> {
        let mut grant = self.grant.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(granted) = grant.0.take() {
                return Some(granted);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || grant.1 {
                return None;
            }
            let waited = self.came.wait_timeout(grant, left);
            grant = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What became of an object that came back.
#[derive(Debug)]
#[must_use = "somebody may have to be told"]
pub(super) enum Put<T> {
    Idle,
    Served(Arc<Waiter<T>>),
    /// To be dropped.
    TooMany(Idle<T>),
}

impl<T> Put<T> {
    /// Tells who was served, and returns what is to be dropped. Not to be called under the pool's lock.
    pub(super) fn finish(self) -> Option<Idle<T>> {
        match self {
            Put::Idle => None,
            Put::Served(waiter) => {
                waiter.tell();
                None
            }
            Put::TooMany(idle) => Some(idle),
        }
    }
}

#[derive(Debug)]
pub(super) struct State<T> {
    /// The one used last stands at the back, and is lent first.
    pub(super) idle: VecDeque<Idle<T>>,
    /// Lent, or being made.
    active: usize,
    pub(super) waiters: VecDeque<Arc<Waiter<T>>>,
    pub(super) closed: bool,
    /// Until when the keeper sleeps; `None`: until it is called.
    pub(super) upkeep_at: Option<Instant>,
    pub(super) stats: PoolStats,
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State {
            idle: VecDeque::new(),
            active: 0,
            waiters: VecDeque::new(),
            closed: false,
            upkeep_at: None,
            stats: PoolStats::default(),
        }
    }
}

impl<T> State<T> {
    /// What can be had at once.
    pub(super) fn claim(&mut self, active_max: usize) -> Option<Grant<T>> {
        if let Some(idle) = self.idle.pop_back() {
            self.active += 1;
            return Some(Grant::Object(idle));
        }
        self.claim_place(active_max).then_some(Grant::Place)
    }

    /// Counts an object that is going to be made, if it may be.
    pub(super) fn claim_place(&mut self, active_max: usize) -> bool {
        let free = self.active + self.idle.len() < active_max;
        self.active += usize::from(free);
        free
    }

    /// For a borrower whose object was no good, in its place: another idle one, or the place itself.
    pub(super) fn replace(&mut self) -> Grant<T> {
        match self.idle.pop_back() {
            Some(idle) => Grant::Object(idle),
            None => Grant::Place,
        }
    }

    /// An active object is idle now, or the first waiter's. One that is one too many stays active until it was dropped, see
    /// [`State::vacate`].
    pub(super) fn put(&mut self, idle: Idle<T>, idle_max: usize) -> Put<T> {
        if self.closed || (self.waiters.is_empty() && self.idle.len() >= idle_max) {
            self.stats.dropped += 1;
            return Put::TooMany(idle);
        }
        match self.waiters.pop_front() {
            Some(waiter) => {
                waiter.serve(Grant::Object(idle));
                Put::Served(waiter)
            }
            None => {
                self.active -= 1;
                self.idle.push_back(idle);
                Put::Idle
            }
        }
    }

    /// An active object is no more: its place is the first waiter's, which is returned, to be told.
    pub(super) fn vacate(&mut self) -> Option<Arc<Waiter<T>>> {
        match self.waiters.pop_front() {
            Some(waiter) if !self.closed => {
                waiter.serve(Grant::Place);
                Some(waiter)
            }
            _ => {
                self.active -= 1;
                None
            }
        }
    }

    /// Takes out the objects that are too old, and those idle for too long; they are active until they were dropped.
    pub(super) fn take_old(&mut self, options: &PoolOptions, now: Instant) -> Vec<Idle<T>> {
        let mut old = Vec::new();
        let mut at = 0;
        while at < self.idle.len() {
            if self.dies_at(at, options).is_some_and(|dies| dies <= now) {
                old.extend(self.idle.remove(at));
            } else {
                at += 1;
            }
        }
        self.stats.dropped += old.len() as u64;
        self.active += old.len();
        old
    }

    /// When the next idle object is too old.
    pub(super) fn next_old(&self, options: &PoolOptions) -> Option<Instant> {
        (0..self.idle.len())
            .filter_map(|at| self.dies_at(at, options))
            .min()
    }

    fn dies_at(&self, at: usize, options: &PoolOptions) -> Option<Instant> {
        let idle = &self.idle[at];
        let by_age = options.lifetime.map(|time| idle.born + time);
        let is_spare = self.idle.len() > options.idle_min;
        let by_idleness = options.idle_time.filter(|_| is_spare);
        let by_idleness = by_idleness.map(|time| idle.since + time);
        [by_age, by_idleness].into_iter().flatten().min()
    }

    pub(super) fn close(&mut self) -> (VecDeque<Idle<T>>, VecDeque<Arc<Waiter<T>>>) {
        self.closed = true;
        let idle = std::mem::take(&mut self.idle);
        self.stats.dropped += idle.len() as u64;
        (idle, std::mem::take(&mut self.waiters))
    }

    pub(super) fn snapshot(&self) -> PoolStats {
        PoolStats {
            idle: self.idle.len(),
            active: self.active,
            waiting: self.waiters.len(),
            ..self.stats.clone()
        }
    }
}
