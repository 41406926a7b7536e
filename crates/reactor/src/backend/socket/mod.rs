//! The system's stream sockets, as every backend but the in-memory one uses them: one file per operation.
//!
//! Invariant: every descriptor is close-on-exec from its first moment, and non-blocking unless a backend takes that back (io_uring
//! waits in the kernel). Nothing here knows how readiness is found out.

mod accept;
mod connect;
mod listen;
mod options;
mod receive;
mod send;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, socketpair, sockopt};

use super::SocketOption;

pub(super) use accept::accept;
pub(crate) use connect::connect;
pub use listen::{ListenAddress, ListenOptions, Listener, ListenerSwitch};
pub(super) use receive::receive;
pub(super) use send::{SLICES_MAX, send};

/// A connected socket, or one that is connecting.
#[derive(Debug)]
pub struct Socket {
    pub(super) fd: OwnedFd,
    unix: bool,
    /// Begun here and perhaps not connected yet when it was attached: the end of the attempt is to be told.
    pub(super) connecting: bool,
    /// Its place in the tables of the backend that it is attached to, if that has any.
    pub(super) slot: u32,
}

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConnectAddress {
    /// IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A Unix socket, by its path.
    Unix(PathBuf),
}

impl ConnectAddress {
    /// The address, unless it is a path.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            ConnectAddress::Tcp(address) => Some(*address),
            ConnectAddress::Unix(_) => None,
        }
    }
}

impl Socket {
    pub(super) fn new(fd: OwnedFd, unix: bool) -> Socket {
        Socket {
            fd,
            unix,
            connecting: false,
            slot: u32::MAX,
        }
    }

    /// Two sockets of this process, connected to each other.
    ///
    /// # Errors
    /// When descriptors are used up.
    pub fn pair() -> io::Result<(Socket, Socket)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        Ok((Socket::new(one, true), Socket::new(other, true)))
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        match rustix::net::shutdown(&self.fd, Shutdown::Write) {
            Ok(()) => Ok(()),
            // The peer was faster; reading will tell.
            Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn unconfirmed_bytes(&self) -> usize {
        options::unconfirmed_bytes(&self.fd)
    }

    pub(super) fn last_received_ago_us(&self) -> Option<u64> {
        if self.unix {
            return None;
        }
        options::last_received_ago_us(&self.fd)
    }

    pub(super) fn take_error(&self) -> Option<io::Error> {
        match sockopt::socket_error(&self.fd) {
            Ok(Ok(())) => None,
            Ok(Err(errno)) | Err(errno) => Some(errno.into()),
        }
    }

    pub(super) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        if self.unix {
            return Ok(());
        }
        options::set(&self.fd, option)
    }
}
