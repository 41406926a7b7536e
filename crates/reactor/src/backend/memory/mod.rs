//! The in-memory backend: a deterministic network inside the process, on virtual time.
//!
//! It behaves as the system's sockets may at their worst: bytes arrive in any pieces, events in any order, writes are cut
//! short, buffers are bounded, closing with unread input resets the connection and drops what the peer had not read. The same
//! seed and the same calls give the same run.
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
mod dial;
mod link;
mod network;
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
use link::Owner;

pub use client::Client;
pub use network::Network;

/// The backend of one loop.
#[derive(Debug)]
pub struct Memory {
    network: Network,
    index: usize,
    descriptors: Vec<(Signal, Token)>,
}

/// A loop's end of a connection: the server's, or the client's if the loop made it.
#[derive(Debug)]
pub struct Socket {
    network: Network,
    link: usize,
    dialed: bool,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut inner = self.network.lock();
        if self.dialed {
            inner.link(self.link).dialer_close();
        } else {
            inner.link(self.link).server_close();
        }
        inner.release(self.link);
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
            inner.link(link).server_close();
            inner.release(link);
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
        events.extend(raised.map(|(_, token)| wait::readable(*token)));
        Ok(())
    }

    fn set_accepting(&mut self, listener: &mut Listener, token: Token, on: bool) -> io::Result<()> {
        let acceptor = on.then_some((self.index, token));
        self.network.lock().ports[listener.port].acceptor = acceptor;
        Ok(())
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Option<(Socket, Peer)>> {
        let mut inner = self.network.lock();
        let port = &mut inner.ports[listener.port];
        if port.backlog.is_empty() {
            return Ok(None);
        }
        if let Some(errno) = port.failures.pop_front() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let local: SocketAddr = port.address;
        let Some(link) = port.backlog.pop_front() else {
            return Ok(None);
        };
        let peer = Peer {
            remote: Some(Network::client_address(link)),
            local: Some(local),
            descriptor: -1,
            ..Peer::default()
        };
        let socket = Socket {
            network: self.network.clone(),
            link,
            dialed: false,
        };
        Ok(Some((socket, peer)))
    }

    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
        let Some(remote) = address.socket_address() else {
            // There are no files here, so nobody listens on a path.
            return Err(io::ErrorKind::NotFound.into());
        };
        let link = self.network.dial(remote)?;
        let peer = Peer {
            remote: Some(remote),
            local: Some(Network::client_address(link)),
            descriptor: -1,
            ..Peer::default()
        };
        let socket = Socket {
            network: self.network.clone(),
            link,
            dialed: true,
        };
        Ok((socket, peer))
    }

    fn attach(&mut self, socket: &mut Socket, token: Token) -> io::Result<()> {
        let owner = Owner {
            backend: self.index,
            token,
        };
        let mut inner = self.network.lock();
        let link = inner.link(socket.link);
        if socket.dialed {
            link.dialer.attach(owner);
        } else {
            link.attach(owner);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        let asked = buffer.room(bytes_max).len();
        if socket.dialed {
            let mut bytes = Vec::new();
            let mut inner = self.network.lock();
            let read = inner.link(socket.link).client_read(&mut bytes, asked)?;
            buffer.append(&bytes);
            return Ok(Received {
                bytes: bytes.len(),
                more: bytes.len() == asked,
                eof: read == Some(0),
            });
        }
        let read = self.network.lock().link(socket.link).server_read(asked)?;
        let Some(bytes) = read else {
            return Ok(Received::default());
        };
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
        let mut rng = inner.rng.clone();
        let splitting = inner.splitting;
        let link = inner.link(socket.link);
        let asked = rope.len().min(bytes_max);
        let bytes = if socket.dialed {
            link.dialer_room(asked, &mut rng, splitting)?
        } else {
            link.server_room(asked, &mut rng, splitting)?
        };
        let mut left = bytes;
        while left > 0 {
            let mut slices = [IoSlice::new(&[])];
            rope.slices_within(left, &mut slices);
            let n = slices[0].len();
            if socket.dialed {
                link.client_write(&slices[0])?;
            } else {
                link.server_write(&slices[0]);
            }
            rope.advance_recycling(n, &mut *recycle);
            left -= n;
        }
        inner.rng = rng;
        Ok(Sent {
            bytes,
            blocked: bytes < asked,
        })
    }

    fn watch_writable(&mut self, socket: &mut Socket, _token: Token, on: bool) -> io::Result<()> {
        let mut inner = self.network.lock();
        let link = inner.link(socket.link);
        if socket.dialed {
            link.dialer_wants_writable(on);
        } else {
            link.want_writable(on);
        }
        Ok(())
    }

    fn shutdown_write(&mut self, socket: &mut Socket) -> io::Result<()> {
        let mut inner = self.network.lock();
        let link = inner.link(socket.link);
        if socket.dialed {
            link.client_shutdown();
        } else {
            link.server_shutdown();
        }
        Ok(())
    }

    fn unconfirmed_bytes(&mut self, socket: &mut Socket) -> usize {
        let mut inner = self.network.lock();
        let link = inner.link(socket.link);
        if socket.dialed {
            link.unread_by_server()
        } else {
            link.unread_by_client()
        }
    }

    fn take_error(&mut self, socket: &mut Socket) -> Option<io::Error> {
        let mut inner = self.network.lock();
        let link = inner.link(socket.link);
        if socket.dialed {
            link.dialer_error()
        } else {
            link.take_reset()
        }
    }

    fn set_option(&mut self, _socket: &mut Socket, _option: SocketOption) -> io::Result<()> {
        Ok(())
    }

    fn watch(&mut self, descriptor: &Signal, token: Token) -> io::Result<()> {
        self.descriptors.push((descriptor.clone(), token));
        Ok(())
    }
}
