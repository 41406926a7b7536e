//! The line that shows how a run goes, on a terminal: rate, median and p99 since the last look.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use super::load::histogram;
use super::options::{Options, Style};

/// Latencies as threads bring them in.
pub(super) struct Live(Mutex<(Histogram<u64>, Histogram<u64>)>);

impl Default for Live {
    fn default() -> Live {
        Live(Mutex::new((histogram(), histogram())))
    }
}

impl Live {
    /// Adds what a thread has measured since it last did.
    pub(super) fn add(&self, latencies: &Histogram<u64>) {
        // Every change is one call, so what a panic leaves is sound.
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (recent, total) = &mut *both;
        let added = recent.add(latencies).and_then(|()| total.add(latencies));
        debug_assert!(added.is_ok(), "all histograms have one shape");
    }

    fn take_recent(&self) -> Histogram<u64> {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut both.0, histogram())
    }

    /// All that was added.
    pub(super) fn total(&self) -> Histogram<u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }
}

/// The line.
pub(super) struct Progress {
    title: String,
    on: bool,
    drawn: bool,
    last: Instant,
    begun: Instant,
    requests: u64,
    of: Option<u64>,
}

impl Progress {
    pub(super) fn new(options: &Options, title: &str) -> Progress {
        Progress {
            title: title.to_owned(),
            on: io::stderr().is_terminal() && matches!(options.style, Style::Full | Style::Quiet),
            drawn: false,
            last: Instant::now(),
            begun: Instant::now(),
            requests: 0,
            of: options.duration.is_none().then_some(options.requests),
        }
    }

    /// Whether anybody sees it: otherwise threads need not bring in anything.
    pub(super) fn is_shown(&self) -> bool {
        self.on
    }

    /// Draws the line anew.
    pub(super) fn show(&mut self, live: &Live) {
        if !self.on {
            return;
        }
        let recent = live.take_recent();
        let rate = recent.len() as f64 / self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        self.requests += recent.len();
        let ms = |quantile| recent.value_at_quantile(quantile) as f64 / 1_000.0;
        let share = match self.of {
            Some(of) if of > 0 => format!(" {:.0}%", 100.0 * self.requests as f64 / of as f64),
            _ => format!(" {:.0} s", self.begun.elapsed().as_secs_f64()),
        };
        let (p50, p99) = (ms(0.5), ms(0.99));
        let _ = write!(
            io::stderr(),
            "\r\x1b[K{}:{share}  {rate:.0} requests/s  p50 {p50:.3} ms  p99 {p99:.3} ms",
            self.title
        );
        self.drawn = true;
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
