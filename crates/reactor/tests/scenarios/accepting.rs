//! Listeners: full backlogs, scarce descriptors, many loops on one port.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dunlin_reactor::backend::{Backend, socket};
use dunlin_reactor::{
    CloseReason, ConnId, EventLoop, Handler, Input, Io, Limits, ListenAddress, ListenOptions,
    Listener, Peer,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::common::Script;
use crate::site::{LeftOut, Played, Site};

/// Set in the process of a scenario that changes its process.
const CHILD: &str = "DUNLIN_REACTOR_TEST_CHILD";

/// A bound for what hangs.
const HANGS: Duration = Duration::from_secs(20);

pub(crate) fn a_full_backlog_drains<S: Site>() -> Played {
    S::a_full_backlog_drains()
}

pub(crate) fn one_connection_wakes_one_loop<S: Site>() -> Played {
    S::one_connection_wakes_one_loop()
}

pub(crate) fn descriptors_run_out<S: Site>() -> Played {
    // The limit belongs to the process, so a process of its own takes it.
    let own_process = S::NAME != "memory" && std::env::var_os(CHILD).is_none();
    if own_process {
        // Whether it is there at all is found out here.
        drop(S::world(Limits::default())?);
        let test = format!("descriptors_run_out::{}", S::NAME);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &test, "--nocapture"])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return Ok(());
    }
    // One failure now, and one when it is tried again.
    let scarce = S::world_without_descriptors(2)?;
    let mut world = scarce.world;
    let mut script = Script::echo();
    let (first, _) = world.connect_opened(&mut script);
    (scarce.begin)(2);
    let waiting = [world.connect(), world.connect()];
    world.until(&mut script, |s| {
        s.log.contains(&"accept_paused".to_string())
    });
    world.steps(&mut script, 50);
    assert_eq!(script.open.len(), 1);
    assert_eq!(world.event_loop.stats().accept_failures, 1, "it spins");
    let told = |s: &Script| s.log.iter().filter(|l| *l == "accept_paused").count();
    assert_eq!(told(&script), 1);
    world.pass_ms(110);
    world.steps(&mut script, 50);
    assert_eq!(world.event_loop.stats().accept_failures, 2);
    assert_eq!(told(&script), 1, "it is told once");
    // The first one leaves: its two descriptors serve the two that wait, without waiting for the timer.
    drop(first);
    world.until(&mut script, |s| s.open.len() == 2);
    drop(waiting);
    world.until(&mut script, |s| s.open.is_empty());
    Ok(())
}

fn listen(address: &str, options: &ListenOptions) -> Listener {
    let address = ListenAddress::Tcp(address.parse().unwrap());
    Listener::bind(&address, options).unwrap()
}

/// Begins to connect, without waiting.
fn begin_to_connect(listener: &Listener) -> OwnedFd {
    let ListenAddress::Tcp(address) = listener.address() else {
        unreachable!("a TCP listener has a TCP address");
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    // Under way, or done: the sockets are asked later.
    let _ = connect(&fd, address);
    fd
}

/// How many of them are connected.
fn connected(sockets: &[OwnedFd]) -> usize {
    let mut fds: Vec<_> = sockets
        .iter()
        .map(|fd| PollFd::new(fd, PollFlags::OUT))
        .collect();
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).unwrap()
}

