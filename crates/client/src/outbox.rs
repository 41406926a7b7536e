//! Requests on their way from the threads that make them to the loop that sends them.
//!
//! Invariant: a unit's bytes stand together, in the order of the entries. The lock is held to copy a request or to exchange whole queues,
//! never while anybody waits for a reply. Requests under way are bounded in number and in bytes ([`Limits`]): who finds no room waits
//! or is refused. The loop is woken by the first request after it looked last.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker as TaskWaker;
use std::time::{Duration, Instant};

use dunlin_reactor::Waker;

use crate::error::{Error, Result};
use crate::relay::Relay;
use crate::slot::Ticket;

/// What one connection may have under way.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests that were accepted and are not answered.
    pub in_flight_max: usize,
    /// Bytes of those. A single request may be longer: it then is alone.
    pub in_flight_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            in_flight_max: 64 * 1024,
            in_flight_bytes_max: 64 << 20,
        }
    }
}

/// How a unit is answered.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// By so many replies; for 1, by that reply.
    Replies(u32),
    /// By so many confirmations of the kind (`subscribe`, ...), which are pushes; or by one error.
    Confirmations(&'static str, u32),
}

impl Expect {
    pub(crate) fn count(self) -> u32 {
        match self {
            Expect::Replies(n) | Expect::Confirmations(_, n) => n,
        }
    }
}

/// A unit of requests: accepted, not yet given to a connection.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) ticket: Ticket,
    pub(crate) bytes: usize,
    pub(crate) expect: Expect,
    pub(crate) deadline: Duration,
    pub(crate) idempotent: bool,
    /// Not refused for want of room: what begins and ends subscriptions.
    pub(crate) unlimited: bool,
}

/// Where the client is in its life.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Open,
    /// No new requests; those under way have until then.
    Closing(Option<Instant>),
    /// The loop has ended.
    Closed,
}

/// What has happened to the connection, for [`crate::Client::stats`].
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Requests that were sent.
    pub sent: u64,
    /// Replies that were received.
    pub received: u64,
    /// Writes that they took: more than one request in each means that batching works.
    pub batches: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Connections and attempts that failed.
    pub failures: u64,
    /// Requests that timed out.
    pub time_outs: u64,
    /// What ended the last connection or attempt.
    pub last_failure: Option<String>,
    /// Whether the connection stands and is ready.
    pub connected: bool,
}

impl Stats {
    /// Tells what the loop has counted.
    pub(crate) fn publish(&mut self, to: &mut Stats) {
        let last_failure = self.last_failure.take().or(to.last_failure.take());
        *to = Stats {
            last_failure,
            ..*self
        };
    }
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Accepted and not answered.
    in_flight: usize,
    in_flight_bytes: usize,
    /// The loop has looked since the last request, and may sleep.
    idle: bool,
    life: Life,
    waiting_threads: usize,
    waiting_tasks: VecDeque<TaskWaker>,
    stats: Stats,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    limits: Limits,
    queue: Mutex<Queue>,
    room: Condvar,
    waker: OnceLock<Waker>,
    /// In place of that: the task that runs the loop.
    task: Mutex<Option<TaskWaker>>,
    /// Units in the queue, for a look without the lock.
    queued: AtomicUsize,
    /// `in_flight`, in the same way.
    load: AtomicUsize,
    relay: Relay,
}

