//! Bugs of a reactor, to show that the simulation finds such: a backend that does now and then what a wrong one would do.
//!
//! Invariant: without a bug it hands every call on unchanged.

use std::io;
use std::sync::Arc;

use dunlin_reactor::backend::memory::{Listener, Memory, Signal, Socket};
use dunlin_reactor::backend::{Backend, Event, Received, Sent, SocketOption, Token};
use dunlin_reactor::{Buffer, Clock, ConnectAddress, Peer, Rope, Wake};
use dunlin_resp::{ReplyLimits, ReplyParser};
use dunlin_simulator::Random;

use crate::world::InMemory;

/// Opportunities of which one is taken.
const ONE_IN: usize = 50;

/// What can be wrong.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A reply goes to the connection that is written to next.
    WrongConnection,
    /// Two replies of a connection change places.
    Swapped,
    /// What a full socket took is sent again.
    Doubled,
    /// Some of what a full socket did not take is forgotten.
    Lost,
    /// A connection that was reset is kept.
    Leaked,
    /// The end of the peer's stream is overlooked.
    Deaf,
}

/// See the module's text.
pub(crate) struct Planted {
    inner: Memory,
    bug: Option<Bug>,
    random: Random,
    /// A reply that looks for a connection.
    stray: Vec<u8>,
}

impl Planted {
    pub(crate) fn new(inner: Memory, bug: Option<Bug>, seed: u64) -> Planted {
        Planted {
            inner,
            bug,
            random: Random::new(seed),
            stray: Vec::new(),
        }
    }

    /// Whether the bug shows now.
    fn strikes(&mut self, bug: Bug) -> bool {
        self.bug == Some(bug) && self.random.one_in(ONE_IN)
    }

    /// Lets two replies at the front of a rope change places.
    fn swap(&mut self, rope: &mut Rope) {
        let bytes = contents(rope);
        if let Some(first) = reply_end(&bytes)
            && let Some(second) = reply_end(&bytes[first..])
            && bytes[..first] != bytes[first..first + second]
            && self.strikes(Bug::Swapped)
        {
            let (one, rest) = bytes.split_at(first);
            replace(rope, &[&rest[..second], one, &rest[second..]]);
        }
    }

    /// Sends a reply that was taken from another connection, or takes one; how many bytes of the rope that were.
    fn stray(&mut self, socket: &mut Socket, rope: &mut Rope) -> io::Result<usize> {
        if !self.stray.is_empty() {
            let mut stray = Rope::new();
            stray.push_owned(std::mem::take(&mut self.stray));
            let bytes_max = stray.len();
            self.inner.send(socket, &mut stray, bytes_max, &mut drop)?;
        } else if let Some(first) = reply_end(&contents(rope))
            && self.strikes(Bug::WrongConnection)
        {
            self.stray = contents(rope)[..first].to_vec();
            rope.advance(first);
            return Ok(first);
        }
        Ok(0)
    }
}

impl InMemory for Planted {
    fn memory(&self) -> &Memory {
        &self.inner
    }
}

/// A rope's bytes.
fn contents(rope: &Rope) -> Vec<u8> {
    let mut slices = [io::IoSlice::new(&[]); 1_024];
    let n = rope.slices(&mut slices);
    slices[..n].iter().flat_map(|s| s.iter().copied()).collect()
}

fn replace(rope: &mut Rope, parts: &[&[u8]]) {
    rope.clear();
    rope.push_owned(parts.concat());
}

/// Where the first reply ends, if there is a whole one.
fn reply_end(bytes: &[u8]) -> Option<usize> {
    let mut parser = ReplyParser::new(ReplyLimits::default());
    let decoded = parser.feed(bytes).ok()?;
    decoded.value.map(|_| decoded.consumed)
}

impl Backend for Planted {
    type Socket = Socket;
    type Listener = Listener;
    type Descriptor = Signal;

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock()
    }

    fn monotonic_us(&self) -> u64 {
        self.inner.monotonic_us()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.inner.waker()
    }

    fn wait(&mut self, timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()> {
        let first = events.len();
        self.inner.wait(timeout_ms, events)?;
        if self.bug == Some(Bug::Leaked) {
            for event in &mut events[first..] {
                event.failed = false;
            }
        }
        Ok(())
    }

    fn set_accepting(&mut self, listener: &mut Listener, token: Token, on: bool) -> io::Result<()> {
        self.inner.set_accepting(listener, token, on)
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Option<(Socket, Peer)>> {
        self.inner.accept(listener)
    }

    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
        self.inner.connect(address)
    }

    fn attach(&mut self, socket: &mut Socket, token: Token) -> io::Result<()> {
        self.inner.attach(socket, token)
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        match self.inner.receive(socket, buffer, bytes_max) {
            Err(_) if self.bug == Some(Bug::Leaked) => Ok(Received::default()),
            Ok(received) if received.eof && self.strikes(Bug::Deaf) => Ok(Received::default()),
            received => received,
        }
    }

    fn send(
        &mut self,
        socket: &mut Socket,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent> {
        if self.bug == Some(Bug::Swapped) {
            self.swap(rope);
        }
        if self.bug == Some(Bug::WrongConnection) {
            let taken = self.stray(socket, rope)?;
            if rope.is_empty() {
                return Ok(Sent {
                    bytes: taken,
                    blocked: false,
                });
            }
            let sent = self.inner.send(socket, rope, bytes_max, recycle)?;
            return Ok(Sent {
                bytes: sent.bytes + taken,
                ..sent
            });
        }
        if !matches!(self.bug, Some(Bug::Doubled | Bug::Lost)) {
            return self.inner.send(socket, rope, bytes_max, recycle);
        }
        let head = contents(rope);
        let sent = self.inner.send(socket, rope, bytes_max, recycle)?;
        if sent.blocked && sent.bytes > 0 && self.strikes(Bug::Doubled) {
            let left = contents(rope);
            replace(rope, &[&head[..sent.bytes], &left]);
            return Ok(Sent { bytes: 0, ..sent });
        }
        if sent.blocked && sent.bytes > 0 && rope.len() > 1 && self.strikes(Bug::Lost) {
            rope.advance_recycling(1, recycle);
            return Ok(Sent {
                bytes: sent.bytes + 1,
                ..sent
            });
        }
        Ok(sent)
    }

    fn watch_writable(&mut self, socket: &mut Socket, token: Token, on: bool) -> io::Result<()> {
        self.inner.watch_writable(socket, token, on)
    }

    fn shutdown_write(&mut self, socket: &mut Socket) -> io::Result<()> {
        self.inner.shutdown_write(socket)
    }

    fn unconfirmed_bytes(&mut self, socket: &mut Socket) -> usize {
        self.inner.unconfirmed_bytes(socket)
    }

    fn take_error(&mut self, socket: &mut Socket) -> Option<io::Error> {
        self.inner.take_error(socket)
    }

    fn set_option(&mut self, socket: &mut Socket, option: SocketOption) -> io::Result<()> {
        self.inner.set_option(socket, option)
    }

    fn watch(&mut self, descriptor: &Signal, token: Token) -> io::Result<()> {
        self.inner.watch(descriptor, token)
    }
}
