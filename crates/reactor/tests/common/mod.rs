//! One view of all backends for tests: step a loop on this thread, talk to it as a client.
//!
//! Invariant: stepping never blocks for long on any backend; all waiting is bounded, so a hang is a failed assertion.

#![allow(dead_code)]

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dunlin_reactor::backend::Backend;
use dunlin_reactor::backend::memory::{self, Memory, Network};
use dunlin_reactor::{
    CloseReason, ConnId, Epoll, EventLoop, Handler, Input, Io, Limits, ListenAddress,
    ListenOptions, Listener, Peer, Rope, SystemBackend,
};

/// Steps after which something that should have happened counts as hanging.
const STEPS_MAX: usize = 200_000;
/// How long is waited for something beyond those turns.
const PATIENCE_MS: u64 = 5_000;

/// What a scripted handler may do with a batch.
pub(crate) type OnInputs = Box<dyn FnMut(&mut Script, &mut Io<'_>, &mut [Input])>;

/// A handler whose reaction to input is a closure, and which writes down everything else.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) on_inputs: Option<OnInputs>,
    pub(crate) open: Vec<ConnId>,
    pub(crate) connected: Vec<(ConnId, Peer)>,
    pub(crate) closed: Vec<(ConnId, String)>,
    pub(crate) log: Vec<String>,
    pub(crate) received: HashMap<ConnId, Vec<u8>>,
    pub(crate) sleep_until_ms: Option<u64>,
    /// Output that the last write left, bytes.
    pub(crate) backlog: usize,
}

impl Script {
    /// Reacts with the given closure.
    pub(crate) fn new(
        on_inputs: impl FnMut(&mut Script, &mut Io<'_>, &mut [Input]) + 'static,
    ) -> Script {
        Script {
            on_inputs: Some(Box::new(on_inputs)),
            ..Script::default()
        }
    }

    /// Sends every byte back.
    pub(crate) fn echo() -> Script {
        Script::new(|_, io, batch| {
            for input in batch {
                reply(io, input.conn(), input.bytes());
                input.consume(input.bytes().len());
            }
        })
    }

    /// Takes everything in and answers nothing.
    pub(crate) fn sink() -> Script {
        Script::new(|script, _, batch| {
            for input in batch {
                let got = script.received.entry(input.conn()).or_default();
                got.extend_from_slice(input.bytes());
                input.consume(input.bytes().len());
            }
        })
    }
}

/// Sends a copy of `bytes`.
pub(crate) fn reply(io: &mut Io<'_>, conn: ConnId, bytes: &[u8]) {
    let mut rope = Rope::with_buffer(io.buffer());
    rope.tail().extend_from_slice(bytes);
    io.send(conn, &mut rope);
}

impl Handler for Script {
    fn opened(&mut self, _: &mut Io<'_>, conn: ConnId, _: &Peer) {
        self.open.push(conn);
        self.log.push("opened".into());
    }

    fn connected(&mut self, _: &mut Io<'_>, conn: ConnId, peer: &Peer) {
        self.connected.push((conn, peer.clone()));
        self.log.push("connected".into());
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch.iter() {
            let (len, eof) = (input.bytes().len(), input.is_eof());
            self.log
                .push(format!("input {} {len} {eof}", input.conn().index()));
        }
        if let Some(mut on_inputs) = self.on_inputs.take() {
            on_inputs(self, io, batch);
            self.on_inputs.get_or_insert(on_inputs);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        self.open.retain(|c| *c != conn);
        let why = match why {
            CloseReason::Reset(_) => "Reset".to_string(),
            CloseReason::Connect(error) => format!("Connect {:?}", error.kind()),
            other => format!("{other:?}"),
        };
        self.log.push(format!("closed {} {why}", conn.index()));
        self.closed.push((conn, why));
    }

    fn peer_closed(&mut self, _: &mut Io<'_>, _: ConnId) {
        self.log.push("peer_closed".into());
    }

    fn drained(&mut self, _: &mut Io<'_>, _: ConnId) {
        self.log.push("drained".into());
    }

    fn backlog(&mut self, io: &mut Io<'_>, conn: ConnId) {
        self.backlog = io.output_len(conn);
    }

    fn read_deadline(&mut self, _: &mut Io<'_>, _: ConnId, bytes: usize) {
        self.log.push(format!("read_deadline {bytes}"));
    }

    fn write_deadline(&mut self, _: &mut Io<'_>, _: ConnId, bytes: usize) {
        self.log.push(format!("write_deadline {bytes}"));
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        let now_ms = io.now_ms();
        self.log.push(format!("timer {token}"));
        self.sleep_until_ms = self.sleep_until_ms.filter(|at| *at > now_ms);
    }

    fn woken(&mut self, _: &mut Io<'_>) {
        self.log.push("woken".into());
    }

    fn fd_ready(&mut self, _: &mut Io<'_>, token: u64) {
        self.log.push(format!("fd_ready {token}"));
    }

    fn accept_paused(&mut self, _: &mut Io<'_>, _: usize, _: &io::Error) {
        self.log.push("accept_paused".into());
    }

    fn stopping(&mut self, _: &mut Io<'_>) {
        self.log.push("stopping".into());
    }

    fn turn_end(&mut self, _: &mut Io<'_>) -> Option<u64> {
        self.sleep_until_ms
    }
}

/// A client's end.
pub(crate) trait Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// `None`: nothing now. `Some(0)`: the end.
    fn read(&mut self, out: &mut Vec<u8>) -> io::Result<Option<usize>>;
    fn shutdown(&mut self);
}

impl Wire for memory::Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        memory::Client::write(self, bytes)
    }

    fn read(&mut self, out: &mut Vec<u8>) -> io::Result<Option<usize>> {
        memory::Client::read(self, out, usize::MAX)
    }

    fn shutdown(&mut self) {
        memory::Client::shutdown(self);
    }
}

