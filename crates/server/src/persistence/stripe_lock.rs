//! Taking stripes on a thread that may wait, as workers may not.

use std::sync::Arc;
use std::thread::{self, Thread};

use dunlin_store::Store;
use dunlin_store::stripes::{Held, LockSet, ReadyList, Waiter, Wake};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(&self) {
        self.0.unpark();
    }
}

/// The calling thread's way to take stripes.
pub struct StripeLock {
    ready: Arc<ReadyList>,
    waiter: Arc<Waiter>,
    tokens: Vec<u64>,
}

impl StripeLock {
    /// For the calling thread, which alone may use it.
    pub fn of_this_thread() -> StripeLock {
        let ready = ReadyList::new(Unpark(thread::current()));
        StripeLock {
            waiter: Waiter::new(Arc::clone(&ready), 0),
            ready,
            tokens: Vec::new(),
        }
    }

    /// Takes these stripes, and sleeps until it has them.
    pub fn lock(&mut self, store: &Store, set: &LockSet) -> Held {
        let mut taken = store.lock_stripes(set, &self.waiter);
        loop {
            match taken {
                Ok(held) => return held,
                Err(_parked) => {
                    self.wait();
                    taken = store.resume_stripes(set, &self.waiter);
                }
            }
        }
    }

    /// What parks for this thread.
    pub fn waiter(&self) -> &Arc<Waiter> {
        &self.waiter
    }

    /// Sleeps until the waiter, which is parked, may go on.
    pub fn wait(&mut self) {
        self.tokens.clear();
        while self.ready.drain(&mut self.tokens) == 0 {
            if self.ready.prepare_sleep() {
                thread::park();
            }
        }
    }
}
