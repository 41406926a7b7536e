//! The append-only files: which there are, and each from front to back.
//!
//! Invariant: a file is cut only where it is whole before, only if it is the last, and only if `aof-load-truncated` allows it. Anything
//! else that is wrong with a file ends the load, and changes nothing.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use dunlin_engine::{Args, Ctx};
use dunlin_persist::Error as FormatError;
use dunlin_persist::aof::{FileKind, Item, Manifest, Scanner, parse_safe};
use dunlin_persist::rdb::types::MAGIC;
use dunlin_resp::Span;

use super::dump::{Dump, Source, delay_key};
use super::players::Players;
use super::progress::Progress;
use super::replay::{Held, Known, Replay, Replayer};
use super::{DumpRules, LoadError, Loader, crew, empty, load_held};
use crate::shared::Shared;

/// Commands that go to the thread that carries them out together, and bytes of them at most but for one command.
const BATCH_COMMANDS: usize = 1_024;
const BATCH_BYTES: usize = 256 << 10;
/// Batches on their way to a thread.
pub(super) const BATCHES_MAX: usize = 4;
/// Commands whose keys are brought into the cache together.
const WINDOW_COMMANDS: usize = 64;
/// How a line begins that has the checksum of a batch.
const CHECKSUM_PREFIX: &[u8] = b"#CRC:";
/// What is being written when the power fails is not longer than this.
const TORN_BYTES_MAX: u64 = 64 << 20;
/// A buffer that a huge command has grown beyond this is not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Where a log is.
#[derive(Copy, Clone, Debug)]
pub struct LogPlace<'a> {
    /// The directory of its files.
    pub dir: &'a Path,
    /// Which files there are.
    pub manifest: &'a Manifest,
}

/// What was loaded of a log.
#[derive(Copy, Clone, Debug)]
pub struct LoadedLog {
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Bytes of the base.
    pub base_bytes: u64,
    /// Bytes of the last increment, which is written on; 0 if there is none.
    pub last_bytes: u64,
}

