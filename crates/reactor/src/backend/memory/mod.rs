//! The in-memory backend: a deterministic network inside the process, on virtual time.
//!
//! It behaves as the system's sockets may at their worst: bytes arrive in any pieces, events in any order, writes are cut
//! short, buffers are bounded, closing with unread input resets the connection and drops what the peer had not read. With [`Faults`]
//! bytes take their time, and connections are reset or cut without a word at any byte. The same seed and the same calls give the same run.
//!
//! Invariant: waiting never blocks; the test moves time and decides which loop runs next.
//!
//! ```
//! use dunlin_reactor::backend::memory::Network;
//! use dunlin_reactor::{EventLoop, Limits};
//!
//! let network = Network::new(42);
//! let address = "10.0.0.1:6379".parse()?;
//! let mut server = EventLoop::new(network.backend(), Limits::default());
//! server.add_listener(network.listen(address)?)?;
//! let mut client = network.connect(address)?;
//! assert_eq!(client.write(b"PING\r\n")?, 6);
//! assert!(server.is_runnable());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod faults;
mod link;
mod network;
mod pipe;
mod rng;
mod wait;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dunlin_structures::Rope;

use super::socket::ConnectAddress;
use super::{Backend, Event, Received, Sent, SocketOption, Token};
use crate::buffer::Buffer;
use crate::clock::Clock;
use crate::conn::Peer;
use crate::event_loop::{EventLoop, Sleep};
use crate::waker::Wake;
use link::{ACCEPTED, OPENER, Owner};

pub use client::Client;
pub use faults::Faults;
pub use network::Network;

/// The backend of one loop.
#[derive(Debug)]
pub struct Memory {
    network: Network,
    index: usize,
    descriptors: Vec<(Signal, Token)>,
}

/// A loop's end of a connection.
#[derive(Debug)]
pub struct Socket {
    network: Network,
    link: usize,
    end: usize,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.lock().close(self.link, self.end, false);
    }
}

/// A listener. Dropping it refuses what waits in its backlog.
#[derive(Debug)]
pub struct Listener {
    network: Network,
    port: usize,
}

impl Listener {
    fn new(network: Network, port: usize) -> Listener {
        Listener { network, port }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut inner = self.network.lock();
        let port = &mut inner.ports[self.port];
        port.open = false;
        port.acceptor = None;
        for link in std::mem::take(&mut port.backlog) {
            inner.close(link, ACCEPTED, false);
        }
    }
}

/// Stands for a descriptor that can be watched: readable from `raise` until `clear`.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    raised: Arc<AtomicBool>,
}

impl Signal {
    /// Makes it readable.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
    }

    /// Reads it empty.
    pub fn clear(&self) {
        self.raised.store(false, Ordering::SeqCst);
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }
}

struct MemoryWake {
    network: Network,
    index: usize,
}

impl Wake for MemoryWake {
    fn wake(&self) {
        self.network.lock().woken[self.index] = true;
    }
}

impl Memory {
    fn new(network: Network, index: usize) -> Memory {
        Memory {
            network,
            index,
            descriptors: Vec::new(),
        }
    }

    fn socket(&self, link: usize, end: usize) -> Socket {
        let network = self.network.clone();
        Socket { network, link, end }
    }

    /// True when a wait would report something, at once or after a few turns.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.descriptors.iter().any(|(s, _)| s.is_raised())
            || wait::has_news(&self.network.lock(), self.index)
    }
}

impl EventLoop<Memory> {
    /// True when a turn would have something to do at the present virtual time.
    #[must_use]
    pub fn is_runnable(&mut self) -> bool {
        let due = match self.sleep() {
            Sleep::None => true,
            Sleep::Forever => false,
            Sleep::Until(at_ms) => at_ms <= self.backend().monotonic_us() / 1_000,
        };
        !self.has_ended() && (due || self.backend().has_news())
    }
}

impl Backend for Memory {
    type Socket = Socket;
    type Listener = Listener;
    type Descriptor = Signal;

    fn clock(&self) -> Arc<dyn Clock> {
        self.network.clock()
    }

    fn monotonic_us(&self) -> u64 {
        self.network.clock().monotonic_us()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(MemoryWake {
            network: self.network.clone(),
            index: self.index,
        })
    }

