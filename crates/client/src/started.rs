//! Whether a client's first connection came to be, for those who wait for that.
//!
//! Invariant: a success stays; a failure is what [`crate::Client::connect`] returns, and is forgotten by a later success.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dunlin_resp::Version;

use crate::error::{Error, Result};

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<Version>>,
    failures: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Started {
    state: Mutex<State>,
    changed: Condvar,
}

impl Started {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, outcome: Result<Version>) {
        let mut state = self.state();
        if outcome.is_ok() || !matches!(state.outcome, Some(Ok(_))) {
            state.outcome = Some(outcome);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// An attempt failed; with `attempts` of them, all addresses were tried.
    pub(crate) fn fail(&self, error: Error, attempts: usize) {
        let mut state = self.state();
        state.failures += 1;
        if state.failures >= attempts && state.outcome.is_none() {
            state.outcome = Some(Err(error));
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits for the first outcome.
    pub(crate) fn wait(&self, time: Duration) -> Result<Version> {
        let until = Instant::now() + time;
        let mut state = self.state();
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::TimeOut);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
