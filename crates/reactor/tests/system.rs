//! What only real sockets can show: address families, threads, sleeping; on every backend where that could make a difference.

#[macro_use]
mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{Script, on_system};
use dunlin_reactor::{
    Clock, Epoll, Error, EventLoopPool, Limits, ListenAddress, ListenOptions, SystemBackend,
    SystemClock, TcpServer,
};

/// Makes a test for each backend of the system.
macro_rules! on_each {
    ($($name:ident)*) => {
        $(mod $name {
            use super::*;

            for_each_system_backend!(on_this_one($name));
        })*
    };
}

macro_rules! on_this_one {
    (($name:ident) $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            // Whether it is here; it says so if not.
            if common::open::<$backend>().is_ok() {
                super::$name::<$backend>(stringify!($id));
            }
        }
    };
}

on_each! {
    ipv4_ipv6_and_unix_are_served_by_several_threads
    an_idle_loop_sleeps_and_a_waker_wakes_it
    wake_ups_from_many_threads_are_not_lost
    thousands_of_connects_leak_no_descriptor
}

fn tcp(address: &str) -> ListenAddress {
    ListenAddress::Tcp(address.parse().unwrap())
}

fn port_of(address: &ListenAddress) -> SocketAddr {
    match address {
        ListenAddress::Tcp(address) => *address,
        ListenAddress::Unix { .. } => panic!("not a TCP address"),
    }
}

fn start<B: SystemBackend>(server: TcpServer, loops: usize) -> EventLoopPool {
    let loops = server.into_loops::<B>(loops, &Limits::default()).unwrap();
    EventLoopPool::start(loops, "test", |_| Script::echo()).unwrap()
}

fn echoes(mut stream: impl Read + Write) {
    stream.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
}

fn soon() -> u64 {
    SystemClock.monotonic_us() / 1_000 + 5_000
}

fn ipv4_ipv6_and_unix_are_served_by_several_threads<B: SystemBackend>(name: &str) {
    let path = std::env::temp_dir().join(format!("dunlin-{name}-{}.sock", std::process::id()));
    let unix = ListenAddress::Unix {
        path: path.clone(),
        mode: Some(0o700),
    };
    let mut server = TcpServer::new();
    let v4 = port_of(&server.listen(&tcp("127.0.0.1:0")).unwrap());
    // The same port on IPv6: possible only since that socket is for IPv6 alone.
    let v6 = server.listen(&tcp(&format!("[::1]:{}", v4.port())));
    server.listen(&unix).unwrap();
    let pool = start::<B>(server, 3);
    for _ in 0..10 {
        echoes(TcpStream::connect(v4).unwrap());
        if let Ok(v6) = &v6 {
            echoes(TcpStream::connect(port_of(v6)).unwrap());
        }
        echoes(UnixStream::connect(&path).unwrap());
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let idle: Vec<_> = (0..9).map(|_| TcpStream::connect(v4).unwrap()).collect();
    idle.iter().for_each(echoes);
    let loads: Vec<usize> = pool.remotes().iter().map(|r| r.load()).collect();
    assert_eq!(loads.iter().sum::<usize>(), 9, "{loads:?}");
    assert!(loads.iter().all(|n| (2..=4).contains(n)), "{loads:?}");
    pool.stop(soon());
    assert_eq!(pool.join().unwrap().cut, 0);
    assert!(!path.exists(), "the socket's file is left behind");
    let refused = TcpStream::connect(v4).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_port_in_use_is_an_error_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = ListenAddress::Tcp(taken.local_addr().unwrap());
    let error = TcpServer::new().listen(&address).unwrap_err();
    assert!(
        matches!(&error, Error::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse)
    );
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {address}: ")),
        "{text}"
    );
    // A second server of our own fails as well, unless both want to share.
    let mut first = TcpServer::new();
    let bound = first.listen(&tcp("127.0.0.1:0")).unwrap();
    assert!(TcpServer::new().listen(&bound).is_err());
    let shared = || {
        TcpServer::with_options(ListenOptions {
            reuse_port: true,
            ..ListenOptions::default()
        })
    };
    let mut first = shared();
    let bound = first.listen(&tcp("127.0.0.1:0")).unwrap();
    shared().listen(&bound).unwrap();
}