/// Where the commands go.
enum Target<'t, 'c, 'x> {
    /// At the start.
    Start(&'t mut Replayer),
    /// A command holds all stripes.
    Held(&'t mut Held<'c, 'x>),
}

/// A file to be loaded.
struct LogFile {
    path: PathBuf,
    name: String,
    bytes: u64,
    /// Bytes of the files before it.
    before_bytes: u64,
    /// There is nothing behind it.
    is_last: bool,
    /// Of before Redis 7: a dump and a log in one file.
    is_old: bool,
}

/// How a file ends.
enum End {
    Whole,
    /// It was cut to this length.
    Cut(u64),
}

impl Loader<'_> {
    /// Loads the log at the start.
    pub(super) fn load_log(&self, place: &LogPlace<'_>) -> Result<LoadedLog, LoadError> {
        let mut replayer = Replayer::new(self.shared, Arc::clone(self.clock));
        let loaded = self.load_files(place, &mut Target::Start(&mut replayer));
        replayer.finish();
        loaded
    }

    /// Loads the log in the place of everything, with all stripes held by the command. Whatever is still on its way to the log has to be
    /// written before.
    ///
    /// # Errors
    /// As at the start. What was there is gone then, and a part of the log may be there.
    pub fn reload_log(
        &self,
        cx: &mut Ctx<'_>,
        place: &LogPlace<'_>,
    ) -> Result<LoadedLog, LoadError> {
        self.loading(|| {
            empty(cx);
            self.load_files(place, &mut Target::Held(&mut Held::new(cx)))
        })
    }

    fn load_files(
        &self,
        place: &LogPlace<'_>,
        target: &mut Target<'_, '_, '_>,
    ) -> Result<LoadedLog, LoadError> {
        let files = self.log_files(place)?;
        let mut loaded = LoadedLog {
            total_bytes: files.iter().map(|file| file.bytes).sum(),
            base_bytes: 0,
            last_bytes: 0,
        };
        let now_s = self.clock.wall_us() / 1_000_000;
        self.shared.loading.begin(loaded.total_bytes, now_s);
        for (file, listed) in files.iter().zip(place.manifest.files()) {
            let is_base = listed.kind == FileKind::Base;
            let started_us = self.clock.monotonic_us();
            let mut bytes = file.bytes;
            if bytes > 0 {
                if let End::Cut(len) = self.load_file(file, target)? {
                    loaded.total_bytes -= bytes - len;
                    bytes = len;
                }
                let kind = if is_base { "base" } else { "incr" };
                let seconds = self.seconds_since(started_us);
                tracing::info!(
                    "DB loaded from {kind} file {}: {seconds:.3} seconds",
                    file.name
                );
            }
            if is_base {
                loaded.base_bytes = bytes;
            } else {
                loaded.last_bytes = bytes;
            }
        }
        Ok(loaded)
    }

    /// The files that a manifest names, all of which must be there.
    fn log_files(&self, place: &LogPlace<'_>) -> Result<Vec<LogFile>, LoadError> {
        let append_name = self.shared.config().text("appendfilename").to_vec();
        let mut before_bytes = 0;
        let files = place.manifest.files().map(|listed| {
            let path = place.dir.join(&listed.name);
            let open = |source| LoadError::Open {
                path: path.clone(),
                source,
            };
            let len = self.disk.len(&path).map_err(open)?;
            let bytes = len.ok_or_else(|| open(not_found()))?;
            let file = LogFile {
                name: listed.name.clone(),
                bytes,
                before_bytes,
                is_last: false,
                is_old: listed.name.as_bytes() == append_name,
                path,
            };
            before_bytes += bytes;
            Ok(file)
        });
        let mut files = files.collect::<Result<Vec<LogFile>, LoadError>>()?;
        // An increment is begun before the one before it is durable, and written to only afterwards. A base is durable before anything is
        // behind it.
        let used = files.iter().rposition(|file| file.bytes > 0);
        if let Some(used) = used {
            let is_base = used == 0 && place.manifest.base().is_some();
            files[used].is_last = !is_base || files.len() == 1;
        }
        Ok(files)
    }

    fn load_file(&self, file: &LogFile, target: &mut Target<'_, '_, '_>) -> Result<End, LoadError> {
        let failed = |source| LoadError::Open {
            path: file.path.clone(),
            source,
        };
        let mut source = self.disk.read(&file.path).map_err(failed)?;
        let mut head = Vec::new();
        let head_bytes = MAGIC.len() as u64;
        (&mut source)
            .take(head_bytes)
            .read_to_end(&mut head)
            .map_err(failed)?;
        let is_dump = head == MAGIC;
        let source: Source = Box::new(Cursor::new(head).chain(source));
        let (source, offset) = if is_dump {
            self.load_base(file, source, target)?
        } else {
            (source, 0)
        };
        let progress = Progress::new(self, file.name.clone(), file.before_bytes);
        let reader = LogReader {
            scanner: Scanner::new(source, offset),
            has_checksums: false,
            shared: Arc::clone(self.shared),
        };
        // The server's own, where it is open, has its padding for good.
        let at_start = matches!(target, Target::Start(_));
        let read = match target {
            Target::Start(replayer) if self.threads > 1 => {
                self.replay_beside(reader, progress, replayer)
            }
            Target::Start(replayer) => self.replay(reader, progress, *replayer),
            Target::Held(held) => self.replay(reader, progress, *held),
        };
        match read {
            Ok(padding) if padding > 0 && file.is_last && at_start => {
                let len = file.bytes - padding;
                tracing::info!(
                    "The process that wrote the AOF {} did not close it: its padding is removed",
                    file.path.display()
                );
                self.cut(file, len)?;
                Ok(End::Cut(len))
            }
            Ok(_) => Ok(End::Whole),
            Err(Stop::Other(error)) => Err(error),
            Err(Stop::Refused { offset, why }) => Err(LoadError::Fatal(format!(
                "{why} reading the append only file {} at offset {offset}",
                file.path.display()
            ))),
            Err(Stop::Ended(ended)) => self.ended_early(file, &ended),
        }
    }

    /// A dump at the beginning of a file; what comes behind it, and where that is.
    fn load_base(
        &self,
        file: &LogFile,
        source: Source,
        target: &mut Target<'_, '_, '_>,
    ) -> Result<(Source, u64), LoadError> {
        let (what, aborted) = if file.is_old {
            ("preamble from AOF file", "preamble of the AOF")
        } else {
            ("base file on AOF loading", "base")
        };
        tracing::info!("Reading RDB {what}...");
        let rules = DumpRules {
            keep_expired: true,
            replace: false,
        };
        let load = || -> Result<Dump<'_>, LoadError> {
            let (mut dump, decoding) =
                self.begin_dump(source, &file.path, file.before_bytes, rules)?;
            let empty = match target {
                Target::Start(_) => crew::load(self, &mut dump, &decoding)?,
                Target::Held(held) => load_held(held.cx, self.shared, &mut dump, &decoding)?,
            };
            dump.done(empty);
            Ok(dump)
        };
        let dump = load().map_err(|error| match error {
            LoadError::Stopped => error,
            error => {
                tracing::error!("{error}");
                LoadError::Fatal(format!(
                    "Error reading the RDB {aborted} file {}, AOF loading aborted",
                    file.path.display()
                ))
            }
        })?;
        let (rest, offset, source) = dump.into_rest();
        if file.is_old {
            tracing::info!("Reading the remaining AOF tail...");
        }
        Ok((Box::new(Cursor::new(rest).chain(source)), offset))
    }

    /// Reads and carries out, on this thread. The padding at the end, in bytes.
    fn replay(
        &self,
        mut reader: LogReader,
        mut progress: Progress<'_>,
        replay: &mut dyn Replay,
    ) -> Result<u64, Stop> {
        replay.begin();
        let mut batch = Commands::default();
        loop {
            let filled = reader.fill(&mut batch);
            batch.play(0..batch.commands.len(), replay)?;
            replay.rest();
            progress.reached(batch.end)?;
            if let Filled::Last { padding } = filled? {
                return Ok(padding);
            }
        }
    }

    /// The same, but reads on a thread beside this one, and has further ones carry out what they can.
    fn replay_beside(
        &self,
        mut reader: LogReader,
        mut progress: Progress<'_>,
        replayer: &mut Replayer,
    ) -> Result<u64, Stop> {
        replayer.begin();
        let (send, receive) = mpsc::sync_channel::<(Commands, Result<Filled, Stop>)>(BATCHES_MAX);
        let (give_back, spare) = mpsc::channel::<Commands>();
        let read = move || {
            dunlin_reactor::fatal::prepare_thread();
            loop {
                let mut batch = spare.try_recv().unwrap_or_default();
                let filled = reader.fill(&mut batch);
                let goes_on = matches!(filled, Ok(Filled::More));
                // Nobody receives any more after an error.
                if send.send((batch, filled)).is_err() || !goes_on {
                    return;
                }
            }
        };
        thread::scope(|scope| {
            let spawned = thread::Builder::new()
                .name("loader-log".into())
                .spawn_scoped(scope, read);
            if let Err(error) = spawned {
                let what = format!("no thread to read it: {error}");
                return Err(Stop::Other(LoadError::Fatal(what)));
            }
            // Both are dropped before the scope ends, so that the threads see it.
            let receive = receive;
            let mut players = Players::new(scope, self, &give_back);
            for (batch, filled) in &receive {
                let end = batch.end;
                players.play(batch, replayer)?;
                if !matches!(filled, Ok(Filled::More)) {
                    players.rest()?;
                }
                progress.reached(end)?;
                if let Filled::Last { padding } = filled? {
                    return Ok(padding);
                }
            }
            unreachable!("the reader's last word is the end or an error")
        })
    }

    /// Whether what is behind the whole part can be what a failure of power left of batches that were being written, and that nobody was told
    /// of: pages of them may be missing, or be zeros. Whole batches among them say themselves that nothing from there on was durable yet;
    /// those of a file that is damaged elsewhere do not.
    fn is_torn(&self, file: &LogFile, ended: &Ended) -> Result<bool, LoadError> {
        let rest_bytes = file.bytes - ended.whole;
        // Other servers write no checksums, and then it can't be told.
        let may_be_ours = ended.has_checksums || ended.whole == 0;
        if !may_be_ours || rest_bytes > TORN_BYTES_MAX {
            return Ok(false);
        }
        let read = || -> io::Result<Vec<u8>> {
            let mut source = self.disk.read(&file.path)?;
            io::copy(&mut (&mut source).take(ended.whole), &mut io::sink())?;
            let mut rest = Vec::new();
            source.take(TORN_BYTES_MAX).read_to_end(&mut rest)?;
            Ok(rest)
        };
        let rest = read().map_err(|source| LoadError::Open {
            path: file.path.clone(),
            source,
        })?;
        let begins = rest
            .windows(CHECKSUM_PREFIX.len())
            .enumerate()
            .filter(|(_, window)| *window == CHECKSUM_PREFIX);
        // A batch that is whole and was not written before this part was durable speaks for damage.
        let contradicts = |at: usize| {
            let mut scanner = Scanner::new(&rest[at..], 0);
            let is_whole = matches!(scanner.next(), Ok(Item::Annotation(_)));
            let safe = match scanner.next() {
                Ok(Item::Annotation(line)) => parse_safe(line),
                _ => None,
            };
            is_whole && safe.is_none_or(|safe| safe > ended.whole)
        };
        Ok(!begins.map(|(at, _)| at).any(contradicts))
    }

    /// Cuts a file, durably.
    fn cut(&self, file: &LogFile, len: u64) -> Result<(), LoadError> {
        let cut = self.disk.append(&file.path).and_then(|mut opened| {
            opened.truncate(len)?;
            opened.sync()
        });
        cut.map_err(|source| {
            let path = file.path.display();
            LoadError::Fatal(format!("Error truncating the AOF file {path}: {source}"))
        })
    }

    /// A file does not end where it should, or is damaged.
    fn ended_early(&self, file: &LogFile, ended: &Ended) -> Result<End, LoadError> {
        let Ended { error, whole, .. } = ended;
        let path = file.path.display();
        let is_short = matches!(error, FormatError::Truncated { .. });
        let is_torn = is_short || (file.is_last && self.is_torn(file, ended)?);
        if !is_torn {
            return Err(LoadError::Fatal(format!(
                "Bad file format reading the append only file {path}: {error}. It is whole up to offset {whole}. Make a backup of \
                 the directory, then see what is wrong with dunlin check-aof, and cut it there with dunlin check-aof --fix <manifest>"
            )));
        }
        if ended.in_transaction {
            tracing::warn!("Revert incomplete MULTI/EXEC transaction in AOF file {path}");
        }
        if !file.is_last {
            tracing::error!("Unexpected end of file reading the append only file {path}: {error}");
            return Err(LoadError::Fatal(
                "Fatal error: the truncated file is not the last file".into(),
            ));
        }
        if !self.shared.config().yes("aof-load-truncated") {
            return Err(LoadError::Fatal(format!(
                "Unexpected end of file reading the append only file {path}: {error}. It is whole up to offset {whole}. You can make a \
                 backup of the directory and cut it there with dunlin check-aof --fix <manifest>, or set aof-load-truncated to yes and \
                 start again"
            )));
        }
        tracing::warn!("!!! Warning: short read while loading the AOF file {path}: {error} !!!");
        tracing::warn!("!!! Truncating the AOF {path} at offset {whole} !!!");
        self.cut(file, *whole)?;
        tracing::warn!("AOF {path} loaded anyway because aof-load-truncated is enabled");
        Ok(End::Cut(*whole))
    }
}

