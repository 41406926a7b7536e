//! connect: the beginning of a connection, without waiting for it.
//!
//! Invariant: the socket is non-blocking, so the call returns at once; how the connection ended is told by the socket's first event
//! (writable, or failed) and its pending error. See connect(2), EINPROGRESS.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, connect as connect_to, getsockname};

use super::{ConnectAddress, Socket, listen, options};
use crate::backend::SocketOption;
use crate::conn::Peer;

pub(crate) fn connect(address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
    let family = match address {
        ConnectAddress::Tcp(SocketAddr::V4(_)) => AddressFamily::INET,
        ConnectAddress::Tcp(SocketAddr::V6(_)) => AddressFamily::INET6,
        ConnectAddress::Unix(_) => AddressFamily::UNIX,
    };
    let fd = listen::stream_socket(family)?;
    let begun = match address {
        ConnectAddress::Tcp(to) => {
            options::set(&fd, SocketOption::NoDelay(true))?;
            connect_to(&fd, to)
        }
        ConnectAddress::Unix(path) => connect_to(&fd, &SocketAddrUnix::new(path)?),
    };
    match begun {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    let unix = family == AddressFamily::UNIX;
    let mut peer = Peer {
        remote: address.socket_address(),
        unix,
        descriptor: fd.as_raw_fd(),
        ..Peer::default()
    };
    if !unix {
        // Linux chooses the port before the first segment goes out, so this is known while the connection is being made.
        let local = getsockname(&fd).ok();
        peer.local = local.and_then(|a| SocketAddr::try_from(a).ok());
    }
    let socket = Socket {
        // Even if it stands already, as one to a Unix socket does: the backend is to tell.
        connecting: true,
        ..Socket::new(fd, unix)
    };
    Ok((socket, peer))
}
