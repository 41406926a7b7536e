//! Connections that a loop makes itself: on the in-memory network and on every backend over real sockets.

#[macro_use]
mod common;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{Script, Wire, World, reply};
use dunlin_reactor::backend::Backend;
use dunlin_reactor::{ConnId, ConnState, ConnectAddress, Limits};

/// Long enough for a loaded machine; only a failure takes it.
const PATIENCE_MS: u64 = 20_000;

fn dial<B: Backend, C>(world: &mut World<B, C>, to: SocketAddr) -> ConnId {
    let address = ConnectAddress::Tcp(to);
    let mut io = world.event_loop.io();
    let deadline_ms = io.now_ms() + PATIENCE_MS;
    io.connect(&address, Some(deadline_ms))
}

/// Echoes to whoever came, and keeps what comes to the connections of `ours`.
fn echo_and_keep(ours: &Rc<RefCell<Vec<ConnId>>>) -> Script {
    let ours = Rc::clone(ours);
    Script::new(move |script, io, batch| {
        for input in batch {
            let conn = input.conn();
            if ours.borrow().contains(&conn) {
                let got = script.received.entry(conn).or_default();
                got.extend_from_slice(input.bytes());
            } else {
                reply(io, conn, input.bytes());
            }
            input.consume(input.bytes().len());
        }
    })
}

on_every_backend!(a_loop_is_its_own_client, Limits::default());
fn a_loop_is_its_own_client<B: Backend, C: Wire>(mut world: World<B, C>) {
    let ours = Rc::new(RefCell::new(Vec::new()));
    let mut script = echo_and_keep(&ours);
    let sent: Vec<u8> = (0..300_000).map(|i| (i * 7 % 251) as u8).collect();
    let to = world.address;
    let conn = dial(&mut world, to);
    ours.borrow_mut().push(conn);
    let mut io = world.event_loop.io();
    assert_eq!(io.state(conn), ConnState::Connecting);
    // Kept until it stands.
    reply(&mut io, conn, &sent[..1_000]);
    assert_eq!(io.output_len(conn), 1_000);
    world.until(&mut script, |s| !s.connected.is_empty());
    let mut io = world.event_loop.io();
    assert_eq!(io.state(conn), ConnState::Connected);
    reply(&mut io, conn, &sent[1_000..]);
    world.until(&mut script, |s| {
        s.received.get(&conn).is_some_and(|r| r.len() == sent.len())
    });
    assert!(script.received[&conn] == sent);
    let (id, peer) = script.connected[0].clone();
    assert_eq!(id, conn);
    assert_eq!(peer.remote, Some(to));
    assert!(peer.local.is_some() && peer.local != peer.remote && !peer.unix);
    assert_eq!(world.event_loop.stats().connected, 1);
    world.event_loop.io().close(conn);
    world.until(&mut script, |s| s.closed.len() == 2);
    assert_eq!(world.event_loop.connections(), 0);
    assert!(script.closed.iter().any(|c| c == &(conn, "Local".into())));
    assert!(script.closed.iter().any(|c| c.1 == "Eof"));
}

on_every_backend!(refused_is_told_at_once, Limits::default());
fn refused_is_told_at_once<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    // Bound, so that nobody else takes the port, but nobody listens.
    let fd = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    rustix::net::bind(&fd, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    let nobody = SocketAddr::try_from(rustix::net::getsockname(&fd).unwrap()).unwrap();
    let conn = dial(&mut world, nobody);
    reply(&mut world.event_loop.io(), conn, b"for nobody");
    // Even if it was to be closed anyhow, the reason is told.
    world.event_loop.io().close_after_flush(conn);
    let before = Instant::now();
    world.until(&mut script, |s| !s.closed.is_empty());
    assert!(before.elapsed() < Duration::from_millis(PATIENCE_MS / 2));
    assert_eq!(script.closed, [(conn, "Connect ConnectionRefused".into())]);
    assert!(script.connected.is_empty());
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
    assert_eq!(world.event_loop.stats().connect_failures, 1);
    assert_eq!(world.event_loop.connections(), 0);
}

