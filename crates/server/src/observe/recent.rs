//! The largest of what one worker saw in the last seconds.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Seconds that are looked back upon.
const SECONDS: u64 = 8;

/// See the module's text. Written by one worker, read by all.
#[derive(Debug, Default)]
pub struct RecentMax {
    /// The largest of each second, by the second modulo their number.
    largest: [AtomicUsize; SECONDS as usize],
    /// The second that was noted last.
    second: AtomicU64,
}

impl RecentMax {
    /// Notes a value.
    #[inline]
    pub fn note(&self, now_ms: u64, value: usize) {
        let second = now_ms / 1_000;
        let before = self.second.load(Ordering::Relaxed);
        if before != second {
            for passed in 0..(second.saturating_sub(before)).min(SECONDS) {
                self.of(second - passed).store(0, Ordering::Relaxed);
            }
            self.second.store(second, Ordering::Relaxed);
        }
        let largest = self.of(second);
        if value > largest.load(Ordering::Relaxed) {
            largest.store(value, Ordering::Relaxed);
        }
    }

    /// The largest of the last seconds.
    pub fn largest(&self, now_ms: u64) -> usize {
        let (now, last) = (now_ms / 1_000, self.second.load(Ordering::Relaxed));
        let oldest = (now + 1).saturating_sub(SECONDS);
        let from = oldest.max((last + 1).saturating_sub(SECONDS));
        let seconds = (from..=last).map(|second| self.of(second).load(Ordering::Relaxed));
        seconds.max().unwrap_or(0)
    }

    fn of(&self, second: u64) -> &AtomicUsize {
        &self.largest[(second % SECONDS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::RecentMax;

    #[test]
    fn forgets_after_eight_seconds() {
        let recent = RecentMax::default();
        assert_eq!(recent.largest(5_000), 0);
        recent.note(100_000, 50);
        recent.note(100_900, 70);
        recent.note(101_000, 20);
        assert_eq!(recent.largest(101_000), 70);
        assert_eq!(recent.largest(107_999), 70);
        assert_eq!(recent.largest(108_000), 20);
        assert_eq!(recent.largest(109_000), 0);
        recent.note(110_000, 1);
        assert_eq!(recent.largest(110_000), 1);
        recent.note(200_000, 2);
        assert_eq!(recent.largest(200_000), 2);
    }
}
