//! What all workers share: the settings that commands change at run time, and the counters that INFO sums.

mod recent;
mod totals;

use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam_utils::CachePadded;
use dunlin_engine::Engine;
use dunlin_store::Counter;
use dunlin_store::eviction::Policy;

use crate::access::AccessLog;
use crate::clients::{self, Client, Clients};
use crate::commands::migrate::Targets;
use crate::config::{AdminLane, ClientClass, Config, OutputLimit};
use crate::observe::{Observer, Reading, RecentMax};
use crate::persistence::aof::Aof;
use crate::persistence::journal::Journal;
use crate::persistence::loading::Loading;
use crate::persistence::saving::{Order, Saving};
use crate::tls::Tls;

pub use recent::Recent;
pub use totals::{CommandTotals, Totals};

/// `maxmemory-eviction-tenacity` in keys that one command may wait to see evicted; from 100 on as many as it takes.
const VICTIMS_MIN: usize = 8;
const VICTIMS_PER_TENACITY: usize = 16;
const TENACITY_UNLIMITED: u32 = 100;

/// Settings copied out of the configuration, so that the hot path reads an atomic and takes no lock.
#[derive(Debug, Default)]
pub struct Knobs {
    /// `client-query-buffer-limit`.
    pub query_bytes_max: AtomicUsize,
    /// `maxclients`.
    pub clients_max: AtomicUsize,
    /// `timeout`: idle clients are closed after this many seconds; 0 never.
    pub timeout_s: AtomicU32,
    /// `tcp-keepalive`.
    pub keepalive_s: AtomicU32,
    /// `protected-mode`.
    pub protected: AtomicBool,
    /// `client-output-buffer-limit` of normal clients.
    pub output: OutputKnobs,
    /// The same of subscribers.
    pub subscriber_output: OutputKnobs,
    /// `key-load-delay`, microseconds.
    pub key_load_delay_us: AtomicI64,
    /// `maxmemory-clients`: bytes of all clients together above which the greediest are closed; 0 never.
    pub clients_bytes_max: AtomicU64,
}

/// When a client that does not take its replies is closed; `usize::MAX` for never.
#[derive(Debug, Default)]
pub struct OutputKnobs {
    /// At once.
    pub hard_bytes: AtomicUsize,
    /// After `soft_s`.
    pub soft_bytes: AtomicUsize,
    /// See `soft_bytes`.
    pub soft_s: AtomicU64,
}

impl OutputKnobs {
    fn set(&self, limit: &OutputLimit) {
        let bytes = |n: u64| match n {
            0 => usize::MAX,
            n => usize::try_from(n).unwrap_or(usize::MAX),
        };
        self.hard_bytes
            .store(bytes(limit.hard_bytes), Ordering::Relaxed);
        self.soft_bytes
            .store(bytes(limit.soft_bytes), Ordering::Relaxed);
        self.soft_s.store(limit.soft_seconds, Ordering::Relaxed);
    }

    /// Below this nothing has to be looked at.
    #[inline]
    pub fn least_bytes(&self) -> usize {
        let (hard, soft) = (&self.hard_bytes, &self.soft_bytes);
        hard.load(Ordering::Relaxed)
            .min(soft.load(Ordering::Relaxed))
    }
}