#[test]
fn a_file_that_is_no_socket_is_not_replaced() {
    let path = std::env::temp_dir().join(format!("dunlin-reactor-{}.txt", std::process::id()));
    std::fs::write(&path, "precious").unwrap();
    let address = ListenAddress::Unix {
        path: path.clone(),
        mode: None,
    };
    assert!(TcpServer::new().listen(&address).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn accepted_sockets_have_the_options_of_their_listener() {
    let mut server = TcpServer::with_options(ListenOptions {
        keepalive: Some(Duration::from_secs(90)),
        ..ListenOptions::default()
    });
    let bound = port_of(&server.listen(&tcp("127.0.0.1:0")).unwrap());
    let mut event_loop = server
        .into_loops::<Epoll>(1, &Limits::default())
        .unwrap()
        .remove(0);
    let _client = TcpStream::connect(bound).unwrap();
    let mut script = Opened::default();
    event_loop.remote().waker().wake();
    for _ in 0..3 {
        event_loop.remote().waker().wake();
        event_loop.run_once(&mut script).unwrap();
    }
    let descriptor = script.descriptor.unwrap();
    #[allow(unsafe_code)]
    // SAFETY: the loop owns the descriptor and lives until the end of the test.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    use rustix::net::sockopt;
    assert!(sockopt::tcp_nodelay(fd).unwrap());
    assert!(sockopt::socket_keepalive(fd).unwrap());
    assert_eq!(sockopt::tcp_keepidle(fd).unwrap(), Duration::from_secs(90));
    let flags = rustix::io::fcntl_getfd(fd).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let flags = rustix::fs::fcntl_getfl(fd).unwrap();
    assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
}

#[derive(Default)]
struct Opened {
    descriptor: Option<i32>,
}

impl dunlin_reactor::Handler for Opened {
    fn opened(
        &mut self,
        _: &mut dunlin_reactor::Io<'_>,
        _: dunlin_reactor::ConnId,
        peer: &dunlin_reactor::Peer,
    ) {
        assert!(peer.remote.is_some() && peer.local.is_some() && !peer.unix);
        self.descriptor = Some(peer.descriptor);
    }
    fn inputs(&mut self, _: &mut dunlin_reactor::Io<'_>, _: &mut [dunlin_reactor::Input]) {}
    fn closed(
        &mut self,
        _: &mut dunlin_reactor::Io<'_>,
        _: dunlin_reactor::ConnId,
        _: dunlin_reactor::CloseReason,
    ) {
    }
}

fn an_idle_loop_sleeps_and_a_waker_wakes_it<B: SystemBackend>(_: &str) {
    let mut server = TcpServer::new();
    let bound = port_of(&server.listen(&tcp("127.0.0.1:0")).unwrap());
    let pool = start::<B>(server, 1);
    let stream = TcpStream::connect(bound).unwrap();
    echoes(&stream);
    let remote = pool.remotes()[0].clone();
    let turns = || {
        let (tell, told) = mpsc::channel();
        let task = move |io: &mut dunlin_reactor::Io<'_>| tell.send(io.stats().turns).unwrap();
        remote.post(Box::new(task)).unwrap();
        told.recv_timeout(Duration::from_secs(5)).unwrap()
    };
    let before = turns();
    std::thread::sleep(Duration::from_millis(300));
    let slept = turns() - before;
    // One turn for each of the two tasks, and at most one that found nothing.
    assert!(slept <= 3, "{slept} turns while idle");
    pool.stop(soon());
    pool.join().unwrap();
}

fn wake_ups_from_many_threads_are_not_lost<B: SystemBackend>(_: &str) {
    let mut world = on_system::<B>(Limits::default()).unwrap();
    let remote = world.event_loop.remote();
    let counter = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (remote, counter) = (remote.clone(), std::sync::Arc::clone(&counter));
            std::thread::spawn(move || {
                for i in 0..5_000 {
                    let seen = counter.load(std::sync::atomic::Ordering::SeqCst);
                    let counter = std::sync::Arc::clone(&counter);
                    let count = move |_: &mut dunlin_reactor::Io<'_>| {
                        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    };
                    remote.post(Box::new(count)).unwrap();
                    if (seen + i) % 7 == 0 {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut script = Script::echo();
    let started = Instant::now();
    // Sleeps in between: a lost wake-up would hang here until the watchdog's own.
    let watchdog = remote.clone();
    let (finish, finished) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if finished.recv_timeout(Duration::from_secs(20)).is_err() {
            watchdog.waker().wake();
        }
    });
    while counter.load(std::sync::atomic::Ordering::SeqCst) < 20_000 {
        world.event_loop.run_once(&mut script).unwrap();
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "a wake-up was lost"
        );
    }
    finish.send(()).unwrap();
    watch.join().unwrap();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

#[test]
fn dropping_a_pool_joins_its_threads() {
    let mut server = TcpServer::new();
    let bound = port_of(&server.listen(&tcp("127.0.0.1:0")).unwrap());
    let pool = start::<Epoll>(server, 2);
    let _idle = TcpStream::connect(bound).unwrap();
    drop(pool);
    assert!(TcpStream::connect(bound).is_err());
}

fn thousands_of_connects_leak_no_descriptor<B: SystemBackend>(_: &str) {
    let mut world = on_system::<B>(Limits::default()).unwrap();
    let mut script = Script::echo();
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let (client, _) = world.connect_opened(&mut script);
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
    let before = count();
    for _ in 0..500 {
        let clients: Vec<_> = (0..10).map(|_| world.connect()).collect();
        world.steps(&mut script, 2);
        drop(clients);
        world.until(&mut script, |s| s.open.is_empty());
        script.closed.clear();
        script.log.clear();
    }
    world.until(&mut script, |s| s.open.is_empty());
    // Other tests of this process open a few meanwhile; what leaks once a round leaks more.
    assert!(
        count() <= before + 400,
        "{} descriptors instead of {before}",
        count()
    );
}
