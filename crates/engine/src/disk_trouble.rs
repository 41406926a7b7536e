//! Why writes are refused: the disk does not take snapshots, or the log.
//!
//! Not here: when that is so. Who writes the files knows, and says so here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::ReplyError;

/// See the module's text.
#[derive(Debug, Default)]
pub struct DiskTrouble {
    any: AtomicBool,
    what: Mutex<What>,
}

#[derive(Debug, Default)]
struct What {
    snapshot: bool,
    log: Option<String>,
}

impl DiskTrouble {
    /// Whether there is any. One load.
    #[inline]
    pub fn is_there(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Writes are refused because snapshots fail, or no longer.
    pub fn set_snapshot(&self, failed: bool) {
        self.change(|what| what.snapshot = failed);
    }

    /// Writes are refused because the log can't be written, for this reason, or no longer.
    pub fn set_log(&self, failure: Option<String>) {
        self.change(|what| what.log = failure);
    }

    fn change(&self, change: impl FnOnce(&mut What)) {
        let mut what = self.what();
        change(&mut what);
        let any = what.snapshot || what.log.is_some();
        self.any.store(any, Ordering::Relaxed);
    }

    /// What a client is told that wants to write.
    pub fn refusal(&self) -> Option<ReplyError> {
        let what = self.what();
        if what.snapshot {
            return Some(ReplyError::SnapshotsFail);
        }
        what.log.clone().map(ReplyError::LogFailed)
    }

    fn what(&self) -> MutexGuard<'_, What> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.what.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
