//! The emulated edges by themselves, on every poller: what was told is not told again, and waiting is sleeping.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::socket::{ListenAddress, ListenOptions};
use crate::buffer::BUFFER_BYTES;

/// How long nothing must happen where nothing may.
const QUIET_MS: u64 = 20;

/// Runs a test on every poller.
macro_rules! on_every_poller {
    ($($name:ident)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn epoll() {
                super::$name(Scene::<EpollPoller>::new());
            }

            #[test]
            fn poll() {
                super::$name(Scene::<PollPoller>::new());
            }

            #[test]
            fn select() {
                super::$name(Scene::<SelectPoller>::new());
            }
        })*
    };
}

on_every_poller! {
    bytes_are_told_once_until_they_are_drained
    a_hang_up_is_told_once_though_nobody_reads
    a_reset_is_told_once
    a_full_socket_is_told_of_once_when_it_takes_more
    a_listener_repeats_until_its_backlog_is_empty
    a_paused_listener_is_silent
    a_wake_up_is_told_once
    a_watched_pipe_repeats_and_its_end_does_not
    a_closed_socket_is_forgotten
    the_end_of_a_connection_attempt_is_told_once
}

const TOKEN: Token = Token(7);

struct Scene<P> {
    level: Level<P>,
    socket: Option<Socket>,
    client: TcpStream,
    listener: Listener,
}

impl<P: Poller> Scene<P> {
    fn new() -> Scene<P> {
        let any = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let mut listener = Listener::bind(&any, &ListenOptions::default()).unwrap();
        let mut level = Level::new().unwrap();
        level.set_accepting(&mut listener, Token(1), true).unwrap();
        let mut scene = Scene {
            client: connect(&listener),
            socket: None,
            level,
            listener,
        };
        let event = scene.event();
        assert_eq!((event.token, event.readable), (Token(1), true));
        let (mut socket, _) = scene.level.accept(&mut scene.listener).unwrap().unwrap();
        scene.level.attach(&mut socket, TOKEN).unwrap();
        scene.socket = Some(socket);
        scene.quiet();
        scene
    }

    /// The one event that comes next.
    fn event(&mut self) -> Event {
        let mut events = Vec::new();
        let started = Instant::now();
        while events.is_empty() {
            self.level.wait(Some(1_000), &mut events).unwrap();
            assert!(started.elapsed() < Duration::from_secs(20), "nothing came");
        }
        assert_eq!(events.len(), 1, "{events:?}");
        events[0]
    }

    /// Nothing comes, and waiting for it is sleeping.
    fn quiet(&mut self) {
        let mut events = Vec::new();
        let started = Instant::now();
        self.level.wait(Some(QUIET_MS), &mut events).unwrap();
        assert_eq!(events, []);
        assert!(
            started.elapsed() >= Duration::from_millis(QUIET_MS),
            "it did not sleep"
        );
    }

    fn receive(&mut self, bytes_max: usize) -> io::Result<Received> {
        let mut buffer = Buffer::from_vec(Vec::with_capacity(BUFFER_BYTES));
        let socket = self.socket.as_mut().unwrap();
        self.level.receive(socket, &mut buffer, bytes_max)
    }

    /// Sends until the socket is full; returns how many bytes it took.
    fn fill(&mut self) -> usize {
        let mut sum = 0;
        loop {
            let mut rope = Rope::new();
            rope.tail().resize(1 << 20, b'x');
            let socket = self.socket.as_mut().unwrap();
            let sent = self
                .level
                .send(socket, &mut rope, usize::MAX, &mut |_| {})
                .unwrap();
            sum += sent.bytes;
            if sent.blocked {
                return sum;
            }
        }
    }

    fn watch_writable(&mut self, on: bool) {
        let socket = self.socket.as_mut().unwrap();
        self.level.watch_writable(socket, TOKEN, on).unwrap();
    }
}

fn connect(listener: &Listener) -> TcpStream {
    let ListenAddress::Tcp(address) = listener.address() else {
        unreachable!("a TCP listener has a TCP address");
    };
    TcpStream::connect(address).unwrap()
}

fn bytes_are_told_once_until_they_are_drained<P: Poller>(mut scene: Scene<P>) {
    scene.client.write_all(b"12345678").unwrap();
    let event = scene.event();
    assert!(event.readable && !event.writable && !event.peer_closed && !event.failed);
    scene.quiet();
    let got = scene.receive(5).unwrap();
    assert_eq!((got.bytes, got.more), (5, true));
    scene.quiet();
    scene.client.write_all(b"9").unwrap();
    scene.quiet();
    let got = scene.receive(100).unwrap();
    assert_eq!((got.bytes, got.more), (4, false));
    scene.quiet();
    scene.client.write_all(b"next").unwrap();
    assert!(scene.event().readable);
}

fn a_hang_up_is_told_once_though_nobody_reads<P: Poller>(mut scene: Scene<P>) {
    scene.client.write_all(b"unread").unwrap();
    assert!(!scene.event().peer_closed);
    scene.client.shutdown(std::net::Shutdown::Write).unwrap();
    let event = scene.event();
    assert!(event.peer_closed && !event.failed);
    scene.quiet();
    // Shut from both sides it is a hang-up, which no poller can be told not to report.
    scene.socket.as_ref().unwrap().shutdown_write().unwrap();
    let event = scene.event();
    assert!(event.peer_closed);
    scene.quiet();
    assert_eq!(scene.receive(100).unwrap().bytes, 6);
    assert!(scene.receive(100).unwrap().eof);
    scene.quiet();
}