/// Counters of one worker's connections.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections refused over `maxclients`.
    pub rejected: Counter,
    /// Bytes read and written.
    pub input_bytes: Counter,
    /// See `input_bytes`.
    pub output_bytes: Counter,
    /// Commands processed, queued ones included.
    pub commands: Counter,
    /// Sessions parked because a stripe was busy.
    pub parked: Counter,
    /// Clients whose commands wait until CLIENT PAUSE is over.
    pub postponed: AtomicUsize,
    /// Clients that wait for a key.
    pub blocked: AtomicUsize,
    /// Memory of the clients, bytes.
    pub client_bytes: AtomicU64,
    /// Clients closed over `client-query-buffer-limit`.
    pub query_limit_closed: Counter,
    /// Clients closed over `client-output-buffer-limit`.
    pub output_limit_closed: Counter,
    /// Clients closed over `maxmemory-clients`.
    pub evicted_clients: Counter,
    /// Turns of the loop that had input.
    pub batches: Counter,
    /// Protocol errors that closed a connection.
    pub protocol_errors: Counter,
    /// Wrong passwords, or users that do not exist.
    pub auth_failures: Counter,
    /// Commands denied to a user.
    pub denied_commands: Counter,
    /// Keys denied to a user.
    pub denied_keys: Counter,
    /// Channels denied to a user.
    pub denied_channels: Counter,
    /// Receive calls of the loop.
    pub reads: AtomicU64,
    /// Microseconds that the loop was busy, up to its last turn but one.
    pub busy_us: AtomicU64,
    /// Send calls of the loop.
    pub writes: AtomicU64,
    /// Unconsumed input and unsent output of its clients, bytes.
    pub buffer_bytes: AtomicUsize,
    /// Buffers in its loop's pool, which no client uses now, bytes.
    pub pool_bytes: AtomicUsize,
    /// Microseconds spent on removing keys whose time had come.
    pub expire_us: Counter,
    /// The longest input of one client in one turn.
    pub recent_input: RecentMax,
    /// The longest output of one client in one turn.
    pub recent_output: RecentMax,
    /// The longest time by which a deadline had passed when its key was removed, milliseconds.
    pub recent_expiry_lag: RecentMax,
    /// What it runs, for the crash report.
    pub recent: Recent,
}

/// The allocator is asked at every so many samples of the counters: once a second.
const MEMORY_SAMPLES: u64 = 10;

/// States of [`Shared::hold_signals`].
mod signals {
    pub(super) const ACTED_ON: u8 = 0;
    pub(super) const HELD: u8 = 1;
    pub(super) const STOP_WAITS: u8 = 2;
}

/// How the server is asked to stop within so many milliseconds.
pub type StopRequest = Box<dyn Fn(u64) + Send + Sync>;
/// How a worker is made to look around again.
pub type WakeRequest = Box<dyn Fn(usize) + Send + Sync>;

/// How the listeners are moved to where a configuration says; the error says why they are where they were.
pub type MoveRequest = Box<dyn Fn(&Config) -> Result<(), String> + Send + Sync>;

/// See the module's text.
pub struct Shared {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The configuration.
    config: Mutex<Config>,
    /// Hot settings.
    pub knobs: Knobs,
    /// One set for each worker.
    pub workers: Box<[CachePadded<WorkerCounters>]>,
    /// What is kept about commands that ran.
    pub observer: Observer,
    /// All clients.
    pub clients: Clients,
    /// Connections to the targets of MIGRATE.
    pub targets: Targets,
    /// What is loaded, or was.
    pub loading: Loading,
    /// Saves of the dataset.
    pub saving: Saving,
    /// Signals that stop the server and have come since it was last certain to go on.
    pub stop_signals: AtomicU32,
    /// The writing of the log.
    pub journal: Journal,
    /// Its files.
    pub aof: Aof,
    /// What was denied lately.
    pub access_log: AccessLog,
    /// `requirepass` as it was last given to the default user.
    password: Mutex<Vec<u8>>,
    /// When the server started, milliseconds since 1970.
    pub started_ms: u64,
    /// `admin-lane`.
    pub admin_lane: AdminLane,
    /// The event loops' kernel interface; not set in a simulation.
    pub io_backend: OnceLock<&'static str>,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// Exit code asked for by SHUTDOWN, or -1.
    pub exit_code: AtomicI64,
    /// Asks every loop to stop.
    stop: OnceLock<StopRequest>,
    /// Wakes every loop.
    wake: OnceLock<WakeRequest>,
    /// Moves the listeners.
    move_listeners: OnceLock<MoveRequest>,
    /// What CONFIG RESETSTAT subtracts.
    baseline: Mutex<Totals>,
    /// What DEBUG PAUSE-CRON makes of signals: one of [`signals`].
    signals: AtomicU8,
    /// What connections to `tls-port` are given.
    pub(crate) tls: Tls,
    /// The port listened on, for INFO.
    pub port: AtomicU32,
    /// Peak of the allocated bytes, as far as they were measured.
    pub peak_bytes: AtomicU64,
    /// Allocated bytes before the first client.
    pub startup_bytes: u64,
    /// 40 hexadecimal digits by which replicas know what this server's history is.
    replication_id: Mutex<String>,
    /// The process's allocator.
    pub allocator: Allocator,
}

