//! Wakes many tasks for the price of one.
//!
//! One read brings the replies to many tasks. Waking each from the loop's thread makes an executor look, run that task and sleep again, over
//! and over; a task that runs wakes its neighbours for next to nothing, as its executor then only queues them. So the loop wakes the first
//! and leaves the others here, and whoever is polled next wakes them all.
//!
//! Invariant: nobody is left here for longer than [`PATIENCE_MS`]: a task that was woken may be dropped, or its executor be busy, and then
//! the loop does it itself ([`Relay::run`]).

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// How long the loop leaves it to a task to wake the others.
pub(crate) const PATIENCE_MS: u64 = 2;

thread_local! {
    /// Empty, and exchanged with the list that is taken: so neither is allocated anew.
    static SPARE: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
}

/// Tasks that are to be woken.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    /// There are some.
    pending: AtomicBool,
    tasks: Mutex<Vec<Waker>>,
}

impl Relay {
    /// Leaves tasks to be woken by one that is woken next.
    pub(crate) fn leave(&self, tasks: impl Iterator<Item = Waker>) {
        let mut list = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        list.extend(tasks);
        self.pending.store(!list.is_empty(), Ordering::Release);
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Wakes all of them, if there are any.
    #[inline]
    pub(crate) fn run(&self) {
        if self.is_pending() {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(&self) {
        let mut taken = SPARE.try_with(Cell::take).unwrap_or_default();
        let mut list = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *list, &mut taken);
        self.pending.store(false, Ordering::Release);
        drop(list);
        taken.drain(..).for_each(Waker::wake);
        let _ = SPARE.try_with(|spare| spare.set(taken));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_comes_first_wakes_all_of_them_once() {
        let (relay, count) = (Relay::default(), Arc::new(Count::default()));
        let tasks = || std::iter::repeat_n(Waker::from(Arc::clone(&count)), 3);
        relay.leave(tasks());
        relay.leave(tasks());
        assert!(relay.is_pending());
        relay.run();
        relay.run();
        assert_eq!(count.0.load(Ordering::Relaxed), 6);
        relay.leave(std::iter::empty());
        assert!(!relay.is_pending());
    }
}
