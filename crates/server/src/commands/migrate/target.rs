//! Connections to the servers that keys migrate to, kept for a while since more keys usually follow.
//!
//! Invariant: a connection that is kept has no reply under way, and nobody else uses it while it is taken.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most connections that are kept.
const KEPT_MAX: usize = 64;
/// How long one is kept that is not used.
const KEPT_IDLE: Duration = Duration::from_secs(10);
/// A wait is cut into pieces of this length, so that a server that stops does not wait for its end.
const WAIT_PIECE: Duration = Duration::from_millis(50);
/// Longest line of a reply.
const LINE_BYTES_MAX: usize = 1024;

/// What went wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was not made.
    Connecting,
    /// The target did not take what was sent.
    Writing {
        /// In time.
        timed_out: bool,
    },
    /// The target did not answer.
    Reading {
        /// In time.
        timed_out: bool,
    },
}

/// A connection to a target.
#[derive(Debug)]
pub(super) struct Target {
    host: Vec<u8>,
    port: Vec<u8>,
    stream: TcpStream,
    /// Bytes that came, of which those before `at` were read.
    input: Vec<u8>,
    at: usize,
    /// The database that is selected there, if that is known.
    pub(super) db: Option<i64>,
    /// It was used before, so that it may be one that the target has closed meanwhile.
    pub(super) is_kept: bool,
    used: Instant,
}

/// The connections that are kept.
#[derive(Debug, Default)]
pub struct Targets {
    kept: Mutex<Vec<Target>>,
}

impl Targets {
    fn lock(&self) -> MutexGuard<'_, Vec<Target>> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Closes those that were not used for long.
    pub fn forget_idle(&self, now: Instant) {
        self.lock()
            .retain(|target| now.saturating_duration_since(target.used) < KEPT_IDLE);
    }

    /// The connection to an address, kept or new.
    pub(super) fn take(
        &self,
        host: &[u8],
        port: &[u8],
        timeout: Duration,
    ) -> Result<Target, Failure> {
        {
            let mut kept = self.lock();
            let found = kept
                .iter()
                .position(|target| target.host == host && target.port == port);
            if let Some(at) = found {
                return Ok(kept.swap_remove(at));
            }
        }
        Target::connect(host, port, timeout)
    }

    /// Keeps a connection on which all replies have come.
    pub(super) fn put(&self, mut target: Target) {
        target.is_kept = true;
        target.used = Instant::now();
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            let oldest = (0..kept.len()).min_by_key(|at| kept[*at].used);
            oldest.map(|at| kept.swap_remove(at));
        }
        kept.push(target);
    }
}

impl Target {
    fn connect(host: &[u8], port: &[u8], timeout: Duration) -> Result<Target, Failure> {
        let failed = |_| Failure::Connecting;
        let name = std::str::from_utf8(host).map_err(|_| Failure::Connecting)?;
        let number = std::str::from_utf8(port)
            .ok()
            .and_then(|port| port.parse::<u16>().ok());
        let number = number.ok_or(Failure::Connecting)?;
        let mut addresses = (name, number).to_socket_addrs().map_err(failed)?;
        let connected =
            addresses.find_map(|address| TcpStream::connect_timeout(&address, timeout).ok());
        let stream = connected.ok_or(Failure::Connecting)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(WAIT_PIECE)).map_err(failed)?;
        stream.set_write_timeout(Some(WAIT_PIECE)).map_err(failed)?;
        Ok(Target {
            host: host.to_vec(),
            port: port.to_vec(),
            stream,
            input: Vec::new(),
            at: 0,
            db: None,
            is_kept: false,
            used: Instant::now(),
        })
    }

    /// Sends bytes; each piece that the target takes gives it the whole time again.
    pub(super) fn send(
        &mut self,
        mut bytes: &[u8],
        timeout: Duration,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let mut since = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(Failure::Writing { timed_out: false }),
                Ok(len) => {
                    bytes = &bytes[len..];
                    since = Instant::now();
                }
                Err(error) if is_no_end(error.kind()) => {
                    if since.elapsed() >= timeout || is_stopping() {
                        return Err(Failure::Writing { timed_out: true });
                    }
                }
                Err(_) => return Err(Failure::Writing { timed_out: false }),
            }
        }
        Ok(())
    }

    /// The next reply's line, without its end.
    pub(super) fn line(
        &mut self,
        timeout: Duration,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, Failure> {
        let since = Instant::now();
        loop {
            let new = &self.input[self.at..];
            if let Some(end) = new.windows(2).position(|two| two == b"\r\n") {
                let line = new[..end].to_vec();
                self.at += end + 2;
                if self.at == self.input.len() {
                    self.input.clear();
                    self.at = 0;
                }
                return Ok(line);
            }
            if new.len() > LINE_BYTES_MAX {
                return Err(Failure::Reading { timed_out: false });
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(Failure::Reading { timed_out: false }),
                Ok(len) => self.input.extend_from_slice(&piece[..len]),
                Err(error) if is_no_end(error.kind()) => {
                    if since.elapsed() >= timeout || is_stopping() {
                        return Err(Failure::Reading { timed_out: true });
                    }
                }
                Err(_) => return Err(Failure::Reading { timed_out: false }),
            }
        }
    }
}

/// Whether it is worth to try again.
fn is_no_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
