//! The slow log: the latest commands that ran longer than `slowlog-log-slower-than`.
//!
//! Invariant: at most `slowlog-max-len` entries, each of at most [`ARGS_MAX`] arguments of [`ARG_BYTES_MAX`] bytes. The lock is
//! taken for a slow command and by SLOWLOG, never for a quick one.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dunlin_engine::Args;

use super::{REDACTED, Ran, lock, secrets};

/// Arguments kept of a command; when there are more, the last of them says how many.
pub(super) const ARGS_MAX: usize = 32;
/// Bytes kept of an argument; behind them stands how many there were.
pub(super) const ARG_BYTES_MAX: usize = 128;

/// A slow command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Number of the entry, counted from the start of the server.
    pub id: u64,
    /// When it ended, seconds since 1970.
    pub time_s: u64,
    /// Microseconds of execution.
    pub duration_us: u64,
    /// Microseconds between the arrival of the request and its end that it did not run: behind other commands, parked
    /// because keys were busy, or between its steps.
    pub queued_us: u64,
    /// Microseconds that its reply waited for the log, and until it was handed to the kernel; `None` until that has happened.
    pub afterwards_us: Option<(u64, u64)>,
    /// Its arguments, cut.
    pub args: Vec<Vec<u8>>,
    /// Address of the client.
    pub address: String,
    /// Name of the client.
    pub name: Box<[u8]>,
}

/// Where a slow command's time went, microseconds.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct SlowStages {
    /// Its request waited: behind others, parked, between its steps.
    pub queue_us: u64,
    /// It ran.
    pub execute_us: u64,
    /// Its reply waited for the log; `None` while it does, and of a command inside of a transaction, which has no reply of its own.
    pub log_wait_us: Option<u64>,
    /// Its reply waited to be handed to the kernel; `None` likewise.
    pub flush_us: Option<u64>,
}

impl Entry {
    /// Where the time went.
    pub fn stages(&self) -> SlowStages {
        SlowStages {
            queue_us: self.queued_us,
            execute_us: self.duration_us,
            log_wait_us: self.afterwards_us.map(|(log_wait_us, _)| log_wait_us),
            flush_us: self.afterwards_us.map(|(_, flush_us)| flush_us),
        }
    }
}

#[derive(Debug, Default)]
struct Log {
    /// Newest first.
    entries: VecDeque<Entry>,
    next_id: u64,
}

/// See the module's text.
#[derive(Debug)]
pub struct SlowLog {
    /// `u64::MAX` while it is off.
    threshold_us: AtomicU64,
    len_max: AtomicUsize,
    log: Mutex<Log>,
}

impl Default for SlowLog {
    fn default() -> SlowLog {
        SlowLog {
            threshold_us: AtomicU64::new(u64::MAX),
            len_max: AtomicUsize::new(0),
            log: Mutex::default(),
        }
    }
}

impl SlowLog {
    /// Sets from which length on commands are logged (`None`: none is), and how many are kept.
    pub(super) fn configure(&self, threshold_us: Option<u64>, len_max: usize) {
        let threshold_us = threshold_us.unwrap_or(u64::MAX);
        self.threshold_us.store(threshold_us, Ordering::Relaxed);
        self.len_max.store(len_max, Ordering::Relaxed);
        lock(&self.log).entries.truncate(len_max);
    }

    /// Logs a command if it was slow enough; the number of its entry.
    pub(super) fn push(&self, ran: &Ran<'_>, address: impl FnOnce() -> String) -> Option<u64> {
        let threshold_us = self.threshold_us.load(Ordering::Relaxed);
        if threshold_us == u64::MAX || ran.duration_us < threshold_us {
            return None;
        }
        let mut entry = Entry {
            id: 0,
            time_s: ran.now_us / 1_000_000,
            duration_us: ran.duration_us,
            queued_us: ran.queued_us,
            afterwards_us: None,
            args: cut(ran.args, &secrets(ran.command, ran.args)),
            address: address(),
            name: ran.session.name.clone(),
        };
        let mut log = lock(&self.log);
        let id = log.next_id;
        entry.id = id;
        log.next_id += 1;
        log.entries.push_front(entry);
        let len_max = self.len_max.load(Ordering::Relaxed);
        log.entries.truncate(len_max);
        Some(id)
    }

    /// The reply of a logged command has gone.
    #[cold]
    pub(super) fn add_stages(&self, id: u64, log_wait_us: u64, flush_us: u64) {
        let mut log = lock(&self.log);
        // It is one of the latest, unless it was pushed out or forgotten meanwhile.
        if let Some(entry) = log.entries.iter_mut().find(|entry| entry.id <= id)
            && entry.id == id
        {
            entry.afterwards_us = Some((log_wait_us, flush_us));
        }
    }

    /// The newest entries, newest first.
    pub fn newest(&self, count: usize) -> Vec<Entry> {
        lock(&self.log)
            .entries
            .iter()
            .take(count)
            .cloned()
            .collect()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        lock(&self.log).entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all entries; numbers go on.
    pub fn clear(&self) {
        lock(&self.log).entries.clear();
    }
}

/// Arguments as the slow log keeps them.
fn cut(args: Args<'_>, secrets: &[usize]) -> Vec<Vec<u8>> {
    let whole = args.len() <= ARGS_MAX;
    let shown = if whole { args.len() } else { ARGS_MAX - 1 };
    let mut kept: Vec<Vec<u8>> = (0..shown)
        .map(|i| match args.at(i) {
            _ if secrets.contains(&i) => REDACTED.to_vec(),
            arg if arg.len() > ARG_BYTES_MAX => {
                let mut start = arg[..ARG_BYTES_MAX].to_vec();
                let more = arg.len() - ARG_BYTES_MAX;
                start.extend(format!("... ({more} more bytes)").bytes());
                start
            }
            arg => arg.to_vec(),
        })
        .collect();
    if !whole {
        let more = args.len() - shown;
        kept.push(format!("... ({more} more arguments)").into_bytes());
    }
    kept
}
