//! What came of it: counts while it runs, and the report at the end.
//!
//! Invariant: a message is counted as sent once, however often it was submitted, and as acknowledged once.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use super::fleet::Plan;

/// The longest time that is told apart from longer ones, microseconds.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// Counts of all devices.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    planned: u64,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    /// Acks with result 1, connections lost or silent, answers that make no sense.
    pub(crate) errors: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    /// No more is to be sent.
    pub(crate) quit: AtomicBool,
    pub(crate) ended: AtomicBool,
    first_error: Mutex<Option<String>>,
    latency_us: Mutex<Option<Histogram<u64>>>,
}

impl Progress {
    pub(crate) fn new(planned: u64) -> Progress {
        Progress {
            started: Instant::now(),
            planned,
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            quit: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            first_error: Mutex::new(None),
            latency_us: Mutex::new(None),
        }
    }

    pub(crate) fn error(&self, device: usize, what: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        // A panic aborts, so a poisoned lock is never seen.
        let mut first = self
            .first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| format!("device {}: {what}", device + 1));
    }

    /// Adds the times of a thread's devices.
    pub(crate) fn add_latencies(&self, of_thread: &Histogram<u64>) {
        let mut all = self
            .latency_us
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &mut *all {
            // Both have the same bounds.
            Some(all) => all.add(of_thread).expect("the bounds are the same"),
            None => *all = Some(of_thread.clone()),
        }
    }

    /// One line, while it runs.
    pub(crate) fn line(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (acknowledged, planned) = (get(&self.acknowledged), self.planned);
        format!(
            "{:3} %  {} sent, {acknowledged} of {planned} acknowledged, {} errors, {:.0} s",
            acknowledged * 100 / planned.max(1),
            get(&self.sent),
            get(&self.errors),
            self.started.elapsed().as_secs_f64()
        )
    }

    /// The report, and whether all is well.
    pub(crate) fn report(&self, plan: &Plan) -> (String, bool) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = self.started.elapsed().as_secs_f64();
        let (sent, acknowledged, errors) =
            (get(&self.sent), get(&self.acknowledged), get(&self.errors));
        let unacknowledged = sent - acknowledged;
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "{} devices, {} messages each, {} under way at once",
            plan.devices, plan.messages, plan.pipeline
        );
        let _ = writeln!(
            out,
            "sent {sent}, acknowledged {acknowledged}, unacknowledged {unacknowledged}, errors {errors}, reconnects {}",
            get(&self.reconnects)
        );
        let rate = acknowledged as f64 / seconds.max(f64::EPSILON);
        let _ = writeln!(out, "{seconds:.3} s, {rate:.0} acknowledged a second");
        let latency = self
            .latency_us
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(latency) = latency.as_ref().filter(|latency| !latency.is_empty()) {
            let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
            let _ = writeln!(
                out,
                "time to the ack, ms: p50 {:.3}, p90 {:.3}, p99 {:.3}, p99.9 {:.3}, max {:.3}",
                at(0.5),
                at(0.9),
                at(0.99),
                at(0.999),
                latency.max() as f64 / 1_000.0
            );
        }
        let first = self
            .first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = &*first {
            let _ = writeln!(out, "the first error: {first}");
        }
        let is_whole = acknowledged == self.planned || self.quit.load(Ordering::Relaxed);
        // With reconnecting, an error that was made good is none.
        let is_clean = unacknowledged == 0 && is_whole && (errors == 0 || plan.reconnect);
        (out, is_clean)
    }
}

/// An empty histogram of times.
pub(crate) fn latencies() -> Histogram<u64> {
    // Constants that it accepts.
    Histogram::new_with_max(LATENCY_US_MAX, 3).expect("the bounds are valid")
}