/// See [`Allocator::number`]; an error says why not.
pub type AllocatorNumber = fn(name: &[u8], value: Option<i64>) -> Result<Option<i64>, String>;

/// What the process's allocator does for the server; the library itself knows none. Any thread may call any of it.
#[derive(Copy, Clone, Debug)]
pub struct Allocator {
    /// Its figures as of now; zeros from one that keeps none.
    pub figures: fn() -> Memory,
    /// Bytes that the calling thread has allocated so far less those that it has freed.
    pub thread_bytes: fn() -> i64,
    /// Gives what is free back to the system.
    pub purge: fn(),
    /// Its own report, if it has one.
    pub report: fn() -> Option<String>,
    /// One of its numbers by name, set to a value if one is given; `Ok(None)` of one that can only be set.
    pub number: AllocatorNumber,
    /// One of its texts by name.
    pub text: fn(&[u8]) -> Result<String, String>,
}

impl Allocator {
    /// One that keeps no figures.
    pub const UNKNOWN: Allocator = Allocator {
        figures: || Memory {
            allocated: 0,
            active: 0,
            resident: 0,
        },
        thread_bytes: || 0,
        purge: || (),
        report: || None,
        number: |_, _| Err("the allocator has no names".to_owned()),
        text: |_| Err("the allocator has no names".to_owned()),
    };
}

/// Bytes as the allocator counts them.
#[derive(Copy, Clone, Debug, Default)]
pub struct Memory {
    /// Asked for by the program.
    pub allocated: u64,
    /// In pages that hold allocations.
    pub active: u64,
    /// Resident.
    pub resident: u64,
}

impl Shared {
    /// Shared state of a server with these settings.
    pub fn new(
        engine: Arc<Engine>,
        config: Config,
        now_ms: u64,
        run_id: String,
        allocator: Allocator,
    ) -> Shared {
        let workers = config.workers().max(1);
        let shared = Shared {
            admin_lane: config.admin_lane(),
            io_backend: OnceLock::new(),
            observer: Observer::new(&engine),
            targets: Targets::default(),
            saving: Saving::new(now_ms / 1_000, Arc::clone(&engine.disk_trouble)),
            stop_signals: AtomicU32::new(0),
            journal: Journal::new(workers, Arc::clone(&engine.disk_trouble)),
            aof: Aof::default(),
            engine,
            config: Mutex::new(config),
            knobs: Knobs::default(),
            // The last set is the auxiliary thread's.
            workers: (0..=workers).map(|_| CachePadded::default()).collect(),
            clients: Clients::new(workers),
            loading: Loading::default(),
            access_log: AccessLog::default(),
            password: Mutex::default(),
            started_ms: now_ms,
            run_id,
            exit_code: AtomicI64::new(-1),
            stop: OnceLock::new(),
            wake: OnceLock::new(),
            move_listeners: OnceLock::new(),
            baseline: Mutex::default(),
            signals: AtomicU8::new(signals::ACTED_ON),
            tls: Tls::default(),
            port: AtomicU32::new(0),
            peak_bytes: AtomicU64::new(0),
            startup_bytes: (allocator.figures)().allocated,
            replication_id: Mutex::new(random_id()),
            allocator,
        };
        shared.apply_config();
        shared
    }

