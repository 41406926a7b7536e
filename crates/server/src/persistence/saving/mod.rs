//! Saving the dataset: when, by whom, and what came of it.
//!
//! A save begins with a cut ([`Saving::begin`]), made by a command that holds all stripes or by the saving thread; the thread then writes
//! what the walk and the commands give it (`thread`). One snapshot at a time. SAVE and SHUTDOWN wait for the thread without keeping a
//! worker: their sessions go away with the order.
//!
//! Invariant: a save that fails leaves the last dump as it was. Changes count as saved only when a dump that has them is durable.

mod dump;
mod encoder;
mod figures;
mod held;
mod pace;
mod thread;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use dunlin_engine::{DiskTrouble, Session};
use dunlin_persist::aof::FramerOptions;
use dunlin_persist::rdb::EncodeOptions;
use dunlin_reactor::{Clock as _, SystemClock};
use dunlin_store::blocked::Turn;
use dunlin_store::snapshot::{Encode, Snapshot};

use self::dump::DumpOptions;
pub use self::dump::SaveError;
use self::encoder::{Encoder, Form, Meta};
pub use self::figures::{Figures, LastSave};
pub use self::thread::Saver;
use super::disk::{Disk, SystemDisk};
use crate::config::{Config, SavePoint};
use crate::shared::Shared;

/// Bytes that commands have handed over to a snapshot and that are not yet written, above which clients are not read.
const BACKLOG_BYTES_MAX: usize = 8 << 20;
/// After a failed save the next one is not tried before so many seconds.
const RETRY_S: u64 = 5;

/// What a snapshot is for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The dump file.
    Dump,
    /// The base of the append-only file.
    Base,
}

/// Who waits for a dump.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Waits {
    /// Nobody: that it failed is told to those who write.
    Nobody,
    /// The client that asked for it, who is told.
    Client,
}

/// A snapshot that runs, for who wants to give it up.
#[derive(Debug)]
pub(super) struct Control {
    purpose: Purpose,
    started_s: u64,
    abandoned: AtomicBool,
}

/// Called when a file is written and durable, but for its name, or is not; the result is its length. Says whether all went well.
pub type Then = Box<dyn FnOnce(&Shared, Result<u64, SaveError>) -> bool + Send>;

/// A snapshot to be written.
pub struct Job {
    snapshot: Snapshot,
    encoder: Arc<Encoder>,
    control: Arc<Control>,
    options: DumpOptions,
    /// The file; it is removed again after a failure.
    temp: PathBuf,
    then: Then,
}

impl Job {
    /// Whether it is written as a dump, and not as commands.
    pub fn is_dump(&self) -> bool {
        self.options.is_dump()
    }
}

/// A session that waits for what it ordered.
pub struct Traveller {
    /// Those whom its command has something for, if there are any.
    pub turn: Option<Turn>,
    /// Worker to which it returns.
    pub worker: usize,
    /// Its connection there.
    pub token: u64,
    /// The session.
    pub session: Box<Session>,
}

/// What the saving thread is asked to do.
pub enum Order {
    /// Write a snapshot; who waits is answered OK, or an error.
    Write(Box<Job>),
    /// Save what is left after FLUSHALL; who waits is answered OK, whatever comes of it.
    SaveFlushed,
    /// Save everything and end the server; who waits is answered only if that fails.
    ShutDown {
        /// End it all the same if saving fails.
        force: bool,
    },
    /// End the thread.
    Quit,
}

struct Entry {
    order: Order,
    waits: Option<Traveller>,
}

/// Settings that are looked at without the configuration's lock.
#[derive(Debug, Default)]
struct Knobs {
    points: Mutex<Vec<SavePoint>>,
    stop_writes: AtomicBool,
    /// `rdb-key-save-delay`.
    delay_us: AtomicI64,
}

/// See the module's text.
pub struct Saving {
    disk: OnceLock<Arc<dyn Disk>>,
    queue: Mutex<VecDeque<Entry>>,
    arrived: Condvar,
    current: Mutex<Option<Arc<Control>>>,
    figures: Mutex<Figures>,
    /// BGSAVE waits for another snapshot to end.
    scheduled: AtomicBool,
    /// The server ends: whatever runs is given up.
    ending: AtomicBool,
    knobs: Knobs,
    trouble: Arc<DiskTrouble>,
    /// `BACKLOG_BYTES_MAX`, but in tests.
    backlog_bytes_max: AtomicUsize,
    /// The loops have ended: nobody will see any more what a stopping server keeps from them.
    loops_ended: (Mutex<bool>, Condvar),
}

