//! Time as the reactor and its users see it: a monotonic clock and a wall clock behind one trait.
//!
//! Invariant: everything above reads time through a [`Clock`], so that a whole server can run on virtual time.
//! It does not sleep; waiting is the backend's.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time. Reading it must be cheap (about 25 ns for the system's).
pub trait Clock: Send + Sync {
    /// Microseconds since an arbitrary start; never runs backwards.
    fn monotonic_us(&self) -> u64;

    /// Microseconds since 1970-01-01 UTC; may be stepped by the administrator.
    fn wall_us(&self) -> u64;
}

/// The operating system's clocks, read without a system call.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Where the monotonic clock of this process starts: a second before it was first read, so that 0 is never a time.
static START: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
});

impl Clock for SystemClock {
    #[inline]
    fn monotonic_us(&self) -> u64 {
        START.elapsed().as_micros() as u64
    }

    #[inline]
    fn wall_us(&self) -> u64 {
        // No machine whose date was ever set is before 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap_or_default().as_micros() as u64
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct VirtualClock {
    monotonic_us: AtomicU64,
    wall_offset_us: AtomicU64,
}

/// Where a virtual wall clock starts: 2026-01-01 00:00:00 UTC.
const WALL_START_US: u64 = 1_767_225_600_000_000;

/// Where a virtual monotonic clock starts: not at 0, so that a forgotten "0 means unset" shows.
const MONOTONIC_START_US: u64 = 1_000_000;

impl Default for VirtualClock {
    fn default() -> VirtualClock {
        VirtualClock {
            monotonic_us: AtomicU64::new(MONOTONIC_START_US),
            wall_offset_us: AtomicU64::new(WALL_START_US),
        }
    }
}

impl VirtualClock {
    /// Moves both clocks on.
    pub fn advance_us(&self, us: u64) {
        self.monotonic_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Steps the wall clock alone, as an administrator would.
    pub fn set_wall_us(&self, wall_us: u64) {
        let offset = wall_us.wrapping_sub(self.monotonic_us());
        self.wall_offset_us.store(offset, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn monotonic_us(&self) -> u64 {
        self.monotonic_us.load(Ordering::Relaxed)
    }

    fn wall_us(&self) -> u64 {
        self.wall_offset_us
            .load(Ordering::Relaxed)
            .wrapping_add(self.monotonic_us())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_moves_forwards() {
        let (a, b) = (SystemClock.monotonic_us(), SystemClock.monotonic_us());
        assert!(a <= b);
        assert!(SystemClock.wall_us() > WALL_START_US);
    }

    #[test]
    fn virtual_time_moves_only_when_told() {
        let clock = VirtualClock::default();
        let (mono, wall) = (clock.monotonic_us(), clock.wall_us());
        clock.advance_us(1_500);
        assert_eq!(clock.monotonic_us(), mono + 1_500);
        assert_eq!(clock.wall_us(), wall + 1_500);
        clock.set_wall_us(5);
        assert_eq!((clock.wall_us(), clock.monotonic_us()), (5, mono + 1_500));
    }
}
