//! The append-only file: its files, its rewriting, and turning it on and off.
//!
//! A rewrite makes a new increment and names it, takes a cut of the keyspace at which the journal goes over to that increment, writes what was there
//! at the cut as a new base, and then names the base in the place of everything older. Where there is no log that could be trusted (it is
//! just turned on, or a flush has failed), the increment is named only together with its base.
//!
//! Invariant: see `files`. Nothing here runs on a worker: calls to the disk are made by the saving thread.

mod files;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dunlin_persist::aof::Manifest;
use dunlin_reactor::{Clock as _, SystemClock};
use dunlin_store::stripes::LockSet;

pub use files::{Files, FilesError};

use super::journal::{Fsync, Health, Order};
use super::saving::{Job, Purpose, SaveError};
use super::stripe_lock::StripeLock;
use crate::config::Config;
use crate::shared::Shared;

/// After so many rewrites by itself that failed one after the other, the next ones wait longer and longer, as in Redis.
const FAILURES_BEFORE_DELAY: u32 = 3;
/// The longest such delay.
const DELAY_MINUTES_MAX: u64 = 60;

/// How long a log that was turned off may take to end before the next begins: so many times this.
const END_WAITS: u32 = 1_000;
const END_WAIT: Duration = Duration::from_millis(5);

/// How a rewrite that runs will be named.
enum Naming {
    /// Its increment is named already.
    Behind,
    /// Its increment and its base are named together, by this manifest.
    First(Manifest),
}

/// A rewrite that runs.
struct Running {
    naming: Naming,
    /// The last record that its base has.
    position: u64,
    /// Its base is a dump, and not commands.
    is_dump: bool,
}

/// Never held while the disk or a stripe is waited for: INFO looks at it.
#[derive(Default)]
struct State {
    running: Option<Running>,
    /// One is about to begin: who asked was told that it has.
    starting: bool,
    /// One has written its base, and the files are being put in order.
    ending: bool,
    started_s: u64,
    took_s: Option<u64>,
    /// When it is tried again after failures, seconds since 1970.
    not_before_s: u64,
    failures: u32,
}

/// See the module's text.
pub struct Aof {
    /// The saving thread's alone, once the server has started.
    files: Mutex<Option<Files>>,
    state: Mutex<State>,
    /// `appendonly`.
    wanted: AtomicBool,
    /// A rewrite was asked for and has not begun.
    scheduled: AtomicBool,
    /// The server has started: settings are followed.
    started: AtomicBool,
    /// The last rewrite succeeded.
    last_fine: AtomicBool,
    rewrites: AtomicU64,
    /// Bytes of all files but the one that is written.
    older_bytes: AtomicU64,
    /// Bytes of all files after the last rewrite, or at the start.
    rewritten_bytes: AtomicU64,
    /// `auto-aof-rewrite-percentage` and `auto-aof-rewrite-min-size`.
    growth_percent: AtomicI64,
    bytes_min: AtomicU64,
}

impl Default for Aof {
    fn default() -> Self {
        Aof {
            files: Mutex::new(None),
            state: Mutex::default(),
            wanted: AtomicBool::new(false),
            scheduled: AtomicBool::new(false),
            started: AtomicBool::new(false),
            last_fine: AtomicBool::new(true),
            rewrites: AtomicU64::new(0),
            older_bytes: AtomicU64::new(0),
            rewritten_bytes: AtomicU64::new(0),
            growth_percent: AtomicI64::new(0),
            bytes_min: AtomicU64::new(0),
        }
    }
}

/// What INFO tells of rewrites.
#[derive(Copy, Clone, Debug, Default)]
pub struct Figures {
    /// One runs, or is just beginning.
    pub is_running: bool,
    /// One runs since this time, seconds since 1970.
    pub running_since_s: Option<u64>,
    /// One was asked for and has not begun.
    pub scheduled: bool,
    /// Seconds that the last one took.
    pub took_s: Option<u64>,
    /// Whether the last one succeeded, or none failed.
    pub last_fine: bool,
    /// Those begun.
    pub rewrites: u64,
    /// Those that failed since the last one that succeeded.
    pub failures: u32,
    /// Bytes of all files.
    pub bytes: u64,
    /// The same after the last rewrite, or at the start.
    pub rewritten_bytes: u64,
}