fn a_reset_is_told_once<P: Poller>(mut scene: Scene<P>) {
    scene.client.write_all(b"x").unwrap();
    scene.event();
    rustix::net::sockopt::set_socket_linger(&scene.client, Some(Duration::ZERO)).unwrap();
    scene.client = connect(&scene.listener);
    let mut events = Vec::new();
    while !events.iter().any(|e: &Event| e.token == TOKEN) {
        scene.level.wait(Some(1_000), &mut events).unwrap();
    }
    let ours: Vec<_> = events.iter().filter(|e| e.token == TOKEN).collect();
    assert_eq!(ours.len(), 1);
    assert!(ours[0].failed && ours[0].peer_closed);
    scene.level.accept(&mut scene.listener).unwrap().unwrap();
    scene.quiet();
    let socket = scene.socket.as_mut().unwrap();
    let error = scene.level.take_error(socket).unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    scene.quiet();
}

fn a_full_socket_is_told_of_once_when_it_takes_more<P: Poller>(mut scene: Scene<P>) {
    let mut sent = scene.fill();
    scene.quiet();
    scene.watch_writable(true);
    scene.quiet();
    let mut got = 0;
    for round in 0..2 {
        // Twice: a writer that fills it again is told again, without asking.
        scene.client.set_nonblocking(true).unwrap();
        let mut chunk = vec![0; 1 << 20];
        let mut events = Vec::new();
        while events.is_empty() {
            got += scene.client.read(&mut chunk).unwrap_or(0);
            scene.level.wait(Some(1), &mut events).unwrap();
        }
        assert!(events.len() == 1 && events[0].writable && !events[0].readable);
        scene.quiet();
        if round == 0 {
            sent += scene.fill();
        }
    }
    assert!(got > 0 && got <= sent);
    scene.watch_writable(false);
    scene.quiet();
}

fn a_listener_repeats_until_its_backlog_is_empty<P: Poller>(mut scene: Scene<P>) {
    let _second = connect(&scene.listener);
    for _ in 0..3 {
        assert_eq!(scene.event().token, Token(1));
    }
    assert!(scene.level.accept(&mut scene.listener).unwrap().is_some());
    assert!(scene.level.accept(&mut scene.listener).unwrap().is_none());
    scene.quiet();
}

fn a_paused_listener_is_silent<P: Poller>(mut scene: Scene<P>) {
    scene
        .level
        .set_accepting(&mut scene.listener, Token(1), false)
        .unwrap();
    let _second = connect(&scene.listener);
    scene.quiet();
    scene
        .level
        .set_accepting(&mut scene.listener, Token(2), true)
        .unwrap();
    scene.event();
    let Scene {
        mut level,
        listener,
        ..
    } = scene;
    level.close_listener(listener);
    let mut events = Vec::new();
    level.wait(Some(QUIET_MS), &mut events).unwrap();
    assert_eq!(events, []);
}

fn a_wake_up_is_told_once<P: Poller>(mut scene: Scene<P>) {
    let waker = scene.level.waker();
    std::thread::spawn(move || {
        waker.wake();
        waker.wake();
    })
    .join()
    .unwrap();
    assert_eq!(scene.event().token, Token::WAKER);
    scene.quiet();
    scene.level.waker().wake();
    assert_eq!(scene.event().token, Token::WAKER);
}

fn a_watched_pipe_repeats_and_its_end_does_not<P: Poller>(mut scene: Scene<P>) {
    let (read, write) = rustix::pipe::pipe().unwrap();
    scene.level.watch(&read, Token(3)).unwrap();
    rustix::io::write(&write, b"x").unwrap();
    for _ in 0..2 {
        let event = scene.event();
        assert_eq!((event.token, event.readable), (Token(3), true));
    }
    drop(write);
    assert!(scene.event().readable, "the last byte is not read yet");
    rustix::io::read(&read, &mut [0; 8]).unwrap();
    assert_eq!(scene.event().token, Token(3));
    scene.quiet();
}

fn a_closed_socket_is_forgotten<P: Poller>(mut scene: Scene<P>) {
    scene.client.write_all(b"x").unwrap();
    scene.event();
    let socket = scene.socket.take().unwrap();
    scene.level.close(socket);
    scene.quiet();
    // Its number is used again, for somebody whom the old one's changes do not concern.
    let mut client = connect(&scene.listener);
    scene.event();
    let (mut socket, _) = scene.level.accept(&mut scene.listener).unwrap().unwrap();
    scene.level.attach(&mut socket, Token(9)).unwrap();
    client.write_all(b"y").unwrap();
    let event = scene.event();
    assert_eq!((event.token, event.readable), (Token(9), true));
    scene.level.close(socket);
}

fn the_end_of_a_connection_attempt_is_told_once<P: Poller>(mut scene: Scene<P>) {
    let ListenAddress::Tcp(address) = scene.listener.address().clone() else {
        unreachable!("a TCP listener has a TCP address");
    };
    // Nothing is to be seen of the one that is accepted.
    scene
        .level
        .set_accepting(&mut scene.listener, Token(1), false)
        .unwrap();
    let (mut socket, _) = scene.level.connect(&ConnectAddress::Tcp(address)).unwrap();
    scene.level.attach(&mut socket, TOKEN).unwrap();
    let event = scene.event();
    assert!(
        event.writable && !event.readable && !event.failed,
        "{event:?}"
    );
    scene.quiet();
    scene.level.close(socket);
    // The port of a socket that is closed refuses.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let Ok((mut socket, _)) = scene.level.connect(&ConnectAddress::Tcp(closed)) else {
        return;
    };
    scene.level.attach(&mut socket, TOKEN).unwrap();
    assert!(scene.event().failed);
    scene.quiet();
    let error = scene.level.take_error(&mut socket).unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}
