//! Threads for work that would hold up an event loop: reading files, resolving names, long computations.
//!
//! Invariant: the queue is bounded; a task that was taken is done, in the order of the queue, even if the pool is stopped in
//! between; every thread is joined, at the latest when the pool is dropped. A task that panics takes neither its thread nor the
//! pool with it: whoever waits for it is told.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::Error;

/// A good bound for the queue of a pool whose owner knows no better one.
pub const THREAD_POOL_QUEUE_MAX: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    jobs: VecDeque<Job>,
    stopped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// There is a job, or there will be none any more.
    news: Condvar,
    queue_max: usize,
}

/// Some threads and one queue.
///
/// An event loop must not wait for a [`TaskHandle`]; there, let the task post its result back:
///
/// ```
/// use dunlin_reactor::{Epoll, EventLoop, Limits, THREAD_POOL_QUEUE_MAX, ThreadPool};
///
/// let pool = ThreadPool::start(2, "work", THREAD_POOL_QUEUE_MAX)?;
/// // Where waiting is allowed:
/// let sum = pool.enqueue(|| (1..=100).sum::<u32>())?;
/// assert_eq!(sum.join()?, 5050);
/// // From inside a loop:
/// let event_loop = EventLoop::new(Epoll::new()?, Limits::default());
/// let remote = event_loop.remote();
/// pool.enqueue(move || {
///     let sum = (1..=100).sum::<u32>();
///     // Fails only if the loop has ended, or its queue is full.
///     remote.post(Box::new(move |_io| drop(sum))).is_ok()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThreadPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl ThreadPool {
    /// Starts `threads` threads (at least one) named `name-<index>`, over a queue of at most `queue_max` tasks.
    ///
    /// # Errors
    /// When a thread cannot be started; those that were are stopped again.
    pub fn start(threads: usize, name: &str, queue_max: usize) -> Result<ThreadPool, Error> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                stopped: false,
            }),
            news: Condvar::new(),
            queue_max,
        });
        let mut pool = ThreadPool {
            shared,
            threads: Vec::new(),
        };
        for index in 0..threads.max(1) {
            let name = format!("{name}-{index}");
            let shared = Arc::clone(&pool.shared);
            let run = move || {
                crate::fatal::prepare_thread();
                while let Some(job) = shared.next() {
                    job();
                }
            };
            match thread::Builder::new().name(name.clone()).spawn(run) {
                Ok(thread) => pool.threads.push(thread),
                Err(source) => return Err(Error::Thread { name, source }),
            }
        }
        Ok(pool)
    }

    /// Puts a task at the end of the queue. Its handle may be dropped: the task is done all the same.
    ///
    /// # Errors
    /// When the queue is full, or the pool was stopped; the task is dropped then.
    pub fn enqueue<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Result<TaskHandle<T>, EnqueueError> {
        let outcome = Arc::new(Outcome {
            slot: Mutex::new(None),
            done: Condvar::new(),
        });
        let told = Arc::clone(&outcome);
        let job = Box::new(move || {
            // The task is gone after a panic, and what it shared with others guards itself.
            let result = catch_unwind(AssertUnwindSafe(task));
            told.tell(result.map_err(TaskPanic::new));
        });
        let mut queue = self.shared.lock();
        if queue.stopped {
            return Err(EnqueueError::Stopped);
        }
        if queue.jobs.len() >= self.shared.queue_max {
            return Err(EnqueueError::Full);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.news.notify_one();
        Ok(TaskHandle { outcome })
    }

    /// Tasks that wait for a thread.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Takes no more tasks. Those in the queue are still done.
    pub fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.news.notify_all();
    }

    /// Takes no more tasks, and waits until those in the queue are done and the threads have ended.
    pub fn join(self) {
        // Dropping does that.
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.stop();
        let this = thread::current().id();
        for thread in self.threads.drain(..) {
            // If a task is the last to let go of the pool, its own thread cannot be waited for.
            if thread.thread().id() != this {
                // It cannot have panicked: its jobs catch that.
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("threads", &self.threads.len())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Waits for the next job; `None` when there will be none.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.stopped {
                return None;
            }
            let waited = self.news.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No task runs while it is held, so a panic elsewhere leaves it consistent.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Outcome<T> {
    slot: Mutex<Option<Result<T, TaskPanic>>>,
    done: Condvar,
}

impl<T> Outcome<T> {
    fn tell(&self, result: Result<T, TaskPanic>) {
        *self.lock() = Some(result);
        self.done.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Result<T, TaskPanic>>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a task, now or later.
#[must_use = "a handle that is dropped tells nobody of a panic"]
pub struct TaskHandle<T> {
    outcome: Arc<Outcome<T>>,
}

impl<T> TaskHandle<T> {
    /// Waits until the task is done.
    ///
    /// # Errors
    /// When it panicked. (Unless panics abort the process.)
    pub fn join(self) -> Result<T, TaskPanic> {
        let mut slot = self.outcome.lock();
        loop {
            if let Some(result) = slot.take() {
                return result;
            }
            let waited = self.outcome.done.wait(slot);
            slot = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the task is done, but no longer than `timeout`; gives the handle back if it was not.
    ///
    /// # Errors
    /// The outer one is the handle, the inner one as [`TaskHandle::join`].
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, TaskPanic>, TaskHandle<T>> {
        let started = Instant::now();
        let mut slot = self.outcome.lock();
        loop {
            if let Some(result) = slot.take() {
                return Ok(result);
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                drop(slot);
                return Err(self);
            }
            let waited = self.outcome.done.wait_timeout(slot, left);
            slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// True once the task is done: joining will not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outcome.lock().is_some()
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// Why a task was not taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    /// As many tasks wait as may.
    #[error("the thread pool's queue is full")]
    Full,
    /// The pool was stopped.
    #[error("the thread pool was stopped")]
    Stopped,
}

/// A task panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task panicked: {message}")]
pub struct TaskPanic {
    message: String,
}

impl TaskPanic {
    fn new(payload: Box<dyn Any + Send>) -> TaskPanic {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_string());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        TaskPanic {
            message: message.unwrap_or_else(|| "without a message".to_string()),
        }
    }

    /// What it panicked with, if that was a text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Occupies a thread of the pool until the sender is dropped.
    fn occupy(pool: &ThreadPool) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let task = move || {
            begin.send(()).unwrap();
            let _ = released.recv();
        };
        let _ = pool.enqueue(task).unwrap();
        begun.recv_timeout(PATIENCE).unwrap();
        release
    }

    #[test]
    fn results_come_back_and_order_is_kept() {
        let pool = ThreadPool::start(1, "test", 100).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let handles: Vec<_> = (0..50)
            .map(|n| {
                let order = Arc::clone(&order);
                let task = move || {
                    order.lock().unwrap().push(n);
                    n * n
                };
                pool.enqueue(task).unwrap()
            })
            .collect();
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), n * n);
        }
        assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn threads_work_side_by_side_under_their_names() {
        let pool = ThreadPool::start(3, "side", 10).unwrap();
        let meet = Arc::new(std::sync::Barrier::new(3));
        let handles: Vec<_> = (0..3)
            .map(|_| {
                let meet = Arc::clone(&meet);
                let task = move || {
                    meet.wait();
                    thread::current().name().unwrap().to_string()
                };
                pool.enqueue(task).unwrap()
            })
            .collect();
        let mut names: Vec<_> = handles.into_iter().map(|h| h.join().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["side-0", "side-1", "side-2"]);
    }

    #[test]
    fn the_queue_is_bounded() {
        let pool = ThreadPool::start(1, "test", 2).unwrap();
        let release = occupy(&pool);
        let first = pool.enqueue(|| 1).unwrap();
        let second = pool.enqueue(|| 2).unwrap();
        assert_eq!(pool.queued(), 2);
        assert_eq!(pool.enqueue(|| 3).unwrap_err(), EnqueueError::Full);
        assert!(!first.is_finished());
        let first = first.join_timeout(Duration::from_millis(1)).unwrap_err();
        drop(release);
        assert_eq!(first.join_timeout(PATIENCE).unwrap(), Ok(1));
        assert_eq!(second.join(), Ok(2));
        assert_eq!(pool.enqueue(|| 4).unwrap().join(), Ok(4));
    }

    #[test]
    fn a_stopped_pool_takes_nothing_and_finishes_what_it_took() {
        let pool = ThreadPool::start(2, "test", 1_000).unwrap();
        let releases = [occupy(&pool), occupy(&pool)];
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let done = Arc::clone(&done);
            let count = move || done.fetch_add(1, Ordering::SeqCst);
            let _ = pool.enqueue(count).unwrap();
        }
        pool.stop();
        assert_eq!(pool.enqueue(|| ()).unwrap_err(), EnqueueError::Stopped);
        assert_eq!(done.load(Ordering::SeqCst), 0);
        drop(releases);
        pool.join();
        assert_eq!(done.load(Ordering::SeqCst), 100);
    }

    #[test]
    fn dropping_it_finishes_what_it_took() {
        let done = Arc::new(AtomicUsize::new(0));
        let pool = ThreadPool::start(4, "test", 1_000).unwrap();
        for _ in 0..1_000 {
            let done = Arc::clone(&done);
            let _ = pool
                .enqueue(move || done.fetch_add(1, Ordering::SeqCst))
                .unwrap();
        }
        drop(pool);
        assert_eq!(done.load(Ordering::SeqCst), 1_000);
    }

    #[test]
    fn a_panic_is_told_to_who_waits_and_hurts_nobody_else() {
        let pool = ThreadPool::start(1, "test", 10).unwrap();
        let bad = pool
            .enqueue(|| -> u32 { panic!("no such {}", "luck") })
            .unwrap();
        let literal = pool.enqueue(|| -> u32 { panic!("plain") }).unwrap();
        let odd = pool.enqueue(|| std::panic::panic_any(7)).unwrap();
        let good = pool.enqueue(|| 5).unwrap();
        let error = bad.join().unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: no such luck");
        assert_eq!(literal.join().unwrap_err().message(), "plain");
        assert_eq!(odd.join().unwrap_err().message(), "without a message");
        assert_eq!(good.join(), Ok(5));
    }

    #[test]
    fn a_task_may_be_the_last_to_hold_the_pool() {
        let pool = Arc::new(ThreadPool::start(2, "test", 10).unwrap());
        let held = Arc::clone(&pool);
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let task = move || {
            let _ = released.recv();
            drop(held);
            tell.send(()).unwrap();
        };
        let _ = pool.enqueue(task).unwrap();
        drop(pool);
        drop(release);
        told.recv_timeout(PATIENCE).unwrap();
    }
}
