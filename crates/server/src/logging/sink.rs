//! Where lines go: standard output, or a file that may be opened anew while the server runs.
//!
//! Invariant: one line is one write call as far as the kernel allows, so lines of several threads never mix; a failed
//! write loses that line and nothing else. A file that was moved away or removed is missed after [`LOOK_AFTER`] and opened
//! anew under its name: logrotate as Debian sets it up for redis-server tells nobody, since that opens its log for each line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// A log file that can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("Can't open the log file '{}': {cause}", path.display())]
pub struct LogError {
    path: PathBuf,
    /// Part of the message rather than a `source()`: the message goes into a log, alone.
    cause: io::Error,
}

/// How long a file is taken to be in its place.
const LOOK_AFTER: Duration = Duration::from_secs(1);

enum Output {
    Stdout,
    File(File),
}

struct Destination {
    output: Output,
    /// Absolute, since `dir` may change later.
    path: Option<PathBuf>,
    /// When the file was last seen in its place.
    seen: Instant,
}

pub(super) struct Sink {
    destination: Mutex<Destination>,
    lost: AtomicU64,
}

impl Sink {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, LogError> {
        let path = path.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        let output = match &path {
            None => Output::Stdout,
            Some(path) => Output::File(append_to(path)?),
        };
        output.take_crashes();
        Ok(Self {
            destination: Mutex::new(Destination {
                output,
                path,
                seen: Instant::now(),
            }),
            lost: AtomicU64::new(0),
        })
    }

    pub(super) fn replace(&self, other: Sink) {
        let other = other
            .destination
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        *self.lock() = other;
    }

    pub(super) fn reopen(&self) -> Result<(), LogError> {
        let Some(path) = self.lock().path.clone() else {
            return Ok(());
        };
        // Opened outside the lock: a slow disk holds up nobody who only wants to log.
        let output = Output::File(append_to(&path)?);
        output.take_crashes();
        self.lock().output = output;
        Ok(())
    }

    /// Writes a line that has its line end.
    pub(super) fn write_line(&self, line: &[u8]) {
        let mut destination = self.lock();
        if destination.seen.elapsed() >= LOOK_AFTER {
            destination.look();
        }
        if destination.output.write(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`Sink::write_line`], for a thread that may hold the lock already: it says false then, and writes nothing.
    pub(super) fn write_in_crash(&self, bytes: &[u8]) -> bool {
        match self.destination.try_lock() {
            Ok(mut destination) => destination.output.write(bytes).is_ok(),
            Err(TryLockError::Poisoned(poisoned)) => {
                poisoned.into_inner().output.write(bytes).is_ok()
            }
            Err(TryLockError::WouldBlock) => false,
        }
    }

    /// True if lines go to standard output.
    pub(super) fn is_stdout(&self) -> bool {
        match self.destination.try_lock() {
            Ok(destination) => matches!(destination.output, Output::Stdout),
            Err(_) => false,
        }
    }

    pub(super) fn lines_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Destination> {
        // A panic while a line was written leaves nothing half done that matters.
        self.destination
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination {
    /// Opens the file anew if another one, or none, stands under its name. If that fails the old one stays in use.
    fn look(&mut self) {
        self.seen = Instant::now();
        let (Output::File(file), Some(path)) = (&self.output, &self.path) else {
            return;
        };
        let identity = |found: std::fs::Metadata| (found.dev(), found.ino());
        let ours = file.metadata().map(identity);
        let there = std::fs::metadata(path).map(identity);
        if ours.is_ok() && ours.ok() == there.ok() {
            return;
        }
        if let Ok(file) = append_to(path) {
            self.output = Output::File(file);
            self.output.take_crashes();
        }
    }
}

impl Output {
    /// Has the reports of fatal signals written here, past every lock.
    fn take_crashes(&self) {
        let own = match self {
            Output::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Output::File(file) => file.as_fd().try_clone_to_owned(),
        };
        // Out of descriptors: they go where they went.
        if let Ok(own) = own {
            dunlin_reactor::fatal::set_output(own);
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line)?;
                stdout.flush()
            }
            Output::File(file) => file.write_all(line),
        }
    }
}

fn append_to(path: &Path) -> Result<File, LogError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|cause| LogError {
            path: path.to_owned(),
            cause,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory =
            std::env::temp_dir().join(format!("dunlin-log-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn a_moved_file_is_left_alone_after_reopening() {
        let directory = scratch("reopen");
        let (path, moved) = (directory.join("log"), directory.join("log.1"));
        let sink = Sink::open(Some(&path)).unwrap();
        sink.write_line(b"one\n");
        std::fs::rename(&path, &moved).unwrap();
        sink.write_line(b"two\n");
        sink.reopen().unwrap();
        sink.write_line(b"three\n");
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_was_moved_away_is_missed() {
        let directory = scratch("moved");
        let (path, moved) = (directory.join("log"), directory.join("log.1"));
        let sink = Sink::open(Some(&path)).unwrap();
        sink.write_line(b"one\n");
        sink.lock().look();
        sink.write_line(b"two\n");
        std::fs::rename(&path, &moved).unwrap();
        sink.lock().look();
        sink.write_line(b"three\n");
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        std::fs::remove_dir_all(&directory).unwrap();
        sink.lock().look();
        sink.write_line(b"into the removed file\n");
        assert_eq!(sink.lines_lost(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_reopened_stays_in_use() {
        let directory = scratch("gone");
        let path = directory.join("log");
        let sink = Sink::open(Some(&path)).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(sink.reopen().is_err());
        sink.write_line(b"into the removed file\n");
        assert_eq!(sink.lines_lost(), 0);
    }

    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let sink = Sink::open(Some(Path::new("/dev/full"))).unwrap();
        sink.write_line(b"a\n");
        sink.write_line(b"b\n");
        assert_eq!(sink.lines_lost(), 2);
    }

    #[test]
    fn the_error_names_the_file() {
        let error = Sink::open(Some(Path::new("/nonexistent/log")))
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "Can't open the log file '/nonexistent/log': No such file or directory (os error 2)"
        );
    }
}