fn not_found() -> std::io::Error {
    // As the system tells it.
    rustix::io::Errno::NOENT.into()
}

/// Where and how a file is no longer whole.
pub(super) struct Ended {
    error: FormatError,
    /// Up to where it is.
    whole: u64,
    in_transaction: bool,
    /// It has batches with checksums: this server wrote it.
    has_checksums: bool,
}

/// Why reading a file ends before its end.
pub(super) enum Stop {
    /// The file is no log from here on, or lacks its end.
    Ended(Ended),
    /// A command that can't be carried out.
    Refused { offset: u64, why: String },
    /// The server stops.
    Other(LoadError),
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Stop {
        Stop::Other(error)
    }
}

/// What is behind the commands that were read.
enum Filled {
    More,
    /// The end of the file, and so many bytes of padding before it.
    Last {
        padding: u64,
    },
}

/// A command of a batch.
pub(super) struct Place {
    offset: u64,
    start: usize,
    first: usize,
    count: usize,
    pub(super) known: Known,
}

/// Commands that were copied out of the scanner's buffer.
#[derive(Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    pub(super) commands: Vec<Place>,
    /// Where the next one begins in the file.
    end: u64,
}

impl Commands {
    fn args(&self, command: &Place) -> Args<'_> {
        let spans = &self.spans[command.first..][..command.count];
        Args::new(&self.bytes[command.start..], spans)
    }

    /// Carries out those at these indices, in this order.
    pub(super) fn play(
        &self,
        mut indices: impl Iterator<Item = usize> + Clone,
        replay: &mut dyn Replay,
    ) -> Result<(), Stop> {
        loop {
            let window = indices.clone().take(WINDOW_COMMANDS);
            let window = window.map(|index| &self.commands[index]);
            let hashes = window.clone().filter_map(|command| {
                let (_, hash) = command.known.first_hash?;
                Some(hash)
            });
            replay.look_ahead(&mut { hashes });
            for command in window {
                let args = self.args(command);
                replay
                    .command(args, command.known)
                    .map_err(|why| Stop::Refused {
                        offset: command.offset,
                        why: match args.get(0) {
                            Some(name) if why.starts_with("ERR unknown command") => {
                                format!("Unknown command '{}'", name.escape_ascii())
                            }
                            _ => why,
                        },
                    })?;
            }
            if indices.nth(WINDOW_COMMANDS - 1).is_none() {
                return Ok(());
            }
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.spans.clear();
        self.commands.clear();
    }
}

