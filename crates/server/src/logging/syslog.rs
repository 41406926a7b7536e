//! `syslog-enabled`: each message to the system's log as well, as a datagram. See syslog(3) and RFC 3164.
//!
//! Invariant: it never waits: a message that the system's log does not take at once is dropped and counted. A log daemon
//! that was started again is found by the next message.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Level;

/// Where the daemon listens.
pub(super) const SOCKET: &str = "/dev/log";
/// Facility `user`; `local0` to `local7` begin at [`LOCAL0`].
const USER: u8 = 1;
const LOCAL0: u8 = 16;
/// Longer messages are cut: daemons take 8 KiB at the most.
const MESSAGE_BYTES_MAX: usize = 8000;

pub(super) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    ident: String,
    facility: u8,
    lost: AtomicU64,
}

impl Syslog {
    /// `facility` is `user` or `local0` to `local7`.
    pub(super) fn open(path: &Path, ident: &[u8], facility: &str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let local = facility.strip_prefix("local").and_then(|n| n.parse().ok());
        Ok(Syslog {
            socket,
            path: path.to_owned(),
            ident: String::from_utf8_lossy(ident).into_owned(),
            facility: local.map_or(USER, |number: u8| LOCAL0 + number),
            lost: AtomicU64::new(0),
        })
    }

    /// Sends a message, without its line end.
    pub(super) fn send(&self, level: Level, message: &str) {
        let mut cut = message.len().min(MESSAGE_BYTES_MAX);
        while !message.is_char_boundary(cut) {
            cut -= 1;
        }
        let time = jiff::Zoned::now();
        let line = format!(
            "<{}>{} {}[{}]: {}",
            self.facility << 3 | severity(level),
            time.strftime("%b %e %H:%M:%S"),
            self.ident,
            std::process::id(),
            &message[..cut]
        );
        // By name each time: the socket may have been made anew.
        if self.socket.send_to(line.as_bytes(), &self.path).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Messages that were not taken.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// As redis-server: warning, notice, info, debug.
fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 7,
        Level::Verbose => 6,
        Level::Notice => 5,
        Level::Warning | Level::Nothing => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_the_form_that_daemons_read() {
        let directory = std::env::temp_dir().join(format!("dunlin-syslog-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("log");
        let syslog = Syslog::open(&path, b"redis", "local3").unwrap();
        syslog.send(Level::Notice, "nobody listens yet");
        assert_eq!(syslog.lost(), 1);
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.send(Level::Warning, "hello");
        let mut bytes = [0; 200];
        let length = daemon.recv(&mut bytes).unwrap();
        let line = std::str::from_utf8(&bytes[..length]).unwrap();
        // 19 * 8 + 4
        assert!(line.starts_with("<156>"), "{line}");
        let tail = format!(" redis[{}]: hello", std::process::id());
        assert!(line.ends_with(&tail), "{line}");
        assert_eq!(
            line.len(),
            "<156>".len() + "Nov  1 03:04:05".len() + tail.len()
        );
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        Syslog::open(&path, b"x", "user")
            .unwrap()
            .send(Level::Debug, &long);
        let mut bytes = [0; 9000];
        let length = daemon.recv(&mut bytes).unwrap();
        assert!(bytes.starts_with(b"<15>") && length < MESSAGE_BYTES_MAX + 100);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
