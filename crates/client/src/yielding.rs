//! Lets other threads run, where that is worth while.
//!
//! A client's threads and its loop do better if they give way to each other than if each sleeps and is woken: requests gather meanwhile, and
//! share writes and reads. But who gives way on a machine that is busy with something else gives it a whole slice of time.
//!
//! Invariant: where that happens, it does not happen again for the next [`SKIPS`] times.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Threads of ours are done sooner: they send a request, and wait. Systems have slices from a millisecond up.
const SLOW: Duration = Duration::from_micros(400);
/// Times that nobody gives way after it took long.
const SKIPS: u32 = 2_000;

/// How many of them are left. It need not be exact.
static SKIPS_LEFT: AtomicU32 = AtomicU32::new(0);

/// Lets others run, again and again.
#[derive(Debug, Default)]
pub(crate) struct Yielding {
    /// When it did so last: reading the clock is a part of what that costs.
    last: Option<Instant>,
}

impl Yielding {
    /// Lets others run. False: it is not worth while, do without.
    pub(crate) fn give_way(&mut self) -> bool {
        let left = SKIPS_LEFT.load(Ordering::Relaxed);
        if left > 0 {
            SKIPS_LEFT.store(left - 1, Ordering::Relaxed);
            return false;
        }
        let since = self.last.unwrap_or_else(Instant::now);
        thread::yield_now();
        let now = Instant::now();
        if now - since > SLOW {
            SKIPS_LEFT.store(SKIPS, Ordering::Relaxed);
        }
        self.last = Some(now);
        true
    }
}

/// Lets others run once.
pub(crate) fn give_way() -> bool {
    Yielding::default().give_way()
}