/// Reads batches of commands.
struct LogReader {
    scanner: Scanner<Source>,
    /// A batch had a checksum, which was right.
    has_checksums: bool,
    shared: Arc<Shared>,
}

impl LogReader {
    /// Reads the next commands. After an error the batch has what came before.
    fn fill(&mut self, batch: &mut Commands) -> Result<Filled, Stop> {
        batch.clear();
        while batch.commands.len() < BATCH_COMMANDS && batch.bytes.len() < BATCH_BYTES {
            let in_transaction = self.scanner.in_transaction();
            match self.scanner.next() {
                Ok(Item::Command(command)) => {
                    delay_key(&self.shared);
                    let (start, first) = (batch.bytes.len(), batch.spans.len());
                    batch.bytes.extend_from_slice(command.bytes);
                    let spans = command.spans().iter().map(|span| Span {
                        start: span.start as u32,
                        len: span.len() as u32,
                    });
                    batch.spans.extend(spans);
                    let args = Args::new(&batch.bytes[start..], &batch.spans[first..]);
                    let mut known = Known::of(&self.shared.engine, args);
                    known.is_alone &= !in_transaction;
                    batch.commands.push(Place {
                        offset: command.offset,
                        start,
                        first,
                        count: args.len(),
                        known,
                    });
                }
                Ok(Item::Annotation(line)) => {
                    self.has_checksums |= line.starts_with(CHECKSUM_PREFIX);
                }
                Ok(Item::Timestamp(_)) => {}
                Ok(Item::Eof) => {
                    batch.end = self.scanner.offset();
                    let padding = self.scanner.padding();
                    return Ok(Filled::Last { padding });
                }
                Err(error) => {
                    batch.end = self.scanner.offset();
                    return Err(Stop::Ended(Ended {
                        error,
                        whole: self.scanner.whole(),
                        in_transaction: self.scanner.in_transaction(),
                        has_checksums: self.has_checksums,
                    }));
                }
            }
        }
        batch.end = self.scanner.offset();
        Ok(Filled::More)
    }
}