impl Aof {
    /// Whether the append-only file is wanted: it is written, or will be once its first base is.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// What INFO tells.
    pub fn figures(&self, shared: &Shared) -> Figures {
        let state = self.state();
        Figures {
            is_running: state.running.is_some() || state.starting || state.ending,
            running_since_s: state.running.as_ref().map(|_| state.started_s),
            scheduled: self.scheduled.load(Ordering::Relaxed) && !state.starting,
            took_s: state.took_s,
            last_fine: self.last_fine.load(Ordering::Relaxed),
            rewrites: self.rewrites.load(Ordering::Relaxed),
            failures: state.failures,
            bytes: self.bytes(shared),
            rewritten_bytes: self.rewritten_bytes.load(Ordering::Relaxed),
        }
    }

    fn bytes(&self, shared: &Shared) -> u64 {
        let current = shared.journal.file_bytes.load(Ordering::Relaxed);
        self.older_bytes.load(Ordering::Relaxed) + current
    }

    /// Follows the settings.
    pub fn configure(&self, shared: &Shared, config: &Config) {
        let relaxed = Ordering::Relaxed;
        let percent = config.integer("auto-aof-rewrite-percentage");
        self.growth_percent.store(percent, relaxed);
        let bytes_min = config.bytes("auto-aof-rewrite-min-size");
        self.bytes_min.store(bytes_min, relaxed);
        let timestamps = config.yes("aof-timestamp-enabled");
        shared.journal.timestamps.store(timestamps, relaxed);
        let checksums = config.yes("aof-checksums");
        shared.journal.checksums.store(checksums, relaxed);
        let fsync = Fsync::of_name(config.choice("appendfsync")).unwrap_or_default();
        shared.journal.set_policy(fsync, &shared.engine.store.log);
        if !self.started.load(relaxed) {
            return;
        }
        if config.yes("appendonly") {
            self.turn_on(shared);
        } else {
            self.turn_off(shared);
        }
    }

    /// Starts logging behind what was loaded from `files`, before anybody else uses the store. `base`: writes everything that is there
    /// to this path, durably, and says whether that is a dump.
    ///
    /// # Errors
    /// What the system says: the server must not start then.
    pub fn start(
        &self,
        shared: &Shared,
        mut files: Files,
        base: impl FnOnce(&Path) -> Result<bool, SaveError>,
    ) -> anyhow::Result<()> {
        use anyhow::Context as _;
        files
            .make_dir()
            .context("Can't open or create append-only dir")?;
        files.clean();
        if files.manifest().is_empty() {
            let is_dump = base(&files.temporary_base())?;
            files
                .end_first(Manifest::new(), is_dump)
                .context("Can't name the AOF base file")?;
            if let Some(base) = files.manifest().base() {
                tracing::info!("Creating AOF base file {} on server start", base.name);
            }
        }
        let (mut file, len) = files
            .open_increment()
            .context("Can't open the append-only file")?;
        // What was loaded is shown from now on, and a process before this one may have left it unsynced.
        file.sync().context("Can't fsync the append-only file")?;
        let (bytes, _) = files.bytes().context("Can't look at the AOF files")?;
        self.older_bytes
            .store(bytes.saturating_sub(len), Ordering::Relaxed);
        self.rewritten_bytes.store(bytes, Ordering::Relaxed);
        *self.files() = Some(files);
        self.wanted.store(true, Ordering::Relaxed);
        let next = shared.engine.store.log.start();
        shared.journal.order(Order::Start {
            next,
            file,
            len,
            based: true,
        });
        // Not left to the journal's thread, which may come to it only after the first client has been answered.
        shared.journal.turn_on(&shared.engine.store.log);
        Ok(())
    }

    /// From here on [`Aof::configure`] turns the log on and off.
    pub fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// The log begins with a base that is written in the background.
    fn turn_on(&self, shared: &Shared) {
        if !self.wanted.swap(true, Ordering::Relaxed) {
            let at_once = shared.saving.running().is_none();
            self.schedule(shared, at_once);
        }
    }

    /// What was logged is made durable, and nothing more is logged.
    fn turn_off(&self, shared: &Shared) {
        if self.wanted.swap(false, Ordering::Relaxed) {
            let was_scheduled = self.scheduled.swap(false, Ordering::Relaxed);
            if was_scheduled || self.is_rewriting() {
                tracing::info!(
                    "Killing running AOF rewrite child: {} (there is no child: the thread gives it up)",
                    std::process::id()
                );
            }
            self.state().starting = false;
            shared.saving.abandon_base();
            shared.journal.stop(&shared.engine.store.log);
        }
    }