    fn wait(&mut self, _timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()> {
        wait::wait(&mut self.network.lock(), self.index, events);
        let raised = self.descriptors.iter().filter(|(s, _)| s.is_raised());
        events.extend(raised.map(|(_, token)| Event::readable(*token)));
        Ok(())
    }

    fn set_accepting(&mut self, listener: &mut Listener, token: Token, on: bool) -> io::Result<()> {
        let acceptor = on.then_some((self.index, token));
        self.network.lock().ports[listener.port].acceptor = acceptor;
        Ok(())
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Option<(Socket, Peer)>> {
        let mut inner = self.network.lock();
        let now_us = self.network.clock().monotonic_us();
        let Some(place) = inner.first_arrived(&inner.ports[listener.port], now_us) else {
            return Ok(None);
        };
        if let Some(errno) = inner.accept_failure(listener.port) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let port = &mut inner.ports[listener.port];
        let local: SocketAddr = port.address;
        let Some(link) = port.backlog.remove(place) else {
            return Ok(None);
        };
        let peer = Peer {
            remote: Some(Network::client_address(link)),
            local: Some(local),
            descriptor: -1,
            ..Peer::default()
        };
        Ok(Some((self.socket(link, ACCEPTED), peer)))
    }

    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
        let Some(remote) = address.socket_address() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut inner = self.network.lock();
        let link = inner.add_link();
        let port = inner.port(remote);
        let succeeds = port.is_some();
        if let Some(port) = port {
            port.backlog.push_back(link);
        }
        inner.link(link).begin_connect(succeeds);
        let peer = Peer {
            remote: Some(remote),
            local: Some(Network::client_address(link)),
            descriptor: -1,
            ..Peer::default()
        };
        Ok((self.socket(link, OPENER), peer))
    }

    fn attach(&mut self, socket: &mut Socket, token: Token) -> io::Result<()> {
        let owner = Owner {
            backend: self.index,
            token,
        };
        let mut inner = self.network.lock();
        inner.link(socket.link).attach(socket.end, owner);
        Ok(())
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        let asked = buffer.room(bytes_max).len();
        let mut bytes = Vec::new();
        let mut inner = self.network.lock();
        let link = inner.link(socket.link);
        if link.read(socket.end, asked, &mut bytes)?.is_none() {
            return Ok(Received::default());
        }
        buffer.append(&bytes);
        Ok(Received {
            bytes: bytes.len(),
            more: bytes.len() == asked,
            eof: bytes.is_empty(),
        })
    }

    fn send(
        &mut self,
        socket: &mut Socket,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent> {
        let mut inner = self.network.lock();
        let (link, mut moment) = inner.at(socket.link);
        let asked = rope.len().min(bytes_max);
        let bytes = link.room(socket.end, asked, &mut moment)?;
        let mut left = bytes;
        while left > 0 {
            let mut slices = [IoSlice::new(&[])];
            rope.slices_within(left, &mut slices);
            let n = slices[0].len();
            link.send(socket.end, &slices[0], &mut moment);
            rope.advance_recycling(n, &mut *recycle);
            left -= n;
        }
        Ok(Sent {
            bytes,
            blocked: bytes < asked,
        })
    }

    fn watch_writable(&mut self, socket: &mut Socket, _token: Token, on: bool) -> io::Result<()> {
        let mut inner = self.network.lock();
        inner.link(socket.link).want_writable(socket.end, on);
        Ok(())
    }

    fn shutdown_write(&mut self, socket: &mut Socket) -> io::Result<()> {
        let mut inner = self.network.lock();
        let (link, mut moment) = inner.at(socket.link);
        link.shut_down(socket.end, &mut moment);
        Ok(())
    }

    fn unconfirmed_bytes(&mut self, socket: &mut Socket) -> usize {
        self.network.lock().link(socket.link).unread(socket.end)
    }

    fn last_received_ago_us(&mut self, socket: &mut Socket) -> Option<u64> {
        let now_us = self.monotonic_us();
        let at_us = self
            .network
            .lock()
            .link(socket.link)
            .last_arrival_us(socket.end);
        Some(now_us.saturating_sub(at_us))
    }

    fn take_error(&mut self, socket: &mut Socket) -> Option<io::Error> {
        let mut inner = self.network.lock();
        inner.link(socket.link).take_failure(socket.end)
    }

    fn set_option(&mut self, socket: &mut Socket, option: SocketOption) -> io::Result<()> {
        if let SocketOption::KeepAlive(idle) = option {
            let idle_us = idle.map(|idle| u64::try_from(idle.as_micros()).unwrap_or(u64::MAX / 4));
            let mut inner = self.network.lock();
            inner.link(socket.link).set_keepalive(socket.end, idle_us);
        }
        Ok(())
    }

    fn watch(&mut self, descriptor: &Signal, token: Token) -> io::Result<()> {
        self.descriptors.push((descriptor.clone(), token));
        Ok(())
    }
}
