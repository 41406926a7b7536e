//! A dump file that is being loaded: what stands in it beside the keys, and batches of its keys.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_persist::Error as FormatError;
use dunlin_persist::rdb::{Item, Scanner};

use super::batch::{Batch, Decoding, Room};
use super::progress::Progress;
use super::{DumpRules, LoadError, Loader};
use crate::persistence::loading::Loading;
use crate::shared::Shared;

/// A batch is handed over at the latest at so many bytes.
const BATCH_BYTES_MAX: u64 = 512 << 10;

/// A key takes at least so many bytes: its kind, its length and the least of a value. No room is made for more than can be.
const KEY_BYTES_MIN: u64 = 3;

/// Where the bytes come from.
pub(super) type Source = Box<dyn Read + Send>;

/// See the module's text.
pub(super) struct Dump<'a> {
    scanner: Scanner<Source>,
    shared: &'a Shared,
    progress: Progress<'a>,
    databases: u32,
    /// The database that its next keys are of.
    db: u32,
    batch_bytes_max: usize,
    /// When it began, in seconds since 1970.
    now_s: u64,
    is_done: bool,
}

impl<'a> Loader<'a> {
    /// Opens a dump file, if there is one of this name, and begins a load.
    pub(super) fn open_dump(
        &'a self,
        path: &Path,
        rules: DumpRules,
    ) -> Result<Option<(Dump<'a>, Decoding<'a>)>, LoadError> {
        let open = |source| LoadError::Open {
            path: path.to_owned(),
            source,
        };
        let Some(len) = self.disk.len(path).map_err(open)? else {
            return Ok(None);
        };
        let source = self.disk.read(path).map_err(open)?;
        let now_s = self.clock.wall_us() / 1_000_000;
        self.shared.loading.begin(len, now_s);
        self.begin_dump(source, path, 0, rules).map(Some)
    }

    /// Reads the beginning of a dump.
    pub(super) fn begin_dump(
        &'a self,
        source: Source,
        path: &Path,
        before_bytes: u64,
        rules: DumpRules,
    ) -> Result<(Dump<'a>, Decoding<'a>), LoadError> {
        let now_ms = self.clock.wall_us() / 1_000;
        let expired_before_ms = if rules.keep_expired { 0 } else { now_ms };
        let decoding = Decoding {
            path: path.to_owned(),
            store: &self.shared.engine.store,
            rules: self.decoding_rules(now_ms, expired_before_ms),
            now_ms,
            expired_before_ms,
            replace: rules.replace,
        };
        let mut scanner = Scanner::open(source).map_err(|error| {
            if matches!(error, FormatError::Corrupt { offset: 0, .. }) {
                let path = path.display();
                tracing::error!("Wrong signature trying to load DB from file {path}");
            }
            decoding.damaged(error)
        })?;
        let interval = {
            let config = self.shared.config();
            if !config.yes("rdbchecksum") {
                scanner.skip_checksum();
            }
            config.integer("loading-process-events-interval-bytes")
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        let dump = Dump {
            scanner,
            shared: self.shared,
            progress: Progress::new(self, name.to_string_lossy().into_owned(), before_bytes),
            databases: self.shared.engine.store.databases() as u32,
            db: 0,
            batch_bytes_max: interval.unsigned_abs().min(BATCH_BYTES_MAX) as usize,
            now_s: now_ms / 1_000,
            is_done: false,
        };
        Ok((dump, decoding))
    }
}

impl Dump<'_> {
    /// Reads the next keys into a batch, perhaps none; false when there are no more.
    pub(super) fn fill(
        &mut self,
        batch: &mut Batch,
        decoding: &Decoding<'_>,
    ) -> Result<bool, LoadError> {
        batch.clear();
        while !self.is_done && !batch.is_full(self.batch_bytes_max) {
            let item = self.scanner.next();
            match item.map_err(|error| decoding.damaged(error))? {
                Item::Key(key) => {
                    batch.push(&key);
                    delay_key(self.shared);
                }
                Item::Eof => self.is_done = true,
                Item::Aux { name, value } => {
                    tell_field(&self.shared.loading, self.now_s, &name, &value);
                }
                Item::Function(code) => {
                    let loaded = self
                        .shared
                        .engine
                        .scripts
                        .load_library(&code, decoding.replace);
                    loaded.map_err(|why| {
                        decoding.misfit(format!("a library of functions can't be loaded: {why}"))
                    })?;
                }
                Item::SelectDb(db) if db >= self.databases => {
                    return Err(decoding.misfit(format!(
                        "it has keys in database {db}, and there are {}: raise the setting `databases`",
                        self.databases
                    )));
                }
                Item::SelectDb(db) => self.db = db,
                Item::Resize { keys, .. } => {
                    batch.room = self.room(keys);
                    // It is made before anything is filed.
                    if batch.room.is_some() {
                        break;
                    }
                }
                Item::SlotInfo { .. } => {}
            }
        }
        self.progress.reached(self.scanner.offset())?;
        Ok(!batch.is_empty() || !self.is_done)
    }