    /// Has a rewrite begun as soon as no snapshot runs, which is `at_once` if none does. Without a log, too: its files are then there for a
    /// start with it.
    pub fn schedule(&self, shared: &Shared, at_once: bool) {
        {
            let mut state = self.state();
            (state.failures, state.not_before_s) = (0, 0);
            state.starting = at_once;
        }
        self.scheduled.store(true, Ordering::Relaxed);
        shared.saving.look_again();
    }

    /// Whether a rewrite runs.
    pub fn is_rewriting(&self) -> bool {
        self.state().running.is_some()
    }

    /// Whether the saving thread, which has nothing else to do, should begin a rewrite: one was asked for, the log has grown so much, or it
    /// can't be trusted any more.
    pub fn is_due(&self, shared: &Shared, now_s: u64) -> bool {
        if self.scheduled.load(Ordering::Relaxed) {
            return self.state().not_before_s <= now_s;
        }
        if !self.is_wanted() {
            return false;
        }
        let is_needed = shared.journal.health() == Health::Untrusted;
        let percent = self.growth_percent.load(Ordering::Relaxed);
        let (bytes, before) = (
            self.bytes(shared),
            self.rewritten_bytes.load(Ordering::Relaxed).max(1),
        );
        let growth = (u128::from(bytes) * 100 / u128::from(before)) as i64 - 100;
        let has_grown = shared.journal.is_on()
            && percent > 0
            && bytes > self.bytes_min.load(Ordering::Relaxed)
            && growth >= percent;
        if !is_needed && !has_grown {
            return false;
        }
        if self.state().not_before_s > now_s {
            return false;
        }
        if has_grown {
            tracing::info!("Starting automatic rewriting of AOF on {growth}% growth");
        }
        true
    }

    /// Begins a rewrite: for the saving thread, which then writes the job.
    pub fn begin(&self, shared: &Shared, lock: &mut StripeLock) -> Option<Job> {
        let now_ms = now_s() * 1_000;
        let begun = self.try_begin(shared, lock, now_ms);
        self.state().starting = false;
        match begun {
            Ok(Some(job)) => {
                self.scheduled.store(false, Ordering::Relaxed);
                self.rewrites.fetch_add(1, Ordering::Relaxed);
                self.state().started_s = now_ms / 1_000;
                tracing::info!(
                    "Background append only file rewriting started by pid {}",
                    std::process::id()
                );
                Some(job)
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!("Can't rewrite append only file in background: {error}");
                self.note_failure(now_ms / 1_000);
                None
            }
        }
    }

    fn try_begin(
        &self,
        shared: &Shared,
        lock: &mut StripeLock,
        now_ms: u64,
    ) -> Result<Option<Job>, FilesError> {
        let mut files = self.files();
        let files = match &mut *files {
            Some(files) => files,
            none => none.insert(open(shared)?),
        };
        let failed = |source| FilesError::Io {
            what: "preparing a rewrite in",
            path: files_dir(shared).display().to_string(),
            source,
        };
        let is_on = shared.journal.is_on();
        if !is_on && !wait_until_ended(shared) {
            return Err(FilesError::Busy);
        }
        let goes_on = is_on && shared.journal.health() != Health::Untrusted;
        let (file, naming) = if goes_on {
            (files.begin_rewrite().map_err(failed)?, Naming::Behind)
        } else {
            let (file, manifest) = files.begin_first().map_err(failed)?;
            (file, Naming::First(manifest))
        };
        let temp = files.temporary_base();
        let store = &shared.engine.store;
        let mut held = lock.lock(store, &LockSet::All);
        let is_logging = store.log.is_active();
        let logs = self.is_wanted();
        let mut position = 0;
        let job = shared.saving.begin(
            shared,
            Purpose::Base,
            temp,
            now_ms,
            |encoder| {
                let snapshot = store.begin_snapshot(&mut held, encoder)?;
                position = store.log.position();
                if is_logging {
                    shared.journal.order(Order::Rotate {
                        after: position,
                        file,
                    });
                } else if logs {
                    let next = store.log.start();
                    shared.journal.order(Order::Start {
                        next,
                        file,
                        len: 0,
                        based: false,
                    });
                }
                Some(snapshot)
            },
            Box::new(|shared, written| shared.aof.written(shared, written)),
        );
        store.release_stripes(held);
        if let Some(job) = &job {
            self.state().running = Some(Running {
                naming,
                position,
                is_dump: job.is_dump(),
            });
        }
        Ok(job)
    }

    /// The base is written, or is not.
    fn written(&self, shared: &Shared, written: Result<u64, SaveError>) -> bool {
        let fine = self.take_base(shared, written);
        self.state().ending = false;
        fine
    }

