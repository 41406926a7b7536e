//! The engine: the store, the command table, and the settings that commands obey.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_store::{Counter, Listener, Local, Settings, Store, Telling, Told};

use crate::acl::Users;
use crate::disk_trouble::DiskTrouble;
use crate::encodings::Encodings;
use crate::error::ReplyError;
use crate::payloads::Payloads;
use crate::pubsub::PubSub;
use crate::scripting::Scripts;
use crate::table::Table;
use crate::tracking::Tracking;

/// `proto-max-bulk-len` unless configured: 512 MiB.
const BULK_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Error codes that one worker tells apart; a script can make up any number of them.
const ERROR_CODES_MAX: usize = 128;

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
    /// Error replies by code. Locked for an error, and by who shows or resets them.
    codes: Mutex<ErrorCodes>,
}

/// Error replies by their code, the first word.
#[derive(Clone, Debug, Default)]
pub struct ErrorCodes {
    /// How many of each.
    pub counts: BTreeMap<String, u64>,
    /// There were more codes than are told apart: the counts are incomplete.
    pub overflowed: bool,
}

impl CommandStats {
    /// Counts an error reply.
    #[cold]
    pub fn count_error(&self, error: &ReplyError) {
        if matches!(error, ReplyError::HandedOn(_)) {
            return;
        }
        self.errors.add(1);
        let mut codes = self.codes();
        let code = error.code();
        if let Some(count) = codes.counts.get_mut(&code) {
            *count += 1;
        } else if codes.counts.len() < ERROR_CODES_MAX {
            codes.counts.insert(code, 1);
        } else {
            codes.overflowed = true;
        }
    }

    fn codes(&self) -> MutexGuard<'_, ErrorCodes> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker keeps for the engine.
pub struct WorkerState {
    /// Its state in the store.
    pub local: Local,
    /// Its number.
    pub number: usize,
    /// Somebody monitors: [`crate::Host::executed`] is told of every command.
    pub observed: bool,
}

/// See the module's text.
pub struct Engine {
    /// The keyspace.
    pub store: Store,
    /// The commands.
    pub table: Table,
    /// Who subscribed to what, and messages on their way.
    pub pubsub: Arc<PubSub>,
    /// Which clients cache which keys.
    pub tracking: Arc<Tracking>,
    /// Counters per command, one set for each worker and one for the auxiliary thread.
    pub stats: Box<[CommandStats]>,
    /// `proto-max-bulk-len`: longest string a command may make.
    pub bulk_bytes_max: AtomicUsize,
    /// Longest output after which the client is closed anyway: see [`crate::Ctx::reply_is_too_long`].
    pub reply_bytes_max: AtomicUsize,
    /// How big packed collections may be.
    pub encodings: Encodings,
    /// Who may do what.
    pub users: Users,
    /// How values are dumped and restored.
    pub payloads: Payloads,
    /// Data is being loaded: only commands with the flag LOADING run, and nothing expires or is evicted.
    pub is_loading: AtomicBool,
    /// Scripts that are known, and those that run.
    pub scripts: Scripts,
    /// Why writes are refused, if they are.
    pub disk_trouble: Arc<DiskTrouble>,
}

/// All who are told what happens in the store.
struct Listeners {
    pubsub: Arc<PubSub>,
    tracking: Arc<Tracking>,
}

impl Listener for Listeners {
    fn told(&self, told: Told<'_>, telling: &mut Telling<'_>) {
        match told {
            Told::Event { .. } | Told::Message { .. } => self.pubsub.told(told, telling),
            Told::Changed { .. } | Told::Flushed | Told::Read { .. } => {
                self.tracking.told(told, telling);
            }
        }
    }
}

impl Engine {
    /// An engine over an empty store. `families` are added to the engine's own commands.
    pub fn new(settings: &Settings, families: &[&[&'static crate::Command]]) -> Engine {
        Engine::renamed(settings, families, &[])
    }

    /// As [`Engine::new`], with commands under other names: see [`Table::renamed`].
    pub fn renamed(
        settings: &Settings,
        families: &[&[&'static crate::Command]],
        renames: &[(Vec<u8>, Vec<u8>)],
    ) -> Engine {
        let mut all: Vec<&[&'static crate::Command]> = crate::commands::FAMILIES.to_vec();
        all.extend_from_slice(families);
        let table = Table::renamed(&all, renames);
        let stats = || CommandStats {
            commands: (0..table.len()).map(|_| CommandStat::default()).collect(),
            errors: Counter::default(),
            codes: Mutex::default(),
        };
        let store = Store::new(settings);
        let pubsub = Arc::new(PubSub::new(settings.workers, *store.hasher()));
        let tracking = Arc::new(Tracking::new(settings.workers, *store.hasher()));
        store.on_told(Arc::new(Listeners {
            pubsub: Arc::clone(&pubsub),
            tracking: Arc::clone(&tracking),
        }));
        Engine {
            store,
            pubsub,
            tracking,
            stats: (0..=settings.workers).map(|_| stats()).collect(),
            users: Users::new(&table),
            table,
            bulk_bytes_max: AtomicUsize::new(BULK_BYTES_MAX),
            reply_bytes_max: AtomicUsize::new(usize::MAX),
            encodings: Encodings::default(),
            payloads: Payloads::default(),
            is_loading: AtomicBool::new(false),
            scripts: Scripts::new(settings.workers + 1),
            disk_trouble: Arc::default(),
        }
    }

    /// State for worker number `worker`.
    pub fn worker(&self, worker: usize, seed: u64) -> WorkerState {
        WorkerState {
            local: self.store.local(worker, seed),
            number: worker,
            observed: false,
        }
    }

    /// Error replies by code, of all workers.
    pub fn error_codes(&self) -> ErrorCodes {
        let mut sum = ErrorCodes::default();
        for stats in &self.stats {
            let codes = stats.codes();
            sum.overflowed |= codes.overflowed;
            for (code, count) in &codes.counts {
                *sum.counts.entry(code.clone()).or_default() += count;
            }
        }
        sum
    }

    /// Forgets them.
    pub fn reset_error_codes(&self) {
        self.stats
            .iter()
            .for_each(|stats| *stats.codes() = ErrorCodes::default());
    }

    /// Longest string that a command may make.
    pub fn string_bytes_max(&self) -> usize {
        self.bulk_bytes_max.load(Ordering::Relaxed)
    }
}
