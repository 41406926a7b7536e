//! A pool of objects that are costly to make, and that of connections.
//!
//! Invariant: at most [`PoolOptions::active_max`] objects exist, lent ones included. Who waits is served in the order of coming: a newcomer
//! never takes what an earlier one waits for. Objects are made, checked, reset and dropped without the lock. One that failed its
//! check, is too old, or cannot be reset is never lent again.

mod state;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::options::Options;
use state::{Grant, Idle, Put, State, Waiter};

/// How a pool makes and keeps its objects.
pub trait Manage: Send + Sync + 'static {
    /// What is pooled.
    type Object: Send + 'static;

    /// Makes one.
    ///
    /// # Errors
    /// When it cannot be made; the borrower gets the error.
    fn create(&self) -> Result<Self::Object>;

    /// Whether one that has lain idle still works. It may take a round trip.
    fn check(&self, object: &mut Self::Object) -> bool;

    /// Makes one that comes back as good as new. False: it is to be dropped.
    fn reset(&self, object: &mut Self::Object) -> bool;
}

/// Makes connections.
#[derive(Clone, Debug)]
pub struct Connections {
    options: Options,
}

impl Manage for Connections {
    type Object = Connection;

    fn create(&self) -> Result<Connection> {
        Connection::connect(self.options.clone())
    }

    fn check(&self, connection: &mut Connection) -> bool {
        connection.ping().is_ok()
    }

    fn reset(&self, connection: &mut Connection) -> bool {
        connection.reset().is_ok()
    }
}

/// Limits of a pool.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Idle objects that are kept ready; they are made in the background.
    pub idle_min: usize,
    /// Idle objects that are kept at most.
    pub idle_max: usize,
    /// Objects that exist at most, idle or lent.
    pub active_max: usize,
    /// How long a borrower waits, [`Error::PoolTimeOut`] then.
    pub wait: Duration,
    /// An object older than this is not lent again.
    pub lifetime: Option<Duration>,
    /// An object that was idle for longer is dropped, down to `idle_min`.
    pub idle_time: Option<Duration>,
    /// An object that was idle for longer is checked before it is lent; zero: always.
    pub check_after: Duration,
}

impl Default for PoolOptions {
    fn default() -> PoolOptions {
        PoolOptions {
            idle_min: 0,
            idle_max: 8,
            active_max: 32,
            wait: Duration::from_secs(3),
            lifetime: Some(Duration::from_secs(30 * 60)),
            idle_time: Some(Duration::from_secs(5 * 60)),
            check_after: Duration::from_secs(1),
        }
    }
}

/// What a pool has done so far, and what it holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Objects that lie ready.
    pub idle: usize,
    /// Objects that are lent, or being made.
    pub active: usize,
    /// Borrowers that wait.
    pub waiting: usize,
    /// Objects that were made.
    pub created: u64,
    /// Objects that were dropped, for whatever reason.
    pub dropped: u64,
    /// Objects that failed their check.
    pub unhealthy: u64,
    /// Times that an object was lent.
    pub lent: u64,
    /// Borrowers that had to wait.
    pub waited: u64,
    /// How long they did, together, microseconds.
    pub waited_us: u64,
    /// Borrowers that waited in vain.
    pub time_outs: u64,
}

struct Inner<M: Manage> {
    manage: M,
    options: PoolOptions,
    state: Mutex<State<M::Object>>,
    /// Of [`PoolStats`]; not in the state, whose lock they would take once more.
    lent: AtomicU64,
    waited_us: AtomicU64,
    /// The keeper has something to do.
    upkeep: Condvar,
}

/// A pool of connections, or of whatever else [`Manage`] makes. Clones share it.
///
/// ```no_run
/// use dunlin_client::{Command, Error, Pipeline, Pool, PoolOptions};
///
/// let pool = Pool::connections("redis://127.0.0.1", PoolOptions::default())?;
/// // A transaction that looks before it writes needs a connection of its own.
/// let n = loop {
///     let mut connection = pool.get()?;
///     connection.watch("counter")?;
///     let n: i64 = connection.command("GET").arg("counter").call::<Option<i64>>()?.unwrap_or(0);
///     let write = Pipeline::transaction().with(Command::new("SET").arg(("counter", n * 2 + 1)));
///     match connection.run::<()>(&write) {
///         Err(Error::Aborted) => continue,
///         outcome => break outcome.map(|()| n * 2 + 1)?,
///     }
/// };
/// # let _ = n; Ok::<(), Error>(())
/// ```
pub struct Pool<M: Manage = Connections> {
    inner: Arc<Inner<M>>,
    keeper: Arc<Keeper<M>>,
}

impl<M: Manage> Clone for Pool<M> {
    fn clone(&self) -> Pool<M> {
        Pool {
            inner: Arc::clone(&self.inner),
            keeper: Arc::clone(&self.keeper),
        }
    }
}

