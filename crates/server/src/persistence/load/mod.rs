//! Loading at start, and when DEBUG asks for it: a dump, or the append-only files.
//!
//! One thread scans a dump, as many as there are workers decode what it finds and file it; of a log they carry out the commands, those on the
//! keys of a stripe always the same one. The server serves meanwhile: it answers
//! commands that are marked so, and refuses the others. Where the caller holds all stripes (DEBUG RELOAD), its thread does it all.
//!
//! Invariant: a file that is damaged is refused with its path, the offset and what to do; nothing on the disk is changed then.

mod batch;
mod crew;
mod dump;
mod log;
mod players;
mod progress;
mod replay;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_engine::Ctx;
use dunlin_engine::scripting::Libraries;
use dunlin_persist::Error as FormatError;
use dunlin_persist::rdb::Rules;
use dunlin_reactor::Clock;

use self::batch::{Batch, Builder, Decoding, Room};
use self::dump::Dump;
pub use self::log::{LoadedLog, LogPlace};
use super::disk::Disk;
use crate::shared::Shared;

/// How often a thread looks whether the memory that it gave up may be freed.
const SETTLE_PERIOD: Duration = Duration::from_millis(1);

/// Why nothing, or not everything, was loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server was told to stop.
    #[error("loading ends because the server stops")]
    Stopped,
    /// A file can't be read.
    #[error("can't open {} for reading: {source}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {source}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: FormatError,
    },
    /// What is in the log already; these are the last words.
    #[error("{0}")]
    Fatal(String),
    /// Its data does not fit this server, or the data that is there.
    #[error("{}: {what}", .path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
}

/// Where files are, and what is loaded into.
pub struct Loader<'a> {
    /// The server.
    pub shared: &'a Arc<Shared>,
    /// The files.
    pub disk: &'a dyn Disk,
    /// The clock.
    pub clock: &'a Arc<dyn Clock>,
    /// Threads that decode, the caller's included.
    pub threads: usize,
}

/// What a load of a dump leaves out, or does when a key is there already.
#[derive(Copy, Clone, Debug, Default)]
pub struct DumpRules {
    /// Keys that have expired are loaded all the same: a log follows that knows when they went.
    pub keep_expired: bool,
    /// A key that is there already is replaced.
    pub replace: bool,
}

