//! What a backend owes the loop, shaped for completion.
//!
//! Invariant: the loop asks `wait` what has happened, collects received bytes with `receive`, hands output over with `send`;
//! none of these blocks but `wait`. Whether the bytes were moved by the kernel in the meantime (io_uring) or are moved by the
//! call (epoll) is the backend's business. Readiness is reported at its edges: once, until the loop found the socket drained
//! (`Received::more` false) or full (`Sent::blocked` true) and something changed. A backend knows no connection states and no
//! limits: those are the loop's.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use dunlin_structures::Rope;

use crate::buffer::Buffer;
use crate::clock::Clock;
use crate::conn::Peer;
use crate::waker::Wake;
use socket::{ConnectAddress, Listener, Socket};

pub mod epoll;
mod eventfd;
pub mod level;
pub mod memory;
mod moderation;
pub mod poller;
pub mod socket;
pub mod uring;

/// Names the subject of an event: a connection (slot and generation), a listener, a watched descriptor or the waker.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Token(pub u64);

/// A token taken apart.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Subject {
    Connection { index: u32, generation: u32 },
    Listener(u32),
    Descriptor(u32),
    Waker,
}

/// The longest single sleep (a day): waking for nothing that rarely is free, and it fits every kernel's timeout.
pub(crate) const SLEEP_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

const KIND_BASE: u32 = 0xFFFF_FF00;
const KIND_LISTENER: u32 = KIND_BASE;
const KIND_DESCRIPTOR: u32 = KIND_BASE + 1;
const KIND_WAKER: u32 = KIND_BASE + 2;

impl Token {
    /// The waker's token.
    pub const WAKER: Token = Token::of(KIND_WAKER, 0);
    /// Slots that tokens can name.
    pub(crate) const CONNECTIONS_MAX: usize = KIND_BASE as usize;

    const fn of(index: u32, low: u32) -> Token {
        Token((index as u64) << 32 | low as u64)
    }

    pub(crate) fn connection(index: u32, generation: u32) -> Token {
        Token::of(index, generation)
    }

    pub(crate) fn listener(index: u32) -> Token {
        Token::of(KIND_LISTENER, index)
    }

    pub(crate) fn descriptor(index: u32) -> Token {
        Token::of(KIND_DESCRIPTOR, index)
    }

    /// The slot of a connection; a number beyond all slots for any other subject.
    #[inline]
    fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub(crate) fn subject(self) -> Subject {
        let (high, low) = ((self.0 >> 32) as u32, self.0 as u32);
        match high {
            KIND_LISTENER => Subject::Listener(low),
            KIND_DESCRIPTOR => Subject::Descriptor(low),
            KIND_WAKER => Subject::Waker,
            index => Subject::Connection {
                index,
                generation: low,
            },
        }
    }
}

/// Something that happened.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Event {
    /// To whom.
    pub token: Token,
    /// Bytes, a connection, the end of the stream or an error can be collected.
    pub readable: bool,
    /// A socket that was full takes output again.
    pub writable: bool,
    /// The peer shut its sending side down.
    pub peer_closed: bool,
    /// The transport failed, or both sides are shut.
    pub failed: bool,
}

impl Event {
    /// Something can be collected, and nothing else has happened.
    pub(crate) fn readable(token: Token) -> Event {
        Event {
            token,
            readable: true,
            writable: false,
            peer_closed: false,
            failed: false,
        }
    }
}

/// What `receive` collected.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Received {
    /// Bytes appended to the buffer.
    pub bytes: usize,
    /// There may be more; no event will say so.
    pub more: bool,
    /// The peer's stream has ended.
    pub eof: bool,
}

/// What `send` took.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Sent {
    /// Bytes taken from the front of the rope.
    pub bytes: usize,
    /// The socket takes no more for now.
    pub blocked: bool,
}

/// Bytes in a backend's hands.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Held {
    /// Memory of bytes that were received and not collected.
    pub received: usize,
    /// Bytes that were taken and not passed to the system.
    pub sending: usize,
    /// Memory of those that nobody else owns.
    pub sending_memory: usize,
}

/// An option of a connected socket.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum SocketOption {
    /// Send small segments at once.
    NoDelay(bool),
    /// Probe an idle peer after this time.
    KeepAlive(Option<Duration>),
}

/// A way to do I/O. One instance per loop.
pub trait Backend {
    /// A connected socket. Dropping it closes it.
    type Socket;
    /// A listening socket. Dropping it closes it.
    type Listener;
    /// Something else that can become readable.
    type Descriptor;

    /// The clock by which timeouts are meant.
    fn clock(&self) -> Arc<dyn Clock>;

    /// The same clock's monotonic time, without a dynamic call.
    fn monotonic_us(&self) -> u64;

