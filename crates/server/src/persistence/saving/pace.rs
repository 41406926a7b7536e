//! How long a thread that saves keeps the processor.
//!
//! Where all cores are busy, giving it away costs whole slices of the scheduler, some milliseconds; so it is not given away after every few
//! keys. A worker that wakes up meanwhile on this core waits for at most [`WORK_US`], and for what is done between two calls.

use std::cell::Cell;
use std::thread;

use dunlin_reactor::{Clock as _, SystemClock};

/// After so long the processor is given away.
const WORK_US: u64 = 200;

thread_local! {
    /// When it was given away last.
    static SINCE_US: Cell<u64> = const { Cell::new(0) };
}

/// To be called after each piece of work: gives the processor away if this thread had it for long enough.
pub(super) fn breathe() {
    SINCE_US.with(|since| {
        if SystemClock.monotonic_us().saturating_sub(since.get()) >= WORK_US {
            thread::yield_now();
            since.set(SystemClock.monotonic_us());
        }
    });
}
