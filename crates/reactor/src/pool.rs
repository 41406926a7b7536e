//! Event loops on threads of their own.
//!
//! Invariant: every thread that was started is joined, at the latest when the pool is dropped. A loop that fails takes the
//! others down with it: half a server is no server.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::backend::Backend;
use crate::error::Error;
use crate::event_loop::{EventLoop, StopReport};
use crate::handler::Handler;
use crate::remote::Remote;

type Outcome = Result<StopReport, Error>;

/// Running event loops, one thread each.
#[derive(Debug)]
pub struct EventLoopPool {
    threads: Vec<JoinHandle<Outcome>>,
    remotes: Vec<Remote>,
}

impl EventLoopPool {
    /// Runs each loop on a thread named `name-<index>`. `make` is called on that thread, so handlers need not be `Send`.
    ///
    /// # Errors
    /// When a thread cannot be started; those that were are stopped again.
    pub fn start<B, H, F>(
        loops: Vec<EventLoop<B>>,
        name: &str,
        make: F,
    ) -> Result<EventLoopPool, Error>
    where
        B: Backend,
        EventLoop<B>: Send + 'static,
        H: Handler,
        F: Fn(&mut EventLoop<B>) -> H + Send + Sync + 'static,
    {
        let make = Arc::new(make);
        let remotes: Vec<Remote> = loops.first().map_or_else(Vec::new, EventLoop::remotes);
        let mut pool = EventLoopPool {
            threads: Vec::new(),
            remotes,
        };
        for mut event_loop in loops {
            let index = event_loop.index();
            let make = Arc::clone(&make);
            let name = format!("{name}-{index}");
            let run = move || {
                crate::fatal::prepare_thread();
                let mut handler = make(&mut event_loop);
                event_loop.run(&mut handler).map_err(|source| {
                    let remotes = event_loop.remotes();
                    remotes.iter().for_each(|r| r.stop(0));
                    Error::Loop { index, source }
                })
            };
            match thread::Builder::new().name(name.clone()).spawn(run) {
                Ok(thread) => pool.threads.push(thread),
                Err(source) => return Err(Error::Thread { name, source }),
            }
        }
        Ok(pool)
    }

    /// Handles on the loops, by index.
    #[must_use]
    pub fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    /// Asks all loops to stop by the given time, see [`Remote::stop`]: one deadline for all connections.
    pub fn stop(&self, deadline_ms: u64) {
        self.remotes.iter().for_each(|r| r.stop(deadline_ms));
    }

    /// Waits until all loops have ended, and adds up their reports.
    ///
    /// # Errors
    /// The first failure of a loop.
    pub fn join(mut self) -> Outcome {
        self.join_all()
    }

    fn join_all(&mut self) -> Outcome {
        let mut outcome = Ok(StopReport::default());
        for (index, thread) in self.threads.drain(..).enumerate() {
            let one = thread.join().unwrap_or(Err(Error::Panicked { index }));
            outcome = match (outcome, one) {
                (Ok(sum), Ok(one)) => Ok(StopReport {
                    cut: sum.cut + one.cut,
                }),
                (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            };
        }
        outcome
    }
}

impl Drop for EventLoopPool {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.stop(0);
            let _ = self.join_all();
        }
    }
}
