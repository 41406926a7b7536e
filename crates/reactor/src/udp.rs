//! UDP in an event loop: a socket that never waits, with a bounded queue for what the system does not take at once.
//!
//! A [`UdpSocket`] is watched like any descriptor, on every backend that watches descriptors: it gives the loop one that is
//! readable whenever there is something to receive, or room for what waits to be sent (an epoll instance of its own, which knows
//! what to look for).
//!
//! Invariant: no call waits. A datagram goes out whole or not at all, those to be sent keep their order, and no more of them are
//! kept than [`UdpLimits`] allows. See udp(7).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname, recvfrom,
    sendto, socket_with, sockopt,
};

/// What a [`UdpSocket`] keeps at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpLimits {
    /// Datagrams that may wait to be sent.
    pub queue_max: usize,
    /// Their bytes.
    pub queue_bytes_max: usize,
}

impl Default for UdpLimits {
    fn default() -> UdpLimits {
        UdpLimits {
            queue_max: 1024,
            queue_bytes_max: 1 << 20,
        }
    }
}

/// What became of a datagram that was to be sent. Even one that was sent may be lost on its way: that is UDP.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The system has it.
    Sent,
    /// It waits until the system takes more, see [`UdpSocket::flush`].
    Queued,
    /// The queue is full: it was dropped.
    Dropped,
}

/// A datagram that was received.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its bytes that stand in the buffer.
    pub bytes: usize,
    /// It was longer than the buffer; the rest is lost.
    pub truncated: bool,
    /// Who sent it.
    pub from: SocketAddr,
}

/// A bound UDP socket, for IPv4 or IPv6.
///
/// ```
/// use std::net::SocketAddr;
/// use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Peer, UdpSocket};
/// use dunlin_reactor::{Epoll, EventLoop, Limits};
///
/// const UDP: u64 = 1;
/// /// Datagrams answered in one turn; others wait for the next one.
/// const DATAGRAMS_PER_TURN: usize = 64;
///
/// struct Echo {
///     udp: UdpSocket,
/// }
///
/// impl Handler for Echo {
///     fn fd_ready(&mut self, _: &mut Io<'_>, token: u64) {
///         if token == UDP && self.answer().is_err() {
///             // One datagram could not be received or answered; the others can.
///         }
///     }
///     fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}
///     fn inputs(&mut self, _: &mut Io<'_>, _: &mut [Input]) {}
///     fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
/// }
///
/// impl Echo {
///     fn answer(&mut self) -> std::io::Result<()> {
///         self.udp.flush()?;
///         let mut buffer = [0; 1500];
///         for _ in 0..DATAGRAMS_PER_TURN {
///             let Some(got) = self.udp.receive(&mut buffer)? else { break };
///             self.udp.send_to(&buffer[..got.bytes], got.from)?;
///         }
///         Ok(())
///     }
/// }
///
/// let udp = UdpSocket::bind("127.0.0.1:0".parse()?)?;
/// let mut event_loop = EventLoop::new(Epoll::new()?, Limits::default());
/// event_loop.watch_fd(udp.descriptor()?, UDP)?;
/// let mut echo = Echo { udp };
/// event_loop.run_once(&mut echo)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    fd: OwnedFd,
    /// Readable when `fd` has what is looked for.
    readiness: OwnedFd,
    local: SocketAddr,
    queue: Queue,
    /// Room in the socket is looked for.
    awaits_room: bool,
}

