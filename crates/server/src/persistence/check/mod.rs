//! `dunlin check-rdb` and `dunlin check-aof`: looking at the files of a server that does not run.
//!
//! What is printed is made of lines that scripts look for in the output of redis-check-rdb and redis-check-aof.
//!
//! Invariant: a file is changed only by `--fix`, after a yes, and by `--truncate-to-timestamp`, and then cut only, at a place up to which it
//! is whole.

mod aof;
mod rdb;
#[cfg(test)]
mod tests;

use std::fmt::Arguments;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use dunlin_reactor::{Clock as _, SystemClock};

use super::disk::Disk;

pub use aof::Repair;

/// How often progress is shown.
const PROGRESS_US: u64 = 500_000;
/// Files below this are done before anybody wonders.
const PROGRESS_BYTES_MIN: u64 = 64 << 20;

/// Why a check is over.
#[derive(Debug)]
enum Ended {
    /// What is wrong was said.
    Said,
    /// Nobody reads what is said.
    Unheard(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Ended::Unheard(error)
    }
}

type Checked<T> = Result<T, Ended>;

/// Who asks, and the files.
pub struct Desk<'a> {
    /// Where the files are.
    pub disk: &'a dyn Disk,
    /// What is found is said here.
    pub out: &'a mut dyn Write,
    /// Answers to questions come from here.
    pub input: &'a mut dyn BufRead,
    /// How far a long file is read is shown here: a terminal.
    pub progress: Option<&'a mut dyn Write>,
}

impl Desk<'_> {
    fn say(&mut self, line: Arguments<'_>) -> Checked<()> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// The last that is said.
    fn fail<T>(&mut self, line: Arguments<'_>) -> Checked<T> {
        self.say(line)?;
        Err(Ended::Said)
    }

    /// Whether the next line of input is a yes.
    fn asks(&mut self, question: &str) -> Checked<bool> {
        write!(self.out, "{question} [y/N]: ")?;
        self.out.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        Ok(answer.starts_with(['y', 'Y']))
    }

    /// Opens a file, and says why not.
    fn open(&mut self, path: &Path) -> Checked<(Source, u64)> {
        let opened = self.disk.read(path).and_then(|source| {
            let len = self.disk.len(path)?;
            Ok((source, len.unwrap_or(0)))
        });
        match opened {
            Ok((source, len)) => Ok((Source::new(source, len), len)),
            Err(error) => self.fail(format_args!(
                "Cannot open file {}: {error}, aborting...",
                path.display()
            )),
        }
    }

    /// Shows how far a file is read, if it is long and it is time to.
    fn show_progress(&mut self, source: &mut Progress, at: u64) -> Checked<()> {
        let Some(terminal) = &mut self.progress else {
            return Ok(());
        };
        let now_us = SystemClock.monotonic_us();
        if source.len < PROGRESS_BYTES_MIN || now_us < source.next_us {
            return Ok(());
        }
        source.next_us = now_us + PROGRESS_US;
        source.is_shown = true;
        let percent = at as f64 * 100.0 / source.len as f64;
        let elapsed_s = (now_us - source.since_us).max(1) as f64 / 1e6;
        let rate = at as f64 / elapsed_s;
        let left_s = source.len.saturating_sub(at) as f64 / rate.max(1.0);
        write!(
            terminal,
            "\r{percent:5.1} %  {:.0} MiB/s  {left_s:.0} s left ",
            rate / f64::from(1 << 20)
        )?;
        Ok(terminal.flush()?)
    }

    /// Clears what was shown.
    fn end_progress(&mut self, source: &Progress) -> Checked<()> {
        if let (Some(terminal), true) = (&mut self.progress, source.is_shown) {
            write!(terminal, "\r\x1b[K")?;
            terminal.flush()?;
        }
        Ok(())
    }
}

/// What progress is reckoned from.
struct Progress {
    len: u64,
    since_us: u64,
    next_us: u64,
    is_shown: bool,
}

impl Progress {
    fn new(len: u64) -> Progress {
        let now_us = SystemClock.monotonic_us();
        Progress {
            len,
            since_us: now_us,
            next_us: now_us + PROGRESS_US,
            is_shown: false,
        }
    }
}

/// A file that is read, no further than it was long when it was opened: a server may be writing it.
struct Source(io::Take<Box<dyn Read + Send>>);

impl Source {
    fn new(inner: Box<dyn Read + Send>, len: u64) -> Source {
        Source(inner.take(len))
    }
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

/// Whether a dump file is sound.
///
/// # Errors
/// If what is to be said can't be written.
pub fn check_rdb(desk: &mut Desk<'_>, path: &Path) -> io::Result<bool> {
    outcome(rdb::check(desk, path))
}

/// Whether a log is sound, or has been made so: a manifest, or a single file of it.
///
/// # Errors
/// If what is to be said can't be written.
pub fn check_aof(desk: &mut Desk<'_>, path: &Path, repair: Repair) -> io::Result<bool> {
    outcome(aof::check(desk, path, repair))
}

fn outcome(checked: Checked<()>) -> io::Result<bool> {
    match checked {
        Ok(()) => Ok(true),
        Err(Ended::Said) => Ok(false),
        Err(Ended::Unheard(error)) => Err(error),
    }
}
