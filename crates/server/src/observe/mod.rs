//! What is kept about commands that ran: the slow log, the latency monitor's events, a histogram for each command.
//!
//! Invariant: a command that was not slow touches no lock here, and no memory that another worker writes to.

pub mod big_keys;
mod histogram;
pub mod hot_keys;
mod latency;
pub mod metrics;
mod rates;
mod recent;
mod redact;
mod slowlog;
mod stages;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use dunlin_engine::{Args, Command, Engine, Flags, Session};

pub use histogram::Distribution;
use histogram::Histogram;
pub use hot_keys::HotKeys;
pub use latency::{Latency, Sample, Series};
pub use rates::{Rates, Reading};
pub use recent::RecentMax;
pub use redact::{REDACTED, secrets};
pub use slowlog::{Entry, SlowLog, SlowStages};
use stages::StageHistograms;
pub use stages::{Done, Outbound, Stage};

use big_keys::BigKeys;

use crate::config::Config;

/// Below this threshold of the slow log, every command is timed by itself instead of in runs of equal small ones.
const EXACT_BELOW_US: u64 = 1_000;

/// A run of brief commands that took so long had one in it that did.
const RARE_US: u64 = 500;
/// What the others of that run are taken to have needed.
const USUAL_NS: u64 = 1_000;

/// A command that ran, and for how long.
pub struct Ran<'a> {
    /// The command.
    pub command: &'static Command,
    /// Its arguments.
    pub args: Args<'a>,
    /// Who sent it.
    pub session: &'a Session,
    /// Microseconds of execution.
    pub duration_us: u64,
    /// Microseconds that its request waited: behind others, for stripes, between its steps.
    pub queued_us: u64,
    /// Wall clock now.
    pub now_us: u64,
}

/// The histograms of one worker, one for each id of the command table, made when first used.
type Histograms<T = Histogram> = Box<[OnceLock<Box<T>>]>;

/// See the module's text.
pub struct Observer {
    /// The slow log.
    pub slowlog: SlowLog,
    /// The latency monitor.
    pub latency: Latency,
    /// Commands and bytes a second.
    pub rates: Rates,
    /// The keys that are asked for most.
    pub hot_keys: HotKeys,
    /// The biggest keys seen.
    pub big_keys: BigKeys,
    /// A command that ran as long as this is for [`Observer::ran`]; `u64::MAX` for none.
    slow_us: AtomicU64,
    exact: AtomicBool,
    tracking: AtomicBool,
    /// Path of the Unix socket, by which its clients are named.
    socket: Mutex<String>,
    histograms: Box<[Histograms]>,
    /// The same of the stages around the execution, and of all together.
    stages: Box<[Histograms<StageHistograms>]>,
    /// What CONFIG RESETSTAT subtracts, by id.
    baseline: Mutex<BTreeMap<usize, Distribution>>,
}

impl Observer {
    /// Observes the workers of this engine.
    pub fn new(engine: &Engine) -> Observer {
        let histograms = || (0..engine.table.len()).map(|_| OnceLock::new()).collect();
        Observer {
            slowlog: SlowLog::default(),
            latency: Latency::default(),
            rates: Rates::default(),
            hot_keys: HotKeys::new(engine.stats.len()),
            big_keys: BigKeys::default(),
            slow_us: AtomicU64::new(u64::MAX),
            exact: AtomicBool::new(false),
            tracking: AtomicBool::new(false),
            socket: Mutex::default(),
            histograms: engine.stats.iter().map(|_| histograms()).collect(),
            stages: engine
                .stats
                .iter()
                .map(|_| (0..engine.table.len()).map(|_| OnceLock::new()).collect())
                .collect(),
            baseline: Mutex::default(),
        }
    }

    /// Follows the configuration.
    pub fn configure(&self, config: &Config) {
        let number = |name: &str| u64::try_from(config.integer(name)).ok();
        let slower_than_us = number("slowlog-log-slower-than");
        let len_max = number("slowlog-max-len").unwrap_or(0);
        self.slowlog.configure(
            slower_than_us,
            usize::try_from(len_max).unwrap_or(usize::MAX),
        );
        let threshold_ms = number("latency-monitor-threshold").filter(|ms| *ms > 0);
        self.latency.set_threshold_ms(threshold_ms);
        let monitored_us = threshold_ms.map_or(u64::MAX, |ms| ms.saturating_mul(1_000));
        let slow_us = slower_than_us.unwrap_or(u64::MAX);
        let every = number("hot-keys-sample-every").and_then(|every| every.try_into().ok());
        self.hot_keys.set_every(every.unwrap_or(0));
        let relaxed = Ordering::Relaxed;
        self.slow_us.store(slow_us.min(monitored_us), relaxed);
        self.exact.store(slow_us < EXACT_BELOW_US, relaxed);
        self.tracking.store(config.yes("latency-tracking"), relaxed);
        let socket = config.unixsocket();
        *lock(&self.socket) = socket.map_or_else(String::new, |path| path.display().to_string());
    }

    /// Whether every command must be timed by itself.
    #[inline]
    pub fn is_exact(&self) -> bool {
        self.exact.load(Ordering::Relaxed)
    }

