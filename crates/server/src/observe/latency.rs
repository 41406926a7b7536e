//! The latency monitor: for each kind of event the last moments at which it took longer than `latency-monitor-threshold`.
//!
//! Invariant: off, or for what was quick, no lock is taken. At most [`SAMPLES_MAX`] samples are kept for each of a few kinds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock;

/// Samples kept for each event; there is at most one a second.
pub(super) const SAMPLES_MAX: usize = 160;

/// The worst of one second.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Seconds since 1970.
    pub time_s: u64,
    /// How long it took.
    pub ms: u64,
}

/// What is known of one kind of event.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The latest samples, oldest first; never empty.
    pub samples: VecDeque<Sample>,
    /// The longest since the last reset.
    pub worst_ms: u64,
}

/// See the module's text.
#[derive(Debug)]
pub struct Latency {
    /// `u64::MAX` while it is off.
    threshold_ms: AtomicU64,
    events: Mutex<BTreeMap<&'static str, Series>>,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency {
            threshold_ms: AtomicU64::new(u64::MAX),
            events: Mutex::default(),
        }
    }
}

impl Latency {
    /// Sets from which length on events are kept; `None` keeps none.
    pub fn set_threshold_ms(&self, threshold_ms: Option<u64>) {
        let ms = threshold_ms.unwrap_or(u64::MAX);
        self.threshold_ms.store(ms, Ordering::Relaxed);
    }

    /// Whether events are kept at all: only then it is worth reading a clock for one.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.threshold_ms.load(Ordering::Relaxed) != u64::MAX
    }

    /// Keeps an event if it was long enough.
    pub fn sample(&self, event: &'static str, ms: u64, time_s: u64) {
        if ms < self.threshold_ms.load(Ordering::Relaxed) {
            return;
        }
        let mut events = lock(&self.events);
        let series = events.entry(event).or_default();
        series.worst_ms = series.worst_ms.max(ms);
        match series.samples.back_mut() {
            Some(last) if last.time_s == time_s => last.ms = last.ms.max(ms),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { time_s, ms });
            }
        }
    }

    /// The samples of one kind of event.
    pub fn series(&self, event: &[u8]) -> Option<Series> {
        let events = lock(&self.events);
        let name = std::str::from_utf8(event).ok()?;
        events.get(name).cloned()
    }

    /// All events, by name.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        let events = lock(&self.events);
        events.iter().map(|(k, v)| (*k, v.clone())).collect()
    }

    /// Forgets events: those named, letter case aside, or all. How many kinds there were.
    pub fn reset(&self, named: Option<&[u8]>) -> usize {
        let mut events = lock(&self.events);
        let before = events.len();
        events.retain(|event, _| named.is_some_and(|n| !event.as_bytes().eq_ignore_ascii_case(n)));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_worst_of_each_second() {
        let monitor = Latency::default();
        monitor.sample("command", 900, 1);
        assert!(!monitor.is_on() && monitor.all().is_empty());
        monitor.set_threshold_ms(Some(10));
        for (ms, time_s) in [(9, 1), (10, 1), (30, 1), (20, 1), (15, 2)] {
            monitor.sample("command", ms, time_s);
        }
        monitor.sample("expire-cycle", 11, 3);
        let series = monitor.series(b"command").expect("there are samples");
        let pairs: Vec<_> = series.samples.iter().map(|s| (s.time_s, s.ms)).collect();
        assert_eq!((pairs, series.worst_ms), (vec![(1, 30), (2, 15)], 30));
        assert_eq!(monitor.reset(Some(b"nosuch")), 0);
        assert_eq!(monitor.reset(Some(b"Command")), 1);
        assert_eq!(monitor.reset(None), 1);
        assert!(monitor.series(b"command").is_none());
    }

    #[test]
    fn is_bounded() {
        let monitor = Latency::default();
        monitor.set_threshold_ms(Some(1));
        (0..1_000).for_each(|s| monitor.sample("command", 1, s));
        let samples = monitor.series(b"command").expect("kept").samples;
        assert_eq!((samples.len(), samples[0].time_s), (SAMPLES_MAX, 840));
    }
}
