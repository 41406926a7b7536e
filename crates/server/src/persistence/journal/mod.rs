//! The journal: the thread that writes the log of effects to the append-only file, and what others know of it.
//!
//! Workers publish their effects and signal at the end of the turn; the [`Writer`] takes what is there, writes it with one call and, as
//! `appendfsync` says, makes it durable with another. Under `always` replies wait for that (see the worker's `unsafe_replies`), whoever
//! waits is woken once for all that one flush covered.
//!
//! Invariant: no worker ever waits for the disk. What the disk does not take stays in the workers' lanes, which are bounded: see
//! [`Journal::is_congested`].

mod writer;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use dunlin_engine::DiskTrouble;
use dunlin_store::log::Log;

pub use writer::{Next, Writer};

use super::disk::DiskFile;

/// Effects of one worker that are not yet taken by the journal, at which clients that write have to wait.
const LANE_BYTES_MAX: usize = 64 << 20;

/// A call to the disk that takes longer is told of.
const STALL_MS: u64 = 2_000;

/// `appendfsync`.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum Fsync {
    /// When the system likes.
    No,
    /// Once a second.
    #[default]
    EverySecond,
    /// Before a reply tells of it.
    Always,
}

impl Fsync {
    /// By its name in the configuration; `None` for another.
    pub fn of_name(name: &str) -> Option<Fsync> {
        match name {
            "no" => Some(Fsync::No),
            "everysec" => Some(Fsync::EverySecond),
            "always" => Some(Fsync::Always),
            _ => None,
        }
    }
}

/// What the journal is asked to do, in order.
pub enum Order {
    /// Write what is published from this sequence number on to this file.
    Start {
        /// The first record.
        next: u64,
        /// The file.
        file: Box<dyn DiskFile>,
        /// Its length.
        len: u64,
        /// There is a durable base before it. Else the file is worth nothing before [`Order::Rebased`], and nothing waits for it.
        based: bool,
    },
    /// What comes behind this sequence number goes to another file.
    Rotate {
        /// The last record of the old file.
        after: u64,
        /// The new file, which is empty.
        file: Box<dyn DiskFile>,
    },
    /// A new base is durable that has everything up to this sequence number: whatever was wrong with older files does not matter any more.
    Rebased {
        /// The last record that the base has.
        upto: u64,
    },
    /// Write what is there, make it durable, and write no more.
    Stop,
    /// The same, and end the thread.
    Quit,
}

/// What is wrong with the file.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum Health {
    /// Nothing.
    #[default]
    Fine,
    /// Writing failed; it is tried again.
    WriteFailed,
    /// A flush failed: the file can't be trusted any more, and a new base is needed.
    Untrusted,
    /// A new base is being written.
    Rebasing,
}

/// What the writer, the workers and INFO share.
#[derive(Default)]
pub struct Journal {
    policy: AtomicU8,
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
    orders: Mutex<VecDeque<Order>>,
    /// Workers that have replies waiting.
    waiters: Box<[AtomicBool]>,
    health: AtomicU8,
    /// What the system said, as long as something is wrong.
    failure: Mutex<String>,
    /// Where commands see that.
    trouble: Arc<DiskTrouble>,
    /// DEBUG AOF-FLUSH-SLEEP: what is slept before a write, microseconds.
    pub flush_sleep_us: AtomicU64,
    /// `aof-timestamp-enabled`.
    pub timestamps: AtomicBool,
    /// `aof-checksums`.
    pub checksums: AtomicBool,
    /// Records are being written.
    on: AtomicBool,
    /// The last record that was given to the system.
    pub written: AtomicU64,
    /// Length of the file that is written, bytes.
    pub file_bytes: AtomicU64,
    /// A call to the disk runs since this time (the writer's clock, milliseconds); 0 while none does.
    pub busy_since_ms: AtomicU64,
    /// The call that was told of.
    stall_told_ms: AtomicU64,
    /// Calls to the disk that took too long.
    pub delayed_flushes: AtomicU64,
}