    /// Whether a command that took so long is for [`Observer::ran`].
    #[inline]
    pub fn is_slow(&self, duration_us: u64) -> bool {
        duration_us >= self.slow_us.load(Ordering::Relaxed)
    }

    /// Files the time of `calls` equal commands that `worker` ran; to be called by that worker alone.
    #[inline]
    pub fn measured(
        &self,
        engine: &Engine,
        worker: usize,
        id: usize,
        duration_us: u64,
        calls: u32,
    ) {
        let duration_ns = duration_us * 1_000;
        engine.stats[worker].commands[id]
            .nanoseconds
            .add(duration_ns);
        if calls > 0 && self.is_tracking() {
            let histogram = self.histograms[worker][id].get_or_init(Box::default);
            if calls > 1 && duration_us >= RARE_US {
                // Brief commands do not take long together: one of them did. It must not be spread among the others.
                let others = u64::from(calls - 1);
                let usual_ns = duration_ns.min(USUAL_NS);
                histogram.record(usual_ns, others);
                histogram.record(duration_ns - usual_ns * others, 1);
            } else {
                histogram.record((duration_ns / u64::from(calls)).max(1), u64::from(calls));
            }
        }
    }

    /// Whether histograms are kept.
    #[inline]
    pub fn is_tracking(&self) -> bool {
        self.tracking.load(Ordering::Relaxed)
    }

    /// Files a slow command; the number of its entry in the slow log, if it has one.
    #[cold]
    pub fn ran(&self, ran: &Ran<'_>) -> Option<u64> {
        let event = if ran.command.flags.has(Flags::FAST) {
            "fast-command"
        } else {
            "command"
        };
        self.latency
            .sample(event, ran.duration_us / 1_000, ran.now_us / 1_000_000);
        if ran.command.flags.has(Flags::SKIP_SLOWLOG) {
            return None;
        }
        self.slowlog.push(ran, || self.address(ran.session))
    }

    /// The address of a session's client, as CLIENT LIST shows it.
    pub fn address(&self, session: &Session) -> String {
        match session.peer.remote {
            Some(address) => address.to_string(),
            None if session.peer.unix => format!("{}:0", lock(&self.socket)),
            None => "?:0".to_owned(),
        }
    }

    /// How long the calls of a command took, since the last reset; `None` before the first call.
    pub fn distribution(&self, id: usize) -> Option<Distribution> {
        let mut sum = self.since_start(id)?;
        if let Some(before) = lock(&self.baseline).get(&id) {
            sum.subtract(before);
        }
        (sum.calls() > 0).then_some(sum)
    }

    /// Lets [`Observer::distribution`] count from zero.
    pub fn reset_distributions(&self) {
        // Counters have one writer each, so nobody else may set them to zero.
        let mut baseline = lock(&self.baseline);
        let ids = 0..self.histograms.first().map_or(0, |h| h.len());
        *baseline = ids
            .filter_map(|id| Some((id, self.since_start(id)?)))
            .collect();
    }

    fn since_start(&self, id: usize) -> Option<Distribution> {
        let used = self.histograms.iter().filter_map(|h| h[id].get());
        used.fold(None, |sum: Option<Distribution>, histogram| {
            let mut sum = sum.unwrap_or_default();
            sum.add(histogram);
            Some(sum)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::testing::Console;

    #[test]
    fn what_is_rare_and_slow_is_not_averaged_away() {
        let console = Console::default();
        let (engine, observer) = (&console.shared.engine, &console.shared.observer);
        let id = engine.table.id_of(b"ping").expect("there is a PING");
        observer.measured(engine, 0, id, 16, 16);
        observer.measured(engine, 0, id, 8_000, 16);
        let all = observer.distribution(id).expect("they were counted");
        assert_eq!((all.calls(), all.sum_ns()), (32, 8_016_000));
        let (usual_ns, worst_ns) = (all.percentile_ns(90.0), all.percentile_ns(100.0));
        assert!(usual_ns < 1_100, "{usual_ns}");
        assert!((7_900_000..8_600_000).contains(&worst_ns), "{worst_ns}");
    }

    #[test]
    fn nothing_is_kept_while_it_is_off() {
        let mut console = Console::default();
        console.run("CONFIG SET latency-tracking no");
        let observer = &console.shared.observer;
        let mut outbound = Outbound::default();
        let done = Done {
            id: 1,
            calls: 3,
            ended_us: 5,
            ..Done::default()
        };
        observer.executed(&mut outbound, 0, done);
        assert!(outbound.is_empty());
        console.run("CONFIG SET latency-tracking yes");
        let observer = &console.shared.observer;
        observer.executed(&mut outbound, 0, done);
        observer.left(&mut outbound, 0, 9, u64::MAX);
        let flushed = observer.stage(1, Stage::Flush).expect("they left");
        assert_eq!((flushed.calls(), flushed.sum_ns()), (3, 12_000));
        assert_eq!(observer.total(1).map(|total| total.calls()), Some(3));
        assert!(observer.stage(1, Stage::LogWait).is_none());
    }
}
