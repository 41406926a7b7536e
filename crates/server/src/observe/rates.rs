//! Commands and bytes a second, for INFO, without a timer: whoever works takes a sample when the last one is old enough.
//!
//! Invariant: an idle server takes none. What INFO shows is the mean from a sample that is about a second and a half old (the
//! latest one, if all are older) until now.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock;

/// Time between samples.
const PERIOD_MS: u64 = 100;
/// Samples kept: with the period, Redis's window of 1.6 s.
const SAMPLES: usize = 16;

/// Counters at one moment.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// When, on the loops' clock.
    pub at_ms: u64,
    /// Commands since the start.
    pub commands: u64,
    /// Bytes read since the start.
    pub input_bytes: u64,
    /// Bytes written since the start.
    pub output_bytes: u64,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Rates {
    /// When the next sample is due.
    due_ms: AtomicU64,
    samples: Mutex<VecDeque<Reading>>,
    taken: AtomicU64,
}

impl Rates {
    /// Whether a sample should be taken now.
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.due_ms.load(Ordering::Relaxed)
    }

    /// Takes a sample; its number, or `None` if it was not due.
    #[cold]
    pub fn take(&self, reading: Reading) -> Option<u64> {
        let mut samples = lock(&self.samples);
        // Another worker may have been quicker.
        if samples
            .back()
            .is_some_and(|last| reading.at_ms < last.at_ms + PERIOD_MS)
        {
            return None;
        }
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(reading);
        self.due_ms
            .store(reading.at_ms + PERIOD_MS, Ordering::Relaxed);
        Some(self.taken.fetch_add(1, Ordering::Relaxed))
    }

    /// Means a second up to now: commands, bytes read, bytes written.
    pub fn per_second(&self, now: Reading) -> (f64, f64, f64) {
        let samples = lock(&self.samples);
        let window_ms = PERIOD_MS * SAMPLES as u64;
        let recent = |sample: &&Reading| sample.at_ms + window_ms >= now.at_ms;
        let since = samples.iter().find(recent).or(samples.back());
        let Some(since) = since.filter(|since| since.at_ms < now.at_ms) else {
            return (0.0, 0.0, 0.0);
        };
        let seconds = (now.at_ms - since.at_ms) as f64 / 1_000.0;
        let mean = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        (
            mean(now.commands, since.commands),
            mean(now.input_bytes, since.input_bytes),
            mean(now.output_bytes, since.output_bytes),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: u64, commands: u64) -> Reading {
        Reading {
            at_ms,
            commands,
            input_bytes: commands * 10,
            output_bytes: commands * 5,
        }
    }

    #[test]
    fn means_over_the_window() {
        let rates = Rates::default();
        assert_eq!(rates.per_second(at(50, 7)), (0.0, 0.0, 0.0));
        assert!(rates.is_due(0));
        for n in 0..100 {
            assert!(rates.is_due(n * 100));
            assert_eq!(rates.take(at(n * 100, n * 10)), Some(n));
            assert!(!rates.is_due(n * 100 + 99));
        }
        assert_eq!(rates.take(at(9_950, 995)), None);
        assert_eq!(lock(&rates.samples).len(), SAMPLES);
        assert_eq!(rates.per_second(at(9_950, 995)), (100.0, 1_000.0, 500.0));
        // Idle since then: the mean from the latest sample on.
        assert_eq!(rates.per_second(at(19_900, 990)), (0.0, 0.0, 0.0));
        assert_eq!(rates.per_second(at(11_900, 1_010)).0, 10.0);
    }
}
