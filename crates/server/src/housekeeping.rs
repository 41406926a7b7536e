//! The thread of the lowest priority: it frees what is too big for the command that dropped it, and gives memory that has
//! stayed free back to the system.
//!
//! Invariant: memory is given back only from here, and by MEMORY PURGE on the auxiliary thread. A worker that touched fresh
//! memory in its place would stall for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process;
use dunlin_reactor::{Clock as _, SystemClock};

use crate::shared::{Memory, Shared};

/// The lowest priority: freeing must never take the processor from a worker.
const NICENESS: i32 = 19;
/// How often free memory is looked at. The only thing that wakes an idle server, for some microseconds.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// A busy server keeps so much free memory for what comes next, and this part of what is in use.
const KEPT_FREE_BYTES: u64 = 64 << 20;
const KEPT_FREE_SHARE: u64 = 8;
/// Less than this is not worth giving back.
const PURGED_BYTES_MIN: u64 = 4 << 20;

/// Starts the thread; it ends after `ended` was set and it was unparked.
///
/// # Errors
/// When the system has no room for a thread.
pub(crate) fn start(
    shared: &Arc<Shared>,
    ended: &Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let (own, ended) = (Arc::clone(shared), Arc::clone(ended));
    let handle = thread::Builder::new()
        .name("reaper".into())
        .spawn(move || {
            dunlin_reactor::fatal::prepare_thread();
            process::lower_priority(NICENESS);
            process::keep_to_background(&own.config());
            let store = &own.engine.store;
            let mut reaper = store.reaper();
            let mut watch = FreeMemory::default();
            let mut look_at = Instant::now() + LOOK_PERIOD;
            while !ended.load(Ordering::Acquire) {
                let freed = reaper.step(store);
                let left = look_at.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    watch.look(&own);
                    own.targets.forget_idle(Instant::now());
                    own.journal.report_stall(SystemClock.monotonic_us() / 1_000);
                    look_at = Instant::now() + LOOK_PERIOD;
                } else if !freed {
                    thread::park_timeout(left);
                }
            }
        })?;
    let thread = handle.thread().clone();
    shared
        .engine
        .store
        .on_garbage(Box::new(move || thread.unpark()));
    Ok(handle)
}

/// Decides when free memory is given back: at once when the server is idle, else when it has been far too much twice in a row.
#[derive(Debug, Default)]
struct FreeMemory {
    /// Commands processed, keys expired and values freed at the last look.
    changes: u64,
    /// What is free was given back since the last of them.
    is_given_back: bool,
    /// The last look found too much.
    was_too_much: bool,
}

impl FreeMemory {
    fn look(&mut self, shared: &Shared) {
        let store = &shared.engine.store;
        // Keys expire, and big values are freed, while no command comes.
        let changes = shared.total(|counters| &counters.commands)
            + store.total(|counters| &counters.expired)
            + store.freeing().1;
        if self.wants_figures(changes) && self.is_too_much((shared.allocator.figures)()) {
            (shared.allocator.purge)();
        }
    }

    /// Whether anything may have changed since the last look. Asking the allocator costs more than asking this.
    fn wants_figures(&mut self, changes: u64) -> bool {
        let is_idle = std::mem::replace(&mut self.changes, changes) == changes;
        if !is_idle {
            self.is_given_back = false;
        }
        let wants = !(is_idle && self.is_given_back);
        self.is_given_back = is_idle;
        wants
    }

    /// Whether so much is free that it should be given back now.
    fn is_too_much(&mut self, memory: Memory) -> bool {
        let free = memory.resident.saturating_sub(memory.active);
        if self.is_given_back {
            return free >= PURGED_BYTES_MIN;
        }
        let is_too_much = free > KEPT_FREE_BYTES + memory.active / KEPT_FREE_SHARE;
        std::mem::replace(&mut self.was_too_much, is_too_much) && is_too_much
    }
}

#[cfg(test)]
mod tests {
    use super::{FreeMemory, KEPT_FREE_BYTES, Memory};

    fn free(bytes: u64) -> Memory {
        Memory {
            resident: bytes,
            ..Memory::default()
        }
    }

    #[test]
    fn a_busy_server_keeps_what_a_reply_takes() {
        let mut watch = FreeMemory::default();
        for commands in 1..10 {
            assert!(watch.wants_figures(commands));
            assert!(!watch.is_too_much(free(KEPT_FREE_BYTES)));
        }
        assert!(watch.wants_figures(10));
        assert!(!watch.is_too_much(free(2 * KEPT_FREE_BYTES)), "only once");
        assert!(watch.wants_figures(11));
        assert!(watch.is_too_much(free(2 * KEPT_FREE_BYTES)), "twice");
    }

    #[test]
    fn an_idle_server_gives_all_back_and_then_sleeps() {
        let mut watch = FreeMemory::default();
        assert!(watch.wants_figures(5));
        assert!(!watch.is_too_much(free(KEPT_FREE_BYTES)));
        assert!(watch.wants_figures(5), "idle since the last look");
        assert!(watch.is_too_much(free(KEPT_FREE_BYTES)));
        assert!(!watch.wants_figures(5), "nothing has happened since");
        assert!(watch.wants_figures(6));
    }
}
