//! UDP in a loop: datagrams to and from the system's own sockets.

#[macro_use]
mod common;

use std::net::{SocketAddr, UdpSocket as Peer};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use dunlin_reactor::{
    CloseReason, ConnId, Delivery, EventLoop, Handler, Input, Io, Limits, SystemBackend, UdpSocket,
};

/// Long enough for a loaded machine; only a failure takes it.
const PATIENCE: Duration = Duration::from_secs(20);

const UDP: u64 = 3;

/// Sends every datagram back.
struct Echo {
    udp: UdpSocket,
    ready: usize,
    answered: usize,
}

impl Handler for Echo {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &dunlin_reactor::Peer) {}
    fn inputs(&mut self, _: &mut Io<'_>, _: &mut [Input]) {}
    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}

    fn fd_ready(&mut self, _: &mut Io<'_>, token: u64) {
        assert_eq!(token, UDP);
        self.ready += 1;
        self.udp.flush().unwrap();
        let mut buffer = [0; 2_000];
        // Two a turn: the others are told of again.
        for _ in 0..2 {
            let Some(got) = self.udp.receive(&mut buffer).unwrap() else {
                return;
            };
            assert!(!got.truncated);
            let sent = self.udp.send_to(&buffer[..got.bytes], got.from).unwrap();
            assert_eq!(sent, Delivery::Sent);
            self.answered += 1;
        }
    }
}

fn echoes_over<B: SystemBackend>(bind: &str, backend: B) {
    let udp = UdpSocket::bind(bind.parse().unwrap()).unwrap();
    let to = udp.local_address();
    let mut event_loop = EventLoop::new(backend, Limits::default());
    event_loop.watch_fd(udp.descriptor().unwrap(), UDP).unwrap();
    let mut echo = Echo {
        udp,
        ready: 0,
        answered: 0,
    };
    let peer = Peer::bind(bind).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    for n in 0..5u8 {
        peer.send_to(&vec![n; usize::from(n) * 300], to).unwrap();
    }
    let remote = event_loop.remote();
    let started = Instant::now();
    while echo.answered < 5 {
        assert!(started.elapsed() < PATIENCE);
        // Sleeps until something is there.
        event_loop.run_once(&mut echo).unwrap();
    }
    assert!(echo.ready >= 3, "two of five at a time");
    let mut buffer = [0; 2_000];
    for n in 0..5u8 {
        let (len, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(from, to);
        // Loopback keeps them in order.
        assert_eq!(buffer[..len], vec![n; usize::from(n) * 300]);
    }
    // Read empty, it is ready no more.
    let ready = echo.ready;
    for _ in 0..10 {
        remote.waker().wake();
        event_loop.run_once(&mut echo).unwrap();
    }
    assert!(echo.ready <= ready + 1);
}

macro_rules! echoes_on {
    (() $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            for bind in ["127.0.0.1:0", "[::1]:0"] {
                if let Ok(backend) = common::open::<$backend>() {
                    super::echoes_over(bind, backend);
                }
            }
        }
    };
}

mod a_loop_echoes {
    use super::common;

    for_each_system_backend!(echoes_on());
}

#[test]
fn datagrams_are_looked_at_and_cut_to_the_buffer() {
    let mut udp = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let peer = Peer::bind("127.0.0.1:0").unwrap();
    let mut buffer = [0; 4];
    assert_eq!(udp.receive(&mut buffer).unwrap(), None);
    assert_eq!(udp.peek(&mut buffer).unwrap(), None);
    peer.send_to(b"123456", udp.local_address()).unwrap();
    peer.send_to(b"", udp.local_address()).unwrap();
    let from = peer.local_addr().unwrap();
    let until = Instant::now() + PATIENCE;
    while udp.peek(&mut buffer).unwrap().is_none() {
        assert!(Instant::now() < until);
    }
    let seen = udp.peek(&mut buffer).unwrap().unwrap();
    assert_eq!((seen.bytes, seen.truncated, seen.from), (4, true, from));
    assert_eq!(udp.receive(&mut buffer).unwrap(), Some(seen));
    assert_eq!(&buffer, b"1234");
    let empty = udp.receive(&mut buffer).unwrap().unwrap();
    assert_eq!((empty.bytes, empty.truncated), (0, false));
    assert_eq!(udp.receive(&mut buffer).unwrap(), None);
}

#[test]
fn what_cannot_be_a_datagram_is_an_error() {
    let mut udp = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let to = udp.local_address();
    udp.send_to(&[0; 70_000], to).unwrap_err();
    let v6: SocketAddr = "[::1]:9".parse().unwrap();
    udp.send_to(b"x", v6).unwrap_err();
    assert_eq!(udp.queued(), 0);
    assert_eq!(udp.send_to(b"x", to).unwrap(), Delivery::Sent);
    // A port in use cannot be bound twice.
    UdpSocket::bind(to).unwrap_err();
    for fd in [udp.as_fd(), udp.descriptor().unwrap().as_fd()] {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
    let flags = rustix::fs::fcntl_getfl(udp.as_fd()).unwrap();
    assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
}