/// What the loop says when it looks.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Outbox {
        Outbox {
            limits,
            queue: Mutex::default(),
            room: Condvar::new(),
            waker: OnceLock::new(),
            task: Mutex::default(),
            queued: AtomicUsize::new(0),
            load: AtomicUsize::new(0),
            relay: Relay::default(),
        }
    }

    /// Says how the loop is woken.
    pub(crate) fn attach(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Units that wait for the loop's look. Another thread may just be adding one.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Requests under way, without the lock.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// The tasks whose replies have come.
    pub(crate) fn relay(&self) -> &Relay {
        &self.relay
    }

    pub(crate) fn wake_loop(&self) {
        if let Some(waker) = self.waker.get() {
            return waker.wake();
        }
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Says which task runs the loop.
    pub(crate) fn wake_task(&self, waker: &TaskWaker) {
        let mut task = self.task();
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    fn task(&self) -> MutexGuard<'_, Option<TaskWaker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, queue: &Queue, entry: &Entry) -> bool {
        if entry.unlimited {
            return true;
        }
        let requests = queue.in_flight + entry.expect.count() as usize;
        let bytes = queue.in_flight_bytes + entry.bytes;
        queue.in_flight == 0
            || (requests <= self.limits.in_flight_max && bytes <= self.limits.in_flight_bytes_max)
    }

    /// Accepts a unit that `encode` appends, if there is room. `entry.bytes` is its length at least about, and is set to the exact one.
    pub(crate) fn offer(
        &self,
        mut entry: Entry,
        encode: &dyn Fn(&mut Vec<u8>),
    ) -> std::result::Result<(), (Entry, Error)> {
        let mut queue = self.queue();
        if queue.life != Life::Open {
            return Err((entry, Error::Closed));
        }
        if !self.has_room(&queue, &entry) {
            return Err((entry, Error::Full));
        }
        let before = queue.bytes.len();
        encode(&mut queue.bytes);
        entry.bytes = queue.bytes.len() - before;
        queue.in_flight += entry.expect.count() as usize;
        queue.in_flight_bytes += entry.bytes;
        queue.entries.push(entry);
        self.queued.store(queue.entries.len(), Ordering::Relaxed);
        self.load.store(queue.in_flight, Ordering::Relaxed);
        let wake = std::mem::replace(&mut queue.idle, false);
        drop(queue);
        if wake {
            self.wake_loop();
        }
        Ok(())
    }

    /// As [`Outbox::offer`], and waits for room until the entry's deadline.
    pub(crate) fn offer_waiting(
        &self,
        mut entry: Entry,
        encode: &dyn Fn(&mut Vec<u8>),
    ) -> Result<()> {
        let mut until = None;
        loop {
            match self.offer(entry, encode) {
                Ok(()) => return Ok(()),
                Err((returned, Error::Full)) => entry = returned,
                Err((returned, error)) => {
                    returned.ticket.forget();
                    return Err(error);
                }
            }
            let until = *until.get_or_insert_with(|| Instant::now() + entry.deadline);
            let mut queue = self.queue();
            if queue.life == Life::Open && !self.has_room(&queue, &entry) {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    drop(queue);
                    entry.ticket.forget();
                    return Err(Error::TimeOut);
                }
                queue.waiting_threads += 1;
                let waited = self.room.wait_timeout(queue, left);
                waited
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
                    .waiting_threads -= 1;
            }
        }
    }

    /// Wakes the task when there may be room. False: there is already, ask again.
    pub(crate) fn wake_on_room(&self, entry: &Entry, waker: &TaskWaker) -> bool {
        let mut queue = self.queue();
        if queue.life != Life::Open || self.has_room(&queue, entry) {
            return false;
        }
        queue.waiting_tasks.push_back(waker.clone());
        true
    }

    /// The loop's look, once a turn: reports what was answered, and takes the whole queue in exchange for empty buffers. Who comes
    /// after it wakes the loop again.
    pub(crate) fn exchange(
        &self,
        answered: &mut Answered,
        bytes: &mut Vec<u8>,
        entries: &mut Vec<Entry>,
        update: impl FnOnce(&mut Stats),
    ) -> Life {
        let mut queue = self.queue();
        queue.in_flight -= answered.requests;
        queue.in_flight_bytes -= answered.bytes;
        let made_room = answered.requests > 0;
        *answered = Answered::default();
        debug_assert!(entries.is_empty() && bytes.is_empty());
        std::mem::swap(&mut queue.bytes, bytes);
        std::mem::swap(&mut queue.entries, entries);
        self.queued.store(0, Ordering::Relaxed);
        self.load.store(queue.in_flight, Ordering::Relaxed);
        queue.idle = true;
        update(&mut queue.stats);
        let life = queue.life;
        let tasks = if made_room && !queue.waiting_tasks.is_empty() {
            std::mem::take(&mut queue.waiting_tasks)
        } else {
            VecDeque::new()
        };
        let threads = made_room && queue.waiting_threads > 0;
        drop(queue);
        if threads {
            self.room.notify_all();
        }
        tasks.into_iter().for_each(TaskWaker::wake);
        life
    }

    /// Accepts nothing from now on; what is under way has until then. The first call counts, unless a later one is stricter.
    pub(crate) fn close(&self, until: Option<Instant>) {
        let mut queue = self.queue();
        queue.life = match queue.life {
            Life::Open => Life::Closing(until),
            Life::Closing(earlier) => Life::Closing(match (earlier, until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }),
            Life::Closed => Life::Closed,
        };
        self.release_waiting(queue);
        self.wake_loop();
    }

    /// The loop has ended: nothing that is left will be sent.
    pub(crate) fn end(&self) {
        let mut queue = self.queue();
        queue.life = Life::Closed;
        queue.stats.connected = false;
        let entries = std::mem::take(&mut queue.entries);
        queue.bytes = Vec::new();
        self.release_waiting(queue);
        for mut entry in entries {
            entry.ticket.fill(Err(Error::Closed)).wake();
        }
    }

    fn release_waiting(&self, mut queue: MutexGuard<'_, Queue>) {
        let tasks = std::mem::take(&mut queue.waiting_tasks);
        drop(queue);
        self.room.notify_all();
        tasks.into_iter().for_each(TaskWaker::wake);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.queue().stats.clone()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.queue().in_flight
    }
}