impl UdpSocket {
    /// Binds to an address; port 0 lets the system choose one. An IPv6 socket takes no IPv4.
    ///
    /// # Errors
    /// As bind(2) has it, or when the process is out of descriptors.
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind_with(address, UdpLimits::default())
    }

    /// Binds with limits of its own.
    ///
    /// # Errors
    /// As [`UdpSocket::bind`].
    pub fn bind_with(address: SocketAddr, limits: UdpLimits) -> io::Result<UdpSocket> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(family, SocketType::DGRAM, flags, None)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&fd, true)?;
        }
        bind(&fd, &address)?;
        let local = SocketAddr::try_from(getsockname(&fd)?)?;
        let readiness = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&readiness, &fd, EventData::new_u64(0), EventFlags::IN)?;
        Ok(UdpSocket {
            fd,
            readiness,
            local,
            queue: Queue::new(limits),
            awaits_room: false,
        })
    }

    /// Where it is bound, with the port that the system chose.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// What to give to [`crate::EventLoop::watch_fd`]: readable while there is something to receive, or room for something that
    /// waits. Nothing else can be done with it.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(fcntl_dupfd_cloexec(&self.readiness, 0)?)
    }

    /// Receives one datagram; `None` when none is there.
    ///
    /// # Errors
    /// As recvfrom(2) has it. Others can be received afterwards.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        self.receive_with(buffer, RecvFlags::empty())
    }

    /// As [`UdpSocket::receive`], but leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`UdpSocket::receive`].
    pub fn peek(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        self.receive_with(buffer, RecvFlags::PEEK)
    }

    fn receive_with(
        &mut self,
        buffer: &mut [u8],
        flags: RecvFlags,
    ) -> io::Result<Option<Datagram>> {
        // TRUNC: the length is the datagram's, not what was kept of it.
        let flags = flags | RecvFlags::TRUNC;
        loop {
            let (length, from) = match recvfrom(&self.fd, &mut *buffer, flags) {
                Ok((_, length, from)) => (length, from),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let from = from.ok_or(Errno::AFNOSUPPORT)?;
            return Ok(Some(Datagram {
                bytes: length.min(buffer.len()),
                truncated: length > buffer.len(),
                from: SocketAddr::try_from(from)?,
            }));
        }
    }

    /// Sends a datagram, at once if the system takes it and none waits, else behind those that wait.
    ///
    /// # Errors
    /// As sendto(2) has it: too long for a datagram, no way to the address. It is not queued then.
    pub fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<Delivery> {
        let fd = &self.fd;
        let delivery = self
            .queue
            .send(bytes, to, |bytes, to| send(fd, bytes, to))?;
        self.look_for_room()?;
        Ok(delivery)
    }

    /// Sends what waits, as far as the system takes it; to be called when the loop says that [`UdpSocket::descriptor`] is ready.
    ///
    /// # Errors
    /// The failure of one datagram, which is dropped; call it again for the others.
    pub fn flush(&mut self) -> io::Result<()> {
        let fd = &self.fd;
        let flushed = self.queue.flush(|bytes, to| send(fd, bytes, to));
        self.look_for_room()?;
        flushed
    }

    /// Datagrams that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.waiting.len()
    }

    fn look_for_room(&mut self) -> io::Result<()> {
        let awaits_room = !self.queue.waiting.is_empty();
        if awaits_room != self.awaits_room {
            let mut flags = EventFlags::IN;
            flags.set(EventFlags::OUT, awaits_room);
            epoll::modify(&self.readiness, &self.fd, EventData::new_u64(0), flags)?;
            self.awaits_room = awaits_room;
        }
        Ok(())
    }
}

impl AsFd for UdpSocket {
    /// The socket itself, for options.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn send(fd: &OwnedFd, bytes: &[u8], to: SocketAddr) -> Result<(), Errno> {
    loop {
        match sendto(fd, bytes, SendFlags::NOSIGNAL, &to) {
            Err(Errno::INTR) => {}
            sent => return sent.map(|_| ()),
        }
    }
}

/// What waits to be sent. It makes no system call itself.
#[derive(Debug)]
struct Queue {
    limits: UdpLimits,
    waiting: VecDeque<(Box<[u8]>, SocketAddr)>,
    bytes: usize,
}

