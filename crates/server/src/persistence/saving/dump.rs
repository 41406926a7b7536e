//! A dump file, or a base of commands, while it is written: the head, records as they come, values that are encoded here, the end.
//!
//! Invariant: no stripe is held while a file is touched, but by a dump of everything that a stopping or waiting server makes with all of
//! them held. The processor is given away now and then, see [`super::pace`]: with two cores, a worker would else wait for a whole slice of the
//! scheduler.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dunlin_engine::scripting::Libraries;
use dunlin_persist::aof::{BaseWriter, FramerOptions, append_select_command};
use dunlin_persist::rdb::{KeyMeta, PIECE_BYTES, WriteError, Writer, append_select};
use dunlin_store::Entry;
use dunlin_store::snapshot::{DatabaseKeys, Piece};

use super::encoder::{Form, Meta};
use super::pace;
use crate::logging::startup;
use crate::persistence::disk::{Disk, DiskFile};

/// Bytes that are handed to the system at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// What the buffers of a dump take, about: no memory of keys.
pub(super) const BUFFER_BYTES: usize = CHUNK_BYTES + 2 * PIECE_BYTES;

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The file can't be made.
    #[error("Failed opening the temp RDB file {} (in server root dir {}) for saving: {source}", .path.display(), .dir.display())]
    Open {
        /// Its name.
        path: PathBuf,
        /// Where.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk does not take it.
    #[error("Write error while saving DB to the disk({call}): {source}")]
    Write {
        /// The call that failed.
        call: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A value can't be written in this version of the format.
    #[error("The dataset can't be saved: {0}. Set rdb-version to 12, or remove the key.")]
    Value(WriteError),
    /// The file is written, but can't take its name.
    #[error("Error moving temp DB file {} on the final destination {} (in server root dir {}): {source}", .temp.display(), .path.display(), .dir.display())]
    Rename {
        /// What it is called.
        temp: PathBuf,
        /// What it should be.
        path: PathBuf,
        /// Where.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The name can't be made durable.
    #[error("Failed to fsync directory while saving DB: {0}")]
    Directory(io::Error),
    /// It was given up: everything was flushed, or the server stops.
    #[error("the save was given up")]
    Abandoned,
}

impl SaveError {
    fn of_write(error: WriteError) -> SaveError {
        match error {
            WriteError::Io(source) => SaveError::Write {
                call: "write",
                source,
            },
            other => SaveError::Value(other),
        }
    }
}

fn write_failed(source: io::Error) -> SaveError {
    SaveError::Write {
        call: "write",
        source,
    }
}

/// How a dump is written.
#[derive(Copy, Clone, Debug)]
pub(super) struct DumpOptions {
    pub(super) form: Form,
    /// `rdbchecksum`.
    pub(super) checksum: bool,
    /// What stands in a base of commands beside them.
    pub(super) framing: FramerOptions,
    /// `rdb-save-incremental-fsync`: what is written is sent to the device at once.
    pub(super) incremental: bool,
    /// It is the base of an append-only file.
    pub(super) is_base: bool,
}

impl DumpOptions {
    /// Whether it is a dump, and not commands.
    pub(super) fn is_dump(&self) -> bool {
        matches!(self.form, Form::Dump(_))
    }
}

/// Gathers what is written into chunks.
struct Chunks {
    file: Box<dyn DiskFile>,
    chunk: Vec<u8>,
    written: u64,
    incremental: bool,
}

impl Chunks {
    fn put(&mut self) -> io::Result<()> {
        self.file.write_all(&self.chunk)?;
        if self.incremental {
            let len = self.chunk.len() as u64;
            self.file.start_writeback(self.written, len);
        }
        self.written += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_BYTES - self.chunk.len();
        let taken = bytes.len().min(room);
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES {
            self.put()?;
        }
        pace::breathe();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.put()
    }
}

/// What gathers records.
enum Output {
    Dump(Box<Writer<Chunks>>),
    Commands(BaseWriter<Chunks>),
}

impl Output {
    fn records(&mut self, records: &[u8]) -> io::Result<()> {
        match self {
            Output::Dump(writer) => writer.records(records),
            Output::Commands(writer) => writer.records(records),
        }
    }

    fn select(&mut self, db: u32) -> io::Result<()> {
        let mut select = Vec::new();
        match self {
            Output::Dump(_) => append_select(&mut select, db),
            Output::Commands(_) => append_select_command(&mut select, db),
        }
        self.records(&select)
    }

    fn finish(self) -> io::Result<Chunks> {
        match self {
            Output::Dump(writer) => writer.finish(),
            Output::Commands(writer) => writer.finish(),
        }
    }
}

/// See the module's text.
pub(super) struct Dump {
    out: Output,
    /// Database of the last record.
    db: Option<u32>,
    meta: Meta,
}

/// What is said of the dataset in the head of a dump.
pub(super) struct Head<'a> {
    pub(super) now_s: u64,
    pub(super) used_bytes: u64,
    pub(super) databases: &'a [DatabaseKeys],
    /// Libraries of functions.
    pub(super) libraries: &'a Libraries,
}

impl Dump {
    /// Makes the file and writes its head.
    pub(super) fn create(
        disk: &dyn Disk,
        temp: &Path,
        options: &DumpOptions,
        meta: Meta,
        head: &Head<'_>,
    ) -> Result<Dump, SaveError> {
        let file = disk.create(temp).map_err(|source| SaveError::Open {
            path: temp.file_name().map_or_else(PathBuf::new, PathBuf::from),
            dir: temp.parent().map_or_else(PathBuf::new, PathBuf::from),
            source,
        })?;
        let chunks = Chunks {
            file,
            chunk: Vec::with_capacity(CHUNK_BYTES),
            written: 0,
            incremental: options.incremental,
        };
        let mut db = None;
        let out = match options.form {
            Form::Dump(encode) => {
                let mut writer = Writer::new(chunks, encode, options.checksum);
                Dump::head(&mut writer, options, head).map_err(write_failed)?;
                db = head.databases.last().map(|count| count.db);
                Output::Dump(Box::new(writer))
            }
            Form::Commands => {
                let mut writer = BaseWriter::new(chunks, options.framing, head.now_s);
                for library in head.libraries.iter() {
                    writer.function(&library.code).map_err(write_failed)?;
                }
                Output::Commands(writer)
            }
        };
        Ok(Dump { out, db, meta })
    }

    fn head(writer: &mut Writer<Chunks>, options: &DumpOptions, head: &Head<'_>) -> io::Result<()> {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        writer.aux("redis-ver", startup::REDIS_VERSION.as_bytes())?;
        writer.aux_int("redis-bits", i64::from(usize::BITS))?;
        writer.aux_int("ctime", number(head.now_s))?;
        writer.aux_int("used-mem", number(head.used_bytes))?;
        writer.aux_int("aof-base", i64::from(options.is_base))?;
        for library in head.libraries.iter() {
            writer.function(&library.code)?;
        }
        for count in head.databases {
            writer.select(count.db, count.keys, count.expires)?;
        }
        Ok(())
    }

    /// Writes records, and encodes the values that are not yet.
    pub(super) fn put(&mut self, piece: &Piece) -> Result<(), SaveError> {
        if !piece.bytes.is_empty() {
            self.out.records(&piece.bytes).map_err(write_failed)?;
            self.db = piece.db;
        }
        for owed in &piece.values {
            let entry = owed.image.to_entry(&owed.key);
            self.key(owed.db, owed.image.deadline(), &entry)?;
        }
        Ok(())
    }

    /// Writes a key.
    pub(super) fn key(
        &mut self,
        db: u32,
        deadline_ms: Option<u64>,
        entry: &Entry,
    ) -> Result<(), SaveError> {
        if self.db != Some(db) {
            self.out.select(db).map_err(write_failed)?;
            self.db = Some(db);
        }
        match &mut self.out {
            Output::Dump(writer) => {
                let meta: KeyMeta = self.meta.of_key(deadline_ms, entry.clock());
                writer.key(&meta, entry).map_err(SaveError::of_write)
            }
            Output::Commands(writer) => writer.key(deadline_ms, entry).map_err(write_failed),
        }
    }

    /// Writes the end and makes the file durable, but not its name. Its length.
    pub(super) fn finish(self) -> Result<u64, SaveError> {
        let mut chunks = self.out.finish().map_err(write_failed)?;
        chunks.put().map_err(write_failed)?;
        chunks.file.sync().map_err(|source| SaveError::Write {
            call: "fsync",
            source,
        })?;
        Ok(chunks.written)
    }
}

/// Gives a finished file its name, and makes that durable.
pub(super) fn rename(disk: &dyn Disk, temp: &Path, path: &Path) -> Result<(), SaveError> {
    let name = |path: &Path| path.file_name().map_or_else(PathBuf::new, PathBuf::from);
    let dir = path.parent().unwrap_or(Path::new("."));
    disk.rename(temp, path)
        .map_err(|source| SaveError::Rename {
            temp: name(temp),
            path: name(path),
            dir: dir.to_owned(),
            source,
        })?;
    disk.sync_dir(dir).map_err(SaveError::Directory)
}
