//! `supervised`: telling systemd or upstart that the server is ready, and that it stops. See sd_notify(3).
//!
//! Invariant: a supervisor that can't be reached is no reason not to serve; a datagram never waits.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use signal_hook::consts::SIGSTOP;

use crate::config::Config;

/// Who watches over the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Nobody that wants to be told.
    None,
    /// systemd, by datagrams to the socket that it names.
    Systemd,
    /// upstart, by stopping until it lets the process go on.
    Upstart,
}

impl Supervision {
    /// What the configuration asks for; `auto` looks for what a supervisor leaves in the environment.
    pub fn of(config: &Config) -> Self {
        let has = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        match config.choice("supervised") {
            "systemd" => Supervision::Systemd,
            "upstart" => Supervision::Upstart,
            "auto" if has("UPSTART_JOB") => Supervision::Upstart,
            "auto" if has("NOTIFY_SOCKET") => Supervision::Systemd,
            _ => Supervision::None,
        }
    }
}

/// The way to the supervisor.
#[derive(Debug)]
pub struct Supervisor {
    kind: Supervision,
    socket: Option<(UnixDatagram, SocketAddr)>,
}

impl Supervisor {
    /// Finds the supervisor that the configuration names.
    pub fn find(config: &Config) -> Self {
        let kind = Supervision::of(config);
        let socket = match kind {
            Supervision::Systemd => env::var_os("NOTIFY_SOCKET").map(connect),
            _ => None,
        };
        match (&kind, &socket) {
            (Supervision::Systemd, None) => {
                tracing::warn!("systemd supervision requested, but NOTIFY_SOCKET not found");
            }
            (Supervision::Systemd, Some(Err(error))) => {
                tracing::warn!("Can't reach systemd by its NOTIFY_SOCKET: {error}");
            }
            (Supervision::Upstart, _) if env::var_os("UPSTART_JOB").is_none() => {
                tracing::warn!("upstart supervision requested, but UPSTART_JOB not found");
            }
            _ => {}
        }
        Supervisor {
            kind,
            socket: socket.and_then(Result::ok),
        }
    }

    /// The server takes connections.
    pub fn ready(&self) {
        self.tell("STATUS=Ready to accept connections\nREADY=1\n");
        if self.kind == Supervision::Upstart && env::var_os("UPSTART_JOB").is_some() {
            tracing::info!("Supervised by upstart, stopping to signal readiness");
            if let Err(error) = signal_hook::low_level::raise(SIGSTOP) {
                tracing::warn!("Can't stop for upstart: {error}");
            }
        }
    }

    /// The server has begun to stop.
    pub fn stopping(&self) {
        self.tell("STATUS=Stopping\nSTOPPING=1\n");
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!("Can't tell systemd: {error}");
        }
    }
}

/// A leading `@` stands for the NUL of an abstract name.
fn connect(name: OsString) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