impl Queue {
    fn new(limits: UdpLimits) -> Queue {
        Queue {
            limits,
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    fn send(
        &mut self,
        bytes: &[u8],
        to: SocketAddr,
        send: impl FnOnce(&[u8], SocketAddr) -> Result<(), Errno>,
    ) -> io::Result<Delivery> {
        if self.waiting.is_empty() {
            match send(bytes, to) {
                Ok(()) => return Ok(Delivery::Sent),
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let is_full = self.waiting.len() >= self.limits.queue_max
            || bytes.len() > self.limits.queue_bytes_max - self.bytes;
        if is_full {
            return Ok(Delivery::Dropped);
        }
        self.bytes += bytes.len();
        self.waiting.push_back((bytes.into(), to));
        Ok(Delivery::Queued)
    }

    fn flush(
        &mut self,
        mut send: impl FnMut(&[u8], SocketAddr) -> Result<(), Errno>,
    ) -> io::Result<()> {
        while let Some((bytes, to)) = self.waiting.front() {
            let sent = send(bytes, *to);
            if sent == Err(Errno::AGAIN) {
                return Ok(());
            }
            self.bytes -= bytes.len();
            self.waiting.pop_front();
            sent?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loopback never fills up, so the queue is tested with a system of its own.
    #[derive(Default)]
    struct System {
        room: usize,
        sent: Vec<Vec<u8>>,
    }

    impl System {
        fn take(&mut self, bytes: &[u8]) -> Result<(), Errno> {
            if bytes.len() > 100 {
                return Err(Errno::MSGSIZE);
            }
            self.room = self.room.checked_sub(1).ok_or(Errno::AGAIN)?;
            self.sent.push(bytes.to_vec());
            Ok(())
        }
    }

    fn to() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    #[test]
    fn what_the_system_does_not_take_waits_in_order_and_in_bounds() {
        let limits = UdpLimits {
            queue_max: 3,
            queue_bytes_max: 20,
        };
        let mut queue = Queue::new(limits);
        let mut system = System {
            room: 1,
            ..System::default()
        };
        let mut send = |queue: &mut Queue, bytes: &[u8]| {
            queue
                .send(bytes, to(), |bytes, _| system.take(bytes))
                .unwrap()
        };
        assert_eq!(send(&mut queue, b"one"), Delivery::Sent);
        assert_eq!(send(&mut queue, b"two"), Delivery::Queued);
        assert_eq!(send(&mut queue, &[b'x'; 18]), Delivery::Dropped);
        assert_eq!(send(&mut queue, &[b'y'; 17]), Delivery::Queued);
        assert_eq!(send(&mut queue, b""), Delivery::Queued);
        assert_eq!(send(&mut queue, b""), Delivery::Dropped);
        system.room = 1;
        queue.flush(|bytes, _| system.take(bytes)).unwrap();
        assert_eq!((queue.waiting.len(), queue.bytes), (2, 17));
        // There is room, but it would overtake those that wait.
        system.room = 10;
        let later = queue.send(b"ten", to(), |bytes, _| system.take(bytes));
        assert_eq!(later.unwrap(), Delivery::Queued);
        queue.flush(|bytes, _| system.take(bytes)).unwrap();
        assert_eq!((queue.waiting.len(), queue.bytes), (0, 0));
        let order: Vec<usize> = system.sent.iter().map(Vec::len).collect();
        assert_eq!(order, [3, 3, 17, 0, 3]);
    }

    #[test]
    fn a_datagram_that_fails_takes_no_other_with_it() {
        let mut queue = Queue::new(UdpLimits::default());
        let mut system = System::default();
        for bytes in [&b"before"[..], &[0; 101], b"behind"] {
            // The first one finds no room; nobody asks for the others.
            let delivery = queue.send(bytes, to(), |bytes, _| system.take(bytes));
            assert_eq!(delivery.unwrap(), Delivery::Queued);
        }
        system.room = 10;
        queue.flush(|bytes, _| system.take(bytes)).unwrap_err();
        queue.flush(|bytes, _| system.take(bytes)).unwrap();
        assert_eq!(system.sent, [b"before", b"behind"]);
        assert_eq!(queue.bytes, 0);
    }
}