    fn take_base(&self, shared: &Shared, written: Result<u64, SaveError>) -> bool {
        let now_s = now_s();
        let running = {
            let mut state = self.state();
            state.took_s = Some(now_s.saturating_sub(state.started_s));
            // Who asks hears that it runs until the manifest says what came of it.
            state.ending = true;
            state.running.take()
        };
        let Some(Running {
            naming,
            position,
            is_dump,
        }) = running
        else {
            return false;
        };
        let outcome = match written {
            Ok(_) => self.name_base(naming, is_dump),
            Err(error) => Err(anyhow::Error::new(error)),
        };
        match outcome {
            Ok(()) => {
                tracing::info!("Background AOF rewrite finished successfully");
                self.note_success(shared);
                shared.journal.order(Order::Rebased { upto: position });
                self.collect(shared);
                true
            }
            Err(error) => {
                tracing::warn!("Background AOF rewrite terminated with error: {error:#}");
                self.note_failure(now_s);
                if self.is_wanted() && !shared.journal.is_on() {
                    // It was just turned on, and has no base: it begins anew.
                    shared.journal.stop(&shared.engine.store.log);
                    self.scheduled.store(true, Ordering::Relaxed);
                }
                false
            }
        }
    }

    fn note_success(&self, shared: &Shared) {
        self.last_fine.store(true, Ordering::Relaxed);
        {
            let mut state = self.state();
            (state.failures, state.not_before_s) = (0, 0);
        }
        let bytes = self.files().as_ref().map(Files::bytes);
        let (bytes, _) = bytes.and_then(Result::ok).unwrap_or_default();
        let current = shared.journal.file_bytes.load(Ordering::Relaxed);
        self.older_bytes
            .store(bytes.saturating_sub(current), Ordering::Relaxed);
        self.rewritten_bytes.store(bytes, Ordering::Relaxed);
    }

    fn note_failure(&self, now_s: u64) {
        self.last_fine.store(false, Ordering::Relaxed);
        let mut state = self.state();
        state.failures += 1;
        if let Some(further) = state.failures.checked_sub(FAILURES_BEFORE_DELAY) {
            let minutes = (1u64 << further.min(6)).min(DELAY_MINUTES_MAX);
            state.not_before_s = now_s + minutes * 60;
            tracing::warn!(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} minutes"
            );
        } else {
            state.not_before_s = now_s + 1;
        }
    }

    /// Removes the files that are not needed any more.
    pub fn collect(&self, shared: &Shared) {
        let keep = shared.config().yes("aof-disable-auto-gc");
        if let Some(files) = &mut *self.files()
            && let Err(error) = files.collect(keep)
        {
            tracing::warn!("Can't remove AOF files that are not needed any more: {error}");
        }
    }

    fn name_base(&self, naming: Naming, is_dump: bool) -> anyhow::Result<()> {
        let mut files = self.files();
        let Some(files) = &mut *files else {
            return Ok(());
        };
        match naming {
            Naming::Behind => files.end_rewrite(is_dump)?,
            Naming::First(mut manifest) => {
                if !self.is_wanted() {
                    // Nobody writes to its increment, which is empty.
                    manifest.retire_increments(0);
                }
                files.end_first(manifest, is_dump)?;
            }
        }
        Ok(())
    }

    fn files(&self) -> MutexGuard<'_, Option<Files>> {
        // As below.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a log that was turned off has ended; false if it takes too long.
fn wait_until_ended(shared: &Shared) -> bool {
    for _ in 0..END_WAITS {
        if !shared.engine.store.log.is_active() {
            return true;
        }
        std::thread::sleep(END_WAIT);
    }
    false
}

fn now_s() -> u64 {
    SystemClock.wall_us() / 1_000_000
}

fn files_dir(shared: &Shared) -> PathBuf {
    let config = shared.config();
    config.dir().join(config.file_name("appenddirname"))
}

/// The files that the configuration names.
///
/// # Errors
/// When they can't be used.
pub fn open(shared: &Shared) -> Result<Files, FilesError> {
    let (dir, dir_name, name) = {
        let config = shared.config();
        (
            config.dir().to_owned(),
            config.file_name("appenddirname").to_owned(),
            config.file_name("appendfilename").to_owned(),
        )
    };
    let disk = std::sync::Arc::clone(shared.saving.disk());
    Files::open(
        disk,
        &dir,
        &dir_name.to_string_lossy(),
        &name.to_string_lossy(),
    )
}
