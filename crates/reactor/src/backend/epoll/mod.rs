//! The epoll backend: readiness turned into completions.
//!
//! Edge-triggered: a socket is added once and never changed on the hot path, and a drained socket costs nothing on the next
//! wait (level-triggered, the kernel would look at it again). The price is paid by the loop, which remembers who still has
//! bytes. Interest in writing is added only while a socket is full. Listeners and watched descriptors are level-triggered.
//!
//! A loop with many active connections gathers several before a turn (the module `moderation`); the first time that it does, it makes the
//! timers of its thread precise.
//!
//! Invariant: every descriptor is non-blocking and close-on-exec. See epoll(7).

mod wait;

use std::fmt;
use std::io;
use std::mem;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dunlin_structures::Rope;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::thread::set_current_timer_slack;

use super::eventfd::EventFd;
use super::moderation::Moderation;
use super::socket::{self, ConnectAddress, Listener, Socket};
use super::{Backend, Event, Received, Sent, SocketOption, SystemBackend, Token};
use crate::buffer::Buffer;
use crate::clock::{Clock, SystemClock};
use crate::conn::Peer;
use crate::waker::Wake;

/// A busy loop pauses where the last wait brought so many events, and a look without waiting brings fewer.
const BUSY_MIN: usize = 2;

/// How long it pauses. Shorter ones gather little, and at 40 us 50 connections without pipelining run dry.
const PAUSE: Duration = Duration::from_micros(25);

/// One epoll instance with its waker.
pub struct Epoll {
    epoll: OwnedFd,
    waker: Arc<EventFd>,
    /// Filled by the kernel; grows while it is filled to the end.
    ready: Vec<epoll::Event>,
    moderation: Moderation,
    /// Events that the last wait brought.
    last: usize,
    /// Whether the thread's timers have been made precise.
    precise: bool,
}

impl SystemBackend for Epoll {
    fn open() -> io::Result<Epoll> {
        Epoll::new()
    }
}

impl Epoll {
    /// A new instance.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Epoll> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = Arc::new(EventFd::new()?);
        // Edge-triggered, the eventfd need never be read: each write is an event.
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, waker.fd(), data(Token::WAKER), flags)?;
        Ok(Epoll {
            epoll,
            waker,
            ready: Vec::with_capacity(wait::EVENTS_MIN),
            moderation: Moderation::default(),
            last: 0,
            precise: false,
        })
    }
}

impl Epoll {
    /// Waits; unless several are ready at once, it pauses and looks again.
    fn wait_for_several(
        &mut self,
        timeout_ms: Option<u64>,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let before = events.len();
        wait::wait(&self.epoll, &mut self.ready, Some(0), events)?;
        let ready = events.len() - before;
        if ready >= BUSY_MIN {
            return Ok(());
        }
        if !mem::replace(&mut self.precise, true) {
            // Timers may be late by 50 us otherwise, twice the pause.
            let _ = set_current_timer_slack(Some(NonZeroU64::MIN));
        }
        thread::sleep(PAUSE);
        let timeout_ms = if ready > 0 { Some(0) } else { timeout_ms };
        wait::wait(&self.epoll, &mut self.ready, timeout_ms, events)
    }
}

impl AsFd for Epoll {
    /// The instance itself: readable when a wait would return at once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[allow(unsafe_code)]
// SAFETY: only the events' data is not `Send`, since it could be a pointer; here it is always a token's number.
unsafe impl Send for Epoll {}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll")
            .field("epoll", &self.epoll)
            .finish_non_exhaustive()
    }
}

fn data(token: Token) -> EventData {
    EventData::new_u64(token.0)
}

/// What a connected socket reports.
fn interest(writable: bool) -> EventFlags {
    let mut flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    flags.set(EventFlags::OUT, writable);
    flags
}

impl Backend for Epoll {
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

