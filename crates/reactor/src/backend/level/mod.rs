//! Backends over pollers that are level-triggered: epoll without its edges, poll, select.
//!
//! Edges are emulated. A socket that was reported is not asked about again until `receive` found it drained (or `send` found it full),
//! so a connection that nobody reads does not keep the loop awake. What is wanted is only noted down when it changes, and told to
//! the poller before the next wait: a socket that was reported and drained in the same turn, as most are, costs no call for it.
//! A hang-up or an error cannot be turned off in a poller, so a socket that had one is told of it and taken out for good: all that is
//! left to be found out, reading and writing will tell.
//!
//! Invariant: each wait finds the poller wanting exactly what the loop does not know yet. Listeners and watched descriptors repeat.

mod watched;

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use dunlin_structures::Rope;

use super::eventfd::EventFd;
use super::poller::{EpollPoller, Interest, PollPoller, Poller, Readiness, SelectPoller};
use super::socket::{self, ConnectAddress, Listener, Socket};
use super::{Backend, Event, Received, Sent, SocketOption, SystemBackend, Token};
use crate::buffer::Buffer;
use crate::clock::{Clock, SystemClock};
use crate::conn::Peer;
use crate::waker::Wake;
use watched::{Kind, Watched};

/// The backend on level-triggered epoll.
pub type EpollLevel = Level<EpollPoller>;

/// The backend on poll(2).
pub type Poll = Level<PollPoller>;

/// The backend on select(2): for descriptors below [`SelectPoller::DESCRIPTORS_MAX`].
pub type Select = Level<SelectPoller>;

/// Events asked for at first; doubled while that many come.
const EVENTS_MIN: usize = 128;

/// Events asked for at most; more are reported by the next wait.
const EVENTS_MAX: usize = 4_096;

/// A poller with its waker, as a backend.
pub struct Level<P> {
    poller: P,
    waker: Arc<EventFd>,
    /// By descriptor.
    table: Vec<Option<Watched>>,
    /// Descriptors of which the poller may have to be told something else. Entries may be stale.
    changed: Vec<RawFd>,
    events_max: usize,
    ready: Vec<Readiness>,
}

impl<P: Poller> Level<P> {
    /// A new instance.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Level<P>> {
        let waker = Arc::new(EventFd::new()?);
        let fd = waker.fd().as_raw_fd();
        let mut level = Level {
            poller: P::open()?,
            waker,
            table: Vec::new(),
            changed: Vec::new(),
            events_max: EVENTS_MIN,
            ready: Vec::new(),
        };
        level.begin(fd, Token::WAKER, Kind::Waker)?;
        Ok(level)
    }

    /// Begins to watch a descriptor.
    fn begin(&mut self, fd: RawFd, token: Token, kind: Kind) -> io::Result<()> {
        let watched = Watched::new(token, kind);
        self.poller.add(fd, fd as u64, watched.wanted())?;
        let index = fd as usize;
        if self.table.len() <= index {
            self.table.resize_with(index + 1, || None);
        }
        self.table[index] = Some(watched);
        Ok(())
    }

    /// Forgets a descriptor that is about to be closed.
    fn end(&mut self, fd: RawFd) {
        let slot = self.table.get_mut(fd as usize);
        if let Some(watched) = slot.and_then(Option::take)
            && watched.is_in_poller()
        {
            // It is open and was added, so that this cannot fail.
            let removed = self.poller.remove(fd);
            debug_assert!(removed.is_ok(), "{removed:?}");
        }
    }

    /// Lets `change` act on a descriptor that is watched, and notes it down if the poller is to be told.
    #[inline]
    fn update(&mut self, fd: RawFd, change: impl FnOnce(&mut Watched)) {
        if let Some(Some(watched)) = self.table.get_mut(fd as usize) {
            change(watched);
            if watched.note_change() {
                self.changed.push(fd);
            }
        }
    }

    /// Tells the poller what has changed since the last wait.
    fn tell_poller(&mut self) -> io::Result<()> {
        for fd in self.changed.drain(..) {
            let Some(Some(watched)) = self.table.get_mut(fd as usize) else {
                continue;
            };
            match watched.take_change() {
                Some(Some(wanted)) => self.poller.modify(fd, fd as u64, wanted)?,
                Some(None) => self.poller.remove(fd)?,
                None => {}
            }
        }
        Ok(())
    }

    fn report(&mut self, readiness: Readiness, events: &mut Vec<Event>) {
        let fd = readiness.key as RawFd;
        if let Some(Some(watched)) = self.table.get_mut(fd as usize) {
            if watched.kind() == Kind::Waker {
                // Its counter would be reported for ever.
                self.waker.drain();
            }
            events.push(watched.report(&readiness));
            if watched.note_change() {
                self.changed.push(fd);
            }
        }
    }
}

