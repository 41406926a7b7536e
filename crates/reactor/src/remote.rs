//! The outside view of a loop: post tasks to it, wake it, stop it, see its load.
//!
//! Invariant: the task queue is bounded, and a task that was taken runs exactly once, before the loop ends. A loop that ended
//! takes none.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::conn::Peer;
use crate::io::Io;
use crate::waker::Waker;

/// Something to be run on a loop's thread.
pub type Task = Box<dyn FnOnce(&mut Io<'_>) + Send>;

/// Why a task was not taken. It comes back.
pub enum PostError {
    /// The queue holds [`crate::Limits::tasks_max`] tasks.
    Full(Task),
    /// The loop has ended.
    Ended(Task),
}

impl fmt::Debug for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PostError::Full(_) => "Full",
            PostError::Ended(_) => "Ended",
        })
    }
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PostError::Full(_) => "the event loop's task queue is full",
            PostError::Ended(_) => "the event loop has ended",
        })
    }
}

impl std::error::Error for PostError {}

/// No stop was requested.
const NEVER: u64 = u64::MAX;

struct Queue {
    tasks: VecDeque<Task>,
    ended: bool,
}

struct Shared {
    index: usize,
    waker: Waker,
    queue: Mutex<Queue>,
    tasks_max: usize,
    /// Deadline of the stop, ms of the loop's clock.
    stop_at_ms: AtomicU64,
    /// Connections that the loop has or was given.
    load: AtomicUsize,
}

/// A handle on a loop. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    shared: Arc<Shared>,
}

impl Remote {
    pub(crate) fn new(index: usize, waker: Waker, tasks_max: usize) -> Remote {
        Remote {
            shared: Arc::new(Shared {
                index,
                waker,
                queue: Mutex::new(Queue {
                    tasks: VecDeque::new(),
                    ended: false,
                }),
                tasks_max,
                stop_at_ms: AtomicU64::new(NEVER),
                load: AtomicUsize::new(0),
            }),
        }
    }

    /// Which loop of its pool this is.
    #[must_use]
    pub fn index(&self) -> usize {
        self.shared.index
    }

    /// The loop's waker.
    #[must_use]
    pub fn waker(&self) -> &Waker {
        &self.shared.waker
    }

    /// Queues a task and wakes the loop.
    ///
    /// # Errors
    /// When the queue is full or the loop has ended; the task comes back.
    pub fn post(&self, task: Task) -> Result<(), PostError> {
        let mut queue = lock(&self.shared.queue);
        if queue.ended {
            return Err(PostError::Ended(task));
        }
        if queue.tasks.len() >= self.shared.tasks_max {
            return Err(PostError::Full(task));
        }
        queue.tasks.push_back(task);
        drop(queue);
        self.shared.waker.wake();
        Ok(())
    }

    /// Asks the loop to stop by the given time (ms of its monotonic clock): connections that still have work then are cut.
    /// A second call can only bring the deadline forward; 0 ends at once.
    pub fn stop(&self, deadline_ms: u64) {
        let deadline = deadline_ms.min(NEVER - 1);
        self.shared.stop_at_ms.fetch_min(deadline, Ordering::SeqCst);
        self.shared.waker.wake();
    }

    /// Connections that the loop has, or was given and will open soon.
    #[must_use]
    pub fn load(&self) -> usize {
        self.shared.load.load(Ordering::Relaxed)
    }

    pub(crate) fn add_load(&self) {
        self.shared.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drop_load(&self) {
        self.shared.load.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn stop_deadline_ms(&self) -> Option<u64> {
        let at = self.shared.stop_at_ms.load(Ordering::SeqCst);
        (at != NEVER).then_some(at)
    }

    /// Moves all queued tasks to `out`.
    pub(crate) fn take_tasks(&self, out: &mut VecDeque<Task>) {
        out.append(&mut lock(&self.shared.queue).tasks);
    }

    /// Refuses tasks from now on, and returns those that were not run.
    pub(crate) fn end(&self) -> VecDeque<Task> {
        let mut queue = lock(&self.shared.queue);
        queue.ended = true;
        std::mem::take(&mut queue.tasks)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("index", &self.index())
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}

/// Accepted sockets on their way to the loop that will own them. Bounded.
pub(crate) struct Inbox<S> {
    sockets: Mutex<Option<VecDeque<(S, Peer)>>>,
    max: usize,
}

impl<S> Inbox<S> {
    pub(crate) fn new(max: usize) -> Inbox<S> {
        Inbox {
            sockets: Mutex::new(Some(VecDeque::new())),
            max,
        }
    }

    /// Puts a socket in, or gives it back when there is no room or the loop has ended.
    pub(crate) fn put(&self, socket: S, peer: Peer) -> Result<(), (S, Peer)> {
        match &mut *lock(&self.sockets) {
            Some(queue) if queue.len() < self.max => {
                queue.push_back((socket, peer));
                Ok(())
            }
            _ => Err((socket, peer)),
        }
    }

    pub(crate) fn take(&self) -> Option<(S, Peer)> {
        lock(&self.sockets).as_mut()?.pop_front()
    }

    /// Refuses sockets from now on and returns those that were waiting.
    pub(crate) fn end(&self) -> VecDeque<(S, Peer)> {
        lock(&self.sockets).take().unwrap_or_default()
    }
}

/// A panic elsewhere leaves these queues consistent: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