impl Journal {
    /// For this many workers.
    pub fn new(workers: usize, trouble: Arc<DiskTrouble>) -> Journal {
        Journal {
            trouble,
            waiters: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            checksums: AtomicBool::new(true),
            ..Journal::default()
        }
    }

    /// When to flush.
    pub fn policy(&self) -> Fsync {
        match self.policy.load(Ordering::Relaxed) {
            0 => Fsync::No,
            1 => Fsync::EverySecond,
            _ => Fsync::Always,
        }
    }

    /// Sets when to flush.
    pub fn set_policy(&self, policy: Fsync, log: &Log) {
        self.policy.store(policy as u8, Ordering::Relaxed);
        log.set_replies_wait(self.is_on() && policy == Fsync::Always);
        self.wake();
    }

    /// Whether effects are being written.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// What is wrong.
    #[inline]
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Fine,
            1 => Health::WriteFailed,
            2 => Health::Untrusted,
            _ => Health::Rebasing,
        }
    }

    /// What the system said of it.
    pub fn failure(&self) -> String {
        lock(&self.failure).clone()
    }

    fn set_health(&self, health: Health, failure: String) {
        let refusal = (health != Health::Fine).then(|| failure.clone());
        *lock(&self.failure) = failure;
        self.trouble.set_log(refusal);
        self.health.store(health as u8, Ordering::Release);
    }

    /// From here on the log counts: replies wait for it if they are to.
    pub fn turn_on(&self, log: &Log) {
        self.on.store(true, Ordering::Relaxed);
        log.set_replies_wait(self.policy() == Fsync::Always);
    }

    /// Ends the log: what is there is made durable, and nothing waits for it any more. Done when [`Log::is_active`] no longer holds.
    pub fn stop(&self, log: &Log) {
        self.on.store(false, Ordering::Relaxed);
        log.set_replies_wait(false);
        self.order(Order::Stop);
    }

    /// Gives an order.
    pub fn order(&self, order: Order) {
        lock(&self.orders).push_back(order);
        self.wake();
    }

    fn take_order(&self) -> Option<Order> {
        lock(&self.orders).pop_front()
    }

    /// Tells that something was published. A load, and a system call only if the writer sleeps.
    #[inline]
    pub fn signal(&self) {
        // Either the writer sees what was published, or we see that it sleeps.
        fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    fn wake(&self) {
        if self.sleeps.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// A worker is about to sleep while replies wait: it is woken once more is safe. It looks once more itself afterwards.
    pub fn wait(&self, worker: usize) {
        self.waiters[worker].store(true, Ordering::SeqCst);
    }

    /// Wakes the workers that wait.
    fn wake_waiters(&self, wake: impl Fn(usize)) {
        for (worker, waits) in self.waiters.iter().enumerate() {
            if waits.load(Ordering::SeqCst) && waits.swap(false, Ordering::SeqCst) {
                wake(worker);
            }
        }
    }

    /// Whether a worker's clients have published more than the disk takes: those that write have to wait.
    #[inline]
    pub fn is_congested(&self, log: &Log, worker: usize) -> bool {
        log.waiting_bytes(worker) > LANE_BYTES_MAX
    }
}

impl Journal {
    /// Tells of a disk that does not answer, once for each call; `now_ms` is the writer's clock.
    pub(crate) fn report_stall(&self, now_ms: u64) {
        let since_ms = self.busy_since_ms.load(Ordering::Relaxed);
        let is_stalled = since_ms > 0 && now_ms.saturating_sub(since_ms) > STALL_MS;
        if is_stalled && self.stall_told_ms.swap(since_ms, Ordering::Relaxed) != since_ms {
            self.delayed_flushes.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). What comes is kept in memory, up to {} MiB for each worker; \
                 then clients that write have to wait.",
                LANE_BYTES_MAX >> 20
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