impl Pool<Connections> {
    /// A pool of connections to one server. None is made before it is needed, but for `idle_min`.
    ///
    /// # Errors
    /// When the address is none.
    pub fn connections<O>(options: O, pool: PoolOptions) -> Result<Pool<Connections>>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let options = options.try_into()?;
        Pool::new(Connections { options }, pool)
    }
}

impl<M: Manage> Pool<M> {
    /// A pool.
    ///
    /// # Errors
    /// When the thread cannot be started that keeps idle objects.
    pub fn new(manage: M, options: PoolOptions) -> Result<Pool<M>> {
        let inner = Arc::new(Inner {
            manage,
            options,
            state: Mutex::new(State::default()),
            lent: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
            upkeep: Condvar::new(),
        });
        let kept = &inner.options;
        let thread = if kept.idle_min > 0 || kept.idle_time.is_some() || kept.lifetime.is_some() {
            let inner = Arc::clone(&inner);
            let builder = std::thread::Builder::new().name("dunlin-pool".into());
            Some(builder.spawn(move || inner.keep())?)
        } else {
            None
        };
        let keeper = Arc::new(Keeper {
            inner: Arc::clone(&inner),
            thread: Mutex::new(thread),
        });
        Ok(Pool { inner, keeper })
    }

    /// Borrows an object, waiting for one up to [`PoolOptions::wait`].
    ///
    /// # Errors
    /// [`Error::PoolTimeOut`]; [`Error::Closed`]; what [`Manage::create`] reports.
    pub fn get(&self) -> Result<Pooled<M>> {
        self.get_within(self.inner.options.wait)
    }

    /// As [`Pool::get`], with a wait of its own; zero: what is there, or nothing.
    ///
    /// # Errors
    /// As [`Pool::get`].
    pub fn get_within(&self, wait: Duration) -> Result<Pooled<M>> {
        let until = Instant::now() + wait;
        let mut grant = self.inner.claim(until)?;
        loop {
            let Grant::Object(mut idle) = grant else {
                return self.inner.make();
            };
            if self.inner.is_fit(&mut idle) {
                self.inner.lent.fetch_add(1, Ordering::Relaxed);
                return Ok(Pooled {
                    inner: Arc::clone(&self.inner),
                    held: Some(idle),
                });
            }
            drop(idle);
            // Its place is ours: the next idle one, or a new one, takes it.
            grant = self.inner.state().replace();
        }
    }

    /// Counters and gauges.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let inner = &self.inner;
        PoolStats {
            lent: inner.lent.load(Ordering::Relaxed),
            waited_us: inner.waited_us.load(Ordering::Relaxed),
            ..inner.state().snapshot()
        }
    }

    /// Drops what is idle, and lends nothing any more. What is lent is dropped when it comes back.
    pub fn close(&self) {
        self.keeper.close();
    }
}

impl<M: Manage> Inner<M> {
    fn state(&self) -> MutexGuard<'_, State<M::Object>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object, or the right to make one; in the order of coming.
    fn claim(&self, until: Instant) -> Result<Grant<M::Object>> {
        let mut state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        if let Some(grant) = state.claim(self.options.active_max) {
            if state.idle.len() < self.options.idle_min {
                self.upkeep.notify_one();
            }
            return Ok(grant);
        }
        let since = Instant::now();
        let waiter = Arc::new(Waiter::default());
        state.waiters.push_back(Arc::clone(&waiter));
        state.stats.waited += 1;
        drop(state);
        let granted = waiter.wait(until);
        let waited_us = since.elapsed().as_micros() as u64;
        self.waited_us.fetch_add(waited_us, Ordering::Relaxed);
        if let Some(grant) = granted {
            return Ok(grant);
        }
        let mut state = self.state();
        // It may have been served at the last moment: then it is not in the queue any more.
        if let Some(grant) = waiter.take() {
            return Ok(grant);
        }
        state.waiters.retain(|other| !Arc::ptr_eq(other, &waiter));
        if state.closed {
            return Err(Error::Closed);
        }
        state.stats.time_outs += 1;
        Err(Error::PoolTimeOut)
    }

    /// Makes an object in a place that was claimed.
    fn make(self: &Arc<Self>) -> Result<Pooled<M>> {
        match self.manage.create() {
            Ok(object) => {
                self.state().stats.created += 1;
                self.lent.fetch_add(1, Ordering::Relaxed);
                Ok(Pooled {
                    inner: Arc::clone(self),
                    held: Some(Idle::new(object)),
                })
            }
            Err(error) => {
                self.vacate();
                Err(error)
            }
        }
    }