impl Wire for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Write::write(self, bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    fn read(&mut self, out: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let mut chunk = [0; 64 * 1024];
        match Read::read(self, &mut chunk) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
            Ok(n) => {
                out.extend_from_slice(&chunk[..n]);
                Ok(Some(n))
            }
        }
    }

    fn shutdown(&mut self) {
        let _ = TcpStream::shutdown(self, Shutdown::Write);
    }
}

/// Calls a macro for each backend over the system's sockets: this is the list of them. A new one is one line.
#[allow(unused_macros)]
macro_rules! for_each_system_backend {
    ($make:ident $arguments:tt) => {
        $make!($arguments epoll dunlin_reactor::Epoll);
        $make!($arguments epoll_level dunlin_reactor::EpollLevel);
        $make!($arguments poll dunlin_reactor::Poll);
        $make!($arguments select dunlin_reactor::Select);
        $make!($arguments io_uring dunlin_reactor::Uring);
    };
}

/// Makes the tests of a scenario: on the in-memory network under several seeds, then on each backend of the system. The scenario is a function
/// of that name over a [`World`].
#[allow(unused_macros)]
macro_rules! on_every_backend {
    ($name:ident, $limits:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn memory() {
                for seed in 0..crate::common::SEEDS {
                    let (world, network) = crate::common::in_memory(seed, $limits);
                    super::$name(world);
                    assert_eq!(network.links(), 0, "a connection was leaked");
                }
            }

            for_each_system_backend!(on_one_backend_too($name, $limits));
        }
    };
}

/// The same for a scenario that needs real sockets.
#[allow(unused_macros)]
macro_rules! on_sockets {
    ($name:ident, $limits:expr) => {
        mod $name {
            use super::*;

            for_each_system_backend!(on_one_backend_too($name, $limits));
        }
    };
}

#[allow(unused_macros)]
macro_rules! on_one_backend_too {
    (($name:ident, $limits:expr) $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            if let Some(world) = crate::common::on_system::<$backend>($limits) {
                super::$name(world);
            }
        }
    };
}

/// Seeds of the in-memory runs.
pub(crate) const SEEDS: u64 = 10;

/// Backends that were asked for and are not here.
static MISSING: AtomicUsize = AtomicUsize::new(0);

/// A new instance. The reason, which is printed and counted as well, where the system lacks the backend or forbids it.
///
/// # Panics
/// On any other failure: that is no reason to pass over a test.
pub(crate) fn open<B: SystemBackend>() -> Result<B, String> {
    let error = match B::open() {
        Ok(backend) => return Ok(backend),
        Err(error) => error,
    };
    let absent = [io::ErrorKind::Unsupported, io::ErrorKind::PermissionDenied];
    assert!(absent.contains(&error.kind()), "{error}");
    let missing = MISSING.fetch_add(1, Ordering::Relaxed) + 1;
    let name = std::any::type_name::<B>();
    eprintln!("not available here ({missing} so far): {name}: {error}");
    Err(error.to_string())
}

/// A loop with one listener, and the means to connect to it.
pub(crate) struct World<B: Backend, C> {
    pub(crate) event_loop: EventLoop<B>,
    pub(crate) address: SocketAddr,
    connect: Box<dyn FnMut() -> C>,
    pass_ms: Box<dyn FnMut(u64)>,
}

pub(crate) type MemoryWorld = World<Memory, memory::Client>;
pub(crate) type EpollWorld = World<Epoll, TcpStream>;

pub(crate) const ADDRESS: &str = "10.0.0.1:6379";