    #[inline]
    fn wait(&mut self, timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()> {
        let before = events.len();
        if self.moderation.pauses() && self.last >= BUSY_MIN && timeout_ms != Some(0) {
            self.wait_for_several(timeout_ms, events)?;
        } else {
            wait::wait(&self.epoll, &mut self.ready, timeout_ms, events)?;
        }
        self.last = events.len() - before;
        for event in &events[before..] {
            self.moderation.arrived(event.token.slot());
        }
        Ok(())
    }

    fn set_accepting(&mut self, listener: &mut Listener, token: Token, on: bool) -> io::Result<()> {
        let flags = if on {
            EventFlags::IN
        } else {
            EventFlags::empty()
        };
        if listener.registered {
            epoll::modify(&self.epoll, listener.fd(), data(token), flags)?;
        } else {
            epoll::add(&self.epoll, listener.fd(), data(token), flags)?;
            listener.registered = true;
        }
        Ok(())
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Option<(Socket, Peer)>> {
        socket::accept(listener)
    }

    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
        socket::connect(address)
    }

    fn attach(&mut self, socket: &mut Socket, token: Token) -> io::Result<()> {
        let flags = interest(socket.connecting);
        epoll::add(&self.epoll, &socket.fd, data(token), flags)?;
        Ok(())
    }

    #[inline]
    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        let got = socket::receive(&socket.fd, buffer, bytes_max)?;
        self.moderation.received(got.bytes);
        Ok(got)
    }

    #[inline]
    fn send(
        &mut self,
        socket: &mut Socket,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent> {
        socket::send(&socket.fd, rope, bytes_max, recycle)
    }

    fn watch_writable(&mut self, socket: &mut Socket, token: Token, on: bool) -> io::Result<()> {
        // The kernel looks at the socket again here, so an edge between the short write and now is not missed.
        epoll::modify(&self.epoll, &socket.fd, data(token), interest(on))?;
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
        epoll::add(&self.epoll, descriptor, data(token), EventFlags::IN)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::BUFFER_BYTES;

    /// Has `clients` connections send, three at a time, so many bytes each, and says whether the loop ever paused for more.
    fn pauses_among(clients: u32, bytes: usize) -> io::Result<bool> {
        let mut epoll = Epoll::new()?;
        let mut buffer = Buffer::from_vec(Vec::with_capacity(BUFFER_BYTES));
        let mut pairs = Vec::new();
        for slot in 0..clients {
            let (mut ours, theirs) = Socket::pair()?;
            epoll.attach(&mut ours, Token::connection(slot, 0))?;
            pairs.push((ours, theirs));
        }
        let mut events = Vec::new();
        for turn in 0..200 {
            for sender in 0..3 {
                let (_, theirs) = &pairs[(3 * turn + sender) % pairs.len()];
                assert_eq!(rustix::io::write(&theirs.fd, &vec![0; bytes])?, bytes);
            }
            events.clear();
            epoll.wait(None, &mut events)?;
            let mut missing = 3 * bytes;
            for event in &events {
                let (ours, _) = &mut pairs[event.token.slot() as usize];
                missing -= epoll.receive(ours, &mut buffer, 3 * bytes)?.bytes;
                buffer.consume(buffer.len());
            }
            assert_eq!(missing, 0);
            // Nothing is ready: the loop looks, and pauses if it may.
            events.clear();
            epoll.wait(Some(1), &mut events)?;
            assert!(events.is_empty());
        }
        Ok(epoll.precise)
    }

    #[test]
    fn a_loop_pauses_only_where_many_connections_take_turns() -> io::Result<()> {
        assert!(pauses_among(64, 8)?);
        assert!(!pauses_among(1, 8)?, "a lone client never waits");
        assert!(!pauses_among(8, 8)?, "few clients never wait");
        assert!(
            !pauses_among(64, BUFFER_BYTES)?,
            "much input is work enough"
        );
        Ok(())
    }
}
