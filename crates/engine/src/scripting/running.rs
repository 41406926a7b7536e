//! What runs on each thread, for who wants to know or to kill it.
//!
//! A script costs two stores; whoever asks looks at all threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use dunlin_store::stripes::LockSet;

use super::lock;
use crate::args::Args;

/// What a script was called by.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// EVAL and its kind: SCRIPT KILL ends it.
    Script,
    /// FCALL and its kind: FUNCTION KILL ends it.
    Function,
}

/// Lowest bit of a run's number: it is a function's.
const FUNCTION: u64 = 1;

#[derive(Default)]
struct Thread {
    /// Number of the run that is under way, shifted left by one, with [`FUNCTION`]; 0 when none is.
    run: AtomicU64,
    /// The run that is to end.
    kill: AtomicU64,
    /// When it began, monotonic microseconds; 0 while it is on a worker, which gives it up soon.
    since_us: AtomicU64,
    /// What is shown of one that takes long.
    shown: Mutex<Option<RunningScript>>,
}

/// A script that takes long.
#[derive(Clone, Debug)]
pub struct RunningScript {
    /// Name of the function, or digest of the script.
    pub name: Vec<u8>,
    /// The command.
    pub command: Vec<Vec<u8>>,
    /// What it was called by.
    pub kind: Kind,
    /// When it began, monotonic microseconds.
    pub since_us: u64,
    /// The stripes that it holds.
    pub held: Option<LockSet>,
}

impl RunningScript {
    /// For the log, when it has run for so long.
    pub(super) fn slow_text(&self, ran_us: u64) -> String {
        let kill = match self.kind {
            Kind::Script => "SCRIPT KILL",
            Kind::Function => "FUNCTION KILL",
        };
        format!(
            "Slow script detected: {} still runs after {} milliseconds. {kill} ends it and undoes what it did.",
            String::from_utf8_lossy(&self.name),
            ran_us / 1_000
        )
    }
}

/// Why nothing was killed.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum NotKilled {
    /// Nothing runs.
    Idle,
    /// What runs is of the other kind.
    Other,
}

/// What runs on each thread.
pub struct Running {
    threads: Box<[CachePadded<Thread>]>,
}

impl Running {
    pub(super) fn new(threads: usize) -> Running {
        Running {
            threads: (0..threads).map(|_| CachePadded::default()).collect(),
        }
    }

    /// A script begins on thread `thread`.
    #[inline]
    pub(super) fn begin(&self, thread: usize, number: u64, kind: Kind) {
        let run = number << 1 | u64::from(kind == Kind::Function);
        self.threads[thread].run.store(run, Ordering::Relaxed);
    }

    /// It takes long: it can be shown.
    pub(super) fn show(&self, thread: usize, script: RunningScript) {
        let thread = &self.threads[thread];
        thread
            .since_us
            .store(script.since_us.max(1), Ordering::Relaxed);
        *lock(&thread.shown) = Some(script);
    }

    /// It has ended.
    #[inline]
    pub(super) fn end(&self, thread: usize) {
        let thread = &self.threads[thread];
        thread.run.store(0, Ordering::Relaxed);
        if thread.since_us.load(Ordering::Relaxed) != 0 {
            thread.since_us.store(0, Ordering::Relaxed);
            *lock(&thread.shown) = None;
        }
    }

    /// Whether the script on `thread` is to end.
    #[inline]
    pub(super) fn is_killed(&self, thread: usize) -> bool {
        let thread = &self.threads[thread];
        let run = thread.run.load(Ordering::Relaxed);
        run != 0 && thread.kill.load(Ordering::Relaxed) == run
    }

    /// Ends what runs and is of this kind: those that take long, or if there is none of them, whatever runs at this moment.
    pub fn kill(&self, kind: Kind) -> Result<(), NotKilled> {
        let is_long = |thread: &Thread| thread.since_us.load(Ordering::Relaxed) != 0;
        let any_long = self.threads.iter().any(|thread| is_long(thread));
        let mut outcome = Err(NotKilled::Idle);
        for thread in &self.threads {
            let run = thread.run.load(Ordering::Relaxed);
            if run == 0 || (any_long && !is_long(thread)) {
                continue;
            }
            if (run & FUNCTION != 0) == (kind == Kind::Function) {
                thread.kill.store(run, Ordering::Relaxed);
                outcome = Ok(());
            } else if outcome != Ok(()) {
                outcome = Err(NotKilled::Other);
            }
        }
        outcome
    }

    /// What thread `thread` runs, if it takes long.
    pub(super) fn shown(&self, thread: usize) -> Option<RunningScript> {
        lock(&self.threads[thread].shown).clone()
    }

    /// The script that has been running longest, of those that take long.
    pub fn longest(&self) -> Option<RunningScript> {
        let shown = self
            .threads
            .iter()
            .filter_map(|thread| lock(&thread.shown).clone());
        shown.min_by_key(|script| script.since_us)
    }

    /// When the longest began, monotonic microseconds, if there is one that takes long. Reads one word for each thread.
    #[inline]
    pub fn longest_since_us(&self) -> Option<u64> {
        let since = self
            .threads
            .iter()
            .map(|t| t.since_us.load(Ordering::Relaxed));
        since.filter(|&since_us| since_us != 0).min()
    }
}

impl RunningScript {
    pub(super) fn of(
        name: Vec<u8>,
        args: Args<'_>,
        kind: Kind,
        since_us: u64,
        held: Option<LockSet>,
    ) -> RunningScript {
        RunningScript {
            name,
            command: args.iter().map(<[u8]>::to_vec).collect(),
            kind,
            since_us,
            held,
        }
    }
}