impl Loader<'_> {
    /// Loads the dump file at the start of the server, if there is one, and logs what comes of it. The caller has the server refuse what it
    /// can't answer meanwhile, see [`Shared::loaded`].
    ///
    /// # Errors
    /// When there is something that can't be loaded: the server must not start then.
    pub fn dump_at_start(&self) -> Result<(), LoadError> {
        let started_us = self.clock.monotonic_us();
        let loaded = self.load_dump(&self.dump_path(), DumpRules::default());
        let loaded = loaded.map_err(|error| match error {
            LoadError::Stopped => error,
            error => {
                // The words that people look for, here and below.
                let is_checksum = matches!(&error, LoadError::Damaged { source: FormatError::Corrupt { what, .. }, .. }
                    if what.starts_with("the checksum"));
                let what = if is_checksum { "RDB CRC error: " } else { "" };
                tracing::error!("{what}{error}");
                LoadError::Fatal("Fatal error loading the DB, check server logs. Exiting.".into())
            }
        })?;
        if loaded {
            let seconds = self.seconds_since(started_us);
            tracing::info!("DB loaded from disk: {seconds:.3} seconds");
        }
        Ok(())
    }

    /// Loads the log at the start of the server, and logs what comes of it; likewise.
    ///
    /// # Errors
    /// When it can't be loaded: the server must not start then.
    pub fn log_at_start(&self, place: &LogPlace<'_>) -> Result<LoadedLog, LoadError> {
        let started_us = self.clock.monotonic_us();
        let loaded = self.load_log(place)?;
        if loaded.total_bytes > 0 {
            let seconds = self.seconds_since(started_us);
            tracing::info!("DB loaded from append only file: {seconds:.3} seconds");
        }
        self.warn_of_dump(place);
        Ok(loaded)
    }

    /// A dump beside an empty log is not loaded, as in Redis: whoever puts it there may not know.
    fn warn_of_dump(&self, place: &LogPlace<'_>) {
        let path = self.dump_path();
        if place.manifest.is_empty() && matches!(self.disk.len(&path), Ok(Some(_))) {
            tracing::warn!(
                "appendonly is on and there is no append-only file, so the server starts empty: {} is not loaded. To take it over, start                  with appendonly no, then CONFIG SET appendonly yes",
                path.display()
            );
        }
    }

    fn seconds_since(&self, started_us: u64) -> f64 {
        (self.clock.monotonic_us() - started_us) as f64 / 1e6
    }

    /// Path of the dump file.
    pub fn dump_path(&self) -> PathBuf {
        let config = self.shared.config();
        config.dir().join(config.file_name("dbfilename"))
    }

    /// Does `work` while the server refuses what it can't answer without the data.
    fn loading<T>(&self, work: impl FnOnce() -> T) -> T {
        let engine = &self.shared.engine;
        engine.is_loading.store(true, Ordering::SeqCst);
        let result = work();
        self.shared.loaded();
        result
    }

    /// Loads a dump file; false if there is none.
    fn load_dump(&self, path: &Path, rules: DumpRules) -> Result<bool, LoadError> {
        let Some((mut dump, decoding)) = self.open_dump(path, rules)? else {
            return Ok(false);
        };
        let empty = crew::load(self, &mut dump, &decoding)?;
        dump.done(empty);
        Ok(true)
    }

    /// Loads a dump file in the place of everything, or beside what is there, with all stripes held by the command. False if there is
    /// none.
    ///
    /// # Errors
    /// As at the start. What was there is gone then, and a part of the file may be there.
    pub fn reload(
        &self,
        cx: &mut Ctx<'_>,
        flush: bool,
        rules: DumpRules,
    ) -> Result<bool, LoadError> {
        self.loading(|| {
            if flush {
                empty(cx);
            }
            let path = self.dump_path();
            let Some((mut dump, decoding)) = self.open_dump(&path, rules)? else {
                return Ok(false);
            };
            let empty = load_held(cx, self.shared, &mut dump, &decoding)?;
            dump.done(empty);
            Ok(true)
        })
    }
}

/// Loads the rest of a dump, on this thread alone; the command holds all stripes.
fn load_held(
    cx: &mut Ctx<'_>,
    shared: &Shared,
    dump: &mut Dump<'_>,
    decoding: &Decoding<'_>,
) -> Result<u64, LoadError> {
    let mut builder = Builder::new(decoding);
    let mut batch = Batch::default();
    while dump.fill(&mut batch, decoding)? {
        if let Some(Room { db, each }) = batch.room.take() {
            for stripe in 0..decoding.store.stripe_count() {
                cx.keys.reserve(db, stripe, each);
            }
        }
        builder.build(&batch)?;
        for decoded in builder.decoded.drain(..).flatten() {
            decoded.place(&mut cx.keys, decoding)?;
        }
    }
    Ok(builder.finish(&shared.loading))
}

impl Loader<'_> {
    /// What values are built by: the limits of encodings as they are set now.
    fn decoding_rules(&self, now_ms: u64, fields_after_ms: u64) -> Rules<'_> {
        let engine = &self.shared.engine;
        let (store, clock) = (&engine.store, engine.store.eviction.clock(now_ms));
        engine
            .encodings
            .rules(store.hasher(), clock, fields_after_ms)
    }
}

/// Removes every key; the command holds all stripes.
fn empty(cx: &mut Ctx<'_>) {
    for db in 0..cx.engine.store.databases() as u32 {
        cx.keys.flush(db);
    }
    cx.engine.scripts.set_libraries(Libraries::default());
}
