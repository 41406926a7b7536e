//! What connections cost that do nothing, and what those leave that have gone: memory, wake-ups and descriptors, on each backend of the
//! system.
//!
//! Select gets fewer connections at once than the others: it takes no descriptor from 1,024 on, and both ends are in this process. What a
//! loop has but once, its pool of buffers above all, then weighs on so few that it is allowed for.
//!
//! Invariant: one test at a time, since descriptors belong to the process; the clients are bare sockets, which own no memory.

#[macro_use]
mod common;
#[path = "common/counting.rs"]
mod counting;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use counting::{Counting, Echo, live_bytes};
use dunlin_reactor::{
    BUFFER_BYTES, EventLoop, Limits, ListenAddress, ListenOptions, Listener, SystemBackend,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Connections that are idle at once.
const IDLE: usize = 5_000;
/// User memory of an idle connection, its share of the loop's included.
const IDLE_BYTES_MAX: usize = 1_024;
/// The same for select: the pool may hold a buffer for each client of a batch.
const IDLE_SELECT: usize = 400;
const IDLE_SELECT_BYTES_MAX: usize = IDLE_BYTES_MAX + BATCH * BUFFER_BYTES / IDLE_SELECT;
/// How long the loop is watched while it sleeps.
const SLEEP: Duration = Duration::from_millis(300);

/// Connections that come and go.
const CONNECTS: usize = 100_000;
/// Those before the first count: what a loop keeps for later it has by then.
const CONNECTS_BEFORE: usize = 1_000;
/// Clients that are there at once: fewer than a listener's backlog.
const BATCH: usize = 50;
/// Addresses of this machine that take turns, so that the ports of each have time to become free.
const ADDRESSES: usize = 16;

/// Turns after which something that should have happened counts as hanging.
const TURNS_MAX: usize = 100_000;
const MESSAGE: &[u8] = b"GET key:000000000001\r\n";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A loop that echoes, on all addresses of this machine.
struct World<B: SystemBackend> {
    event_loop: EventLoop<B>,
    echo: Echo,
    port: u16,
}

impl<B: SystemBackend> World<B> {
    /// `None` where the system has no such backend.
    fn new() -> Option<World<B>> {
        let mut event_loop = EventLoop::new(common::open::<B>().ok()?, Limits::default());
        let any = ListenAddress::Tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let listener = Listener::bind(&any, &ListenOptions::default()).unwrap();
        let ListenAddress::Tcp(address) = listener.address().clone() else {
            unreachable!("a TCP listener has a TCP address");
        };
        event_loop.add_listener(listener).unwrap();
        Some(World {
            event_loop,
            echo: Echo::default(),
            port: address.port(),
        })
    }

    fn connect(&self, nth: usize) -> TcpStream {
        let host = Ipv4Addr::new(127, 0, 0, (1 + nth % ADDRESSES) as u8);
        TcpStream::connect((host, self.port)).unwrap()
    }

    /// One turn that does not sleep.
    fn turn(&mut self) {
        self.event_loop.remote().waker().wake();
        self.event_loop.run_once(&mut self.echo).unwrap();
    }

    /// Turns until `done`.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut World<B>) -> bool) {
        for _ in 0..TURNS_MAX {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("it did not happen: {what}");
    }

    /// Sends each client's message and waits until it is back.
    fn exchange(&mut self, clients: &mut [TcpStream]) {
        for client in clients.iter_mut() {
            client.write_all(MESSAGE).unwrap();
        }
        for client in clients {
            client.set_nonblocking(true).unwrap();
            let mut got = [0; MESSAGE.len()];
            self.until("an echo", |_| client.read(&mut got).is_ok());
            assert_eq!(got, MESSAGE);
        }
    }

    /// So many connections that come, say something, and go: every other one by a reset.
    fn come_and_go(&mut self, clients: &mut Vec<TcpStream>, connects: usize) {
        for first in (0..connects).step_by(BATCH) {
            clients.extend((first..first + BATCH).map(|nth| self.connect(nth / BATCH)));
            self.exchange(clients);
            for (nth, client) in clients.drain(..).enumerate() {
                if nth % 2 == 0 {
                    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
                }
            }
            self.until("all have gone", |w| w.event_loop.connections() == 0);
        }
    }
}

/// Lets this process open as many descriptors as it is allowed.
fn raise_descriptors(wanted: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    assert!(
        allowed > wanted as u64,
        "this test wants {wanted} descriptors; the hard limit is {allowed} (ulimit -Hn)"
    );
}

/// Open descriptors of this process, and the one that they are read by.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Idle connections own little, and the loop sleeps through.
fn idle<B: SystemBackend>(connections: usize, bytes_max: usize) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    raise_descriptors(2 * connections + 100);
    let Some(mut world) = World::<B>::new() else {
        return;
    };
    let mut clients = Vec::with_capacity(connections);
    world.come_and_go(&mut clients, CONNECTS_BEFORE);
    let before = live_bytes();
    while clients.len() < connections {
        let first = clients.len();
        clients.extend((first..first + BATCH).map(|nth| world.connect(nth)));
        world.exchange(&mut clients[first..]);
    }
    assert_eq!(world.event_loop.connections(), connections);
    let each = (live_bytes() - before) / connections as isize;
    eprintln!("{each} bytes for each connection");
    assert!(
        each <= bytes_max as isize,
        "{each} bytes for each connection"
    );

    world.turn();
    let (turns, woken) = (world.event_loop.stats().turns, world.echo.woken);
    let remote = world.event_loop.remote();
    let began = Instant::now();
    let alarm = thread::spawn(move || {
        thread::sleep(SLEEP);
        remote.waker().wake();
    });
    while world.echo.woken == woken {
        world.event_loop.run_once(&mut world.echo).unwrap();
    }
    assert!(began.elapsed() >= SLEEP);
    assert_eq!(
        world.event_loop.stats().turns,
        turns + 1,
        "it woke up without a reason"
    );
    alarm.join().unwrap();
}

/// Connections that have gone leave neither memory nor descriptors.
fn leaks<B: SystemBackend>() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut world) = World::<B>::new() else {
        return;
    };
    let mut clients = Vec::with_capacity(BATCH);
    world.come_and_go(&mut clients, CONNECTS_BEFORE);
    let (bytes, open) = (live_bytes(), descriptors());
    world.come_and_go(&mut clients, CONNECTS);
    let opened = CONNECTS_BEFORE + CONNECTS;
    assert_eq!(world.event_loop.stats().opened, opened as u64);
    assert_eq!(descriptors(), open, "descriptors were leaked");
    assert_eq!(live_bytes(), bytes, "memory was leaked");
}

macro_rules! on_one_backend {
    (() select $backend:ty) => {
        mod select {
            #[test]
            fn idle() {
                super::idle::<$backend>(super::IDLE_SELECT, super::IDLE_SELECT_BYTES_MAX);
            }

            #[test]
            fn leaks() {
                super::leaks::<$backend>();
            }
        }
    };
    (() $id:ident $backend:ty) => {
        mod $id {
            #[test]
            fn idle() {
                super::idle::<$backend>(super::IDLE, super::IDLE_BYTES_MAX);
            }

            #[test]
            fn leaks() {
                super::leaks::<$backend>();
            }
        }
    };
}

for_each_system_backend!(on_one_backend());