    /// What ends a wait from another thread.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Waits until something happens or `timeout_ms` have passed (`None`: no limit), and appends what did. May return early.
    ///
    /// # Errors
    /// Only for what the loop cannot survive.
    fn wait(&mut self, timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Passes on what waits for the next wait, for a loop that has long work to do before it.
    ///
    /// # Errors
    /// As for [`Backend::wait`].
    fn submit(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The loop has ended: sockets that it closed are to be gone now, without waiting for the backend to be dropped.
    fn finish(&mut self) {}

    /// Begins to report connections that wait in the listener's backlog, or stops doing so. Unlike those of connections,
    /// these events repeat while there is something to accept.
    ///
    /// # Errors
    /// When the system refuses.
    fn set_accepting(
        &mut self,
        listener: &mut Self::Listener,
        token: Token,
        on: bool,
    ) -> io::Result<()>;

    /// Takes one connection from the backlog; `None` when it is empty.
    ///
    /// # Errors
    /// As accept(2) has it; a connection that died in the backlog is such an error too.
    fn accept(&mut self, listener: &mut Self::Listener)
    -> io::Result<Option<(Self::Socket, Peer)>>;

    /// Begins a connection without waiting for it. Once attached, the socket reports one event when the attempt has ended:
    /// writable if it succeeded; failed, with [`Backend::take_error`] telling why, if it did not. From then on it is as if
    /// [`Backend::watch_writable`] had been asked for: the loop takes that back when it has written for the first time.
    /// The peer names our own end too: the loop refuses a socket that is about to connect to itself.
    ///
    /// # Errors
    /// When the attempt failed at once, or descriptors are used up.
    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Self::Socket, Peer)>;

    /// Closes a socket that was attached. Nothing is reported about it any more.
    fn close(&mut self, socket: Self::Socket) {
        drop(socket);
    }

    /// Closes a listener that was told to accept. Connections that wait to be accepted are lost.
    fn close_listener(&mut self, listener: Self::Listener) {
        drop(listener);
    }

    /// Begins to report about a socket.
    ///
    /// # Errors
    /// When the system refuses.
    fn attach(&mut self, socket: &mut Self::Socket, token: Token) -> io::Result<()>;

    /// Appends received bytes to `buffer`, at most `bytes_max` and no more than it has room for (which must not be 0).
    ///
    /// # Errors
    /// The connection's failure; all bytes before it were delivered by earlier calls.
    fn receive(
        &mut self,
        socket: &mut Self::Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received>;

    /// Takes bytes from the front of `rope`, at most `bytes_max`. Buffers that were passed go to `recycle`, those of earlier calls
    /// included. Bytes that were taken may still be in the backend's hands, see [`Backend::is_sending`].
    ///
    /// # Errors
    /// The connection's failure.
    fn send(
        &mut self,
        socket: &mut Self::Socket,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent>;

    /// Asks to be told once when a full socket takes output again, or no longer.
    ///
    /// # Errors
    /// When the system refuses.
    fn watch_writable(
        &mut self,
        socket: &mut Self::Socket,
        token: Token,
        on: bool,
    ) -> io::Result<()>;

    /// True while bytes that [`Backend::send`] took have not been passed to the system. A writable event tells when that ends, if it
    /// is watched for.
    fn is_sending(&self, socket: &Self::Socket) -> bool {
        let _ = socket;
        false
    }

    /// What the backend holds between its calls, all sockets together.
    fn held(&self) -> Held {
        Held::default()
    }

    /// Tells the peer that no more bytes will come after those sent.
    ///
    /// # Errors
    /// The connection's failure.
    fn shutdown_write(&mut self, socket: &mut Self::Socket) -> io::Result<()>;

    /// Bytes sent that the peer's system has not confirmed.
    fn unconfirmed_bytes(&mut self, socket: &mut Self::Socket) -> usize;

    /// How long ago the last of the bytes came that the system has received for a socket, microseconds, as fine as its clock's tick; `None`
    /// where it can't tell. Costs a system call: see `crate::arrival` for when it is asked.
    fn last_received_ago_us(&mut self, socket: &mut Self::Socket) -> Option<u64> {
        let _ = socket;
        None
    }

    /// The failure that an event reported.
    fn take_error(&mut self, socket: &mut Self::Socket) -> Option<io::Error>;

    /// Sets an option. What does not apply to the kind of socket is ignored.
    ///
    /// # Errors
    /// When the system refuses.
    fn set_option(&mut self, socket: &mut Self::Socket, option: SocketOption) -> io::Result<()>;

    /// Begins to report whenever a descriptor is readable, repeatedly until it is not.
    ///
    /// # Errors
    /// When the system refuses.
    fn watch(&mut self, descriptor: &Self::Descriptor, token: Token) -> io::Result<()>;
}

/// A backend over the system's sockets.
pub trait SystemBackend:
    Backend<Socket = Socket, Listener = Listener, Descriptor = OwnedFd> + Send + Sized + 'static
{
    /// A new instance.
    ///
    /// # Errors
    /// When the process is out of descriptors, or the system does not have it or forbids it.
    fn open() -> io::Result<Self>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_apart_as_they_were_made() {
        let all = [
            Subject::Connection {
                index: 0,
                generation: u32::MAX,
            },
            Subject::Connection {
                index: KIND_BASE - 1,
                generation: 7,
            },
            Subject::Listener(3),
            Subject::Descriptor(0),
            Subject::Waker,
        ];
        for subject in all {
            let token = match subject {
                Subject::Connection { index, generation } => Token::connection(index, generation),
                Subject::Listener(i) => Token::listener(i),
                Subject::Descriptor(i) => Token::descriptor(i),
                Subject::Waker => Token::WAKER,
            };
            assert_eq!(token.subject(), subject);
        }
    }
}