    fn is_fit(&self, idle: &mut Idle<M::Object>) -> bool {
        let now = Instant::now();
        if self.is_too_old(idle, now) {
            self.state().stats.dropped += 1;
            return false;
        }
        let is_fresh = now.duration_since(idle.since) < self.options.check_after;
        if is_fresh || self.manage.check(&mut idle.object) {
            return true;
        }
        let mut state = self.state();
        state.stats.unhealthy += 1;
        state.stats.dropped += 1;
        false
    }

    fn is_too_old(&self, idle: &Idle<M::Object>, now: Instant) -> bool {
        let lifetime = self.options.lifetime;
        lifetime.is_some_and(|lifetime| now.duration_since(idle.born) >= lifetime)
    }

    fn give_back(&self, mut idle: Idle<M::Object>, usable: bool) {
        let now = Instant::now();
        let usable = usable && !self.is_too_old(&idle, now) && self.manage.reset(&mut idle.object);
        idle.since = now;
        let mut state = self.state();
        let put = if usable {
            state.put(idle, self.options.idle_max)
        } else {
            state.stats.dropped += 1;
            Put::TooMany(idle)
        };
        let next_old = state.next_old(&self.options);
        let is_sooner = next_old.is_some_and(|at| state.upkeep_at.is_none_or(|then| at < then));
        if is_sooner || state.idle.len() < self.options.idle_min {
            self.upkeep.notify_one();
        }
        drop(state);
        self.end(put.finish());
    }

    fn vacate(&self) {
        // Told without the lock, which it will want.
        let served = self.state().vacate();
        if let Some(waiter) = served {
            waiter.tell();
        }
    }

    /// Drops objects, and only then lets others have their places.
    fn end(&self, objects: impl IntoIterator<Item = Idle<M::Object>>) {
        for object in objects {
            drop(object);
            self.vacate();
        }
    }

    /// The keeper's thread: makes idle objects up to the minimum, and drops those whose time has come.
    fn keep(&self) {
        /// How long it does not try again when one could not be made.
        const PAUSE: Duration = Duration::from_millis(500);
        let mut state = self.state();
        while !state.closed {
            let now = Instant::now();
            let old = state.take_old(&self.options, now);
            let wants = state.idle.len() < self.options.idle_min
                && state.claim_place(self.options.active_max);
            if !old.is_empty() || wants {
                drop(state);
                self.end(old);
                let made = wants.then(|| self.manage.create());
                state = self.state();
                match made {
                    Some(Ok(object)) => {
                        state.stats.created += 1;
                        let put = state.put(Idle::new(object), self.options.idle_max);
                        drop(state);
                        self.end(put.finish());
                        state = self.state();
                    }
                    Some(Err(_)) => {
                        if let Some(waiter) = state.vacate() {
                            waiter.tell();
                        }
                        let waited = self.upkeep.wait_timeout(state, PAUSE);
                        state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    }
                    None => {}
                }
                continue;
            }
            state.upkeep_at = state.next_old(&self.options);
            state = match state.upkeep_at {
                Some(at) => {
                    let time = at.saturating_duration_since(now);
                    let waited = self
                        .upkeep
                        .wait_timeout(state, time.max(Duration::from_millis(1)));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.upkeep.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }
}

/// Ends the keeper's thread with the last handle on the pool.
struct Keeper<M: Manage> {
    inner: Arc<Inner<M>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<M: Manage> Keeper<M> {
    fn close(&self) {
        let (idle, waiters) = self.inner.state().close();
        self.inner.upkeep.notify_all();
        waiters.iter().for_each(|waiter| waiter.give_up());
        drop(idle);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

impl<M: Manage> Drop for Keeper<M> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<M: Manage> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// A borrowed object. It goes back when it is dropped.
pub struct Pooled<M: Manage = Connections> {
    inner: Arc<Inner<M>>,
    held: Option<Idle<M::Object>>,
}

impl<M: Manage> Pooled<M> {
    /// Drops the object instead of giving it back.
    pub fn discard(mut self) {
        if let Some(idle) = self.held.take() {
            self.inner.give_back(idle, false);
        }
    }
}

impl<M: Manage> Deref for Pooled<M> {
    type Target = M::Object;
    fn deref(&self) -> &M::Object {
        &self.held.as_ref().expect("held until it is dropped").object
    }
}

impl<M: Manage> DerefMut for Pooled<M> {
    fn deref_mut(&mut self) -> &mut M::Object {
        &mut self.held.as_mut().expect("held until it is dropped").object
    }
}

impl<M: Manage> Drop for Pooled<M> {
    fn drop(&mut self) {
        if let Some(idle) = self.held.take() {
            // One whose user panicked may be in any state.
            let usable = !std::thread::panicking();
            self.inner.give_back(idle, usable);
        }
    }
}

impl<M: Manage> fmt::Debug for Pooled<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").finish_non_exhaustive()
    }
}