/// On the system's sockets.
pub(crate) fn a_full_backlog_drains_on<B>(backend: B) -> Played
where
    B: Backend<Listener = socket::Listener>,
{
    const CLIENTS: usize = 4;
    let options = ListenOptions {
        backlog: 1,
        ..ListenOptions::default()
    };
    let listener = listen("127.0.0.1:0", &options);
    let sockets: Vec<OwnedFd> = (0..CLIENTS).map(|_| begin_to_connect(&listener)).collect();
    let started = Instant::now();
    while connected(&sockets) == 0 {
        assert!(started.elapsed() < HANGS, "nobody found room");
    }
    assert!(connected(&sockets) < CLIENTS, "the backlog has no end");
    let mut event_loop = EventLoop::new(backend, Limits::default());
    event_loop.add_listener(listener).unwrap();
    let mut script = Script::echo();
    // Who found no room tries again by itself, after a second or so.
    while script.open.len() < CLIENTS {
        assert!(
            started.elapsed() < HANGS,
            "only {} are served",
            script.open.len()
        );
        event_loop.remote().waker().wake();
        event_loop.run_once(&mut script).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(connected(&sockets), CLIENTS);
    let mut clients: Vec<TcpStream> = sockets.into_iter().map(TcpStream::from).collect();
    for client in &mut clients {
        let mut got = Vec::new();
        crate::common::Wire::write(client, b"hello").unwrap();
        while got.len() < 5 {
            assert!(started.elapsed() < HANGS, "no answer");
            event_loop.remote().waker().wake();
            event_loop.run_once(&mut script).unwrap();
            crate::common::Wire::read(client, &mut got).unwrap();
        }
        assert_eq!(got, b"hello");
    }
    Ok(())
}

/// Counts what a loop does.
struct Counting {
    turns: Arc<AtomicU64>,
    opened: Arc<AtomicUsize>,
}

impl Handler for Counting {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {
        self.opened.fetch_add(1, Ordering::SeqCst);
    }
    fn inputs(&mut self, _: &mut Io<'_>, _: &mut [Input]) {}
    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
    fn turn_end(&mut self, _: &mut Io<'_>) -> Option<u64> {
        self.turns.fetch_add(1, Ordering::SeqCst);
        None
    }
}

/// On the system's sockets: loops that know nothing of each other, each with a listener of its own on the one port.
pub(crate) fn one_connection_wakes_one_loop_on<B>(open: fn() -> Result<B, LeftOut>) -> Played
where
    B: Backend<Listener = socket::Listener>,
    EventLoop<B>: Send + 'static,
{
    const LOOPS: usize = 4;
    let options = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let first = listen("127.0.0.1:0", &options);
    let address = first.address().to_string();
    let more = (1..LOOPS).map(|_| listen(&address, &options));
    let listeners: Vec<Listener> = std::iter::once(first).chain(more).collect();
    let opened = Arc::new(AtomicUsize::new(0));
    let mut turns = Vec::new();
    let mut remotes = Vec::new();
    let mut threads = Vec::new();
    for listener in listeners {
        let mut event_loop = EventLoop::new(open()?, Limits::default());
        event_loop.add_listener(listener).unwrap();
        let mut handler = Counting {
            turns: Arc::default(),
            opened: Arc::clone(&opened),
        };
        turns.push(Arc::clone(&handler.turns));
        remotes.push(event_loop.remote());
        threads.push(std::thread::spawn(move || {
            event_loop.run(&mut handler).unwrap();
        }));
    }
    let counts = || -> Vec<u64> { turns.iter().map(|t| t.load(Ordering::SeqCst)).collect() };
    let quiet = || {
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < HANGS, "the loops never sleep");
            let before = counts();
            std::thread::sleep(Duration::from_millis(100));
            if before == counts() && before.iter().all(|n| *n > 0) {
                return before;
            }
        }
    };
    // They stay: their ends would wake loops too.
    let mut clients = Vec::new();
    for connections in 1..=5 {
        let before = quiet();
        clients.push(TcpStream::connect(&address).unwrap());
        let started = Instant::now();
        while opened.load(Ordering::SeqCst) < connections {
            assert!(started.elapsed() < HANGS, "nobody accepts");
            std::thread::sleep(Duration::from_millis(1));
        }
        let after = quiet();
        let woken = before.iter().zip(&after).filter(|(b, a)| a != b).count();
        assert_eq!(woken, 1, "{before:?} became {after:?}");
    }
    remotes.iter().for_each(|r| r.stop(0));
    threads.into_iter().for_each(|t| t.join().unwrap());
    Ok(())
}
