//! Adding and removing listeners of a running loop, from other threads.
//!
//! Invariant: the queue is bounded; a change is taken as a whole or not at all, and what was taken happens in order, at the
//! start of the loop's next turn. A loop that stops takes none.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::waker::Waker;

/// Listeners on their way into and out of a loop, at most.
pub const LISTENER_CHANGES_MAX: usize = 256;

pub(crate) enum Change<L> {
    Add(u32, L),
    Remove(u32),
}

struct Shared<L> {
    next_number: AtomicU32,
    /// `None` once the loop stops.
    changes: Mutex<Option<VecDeque<Change<L>>>>,
}

/// A handle on the listeners of a loop. Cheap to clone.
pub struct Listeners<L> {
    shared: Arc<Shared<L>>,
    waker: Waker,
}

impl<L> Clone for Listeners<L> {
    fn clone(&self) -> Self {
        Listeners {
            shared: Arc::clone(&self.shared),
            waker: self.waker.clone(),
        }
    }
}

impl<L> Listeners<L> {
    pub(crate) fn new(waker: Waker) -> Listeners<L> {
        Listeners {
            shared: Arc::new(Shared {
                next_number: AtomicU32::new(0),
                changes: Mutex::new(Some(VecDeque::new())),
            }),
            waker,
        }
    }

    /// Adds some listeners and closes others, by number. Returns the numbers of the new ones.
    ///
    /// # Errors
    /// When the loop is stopping, or [`LISTENER_CHANGES_MAX`] changes wait; nothing happens then, and the listeners are
    /// closed.
    pub fn change(&self, add: Vec<L>, remove: &[usize]) -> Result<Vec<usize>, ListenersError> {
        let mut changes = self.lock();
        let queue = changes.as_mut().ok_or(ListenersError::Stopping)?;
        if queue.len() + add.len() + remove.len() > LISTENER_CHANGES_MAX {
            return Err(ListenersError::Full);
        }
        let mut numbers = Vec::with_capacity(add.len());
        for listener in add {
            let number = self.next_number();
            queue.push_back(Change::Add(number, listener));
            numbers.push(number as usize);
        }
        queue.extend(remove.iter().map(|number| Change::Remove(*number as u32)));
        drop(changes);
        self.waker.wake();
        Ok(numbers)
    }

    pub(crate) fn next_number(&self) -> u32 {
        self.shared.next_number.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Option<Change<L>> {
        self.lock().as_mut()?.pop_front()
    }

    /// Refuses changes from now on, and drops those that wait.
    pub(crate) fn end(&self) {
        let waiting = self.lock().take();
        drop(waiting);
    }

    /// A panic elsewhere leaves the queue consistent: every change is one call.
    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<Change<L>>>> {
        let changes = &self.shared.changes;
        changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> fmt::Debug for Listeners<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}

/// Why a change of listeners was not taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenersError {
    /// [`LISTENER_CHANGES_MAX`] changes wait.
    #[error("too many changes of listeners wait for the event loop")]
    Full,
    /// The loop accepts nothing any more.
    #[error("the event loop is stopping")]
    Stopping,
}
