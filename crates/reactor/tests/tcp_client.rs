//! The reconnecting client over a real loop: its server refuses, is silent, comes back, hangs up.

#[macro_use]
mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use dunlin_reactor::{
    CloseReason, ConnId, ConnectAddress, EventLoop, Handler, Input, Io, Limits, Peer, RetryLimits,
    Rope, SystemBackend, TcpClient,
};

/// Long enough for a loaded machine; only a failure takes it.
const PATIENCE: Duration = Duration::from_secs(20);

const RETRY: u64 = 9;

/// Greets its server, and keeps what it hears.
struct Greeter {
    client: TcpClient,
    heard: Vec<u8>,
    connections: usize,
    ends: Vec<String>,
}

impl Handler for Greeter {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        assert!(self.client.connected(io, conn));
        self.connections += 1;
        let mut rope = Rope::with_buffer(io.buffer());
        rope.tail().extend_from_slice(b"hello\n");
        io.send(conn, &mut rope);
    }

    fn inputs(&mut self, _: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            self.heard.extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        assert!(self.client.closed(io, conn));
        self.ends.push(match why {
            CloseReason::Connect(error) => format!("Connect {:?}", error.kind()),
            CloseReason::Reset(_) => "Reset".into(),
            other => format!("{other:?}"),
        });
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        assert!(self.client.timer(io, token));
    }

    fn stopping(&mut self, io: &mut Io<'_>) {
        self.client.stop(io);
    }
}

struct World<B: SystemBackend> {
    event_loop: EventLoop<B>,
    greeter: Greeter,
}

impl<B: SystemBackend> World<B> {
    fn new(backend: B, address: SocketAddr, limits: RetryLimits) -> World<B> {
        let mut event_loop = EventLoop::new(backend, Limits::default());
        let address = ConnectAddress::Tcp(address);
        let mut client = TcpClient::with_limits(address, RETRY, 1, limits);
        client.start(&mut event_loop.io());
        let greeter = Greeter {
            client,
            heard: Vec::new(),
            connections: 0,
            ends: Vec::new(),
        };
        World {
            event_loop,
            greeter,
        }
    }

    fn until(&mut self, mut done: impl FnMut(&mut Greeter) -> bool) {
        let started = Instant::now();
        while !done(&mut self.greeter) {
            assert!(started.elapsed() < PATIENCE, "{:?}", self.greeter.ends);
            self.event_loop.remote().waker().wake();
            self.event_loop.run_once(&mut self.greeter).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Accepts the client's next connection, and its greeting.
    fn accept(&mut self, listener: &TcpListener) -> TcpStream {
        listener.set_nonblocking(true).unwrap();
        let mut accepted = None;
        self.until(|_| {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let mut stream = accepted.unwrap().0;
        stream.set_nonblocking(true).unwrap();
        let mut greeting = [0; 6];
        let mut got = 0;
        self.until(|_| {
            got += stream.read(&mut greeting[got..]).unwrap_or(0);
            got == 6
        });
        assert_eq!(&greeting, b"hello\n");
        stream
    }

    /// Ends the loop in order.
    fn stop(mut self) -> Greeter {
        let deadline_ms = self.event_loop.io().now_ms() + 10_000;
        self.event_loop.io().stop(deadline_ms);
        let started = Instant::now();
        let report = self.event_loop.run(&mut self.greeter).unwrap();
        assert_eq!(report.cut, 0);
        assert!(started.elapsed() < Duration::from_secs(9));
        assert!(!self.greeter.client.is_started());
        self.greeter
    }
}

macro_rules! on_each {
    ($name:ident) => {
        mod $name {
            use super::*;

            for_each_system_backend!(on_one_backend($name));
        }
    };
}

macro_rules! on_one_backend {
    (($name:ident) $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            if let Ok(backend) = common::open::<$backend>() {
                super::$name(backend);
            }
        }
    };
}

fn brisk() -> RetryLimits {
    RetryLimits {
        quick_wait_ms: 10,
        wait_ms: 20,
        wait_max_ms: 100,
        ..RetryLimits::default()
    }
}

on_each!(it_finds_a_server_that_comes_back);
fn it_finds_a_server_that_comes_back<B: SystemBackend>(backend: B) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut world = World::new(backend, address, brisk());
    let mut first = world.accept(&listener);
    first.write_all(b"one ").unwrap();
    world.until(|g| g.heard == b"one ");
    // The server goes, connection and all, and for a while nobody listens.
    drop(listener);
    drop(first);
    world.until(|g| g.ends.len() >= 4);
    assert_eq!(world.greeter.ends[0], "Eof");
    assert!(
        world.greeter.ends[1..]
            .iter()
            .all(|e| e == "Connect ConnectionRefused")
    );
    let listener = TcpListener::bind(address).unwrap();
    let mut second = world.accept(&listener);
    second.write_all(b"two").unwrap();
    world.until(|g| g.heard == b"one two");
    assert_eq!(world.greeter.connections, 2);
    let greeter = world.stop();
    assert_eq!(greeter.ends.last().unwrap(), "Local");
}

on_each!(a_refusing_server_is_not_hammered_on);
fn a_refusing_server_is_not_hammered_on<B: SystemBackend>(backend: B) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut world = World::new(backend, address, RetryLimits::default());
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(700) {
        // Sleeps between the attempts; something has to end its sleep now and then.
        world.until(|_| true);
        world.event_loop.remote().waker().wake();
        world.event_loop.run_once(&mut world.greeter).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    // The first, three quick ones of at least 25 ms, then waits of at least 100, 200, 400 ms.
    let tries = world.greeter.ends.len();
    assert!((2..=7).contains(&tries), "{tries} tries");
    assert_eq!(world.greeter.client.failures(), tries as u32);
    world.stop();
}

on_each!(a_server_that_hangs_up_is_not_hammered_on_either);
fn a_server_that_hangs_up_is_not_hammered_on_either<B: SystemBackend>(backend: B) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new(backend, listener.local_addr().unwrap(), brisk());
    for n in 1..=5 {
        drop(world.accept(&listener));
        world.until(|g| g.ends.len() == n);
        assert_eq!(world.greeter.client.failures(), n as u32);
        assert!(world.greeter.client.connection().is_none());
    }
    world.stop();
}

on_each!(a_silent_server_is_given_up_and_tried_again);
fn a_silent_server_is_given_up_and_tried_again<B: SystemBackend>(backend: B) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(listener.as_fd(), 0).unwrap();
    let address = listener.local_addr().unwrap();
    // Fill the backlog: the system answers no first segment any more.
    let mut fillers = Vec::new();
    loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(filler) => fillers.push(filler),
            Err(error) if error.kind() == ErrorKind::TimedOut => break,
            Err(error) => panic!("{error}"),
        }
        assert!(fillers.len() < 100, "the backlog never fills");
    }
    let limits = RetryLimits {
        connect_ms: 100,
        ..brisk()
    };
    let mut world = World::new(backend, address, limits);
    let started = Instant::now();
    world.until(|g| g.ends.len() == 3);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(world.greeter.ends.iter().all(|e| e == "Connect TimedOut"));
    // Stopped in the midst of an attempt or a wait, it ends at once.
    let greeter = world.stop();
    assert_eq!(greeter.connections, 0);
}
