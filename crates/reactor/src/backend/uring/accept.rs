//! Accepting: one multishot operation per listener brings every connection.
//!
//! Invariant: connections that were accepted and not collected are bounded: beyond that the operation is cancelled until they are. An
//! error ends the operation; it begins again with the next wait, unless the loop pauses accepting.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::{cqueue, opcode, types};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{getpeername, getsockname};

use super::{Kind, Uring, user_data};
use crate::backend::socket::{Listener, Socket};
use crate::backend::{Event, Token};
use crate::conn::Peer;

/// Connections that may wait to be collected from one listener.
const ACCEPTED_MAX: usize = 256;

/// How long a listener that was turned off is left alone, in nanoseconds.
const OFF_NS: u32 = 20_000_000;

#[derive(Debug, Default)]
pub(super) struct Port {
    token: Option<Token>,
    fd: RawFd,
    on: bool,
    armed: bool,
    cancelling: bool,
    /// The timer of a listener that was turned off is running.
    off: bool,
    accepted: VecDeque<OwnedFd>,
    failure: Option<i32>,
    closed: Option<Listener>,
}

impl Port {
    fn is_over(&self) -> bool {
        self.closed.is_some() && !self.armed && !self.off
    }

    fn wants_arming(&self) -> bool {
        self.on
            && !self.armed
            && !self.off
            && self.closed.is_none()
            && self.failure.is_none()
            && self.accepted.len() < ACCEPTED_MAX
    }
}

/// How long such a listener is left alone, where the kernel reads it.
static OFF: types::Timespec = types::Timespec::new().nsec(OFF_NS);

impl Uring {
    pub(super) fn port(&mut self, listener: &mut Listener, token: Token) -> io::Result<usize> {
        if !listener.registered {
            // The kernel waits for connections only where it may block.
            let flags = fcntl_getfl(listener.fd())?;
            fcntl_setfl(listener.fd(), flags - OFlags::NONBLOCK)?;
            let port = Port {
                token: Some(token),
                fd: listener.fd().as_raw_fd(),
                ..Port::default()
            };
            let free = self.ports.iter().position(|p| p.token.is_none());
            let place = free.unwrap_or(self.ports.len());
            if free.is_some() {
                self.ports[place] = port;
            } else {
                self.ports.push(port);
            }
            listener.slot = place as u32;
            listener.registered = true;
        }
        Ok(listener.slot as usize)
    }

    pub(super) fn switch_accepting(&mut self, place: usize, on: bool) {
        let port = &mut self.ports[place];
        port.on = on;
        if !on && port.armed && !std::mem::replace(&mut port.cancelling, true) {
            self.cancel(Kind::Accept, place as u32);
        }
    }

    /// Begins to accept wherever that should go on, and tells of what waits to be collected.
    pub(super) fn arm_ports(&mut self) {
        for place in 0..self.ports.len() {
            let port = &mut self.ports[place];
            if !port.wants_arming() {
                continue;
            }
            port.armed = true;
            port.cancelling = false;
            // Not NONBLOCK: the kernel waits for these sockets.
            let entry = opcode::AcceptMulti::new(types::Fd(port.fd))
                .flags(libc::SOCK_CLOEXEC)
                .build()
                .user_data(user_data(Kind::Accept, place as u32));
            #[allow(unsafe_code)]
            // SAFETY: it names no memory.
            unsafe {
                self.ring.push(entry);
            }
        }
    }

    /// Events of listeners repeat while there is something to collect.
    pub(super) fn report_ports(&self, events: &mut Vec<Event>) {
        for port in &self.ports {
            if port.on && (!port.accepted.is_empty() || port.failure.is_some()) {
                events.extend(port.token.map(Event::readable));
            }
        }
    }

    pub(super) fn has_accepted(&self) -> bool {
        let mut ports = self.ports.iter();
        ports.any(|p| p.on && (!p.accepted.is_empty() || p.failure.is_some()))
    }

    pub(super) fn accepted(&mut self, place: usize, result: i32, flags: u32) {
        let port = &mut self.ports[place];
        if result >= 0 {
            #[allow(unsafe_code)]
            // SAFETY: the kernel made this descriptor for us, and nobody else knows it.
            let fd = unsafe { OwnedFd::from_raw_fd(result) };
            port.accepted.push_back(fd);
        }
        if !cqueue::more(flags) {
            port.armed = false;
            port.cancelling = false;
        } else if port.accepted.len() >= ACCEPTED_MAX
            && !std::mem::replace(&mut port.cancelling, true)
        {
            self.cancel(Kind::Accept, place as u32);
        }
        let port = &mut self.ports[place];
        match -result {
            ..=0 | libc::ECANCELED | libc::EINTR => {}
            // Its switch is off: it would fail again at once.
            libc::EINVAL => self.look_later(place),
            errno => port.failure = Some(errno),
        }
        self.free_port(place);
    }

    fn look_later(&mut self, place: usize) {
        self.ports[place].off = true;
        let entry = opcode::Timeout::new(&raw const OFF)
            .build()
            .user_data(user_data(Kind::Off, place as u32));
        #[allow(unsafe_code)]
        // SAFETY: the time is a constant of the program.
        unsafe {
            self.ring.push(entry);
        }
    }

    pub(super) fn looked_later(&mut self, place: usize) {
        self.ports[place].off = false;
        self.free_port(place);
    }

    pub(super) fn collect_accepted(
        &mut self,
        listener: &Listener,
    ) -> io::Result<Option<(Socket, Peer)>> {
        let port = &mut self.ports[listener.slot as usize];
        if let Some(fd) = port.accepted.pop_front() {
            return Ok(Some(describe(fd, listener)));
        }
        match port.failure.take() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(None),
        }
    }

    pub(super) fn shut_port(&mut self, listener: Listener) {
        let place = listener.slot as usize;
        if listener.registered {
            self.switch_accepting(place, false);
            let port = &mut self.ports[place];
            // What nobody collected is reset, as what waits in a backlog is.
            port.accepted
                .drain(..)
                .for_each(|fd| super::reset_at_close(&fd));
            port.closed = Some(listener);
            self.free_port(place);
        }
    }

    fn free_port(&mut self, place: usize) {
        if self.ports[place].is_over() {
            self.ports[place] = Port::default();
        }
    }

    /// Operations of listeners that the kernel has not finished.
    pub(super) fn port_operations(&self) -> u64 {
        let ports = self.ports.iter();
        ports.map(|p| u64::from(p.armed) + u64::from(p.off)).sum()
    }
}

fn describe(fd: OwnedFd, listener: &Listener) -> (Socket, Peer) {
    let unix = listener.is_unix();
    let mut peer = Peer {
        unix,
        descriptor: fd.as_raw_fd(),
        tag: listener.tag(),
        ..Peer::default()
    };
    if !unix {
        // Many connections come from one operation, so it cannot tell whose they are.
        let remote = getpeername(&fd).ok().flatten();
        peer.remote = remote.and_then(|a| SocketAddr::try_from(a).ok());
        let local = getsockname(&fd).ok();
        peer.local = local.and_then(|a| SocketAddr::try_from(a).ok());
    }
    (Socket::new(fd, unix), peer)
}
