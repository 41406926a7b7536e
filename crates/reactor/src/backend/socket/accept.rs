//! accept4: one connection from a backlog.
//!
//! Invariant: the accepted socket is non-blocking and close-on-exec from its first moment, and has the listener's options
//! (Linux copies TCP_NODELAY and the keepalive settings), so that accepting takes two system calls.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with, getsockname};

use super::{Listener, Socket};
use crate::conn::Peer;

pub(in crate::backend) fn accept(listener: &Listener) -> io::Result<Option<(Socket, Peer)>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (fd, from) = match acceptfrom_with(listener.fd(), flags) {
        Ok(accepted) => accepted,
        // INVAL: its switch is off, so there is no backlog.
        Err(Errno::AGAIN | Errno::INVAL) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let unix = listener.is_unix();
    let mut peer = Peer {
        unix,
        descriptor: fd.as_raw_fd(),
        tag: listener.tag(),
        ..Peer::default()
    };
    if !unix {
        peer.remote = from.and_then(|a| SocketAddr::try_from(a).ok());
        let local = getsockname(&fd).ok();
        peer.local = local.and_then(|a| SocketAddr::try_from(a).ok());
    }
    Ok(Some((Socket::new(fd, unix), peer)))
}