impl<P: Poller + Send + 'static> SystemBackend for Level<P> {
    fn open() -> io::Result<Level<P>> {
        Level::new()
    }
}

impl<P> fmt::Debug for Level<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Level")
            .field("watched", &self.table.iter().flatten().count())
            .finish_non_exhaustive()
    }
}

impl<P: Poller> Backend for Level<P> {
    type Socket = Socket;
    type Listener = Listener;
    type Descriptor = OwnedFd;

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    #[inline]
    fn monotonic_us(&self) -> u64 {
        SystemClock.monotonic_us()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.waker) as Arc<dyn Wake>
    }

    fn wait(&mut self, timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()> {
        self.tell_poller()?;
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        let waited = self.poller.wait(self.events_max, timeout_ms, &mut ready);
        for readiness in &ready {
            self.report(*readiness, events);
        }
        if ready.len() == self.events_max && self.events_max < EVENTS_MAX {
            self.events_max *= 2;
        }
        self.ready = ready;
        waited.map(|_| ())
    }

    fn set_accepting(&mut self, listener: &mut Listener, token: Token, on: bool) -> io::Result<()> {
        let fd = listener.fd().as_raw_fd();
        if !listener.registered {
            self.begin(fd, token, Kind::Listener)?;
            listener.registered = true;
        }
        self.update(fd, |watched| watched.want(Interest::READABLE, on));
        Ok(())
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Option<(Socket, Peer)>> {
        socket::accept(listener)
    }

    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
        socket::connect(address)
    }

    fn close(&mut self, socket: Socket) {
        self.end(socket.fd.as_raw_fd());
    }

    fn close_listener(&mut self, listener: Listener) {
        self.end(listener.fd().as_raw_fd());
    }

    fn attach(&mut self, socket: &mut Socket, token: Token) -> io::Result<()> {
        let kind = if socket.connecting {
            Kind::Connecting
        } else {
            Kind::Socket
        };
        self.begin(socket.fd.as_raw_fd(), token, kind)
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        let got = socket::receive(&socket.fd, buffer, bytes_max);
        self.update(socket.fd.as_raw_fd(), |watched| watched.received(&got));
        got
    }

    fn send(
        &mut self,
        socket: &mut Socket,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent> {
        let sent = socket::send(&socket.fd, rope, bytes_max, recycle)?;
        if sent.blocked {
            self.update(socket.fd.as_raw_fd(), Watched::blocked);
        }
        Ok(sent)
    }

    fn watch_writable(&mut self, socket: &mut Socket, _token: Token, on: bool) -> io::Result<()> {
        self.update(socket.fd.as_raw_fd(), |watched| watched.watch_writable(on));
        Ok(())
    }

    fn shutdown_write(&mut self, socket: &mut Socket) -> io::Result<()> {
        socket.shutdown_write()
    }

    fn unconfirmed_bytes(&mut self, socket: &mut Socket) -> usize {
        socket.unconfirmed_bytes()
    }

    fn last_received_ago_us(&mut self, socket: &mut Socket) -> Option<u64> {
        socket.last_received_ago_us()
    }

    fn take_error(&mut self, socket: &mut Socket) -> Option<io::Error> {
        socket.take_error()
    }

    fn set_option(&mut self, socket: &mut Socket, option: SocketOption) -> io::Result<()> {
        socket.set_option(option)
    }

    fn watch(&mut self, descriptor: &OwnedFd, token: Token) -> io::Result<()> {
        self.begin(descriptor.as_raw_fd(), token, Kind::Descriptor)
    }
}

#[cfg(test)]
mod tests;