impl Saving {
    /// For a server that started at this time.
    pub fn new(started_s: u64, trouble: Arc<DiskTrouble>) -> Saving {
        Saving {
            disk: OnceLock::new(),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            current: Mutex::new(None),
            figures: Mutex::new(Figures::new(started_s)),
            scheduled: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            knobs: Knobs::default(),
            trouble,
            backlog_bytes_max: AtomicUsize::new(BACKLOG_BYTES_MAX),
            loops_ended: (Mutex::new(false), Condvar::new()),
        }
    }

    /// Puts files elsewhere than on the system's disk. Called at most once, before anything is saved.
    pub fn set_disk(&self, disk: Arc<dyn Disk>) {
        assert!(self.disk.set(disk).is_ok(), "set once, before it is used");
    }

    /// Where files are.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        self.disk.get_or_init(|| Arc::new(SystemDisk))
    }

    /// Copies settings.
    pub fn configure(&self, config: &Config) {
        *lock(&self.knobs.points) = config.save_points().to_vec();
        let (knobs, relaxed) = (&self.knobs, Ordering::Relaxed);
        let stop_writes = config.yes("stop-writes-on-bgsave-error");
        knobs.stop_writes.store(stop_writes, relaxed);
        let delay_us = config.integer("rdb-key-save-delay");
        knobs.delay_us.store(delay_us, relaxed);
        self.show_trouble();
        // Save points may be due at once.
        self.arrived.notify_one();
    }

    /// Refuses writes while snapshots fail, if it is to be so.
    fn show_trouble(&self) {
        let is_fine = lock(&self.figures).last.is_fine;
        let stop_writes = self.knobs.stop_writes.load(Ordering::Relaxed);
        let has_points = !lock(&self.knobs.points).is_empty();
        self.trouble
            .set_snapshot(!is_fine && stop_writes && has_points);
    }

    /// Whether the dataset is saved by itself.
    pub fn has_points(&self) -> bool {
        !lock(&self.knobs.points).is_empty()
    }

    /// The figures as of now.
    pub fn figures(&self) -> Figures {
        lock(&self.figures).clone()
    }

    /// Everything so far counts as saved: it was just loaded.
    pub fn note_loaded(&self, shared: &Shared) {
        let changes = shared.engine.store.total(|counters| &counters.changes);
        lock(&self.figures).saved_changes = changes;
    }

    /// What the snapshot that runs is for, and since when, in seconds since 1970.
    pub fn running(&self) -> Option<(Purpose, u64)> {
        let current = lock(&self.current);
        let control = current.as_ref()?;
        Some((control.purpose, control.started_s))
    }

    /// Whether clients have changed more of what a snapshot has yet to write than should wait in memory.
    #[inline]
    pub fn is_behind(&self, shared: &Shared) -> bool {
        let waiting = shared.engine.store.snapshots.backlog_bytes();
        waiting != 0 && waiting > self.backlog_bytes_max.load(Ordering::Relaxed)
    }

    /// Has the next snapshot taken as soon as none runs.
    pub fn schedule(&self) {
        self.scheduled.store(true, Ordering::Relaxed);
        self.arrived.notify_one();
    }

    /// Gives up a dump that is being written: everything is flushed, or it is in the way of a shutdown.
    pub fn abandon_dump(&self) {
        if let Some(control) = &*lock(&self.current)
            && control.purpose == Purpose::Dump
        {
            control.abandoned.store(true, Ordering::Relaxed);
        }
    }

    /// Gives up a base that is being written: the log is turned off.
    pub fn abandon_base(&self) {
        if let Some(control) = &*lock(&self.current)
            && control.purpose == Purpose::Base
        {
            control.abandoned.store(true, Ordering::Relaxed);
        }
    }

    /// Has the thread look now whether something is due.
    pub fn look_again(&self) {
        self.arrived.notify_one();
    }

    /// All keys were removed, which the command that still holds all stripes has counted. Whether that has to be saved: as in Redis, a
    /// save that is under way is given up, and if there are save points, an empty dump takes the place of the last one.
    pub fn flushed_all(&self, shared: &Shared) -> bool {
        self.abandon_dump();
        let saves = self.has_points();
        if saves {
            let changes = shared.engine.store.total(|counters| &counters.changes);
            lock(&self.figures).flushed_changes = Some(changes);
        }
        saves
    }

    /// Makes the cut by `cut`, which holds all stripes. `None`: a snapshot runs already. To be handed to [`Saving::submit`].
    pub fn begin(
        &self,
        shared: &Shared,
        purpose: Purpose,
        temp: PathBuf,
        now_ms: u64,
        cut: impl FnOnce(Arc<dyn Encode>) -> Option<Snapshot>,
        then: Then,
    ) -> Option<Job> {
        // The configuration is never locked inside the other: CONFIG SET does it the other way round.
        let options = dump_options(&shared.config(), purpose);
        let mut current = lock(&self.current);
        if current.is_some() {
            return None;
        }
        let meta = Meta::of(&shared.engine.store.eviction, now_ms);
        let encoder = Arc::new(Encoder::new(options.form, meta));
        let started_us = SystemClock.monotonic_us();
        let snapshot = cut(Arc::<Encoder>::clone(&encoder))?;
        let mut figures = lock(&self.figures);
        figures.cuts += 1;
        figures.cut_us = SystemClock.monotonic_us() - started_us;
        drop(figures);
        let control = Arc::new(Control {
            purpose,
            started_s: now_ms / 1_000,
            abandoned: AtomicBool::new(false),
        });
        *current = Some(Arc::clone(&control));
        Some(Job {
            snapshot,
            encoder,
            control,
            options,
            temp,
            then,
        })
    }

    /// Begins to save the dump file, for a client that waits for it or not; else as [`Saving::begin`].
    pub fn begin_dump(
        &self,
        shared: &Shared,
        waits: Waits,
        now_ms: u64,
        cut: impl FnOnce(Arc<dyn Encode>) -> Option<Snapshot>,
    ) -> Option<Job> {
        let (path, temp) = dump_paths(&shared.config());
        let changes = shared.engine.store.total(|counters| &counters.changes);
        let renamed = temp.clone();
        let then: Then = Box::new(move |shared, written| {
            let saving = &shared.saving;
            saving.dump_written(waits, changes, written, |disk| {
                dump::rename(disk, &renamed, &path)
            })
        });
        let job = self.begin(shared, Purpose::Dump, temp, now_ms, cut, then)?;
        self.scheduled.store(false, Ordering::Relaxed);
        lock(&self.figures).dump_begins(now_ms / 1_000);
        if waits == Waits::Nobody {
            // There is no child whose number could be told.
            tracing::info!("Background saving started by pid {}", std::process::id());
        }
        Some(job)
    }

    /// Hands an order to the saving thread; `waits` is answered when it is carried out.
    pub fn submit(&self, order: Order, waits: Option<Traveller>) {
        if matches!(order, Order::ShutDown { .. }) {
            // It comes before a save that is under way, as in Redis, where the child is killed.
            self.abandon_dump();
        }
        lock(&self.queue).push_back(Entry { order, waits });
        self.arrived.notify_one();
    }

    /// Ends the thread; what it does is given up. The loops have ended.
    pub fn quit(&self) {
        self.ending.store(true, Ordering::Relaxed);
        *lock(&self.loops_ended.0) = true;
        self.loops_ended.1.notify_all();
        self.submit(Order::Quit, None);
    }

    fn is_given_up(&self, control: &Control) -> bool {
        self.ending.load(Ordering::Relaxed) || control.abandoned.load(Ordering::Relaxed)
    }
}

/// What the settings say of how a file is written.
fn dump_options(config: &Config, purpose: Purpose) -> DumpOptions {
    let is_dump = purpose == Purpose::Dump || config.yes("aof-use-rdb-preamble");
    DumpOptions {
        form: if is_dump {
            Form::Dump(EncodeOptions {
                version: u16::try_from(config.integer("rdb-version")).unwrap_or_default(),
                compress: config.yes("rdbcompression"),
            })
        } else {
            Form::Commands
        },
        checksum: config.yes("rdbchecksum"),
        framing: FramerOptions {
            checksums: config.yes("aof-checksums"),
            timestamps: config.yes("aof-timestamp-enabled"),
        },
        incremental: match purpose {
            Purpose::Dump => config.yes("rdb-save-incremental-fsync"),
            Purpose::Base => config.yes("aof-rewrite-incremental-fsync"),
        },
        is_base: purpose == Purpose::Base,
    }
}

/// The dump file, and what it is called until it is complete.
fn dump_paths(config: &Config) -> (PathBuf, PathBuf) {
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(config.text("dbfilename"));
    let temp = format!("temp-{}.rdb", std::process::id());
    (config.dir().join(name), config.dir().join(temp))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
