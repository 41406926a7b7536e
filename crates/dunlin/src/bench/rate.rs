//! When requests are to be sent: as soon as there is room, or at a fixed rate.
//!
//! Invariant: request k of a schedule is due at its beginning plus k intervals, however late earlier ones were sent.

use std::collections::VecDeque;

/// Requests of a schedule that may be overdue at once. Beyond that the generator or the server is hopelessly behind; counting goes on.
const OVERDUE_MAX: usize = 10_000_000;

/// A schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    begun_ns: u64,
    interval_ns: f64,
    released: u64,
    /// Times of requests that are due and not sent, in microseconds.
    overdue: VecDeque<u64>,
}

impl Schedule {
    /// `rate` requests a second, from `begun_us` on.
    pub(super) fn new(rate: f64, begun_us: u64) -> Schedule {
        Schedule {
            begun_ns: begun_us * 1_000,
            interval_ns: 1e9 / rate,
            released: 0,
            overdue: VecDeque::new(),
        }
    }

    /// When the next request falls due, in microseconds, rounded up.
    pub(super) fn next_us(&self) -> u64 {
        self.due_ns(self.released).div_ceil(1_000)
    }

    fn due_ns(&self, k: u64) -> u64 {
        self.begun_ns + (k as f64 * self.interval_ns) as u64
    }

    /// Takes note of what has fallen due, as long as `quota` grants it for its time.
    pub(super) fn release(&mut self, now_us: u64, mut quota: impl FnMut(u64) -> bool) {
        while self.overdue.len() < OVERDUE_MAX
            && self.due_ns(self.released) <= now_us * 1_000
            && quota(self.due_ns(self.released) / 1_000)
        {
            self.overdue.push_back(self.due_ns(self.released) / 1_000);
            self.released += 1;
        }
    }

    /// The oldest request that is due.
    pub(super) fn take(&mut self) -> Option<u64> {
        self.overdue.pop_front()
    }

    /// Whether anything is due.
    pub(super) fn has_due(&self) -> bool {
        !self.overdue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_sender_still_has_every_request_with_its_own_time() {
        let mut schedule = Schedule::new(1_000.0, 5_000);
        assert_eq!(schedule.next_us(), 5_000);
        schedule.release(9_500, |_| true);
        let due: Vec<u64> = std::iter::from_fn(|| schedule.take()).collect();
        assert_eq!(due, [5_000, 6_000, 7_000, 8_000, 9_000]);
        assert_eq!(schedule.next_us(), 10_000);
        let mut left = 2;
        schedule.release(99_000, |_| {
            left -= 1;
            left >= 0
        });
        assert_eq!(std::iter::from_fn(|| schedule.take()).count(), 2);
    }
}