on_every_backend!(
    a_connection_may_be_closed_before_it_stands,
    Limits::default()
);
fn a_connection_may_be_closed_before_it_stands<B: Backend, C: Wire>(mut world: World<B, C>) {
    let ours = Rc::new(RefCell::new(Vec::new()));
    let mut script = echo_and_keep(&ours);
    let to = world.address;
    let never = dial(&mut world, to);
    world.event_loop.io().close(never);
    world.until(&mut script, |s| !s.closed.is_empty());
    assert_eq!(script.closed, [(never, "Local".into())]);
    assert!(script.connected.is_empty(), "it was never begun");
    script.closed.clear();
    // To be closed behind its output: it is made, writes, and goes.
    let brief = dial(&mut world, to);
    reply(&mut world.event_loop.io(), brief, b"all I have to say");
    world.event_loop.io().close_after_flush(brief);
    let came = Rc::new(Cell::new(0));
    let count = Rc::clone(&came);
    script = Script::new(move |_, _, batch| {
        for input in batch {
            count.set(count.get() + input.bytes().len());
            input.consume(input.bytes().len());
        }
    });
    world.until(&mut script, |s| s.closed.len() == 2);
    assert_eq!(came.get(), 17);
    world.until(&mut script, |s| s.connected.len() == 1);
    // And one whose sending side is shut behind its output still hears the answer.
    let mut script = echo_and_keep(&ours);
    let half = dial(&mut world, to);
    ours.borrow_mut().push(half);
    reply(&mut world.event_loop.io(), half, b"a question");
    world.event_loop.io().shutdown_write(half);
    world.until(&mut script, |s| s.closed.len() == 2);
    assert_eq!(script.received[&half], b"a question");
    assert_eq!(world.event_loop.connections(), 0);
}

fn few() -> Limits {
    Limits {
        connecting_max: 3,
        ..Limits::default()
    }
}

on_every_backend!(the_number_in_the_making_is_bounded, few());
fn the_number_in_the_making_is_bounded<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::sink();
    let to = world.address;
    let conns: Vec<_> = (0..4).map(|_| dial(&mut world, to)).collect();
    world.until(&mut script, |s| s.connected.len() == 3);
    assert_eq!(script.closed, [(conns[3], "Connect QuotaExceeded".into())]);
    // Those that stand count no more.
    let more = dial(&mut world, to);
    world.until(&mut script, |s| s.connected.len() == 4);
    for conn in [conns[0], conns[1], conns[2], more] {
        world.event_loop.io().close(conn);
    }
    world.until(&mut script, |s| s.closed.len() == 9);
}

on_every_backend!(
    a_server_that_hangs_up_at_once_is_told_as_both,
    Limits::default()
);
fn a_server_that_hangs_up_at_once_is_told_as_both<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::sink();
    let to = world.address;
    let conn = dial(&mut world, to);
    world.until(&mut script, |s| !s.open.is_empty());
    let server = script.open[0];
    world.event_loop.io().close(server);
    world.until(&mut script, |s| s.closed.len() == 2);
    assert!(script.log.contains(&"connected".to_string()));
    assert!(
        script.closed.contains(&(conn, "Eof".into())),
        "{:?}",
        script.closed
    );
}