    /// The configuration, for reading and changing; call [`Shared::apply_config`] after a change.
    pub fn config(&self) -> MutexGuard<'_, Config> {
        lock(&self.config)
    }

    /// Copies the settings that the hot path reads.
    pub fn apply_config(&self) {
        let config = self.config();
        let (knobs, relaxed) = (&self.knobs, Ordering::Relaxed);
        let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        knobs
            .query_bytes_max
            .store(bytes(config.client_query_buffer_bytes()), relaxed);
        knobs
            .clients_max
            .store(config.maxclients() as usize, relaxed);
        knobs.timeout_s.store(config.timeout_s(), relaxed);
        let delay_us = config.integer("key-load-delay");
        knobs.key_load_delay_us.store(delay_us, relaxed);
        knobs.keepalive_s.store(config.tcp_keepalive_s(), relaxed);
        knobs.protected.store(config.protected_mode(), relaxed);
        self.port.store(u32::from(config.main_port()), relaxed);
        knobs.output.set(&config.output_limit(ClientClass::Normal));
        let subscribers = config.output_limit(ClientClass::Pubsub);
        knobs.subscriber_output.set(&subscribers);
        let reply_bytes_max = knobs.output.hard_bytes.load(relaxed);
        self.engine.reply_bytes_max.store(reply_bytes_max, relaxed);
        let events = config.letters("notify-keyspace-events");
        self.engine.store.notify.set(events);
        knobs
            .clients_bytes_max
            .store(config.client_memory_bytes(), relaxed);
        self.engine
            .bulk_bytes_max
            .store(bytes(config.proto_max_bulk_bytes()), relaxed);
        let payloads = &self.engine.payloads;
        payloads
            .compress
            .store(config.yes("rdbcompression"), relaxed);
        let version = u16::try_from(config.integer("rdb-version"));
        let version = version.expect("the table bounds it");
        payloads.version.store(version, relaxed);
        let encodings = &self.engine.encodings;
        encodings.hash.set(
            config.collection_limit("hash-max-listpack-entries"),
            config.collection_bytes("hash-max-listpack-value"),
        );
        encodings.set.set(
            config.collection_limit("set-max-listpack-entries"),
            config.collection_limit("set-max-listpack-value"),
        );
        encodings.zset.set(
            config.collection_limit("zset-max-listpack-entries"),
            config.collection_bytes("zset-max-listpack-value"),
        );
        let intset = config.collection_limit("set-max-intset-entries");
        encodings.intset_entries.store(intset, relaxed);
        let list = config.list_max_listpack_size();
        encodings.list_size.store(list, relaxed);
        let entries = config.collection_limit("stream-node-max-entries");
        encodings.stream_entries.store(entries, relaxed);
        let node_bytes = config.collection_bytes("stream-node-max-bytes");
        encodings.stream_bytes.store(node_bytes, relaxed);
        let hll_sparse = config.collection_bytes("hll-sparse-max-bytes");
        encodings.hll_sparse_bytes.store(hll_sparse, relaxed);
        let deprecated = config.yes("lua-enable-deprecated-api");
        self.engine.scripts.deprecated.store(deprecated, relaxed);
        self.apply_eviction(&config);
        self.saving.configure(&config);
        self.aof.configure(self, &config);
        self.apply_access(&config);
        let tracked_max = config.integer("tracking-table-max-keys");
        let tracked_max = usize::try_from(tracked_max).unwrap_or(usize::MAX);
        self.engine.tracking.set_keys_max(tracked_max);
        self.observer.configure(&config);
    }

    fn apply_access(&self, config: &Config) {
        let users = &self.engine.users;
        users.set_all_channels(config.choice("acl-pubsub-default") == "allchannels");
        let entries = usize::try_from(config.integer("acllog-max-len")).unwrap_or(usize::MAX);
        self.access_log.set_entries_max(entries);
        // Only a change: ACL SETUSER may have given the user others meanwhile.
        let (mut last, password) = (lock(&self.password), config.text("requirepass"));
        if *last != password {
            users.set_default_password(password);
            *last = password.to_vec();
        }
    }

    fn apply_eviction(&self, config: &Config) {
        let (eviction, relaxed) = (&self.engine.store.eviction, Ordering::Relaxed);
        let policy = Policy::of_name(config.choice("maxmemory-policy")).unwrap_or_default();
        eviction.set(config.bytes("maxmemory"), policy);
        let number = |name: &str| u32::try_from(config.integer(name)).unwrap_or(0);
        let samples = number("maxmemory-samples") as usize;
        eviction.samples.store(samples, relaxed);
        let factor = number("lfu-log-factor");
        eviction.log_factor.store(factor, relaxed);
        let decay = number("lfu-decay-time");
        eviction.decay_minutes.store(decay, relaxed);
        let tenacity = number("maxmemory-eviction-tenacity");
        let victims = match tenacity {
            TENACITY_UNLIMITED.. => usize::MAX,
            _ => VICTIMS_MIN + tenacity as usize * VICTIMS_PER_TENACITY,
        };
        eviction.victims_max.store(victims, relaxed);
    }

    /// The counters since the start, or since the last [`Shared::reset_totals`].
    pub fn totals(&self) -> Totals {
        // Locked first: a reset meanwhile would make the sums older than what is subtracted.
        let baseline = lock(&self.baseline);
        Totals::read(self).since(&baseline)
    }

    /// Lets [`Shared::totals`] count from zero.
    pub fn reset_totals(&self) {
        let mut baseline = lock(&self.baseline);
        *baseline = Totals::read(self);
        self.engine.reset_error_codes();
        self.saving.reset_cuts();
        self.observer.reset_distributions();
    }

    /// The allocator's figures now; keeps the peak.
    pub fn measure_memory(&self) -> Memory {
        let memory = (self.allocator.figures)();
        self.peak_bytes
            .fetch_max(memory.allocated, Ordering::Relaxed);
        memory
    }

    /// The replication id.
    pub fn replication_id(&self) -> String {
        lock(&self.replication_id).clone()
    }

    /// Makes a new replication id.
    pub fn change_replication_id(&self) {
        *lock(&self.replication_id) = random_id();
    }

    /// The counters that INFO shows as rates.
    pub fn reading(&self, at_ms: u64) -> Reading {
        Reading {
            at_ms,
            commands: self.total(|w| &w.commands),
            input_bytes: self.total(|w| &w.input_bytes),
            output_bytes: self.total(|w| &w.output_bytes),
        }
    }

    /// Takes a sample for the rates. `at_ms`: the loops' clock.
    #[cold]
    pub fn take_sample(&self, at_ms: u64) {
        let taken = self.observer.rates.take(self.reading(at_ms));
        // Asking the allocator costs some microseconds.
        if taken.is_some_and(|number| number.is_multiple_of(MEMORY_SAMPLES)) {
            self.measure_memory();
        }
    }

    /// Sum of one counter over all workers.
    pub fn total(&self, counter: impl Fn(&WorkerCounters) -> &Counter) -> u64 {
        self.workers.iter().map(|w| counter(w).value()).sum()
    }

    /// Connections open now.
    pub fn open_clients(&self) -> usize {
        self.clients.len()
    }

    /// Clients whose commands wait: for a key, or until CLIENT PAUSE is over.
    pub fn blocked_clients(&self) -> usize {
        self.workers
            .iter()
            .map(|w| w.postponed.load(Ordering::Relaxed) + w.blocked.load(Ordering::Relaxed))
            .sum()
    }

    /// Memory of all clients, those that are just being closed included, bytes.
    pub fn client_bytes(&self) -> u64 {
        self.workers
            .iter()
            .map(|w| w.client_bytes.load(Ordering::Relaxed))
            .sum()
    }

    /// Closes the greediest clients while all together take more than `maxmemory-clients`. `counters` are the caller's.
    pub fn evict_clients(&self, counters: &WorkerCounters, now_ms: u64, now_mono_ms: u64) {
        let max = self.knobs.clients_bytes_max.load(Ordering::Relaxed);
        if max == 0 {
            return;
        }
        if self.client_bytes() <= max {
            return;
        }
        for client in self.clients.evict(max) {
            counters.evicted_clients.add(1);
            let line = self.client_line(&client, now_ms, now_mono_ms);
            tracing::info!("Evicting client: {line}");
            self.wake_worker(client.worker());
        }
    }

    /// The line that describes a client.
    pub fn client_line(&self, client: &Client, now_ms: u64, now_mono_ms: u64) -> String {
        let socket = self.socket_path();
        let context = clients::Context {
            table: &self.engine.table,
            tracking: &self.engine.tracking,
            socket: &socket,
            now_ms,
            now_mono_ms,
        };
        clients::line(client, &context)
    }

    /// Where a client comes from, as the log tells it.
    pub fn client_address(&self, client: &Client) -> String {
        match client.peer.remote {
            Some(address) => address.to_string(),
            None => format!("unix:{}", self.socket_path()),
        }
    }

    /// Path of the Unix socket, or nothing.
    pub fn socket_path(&self) -> String {
        let config = self.config();
        config
            .unixsocket()
            .map_or_else(String::new, |path| path.display().to_string())
    }

    /// Installs how loops are asked to stop. Called once, before they start.
    pub fn on_stop(&self, stop: StopRequest) {
        assert!(self.stop.set(stop).is_ok(), "installed once");
    }

    /// Installs how loops are woken. Called once, before they start.
    pub fn on_wake(&self, wake: WakeRequest) {
        assert!(self.wake.set(wake).is_ok(), "installed once");
    }

    /// Installs how listeners are moved. Called once, before the loops start.
    pub fn on_move(&self, request: MoveRequest) {
        assert!(self.move_listeners.set(request).is_ok(), "installed once");
    }

    /// Listens where this configuration says. A server without sockets (in tests) has nothing to move.
    ///
    /// # Errors
    /// When an address can't be listened on; everything is as before then.
    pub fn move_listeners(&self, config: &Config) -> Result<(), String> {
        match self.move_listeners.get() {
            Some(request) => request(config),
            None => Ok(()),
        }
    }

    /// Wakes every loop, so that changed settings are seen by those that sleep.
    pub fn wake_workers(&self) {
        // The last set of counters is the auxiliary thread's.
        (0..self.workers.len() - 1).for_each(|worker| self.wake_worker(worker));
    }

    /// Wakes one loop.
    pub fn wake_worker(&self, worker: usize) {
        if let Some(wake) = self.wake.get() {
            wake(worker);
        }
    }

    /// Whether data is being loaded.
    pub fn is_loading(&self) -> bool {
        self.engine.is_loading.load(Ordering::SeqCst)
    }

    /// Everything is loaded: the server answers all commands from now on, and looks after what expired meanwhile or is too much.
    pub fn loaded(&self) {
        self.engine.is_loading.store(false, Ordering::SeqCst);
        self.wake_workers();
    }

    /// Whether the server was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.exit_code.load(Ordering::SeqCst) >= 0
    }

    /// Lets signals that stop the server wait from now on (DEBUG PAUSE-CRON), or not any longer.
    pub fn hold_signals(&self, on: bool) {
        let order = Ordering::SeqCst;
        if on {
            let _ = self
                .signals
                .compare_exchange(signals::ACTED_ON, signals::HELD, order, order);
        } else if self.signals.swap(signals::ACTED_ON, order) == signals::STOP_WAITS {
            // Which signal it was is not kept; the settings of both seldom differ.
            self.stop_on_signal(signal_hook::consts::SIGTERM);
        }
    }

    /// Whether a signal that has come has to wait; a second one does not.
    pub fn hold_stop(&self) -> bool {
        let order = Ordering::SeqCst;
        self.signals
            .compare_exchange(signals::HELD, signals::STOP_WAITS, order, order)
            .is_ok()
    }

    /// Takes a signal back that waits; false when there is none.
    pub fn abort_stop(&self) -> bool {
        let order = Ordering::SeqCst;
        self.signals
            .compare_exchange(signals::STOP_WAITS, signals::HELD, order, order)
            .is_ok()
    }

    /// Asks every loop to stop; the process exits with `code`.
    pub fn request_stop(&self, code: i64) {
        self.request_stop_within(code, u64::from(self.config().shutdown_timeout_s()) * 1_000);
    }

    /// The same, within so many milliseconds.
    pub fn request_stop_within(&self, code: i64, timeout_ms: u64) {
        self.exit_code.store(code, Ordering::SeqCst);
        if let Some(stop) = self.stop.get() {
            stop(timeout_ms);
        }
    }

    /// Stops as the configuration says for this signal: saves first if so told, or if there are save points.
    pub fn stop_on_signal(&self, signal: i32) {
        let key = match signal {
            signal_hook::consts::SIGINT => "shutdown-on-sigint",
            _ => "shutdown-on-sigterm",
        };
        let flag = |name| self.config().has_flag(key, name);
        let (save, no_save, force) = (flag("save"), flag("nosave"), flag("force"));
        // What is only loaded in part must not take the place of the whole.
        let saves = save || (!no_save && self.saving.has_points());
        if saves && !self.is_loading() {
            self.saving.submit(Order::ShutDown { force }, None);
        } else {
            self.request_stop(0);
        }
    }

    /// The server was asked to stop, and can't.
    pub fn stop_failed(&self) {
        self.stop_signals.store(0, Ordering::Relaxed);
    }
}

/// 40 hexadecimal digits that nobody has had before.
fn random_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each state has keys of its own; the standard library seeds them from the system.
    let word = |n: u64| RandomState::new().hash_one(n);
    format!("{:016x}{:016x}{:08x}", word(1), word(2), word(3) as u32)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