    /// What to make room for, when the file announces so many keys of its database.
    fn room(&self, keys: u64) -> Option<Room> {
        let loading = &self.shared.loading;
        let left_bytes = loading.total_bytes().saturating_sub(loading.loaded_bytes());
        let keys = keys.min(left_bytes / KEY_BYTES_MIN) as usize;
        let each = keys / self.shared.engine.store.stripe_count();
        (each > 0).then_some(Room { db: self.db, each })
    }

    /// Tells the log that all of it is loaded, but for so many keys that were empty.
    pub(super) fn done(&self, empty: u64) {
        let loading = &self.shared.loading;
        let (loaded, expired) = (loading.keys_loaded(), loading.keys_expired());
        let skipped = match empty {
            0 => String::new(),
            empty => format!(", empty keys skipped: {empty}"),
        };
        tracing::info!(
            "Done loading RDB, keys loaded: {loaded}, keys expired: {expired}{skipped}."
        );
    }

    /// What comes behind it: bytes that were read already, their place in the file, and the source of further ones.
    pub(super) fn into_rest(self) -> (Vec<u8>, u64, Source) {
        let offset = self.scanner.offset();
        let (bytes, source) = self.scanner.into_rest();
        (bytes, offset, source)
    }
}

/// `key-load-delay`: microseconds to wait at each key; below 0 one microsecond at one of so many keys.
pub(super) fn delay_key(shared: &Shared) {
    let delay_us = shared.knobs.key_load_delay_us.load(Ordering::Relaxed);
    if delay_us > 0 {
        std::thread::sleep(Duration::from_micros(delay_us.unsigned_abs()));
    }
}

/// What the header says of who wrote it, for the log.
fn tell_field(loading: &Loading, now_s: u64, name: &[u8], value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let number = || text.parse::<u64>().unwrap_or(0);
    match name {
        [b'%', ..] => tracing::info!("RDB '{}': {text}", String::from_utf8_lossy(name)),
        b"redis-ver" => tracing::info!("Loading RDB produced by version {text}"),
        b"valkey-ver" => tracing::info!("Loading RDB produced by Valkey version {text}"),
        b"ctime" => tracing::info!("RDB age {} seconds", now_s.saturating_sub(number())),
        b"used-mem" => {
            let bytes = number();
            loading.note_used_bytes(bytes);
            let mib = bytes as f64 / (1u64 << 20) as f64;
            tracing::info!("RDB memory usage when created {mib:.2} Mb");
        }
        b"aof-preamble" if number() != 0 => tracing::info!("RDB has an AOF tail"),
        b"aof-base" if number() != 0 => tracing::info!("RDB is base AOF"),
        _ => {}
    }
}
