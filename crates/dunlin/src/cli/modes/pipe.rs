//! `--pipe`: sends what comes from standard input as it is, and counts the replies.
//!
//! Two threads: one reads standard input and writes to the server, the other reads replies; so neither side can make the other wait
//! for ever. The last request is an ECHO of bytes that nobody else can know: its reply is the last one.
//!
//! Invariant: an error reply is shown and counted; the exit code is 1 if there was one.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use dunlin_reactor::BlockingStream;
use dunlin_resp::{Value, reply};

use super::stat::human_bytes;
use crate::cli::connection::{Connection, Lost};
use crate::cli::format::error_text;

/// Read from standard input at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Length of the last ECHO's argument.
const MAGIC_BYTES: usize = 20;
/// How often somebody looks whether there is still progress.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two states of the progress bar.
const REDRAW: Duration = Duration::from_millis(100);
/// Width of the bar.
const BAR_CELLS: u64 = 30;

/// What the sending thread tells.
#[derive(Default)]
struct Sent {
    bytes: AtomicU64,
    all: AtomicBool,
}

/// Sends everything and waits for the last reply.
///
/// # Errors
/// When the server is gone before.
pub(in crate::cli) fn run(
    mut connection: Connection,
    timeout: Option<Duration>,
) -> Result<ExitCode> {
    let sent = Arc::new(Sent::default());
    let magic = magic();
    let writer = connection.stream().try_clone()?;
    let sender = {
        let (sent, magic) = (Arc::clone(&sent), magic.clone());
        thread::Builder::new()
            .name("pipe-send".to_owned())
            .spawn(move || send_all(writer, &magic, &sent))?
    };
    let mut bar = Bar::new();
    let (mut replies, mut errors) = (0_u64, 0_u64);
    let mut last_heard = Instant::now();
    let mut told = false;
    let finished = loop {
        connection
            .stream()
            .set_read_deadline(Some(Instant::now() + PATIENCE));
        let received = connection.receive_reply();
        let all_sent = sent.all.load(Ordering::Acquire);
        if all_sent && !told {
            told = true;
            bar.clear();
            writeln!(
                io::stdout(),
                "All data transferred. Waiting for the last reply..."
            )?;
        }
        bar.draw(sent.bytes.load(Ordering::Relaxed), replies, errors);
        match received {
            Ok(Value::Bulk(bytes)) if all_sent && bytes == magic => break true,
            Ok(value) => {
                last_heard = Instant::now();
                replies += 1;
                if let Some(text) = error_text(&value) {
                    errors += 1;
                    bar.clear();
                    writeln!(io::stderr(), "{}", String::from_utf8_lossy(text))?;
                }
            }
            Err(Lost::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                if sender.is_finished() && !all_sent {
                    // It has failed, and says why.
                    break false;
                }
                if let (true, Some(timeout)) = (all_sent, timeout)
                    && last_heard.elapsed() > timeout
                {
                    bar.clear();
                    writeln!(
                        io::stderr(),
                        "No replies for {} seconds: exiting.",
                        timeout.as_secs()
                    )?;
                    errors += 1;
                    break true;
                }
            }
            Err(lost) => {
                bar.clear();
                writeln!(io::stdout(), "errors: {errors}, replies: {replies}")?;
                return Err(lost).context("Error reading replies from server");
            }
        }
    };
    bar.clear();
    if finished {
        writeln!(io::stdout(), "Last reply received from server.")?;
    }
    writeln!(io::stdout(), "errors: {errors}, replies: {replies}")?;
    if !finished {
        sender
            .join()
            .ok()
            .context("the sending thread panicked")??;
    }
    Ok(if errors > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Bytes that no reply of the user's is.
fn magic() -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut state = (now.as_nanos() as u64) ^ (u64::from(std::process::id()) << 32) | 1;
    let mut next = || {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..MAGIC_BYTES).map(|_| next()).collect()
}

fn send_all(mut server: BlockingStream, magic: &[u8], sent: &Sent) -> Result<()> {
    let mut stdin = io::stdin().lock();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let n = stdin.read(&mut chunk).context("Error reading from stdin")?;
        if n == 0 {
            break;
        }
        server
            .write_full(&chunk[..n])
            .context("Error writing to the server")?;
        sent.bytes.fetch_add(n as u64, Ordering::Relaxed);
    }
    // An empty line ends what may be unfinished; otherwise it means nothing.
    let mut last = reply::CRLF.to_vec();
    reply::request(&mut last, &[&b"ECHO"[..], magic]);
    sent.all.store(true, Ordering::Release);
    server
        .write_full(&last)
        .context("Error writing to the server")?;
    Ok(())
}

/// The progress bar, on a terminal only.
struct Bar {
    shown: bool,
    on: bool,
    /// Bytes that are to be sent, where standard input is a file.
    whole: Option<u64>,
    begun: Instant,
    drawn: Instant,
}

impl Bar {
    fn new() -> Bar {
        let file = rustix::fs::fstat(rustix::stdio::stdin()).ok();
        let regular =
            file.filter(|file| rustix::fs::FileType::from_raw_mode(file.st_mode).is_file());
        Bar {
            shown: false,
            on: io::stderr().is_terminal(),
            whole: regular.and_then(|file| u64::try_from(file.st_size).ok()),
            begun: Instant::now(),
            drawn: Instant::now(),
        }
    }

    fn draw(&mut self, bytes: u64, replies: u64, errors: u64) {
        if !self.on || self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        self.shown = true;
        let _ = write!(
            io::stderr(),
            "\r\x1b[K{}",
            self.line(bytes, replies, errors)
        );
    }

    fn line(&self, bytes: u64, replies: u64, errors: u64) -> String {
        let size = |bytes: u64| human_bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
        let rate = replies as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let share = match self.whole {
            Some(whole) if whole > 0 => {
                let full = (bytes.min(whole) * BAR_CELLS / whole) as usize;
                let empty = BAR_CELLS as usize - full;
                format!(
                    "[{}{}] {} of {}",
                    "#".repeat(full),
                    ".".repeat(empty),
                    size(bytes),
                    size(whole)
                )
            }
            _ => size(bytes),
        };
        format!("{share}  {replies} replies  {rate:.0}/s  {errors} errors")
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
