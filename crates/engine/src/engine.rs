//! The engine: the store, the command table, and the settings that commands obey.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dunlin_store::{Counter, Local, Settings, Store};

use crate::encodings::Encodings;
use crate::table::Table;

/// `proto-max-bulk-len` unless configured: 512 MiB.
const BULK_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Counters of one command on one worker.
#[derive(Debug, Default)]
pub struct CommandStat {
    /// Calls that ran.
    pub calls: Counter,
    /// Nanoseconds spent in them.
    pub nanoseconds: Counter,
    /// Calls refused before they ran.
    pub rejected: Counter,
    /// Calls that ran and failed.
    pub failed: Counter,
}

/// One worker's counters per command, by id; written by that worker alone.
#[derive(Debug, Default)]
pub struct CommandStats {
    /// One for each id of the table.
    pub commands: Box<[CommandStat]>,
    /// Error replies in all.
    pub errors: Counter,
}

/// What a worker keeps for the engine.
pub struct WorkerState {
    /// Its state in the store.
    pub local: Local,
    /// Its number.
    pub number: usize,
}

/// See the module's text.
pub struct Engine {
    /// The keyspace.
    pub store: Store,
    /// The commands.
    pub table: Table,
    /// Counters per command, one set for each worker and one for the auxiliary thread.
    pub stats: Box<[CommandStats]>,
    /// `proto-max-bulk-len`: longest string a command may make.
    pub bulk_bytes_max: AtomicUsize,
    /// How big packed collections may be.
    pub encodings: Encodings,
    /// A password is required of new sessions.
    pub password_required: AtomicBool,
}

impl Engine {
    /// An engine over an empty store. `families` are added to the engine's own commands.
    pub fn new(settings: &Settings, families: &[&[&'static crate::Command]]) -> Engine {
        let mut all: Vec<&[&'static crate::Command]> = crate::commands::FAMILIES.to_vec();
        all.extend_from_slice(families);
        let table = Table::new(&all);
        let stats = || CommandStats {
            commands: (0..table.len()).map(|_| CommandStat::default()).collect(),
            errors: Counter::default(),
        };
        Engine {
            store: Store::new(settings),
            stats: (0..=settings.workers).map(|_| stats()).collect(),
            table,
            bulk_bytes_max: AtomicUsize::new(BULK_BYTES_MAX),
            encodings: Encodings::default(),
            password_required: AtomicBool::new(false),
        }
    }

    /// State for worker number `worker`.
    pub fn worker(&self, worker: usize, seed: u64) -> WorkerState {
        WorkerState {
            local: self.store.local(worker, seed),
            number: worker,
        }
    }

    /// Longest string that a command may make.
    pub fn string_bytes_max(&self) -> usize {
        self.bulk_bytes_max.load(Ordering::Relaxed)
    }
}