/// A world in memory.
pub(crate) fn in_memory(seed: u64, limits: Limits) -> (MemoryWorld, Network) {
    let network = Network::new(seed);
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let mut event_loop = EventLoop::new(network.backend(), limits);
    event_loop
        .add_listener(network.listen(address).unwrap())
        .unwrap();
    let (n1, n2) = (network.clone(), network.clone());
    let world = World {
        event_loop,
        address,
        connect: Box::new(move || n1.connect(address).unwrap()),
        pass_ms: Box::new(move |ms| n2.advance_ms(ms)),
    };
    (world, network)
}

/// A world on loopback sockets, by epoll.
pub(crate) fn on_epoll(limits: Limits) -> EpollWorld {
    on_system(limits).expect("epoll is everywhere")
}

/// A world on loopback sockets. `None` where the system has no such backend.
pub(crate) fn on_system<B: SystemBackend>(limits: Limits) -> Option<World<B, TcpStream>> {
    Some(world_of(open().ok()?, limits))
}

/// A world on loopback sockets, by this backend.
pub(crate) fn world_of<B: SystemBackend>(backend: B, limits: Limits) -> World<B, TcpStream> {
    let mut event_loop = EventLoop::new(backend, limits);
    let any = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let listener = Listener::bind(&any, &ListenOptions::default()).unwrap();
    let ListenAddress::Tcp(address) = listener.address().clone() else {
        unreachable!("a TCP listener has a TCP address");
    };
    event_loop.add_listener(listener).unwrap();
    World {
        event_loop,
        address,
        connect: Box::new(move || {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nonblocking(true).unwrap();
            // Otherwise a peer with a full window delays its acknowledgements, and Nagle our next bytes.
            stream.set_nodelay(true).unwrap();
            stream
        }),
        pass_ms: Box::new(|ms| std::thread::sleep(Duration::from_millis(ms))),
    }
}

impl<B: Backend, C: Wire> World<B, C> {
    pub(crate) fn connect(&mut self) -> C {
        (self.connect)()
    }

    /// Connects and waits until the handler has seen it.
    pub(crate) fn connect_opened(&mut self, script: &mut Script) -> (C, ConnId) {
        let before = script.open.len();
        let client = self.connect();
        self.until(script, |s| s.open.len() > before);
        (client, *script.open.last().unwrap())
    }

    /// One turn that does not sleep.
    pub(crate) fn step(&mut self, script: &mut Script) {
        self.event_loop.remote().waker().wake();
        self.event_loop.run_once(script).unwrap();
        script.log.retain(|line| line != "woken");
    }

    pub(crate) fn steps(&mut self, script: &mut Script, n: usize) {
        for _ in 0..n {
            self.step(script);
        }
    }

    /// Lets time pass.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        (self.pass_ms)(ms);
    }

    /// Steps until `done`.
    pub(crate) fn until(&mut self, script: &mut Script, mut done: impl FnMut(&Script) -> bool) {
        for _ in 0..STEPS_MAX {
            if done(script) {
                return;
            }
            self.step(script);
        }
        // A full machine loses packets even to itself: the next try of the system comes a second later.
        for _ in 0..PATIENCE_MS {
            if done(script) {
                return;
            }
            self.pass_ms(1);
            self.step(script);
        }
        panic!("it did not happen; log: {:?}", script.log);
    }

    /// Writes all of `bytes`, stepping as needed.
    pub(crate) fn write_all(&mut self, script: &mut Script, client: &mut C, mut bytes: &[u8]) {
        for _ in 0..STEPS_MAX {
            if bytes.is_empty() {
                return;
            }
            let n = client.write(bytes).unwrap();
            bytes = &bytes[n..];
            self.step(script);
        }
        panic!("the server takes no more");
    }

    /// Reads `n` bytes, stepping as needed.
    pub(crate) fn read_exact(&mut self, script: &mut Script, client: &mut C, n: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..STEPS_MAX {
            if out.len() >= n {
                assert_eq!(out.len(), n, "more than expected");
                return out;
            }
            let got = client.read(&mut out).unwrap();
            assert_ne!(got, Some(0), "the end after {} of {n} bytes", out.len());
            self.step(script);
        }
        panic!("only {} of {n} bytes came", out.len());
    }

    /// Reads to the end of the stream, or to a reset (`Err`), stepping as needed.
    pub(crate) fn read_to_end(
        &mut self,
        script: &mut Script,
        client: &mut C,
    ) -> (Vec<u8>, io::Result<()>) {
        let mut out = Vec::new();
        for _ in 0..STEPS_MAX {
            match client.read(&mut out) {
                Ok(Some(0)) => return (out, Ok(())),
                Ok(_) => self.step(script),
                Err(e) => return (out, Err(e)),
            }
        }
        panic!("the end never came, {} bytes did", out.len());
    }
}
