//! socket, bind, listen: IPv4, IPv6 (never both on one socket) and Unix sockets.
//!
//! Invariant: no SO_REUSEPORT unless asked for, so a second server on a port fails to start. A Unix socket's file is removed
//! when its listener is dropped.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, listen, socket_with,
    sockopt,
};

use super::options;
use crate::backend::SocketOption;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// IPv4 or IPv6; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its path. A socket file that is left there is replaced.
        path: PathBuf,
        /// Permission bits of the file; `None` leaves it to the umask.
        mode: Option<u32>,
    },
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(f),
            ListenAddress::Unix { path, .. } => path.display().fmt(f),
        }
    }
}

/// How to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted; the system caps it at net.core.somaxconn.
    pub backlog: i32,
    /// Let other sockets of the same user share the port.
    pub reuse_port: bool,
    /// Accepted connections send small segments at once.
    pub nodelay: bool,
    /// Accepted connections probe an idle peer after this time.
    pub keepalive: Option<Duration>,
    /// What its connections are to be known by, see [`crate::Peer::tag`].
    pub tag: u32,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 511,
            reuse_port: false,
            nodelay: true,
            keepalive: Some(Duration::from_secs(300)),
            tag: 0,
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    fd: Arc<OwnedFd>,
    backlog: i32,
    address: ListenAddress,
    tag: u32,
    /// It is known to its loop's backend.
    pub(in crate::backend) registered: bool,
    /// Its place in that backend's tables, if it has any.
    pub(in crate::backend) slot: u32,
}

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// As bind(2) and listen(2) have it; a path that is not a socket is never replaced.
    pub fn bind(address: &ListenAddress, options: &ListenOptions) -> io::Result<Listener> {
        match address {
            ListenAddress::Tcp(address) => Listener::bind_tcp(*address, options),
            ListenAddress::Unix { path, mode } => Listener::bind_unix(path.clone(), *mode, options),
        }
    }

    fn bind_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Listener> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let fd = stream_socket(family)?;
        sockopt::set_socket_reuseaddr(&fd, true)?;
        if options.reuse_port {
            sockopt::set_socket_reuseport(&fd, true)?;
        }
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&fd, true)?;
        }
        options::set(&fd, SocketOption::NoDelay(options.nodelay))?;
        options::set(&fd, SocketOption::KeepAlive(options.keepalive))?;
        bind(&fd, &address)?;
        listen(&fd, options.backlog)?;
        let bound = SocketAddr::try_from(getsockname(&fd)?)?;
        Ok(Listener {
            fd: Arc::new(fd),
            backlog: options.backlog,
            address: ListenAddress::Tcp(bound),
            tag: options.tag,
            registered: false,
            slot: u32::MAX,
        })
    }

    fn bind_unix(
        path: PathBuf,
        mode: Option<u32>,
        options: &ListenOptions,
    ) -> io::Result<Listener> {
        let fd = stream_socket(AddressFamily::UNIX)?;
        let address = SocketAddrUnix::new(&path)?;
        if fs::symlink_metadata(&path).is_ok_and(|m| m.file_type().is_socket()) {
            fs::remove_file(&path)?;
        }
        bind(&fd, &address)?;
        // From here on, dropping the listener removes the file.
        let listener = Listener {
            fd: Arc::new(fd),
            backlog: options.backlog,
            address: ListenAddress::Unix {
                path: path.clone(),
                mode,
            },
            tag: options.tag,
            registered: false,
            slot: u32::MAX,
        };
        if let Some(mode) = mode {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
        listen(&listener.fd, options.backlog)?;
        Ok(listener)
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Gives it and the connections that it accepts this mark, see SO_MARK in socket(7).
    ///
    /// # Errors
    /// Without the right to administer networks (`CAP_NET_ADMIN`).
    pub fn set_mark(&self, mark: u32) -> io::Result<()> {
        options::set_mark(&self.fd, mark)
    }

    /// A switch that other threads may keep.
    #[must_use]
    pub fn switch(&self) -> ListenerSwitch {
        ListenerSwitch {
            fd: Arc::clone(&self.fd),
            backlog: self.backlog,
        }
    }

    /// What its options said.
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.tag
    }

    pub(in crate::backend) fn is_unix(&self) -> bool {
        matches!(self.address, ListenAddress::Unix { .. })
    }

    pub(in crate::backend) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Turns a TCP listener off and on again from any thread, at once: its address stays bound, but clients are refused, and
/// another socket may listen there. Keeps the socket open, so drop it when the listener is removed.
#[derive(Clone, Debug)]
pub struct ListenerSwitch {
    fd: Arc<OwnedFd>,
    backlog: i32,
}

impl ListenerSwitch {
    /// Refuses clients from now on; those that wait to be accepted are reset.
    ///
    /// # Errors
    /// As shutdown(2) has it.
    pub fn off(&self) -> io::Result<()> {
        // Linux takes a listening socket back to the state after bind.
        Ok(rustix::net::shutdown(
            &self.fd,
            rustix::net::Shutdown::Read,
        )?)
    }

    /// Takes clients again.
    ///
    /// # Errors
    /// When another socket listens there now.
    pub fn on(&self) -> io::Result<()> {
        Ok(listen(&self.fd, self.backlog)?)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let ListenAddress::Unix { path, .. } = &self.address {
            // Nothing can be done about a failure, and nothing depends on it.
            let _ = fs::remove_file(path);
        }
    }
}

pub(super) fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(family, SocketType::STREAM, flags, None)?)
}