on_every_backend!(a_connection_can_follow_another_in_closed, Limits::default());
fn a_connection_can_follow_another_in_closed<B: Backend, C: Wire>(mut world: World<B, C>) {
    // Handlers that reconnect do it there, at the end of a turn.
    struct Chain {
        to: SocketAddr,
        left: usize,
        ended: bool,
    }
    impl dunlin_reactor::Handler for Chain {
        fn opened(
            &mut self,
            io: &mut dunlin_reactor::Io<'_>,
            conn: ConnId,
            _: &dunlin_reactor::Peer,
        ) {
            io.close(conn);
        }
        fn inputs(&mut self, _: &mut dunlin_reactor::Io<'_>, _: &mut [dunlin_reactor::Input]) {}
        fn closed(
            &mut self,
            io: &mut dunlin_reactor::Io<'_>,
            _: ConnId,
            why: dunlin_reactor::CloseReason,
        ) {
            if matches!(why, dunlin_reactor::CloseReason::Eof) {
                self.ended = self.left == 0;
                if !self.ended {
                    self.left -= 1;
                    io.connect(&ConnectAddress::Tcp(self.to), None);
                }
            }
        }
    }
    let mut chain = Chain {
        to: world.address,
        left: 20,
        ended: false,
    };
    dial(&mut world, chain.to);
    for _ in 0..100_000 {
        world.event_loop.remote().waker().wake();
        world.event_loop.run_once(&mut chain).unwrap();
        if chain.ended && world.event_loop.connections() == 0 {
            return;
        }
    }
    panic!("{} left", chain.left);
}

/// A listener whose backlog is full, so that the system answers nobody's first segment; with what fills it.
fn black_hole() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(listener.as_fd(), 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..100 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(filler) => fillers.push(filler),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                return (listener, fillers, address);
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the backlog never fills");
}

fn hasty() -> Limits {
    Limits {
        connect_ms: 200,
        ..Limits::default()
    }
}

on_sockets!(
    a_peer_that_does_not_answer_is_given_up_at_the_deadline,
    hasty()
);
fn a_peer_that_does_not_answer_is_given_up_at_the_deadline<B: Backend>(
    mut world: World<B, TcpStream>,
) {
    let (_listener, _fillers, address) = black_hole();
    let mut script = Script::echo();
    world.step(&mut script);
    let mut io = world.event_loop.io();
    io.refresh_now();
    let before = Instant::now();
    let conn = io.connect(&ConnectAddress::Tcp(address), None);
    let patient = io.connect(&ConnectAddress::Tcp(address), Some(io.now_ms() + 60_000));
    while script.closed.is_empty() {
        // Sleeps until the deadline.
        world.event_loop.run_once(&mut script).unwrap();
    }
    assert_eq!(script.closed, [(conn, "Connect TimedOut".into())]);
    assert!(before.elapsed() >= Duration::from_millis(199));
    assert_eq!(world.event_loop.io().state(patient), ConnState::Connecting);
    // Nothing of it keeps a stop waiting, and it is told closed.
    let deadline_ms = world.event_loop.io().now_ms() + PATIENCE_MS;
    world.event_loop.io().stop(deadline_ms);
    let report = world.event_loop.run(&mut script).unwrap();
    assert_eq!(report.cut, 0);
    assert_eq!(script.closed[1], (patient, "Local".into()));
    assert!(before.elapsed() < Duration::from_millis(PATIENCE_MS));
}

on_sockets!(
    a_stop_lets_output_out_whose_connection_is_still_being_made,
    Limits::default()
);
fn a_stop_lets_output_out_whose_connection_is_still_being_made<B: Backend>(
    mut world: World<B, TcpStream>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut script = Script::echo();
    let conn = dial(&mut world, listener.local_addr().unwrap());
    reply(&mut world.event_loop.io(), conn, b"last words");
    let deadline_ms = world.event_loop.io().now_ms() + PATIENCE_MS;
    world.event_loop.io().stop(deadline_ms);
    let reader = std::thread::spawn(move || {
        let mut words = String::new();
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_to_string(&mut words).unwrap();
        words
    });
    let report = world.event_loop.run(&mut script).unwrap();
    assert_eq!(report.cut, 0);
    // io_uring lets go of its last sockets here.
    drop(world);
    assert_eq!(reader.join().unwrap(), "last words");
}

on_sockets!(unix_sockets_and_ipv6_are_connected_to, Limits::default());
fn unix_sockets_and_ipv6_are_connected_to<B: Backend>(mut world: World<B, TcpStream>) {
    // One for each test, which may be a thread of one process.
    let port = world.address.port();
    let path = std::env::temp_dir().join(format!("dunlin-connect-{port}"));
    let _ = std::fs::remove_file(&path);
    let unix = UnixListener::bind(&path).unwrap();
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let mut script = Script::sink();
    let a = world
        .event_loop
        .io()
        .connect(&ConnectAddress::Unix(path.clone()), None);
    let b = dial(&mut world, v6.local_addr().unwrap());
    world.until(&mut script, |s| s.connected.len() == 2);
    unix.accept().unwrap().0.write_all(b"unix").unwrap();
    v6.accept().unwrap().0.write_all(b"v6").unwrap();
    world.until(&mut script, |s| s.closed.len() == 2);
    assert_eq!(script.received[&a], b"unix");
    assert_eq!(script.received[&b], b"v6");
    let unix_peer = &script.connected.iter().find(|c| c.0 == a).unwrap().1;
    assert!(unix_peer.unix && unix_peer.remote.is_none());
    // The file is there, but nobody listens any more.
    drop(unix);
    world
        .event_loop
        .io()
        .connect(&ConnectAddress::Unix(path.clone()), None);
    world.until(&mut script, |s| s.closed.len() == 3);
    assert_eq!(script.closed[2].1, "Connect ConnectionRefused");
    std::fs::remove_file(&path).unwrap();
    world
        .event_loop
        .io()
        .connect(&ConnectAddress::Unix(path), None);
    world.until(&mut script, |s| s.closed.len() == 4);
    assert_eq!(script.closed[3].1, "Connect NotFound");
}

on_sockets!(a_socket_never_connects_to_itself, Limits::default());
fn a_socket_never_connects_to_itself<B: Backend>(mut world: World<B, TcpStream>) {
    // A port of the range from which the system takes clients' ports, on which nobody listens: sooner or later a client gets it as its own.
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let low: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    // Linux prefers ports of the parity of the range's beginning for clients.
    // Tests of other processes look for one too, at the same time.
    let spread = 2 * (std::process::id() % 5_000) as u16;
    let port = (low + 1_000 + spread..)
        .step_by(2)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap();
    let nobody = SocketAddr::from(([127, 0, 0, 1], port));
    let mut script = Script::echo();
    let mut tried = 0;
    while tried < 60_000 {
        for _ in 0..100 {
            dial(&mut world, nobody);
        }
        tried += 100;
        world.until(&mut script, |s| s.closed.len() == 100);
        assert!(script.connected.is_empty(), "connected to itself");
        assert!(
            script
                .closed
                .iter()
                .all(|c| c.1 == "Connect ConnectionRefused")
        );
        script.closed.clear();
        script.log.clear();
    }
}
