//! The blocking client against the system's own sockets: how streams end, what deadlines do, what calls say of a part.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use dunlin_reactor::{BlockingStream, CONNECT_TIMEOUT, ConnectAddress, ReceiveFlags};

/// Long enough for a loaded machine; only a failure takes it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Long enough to see that a call waits.
const SHORT: Duration = Duration::from_millis(50);

/// Long enough for a first write to have happened, too.
fn later() -> Option<Instant> {
    Some(Instant::now() + 8 * SHORT)
}

/// More than all buffers between two sockets take.
const MORE_THAN_FITS: usize = 32 << 20;

fn soon() -> Option<Instant> {
    Some(Instant::now() + SHORT)
}

/// The blocking client, and its peer.
fn pair() -> (BlockingStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = ConnectAddress::Tcp(listener.local_addr().unwrap());
    let mut client = BlockingStream::connect(&address, CONNECT_TIMEOUT).unwrap();
    // So that a test that fails does not hang.
    client.set_deadline(Some(Instant::now() + PATIENCE));
    (client, listener.accept().unwrap().0)
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

#[test]
fn a_peer_that_closes_is_the_end_of_the_stream() {
    let (mut client, peer) = pair();
    drop(peer);
    for _ in 0..3 {
        assert_eq!(client.read(&mut [0; 10]).unwrap(), 0);
    }
}

#[test]
fn data_that_come_late_are_waited_for() {
    let (mut client, mut peer) = pair();
    let writer = thread::spawn(move || {
        thread::sleep(SHORT);
        peer.write_all(b"late").unwrap();
        peer
    });
    let started = Instant::now();
    let mut buffer = [0; 10];
    assert_eq!(client.read(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"late");
    assert!(started.elapsed() >= SHORT / 2);
    drop(writer.join().unwrap());
}

#[test]
fn a_read_takes_what_is_there() {
    let (mut client, mut peer) = pair();
    peer.write_all(b"12345").unwrap();
    let mut buffer = [0; 10];
    assert_eq!(client.read(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"12345");
}

#[test]
fn nineteen_bytes_are_ten_and_nine_and_the_end() {
    let (mut client, mut peer) = pair();
    peer.write_all(b"0123456789abcdefghi").unwrap();
    drop(peer);
    let mut buffer = [0; 10];
    assert_eq!(client.read(&mut buffer).unwrap(), 10);
    assert_eq!(&buffer, b"0123456789");
    assert_eq!(client.read(&mut buffer).unwrap(), 9);
    assert_eq!(&buffer[..9], b"abcdefghi");
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
}

#[test]
fn a_deadline_stays_expired_until_it_is_reset() {
    let (mut client, mut peer) = pair();
    client.set_read_deadline(soon());
    let started = Instant::now();
    let mut buffer = [0; 10];
    let error = client.read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() >= SHORT);
    peer.write_all(b"data").unwrap();
    // Even with data, and without waiting, and for every kind of reading.
    let started = Instant::now();
    for _ in 0..3 {
        assert_eq!(
            client.read(&mut buffer).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert_eq!(
            client.peek(&mut buffer).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        let error = client.read_full(&mut buffer).unwrap_err();
        assert_eq!((error.bytes, error.source.kind()), (0, ErrorKind::TimedOut));
    }
    assert!(started.elapsed() < PATIENCE / 2);
    // Writing has a deadline of its own.
    client.write_full(b"x").unwrap();
    client.set_write_deadline(Some(Instant::now()));
    let error = client.write_full(b"x").unwrap_err();
    assert_eq!((error.bytes, error.source.kind()), (0, ErrorKind::TimedOut));
    client.set_deadline(Some(Instant::now() + PATIENCE));
    assert_eq!(client.read(&mut buffer).unwrap(), 4);
    client.write_full(b"y").unwrap();
    drop(client);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"xy");
}

#[test]
fn timeouts_lose_nothing() {
    let (mut client, mut peer) = pair();
    let mut buffer = [0; 10];
    for word in [b"one", b"two"] {
        client.set_read_deadline(soon());
        assert_eq!(
            client.read(&mut buffer).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        client.set_read_deadline(Some(Instant::now() + PATIENCE));
        peer.write_all(word).unwrap();
        assert_eq!(client.read(&mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], word);
    }
    drop(peer);
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
}

#[test]
fn a_full_read_that_times_out_says_how_much_came() {
    let (mut client, mut peer) = pair();
    peer.write_all(b"half").unwrap();
    client.set_read_deadline(soon());
    let mut buffer = [0; 8];
    let error = client.read_full(&mut buffer).unwrap_err();
    assert_eq!((error.bytes, error.source.kind()), (4, ErrorKind::TimedOut));
    assert_eq!(&buffer[..4], b"half");
    assert!(error.to_string().ends_with("after 4 bytes"), "{error}");
    client.set_read_deadline(Some(Instant::now() + PATIENCE));
    peer.write_all(b"half").unwrap();
    client.read_full(&mut buffer[4..]).unwrap();
    assert_eq!(&buffer, b"halfhalf");
    peer.write_all(b"123").unwrap();
    drop(peer);
    let error = client.read_full(&mut buffer).unwrap_err();
    assert_eq!(
        (error.bytes, error.source.kind()),
        (3, ErrorKind::UnexpectedEof)
    );
}

#[test]
fn a_writer_learns_how_much_went_out_before_its_slow_reader_died() {
    let (mut client, mut peer) = pair();
    let reader = thread::spawn(move || {
        let mut chunk = [0; 64 * 1024];
        let mut got = 0;
        while got < 1 << 20 {
            thread::sleep(Duration::from_millis(2));
            got += peer.read(&mut chunk).unwrap();
        }
        // It dies with more on its way to it.
        thread::sleep(SHORT);
        got
    });
    let all = vec![7; MORE_THAN_FITS];
    let error = client.write_full(&all).unwrap_err();
    assert!(is_gone(error.source.kind()), "{error}");
    assert!(error.bytes >= reader.join().unwrap(), "{error}");
    assert!(error.bytes < all.len());
    assert!(is_gone(
        client.write_full(b"more").unwrap_err().source.kind()
    ));
}

#[test]
fn a_write_that_times_out_says_how_much_went_out() {
    let (mut client, mut peer) = pair();
    let all = vec![7; MORE_THAN_FITS];
    client.set_write_deadline(later());
    let started = Instant::now();
    let error = client.write_full(&all).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() >= SHORT);
    assert!(error.bytes > 0);
    client.shutdown_write().unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), error.bytes, "not what really went out");
}

#[test]
fn closing_with_unread_data_resets_the_peer() {
    let (mut client, mut peer) = pair();
    peer.write_all(b"never read").unwrap();
    // They have arrived.
    let mut buffer = [0; 16];
    assert_eq!(client.peek(&mut buffer).unwrap(), 10);
    client.write_full(b"lost with it").unwrap();
    drop(client);
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let end = loop {
        match peer.read(&mut buffer) {
            Ok(0) => panic!("an orderly end"),
            Ok(_) => {}
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(end, ErrorKind::ConnectionReset);
}

#[test]
fn closing_with_pending_data_delivers_them_first() {
    let (mut client, mut peer) = pair();
    // More than the peer's system takes at once is still in our system's hands when we close.
    let all = vec![7; MORE_THAN_FITS];
    client.set_write_deadline(later());
    let sent = client.write_full(&all).unwrap_err().bytes;
    assert!(sent > 0);
    drop(client);
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), sent);
}

#[test]
fn writing_to_a_peer_that_closed_fails_after_the_first_time() {
    let (mut client, peer) = pair();
    drop(peer);
    assert_eq!(client.read(&mut [0; 10]).unwrap(), 0);
    // The peer's system answers these bytes with a reset.
    client.write_full(b"into the void").unwrap();
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < PATIENCE);
        if let Err(error) = client.write_full(b"more") {
            break error;
        }
        thread::sleep(Duration::from_millis(1));
    };
    assert!(is_gone(error.source.kind()), "{error}");
    assert_eq!(error.bytes, 0);
}

#[test]
fn a_peer_that_shut_its_side_can_still_be_written_to() {
    let (mut client, mut peer) = pair();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 10]).unwrap(), 0);
    client.write_full(b"answer").unwrap();
    client.shutdown_write().unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"answer");
    assert_eq!(
        client.write_full(b"x").unwrap_err().source.kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn flags_of_receiving_do_what_they_say() {
    let (mut client, mut peer) = pair();
    let with = |set: fn(&mut ReceiveFlags)| {
        let mut flags = ReceiveFlags::default();
        set(&mut flags);
        flags
    };
    let mut buffer = [0; 8];
    let dont_wait = with(|f| f.dont_wait = true);
    let error = client.receive(&mut buffer, dont_wait).unwrap_err();
    assert_eq!(
        (error.bytes, error.source.kind()),
        (0, ErrorKind::WouldBlock)
    );
    peer.write_all(b"abcd").unwrap();
    for _ in 0..2 {
        assert_eq!(
            client
                .receive(&mut buffer, with(|f| f.peek = true))
                .unwrap(),
            4
        );
        assert_eq!(&buffer[..4], b"abcd");
    }
    assert_eq!(client.receive(&mut buffer[..3], dont_wait).unwrap(), 3);
    // One byte is left: all eight are waited for.
    let writer = thread::spawn(move || {
        thread::sleep(SHORT);
        peer.write_all(b"efghijk").unwrap();
        peer
    });
    let wait_all = with(|f| f.wait_all = true);
    assert_eq!(client.receive(&mut buffer, wait_all).unwrap(), 8);
    assert_eq!(&buffer, b"defghijk");
    let mut peer = writer.join().unwrap();
    peer.write_all(b"end").unwrap();
    drop(peer);
    assert_eq!(client.receive(&mut buffer, wait_all).unwrap(), 3);
    assert_eq!(client.receive(&mut buffer, wait_all).unwrap(), 0);
    let both = with(|f| (f.wait_all, f.peek) = (true, true));
    let error = client.receive(&mut buffer, both).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::InvalidInput);
}

#[test]
fn urgent_data_come_out_of_band() {
    let (mut client, peer) = pair();
    let mut peer = BlockingStream::from_socket(peer).unwrap();
    let urgent = ReceiveFlags {
        out_of_band: true,
        ..ReceiveFlags::default()
    };
    let at_once = ReceiveFlags {
        dont_wait: true,
        ..urgent
    };
    let mut byte = [0; 1];
    let error = client.receive(&mut byte, at_once).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::WouldBlock);
    let before = client.try_clone().unwrap();
    client.set_read_deadline(soon());
    let error = client.receive(&mut byte, urgent).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::TimedOut);
    client.set_read_deadline(Some(Instant::now() + PATIENCE));
    peer.write_full(b"ordinary").unwrap();
    let sender = thread::spawn(move || {
        thread::sleep(SHORT);
        peer.send_urgent(b'!').unwrap();
        peer
    });
    assert_eq!(client.receive(&mut byte, urgent).unwrap(), 1);
    assert_eq!(&byte, b"!");
    // What was sent before it is still there.
    let mut buffer = [0; 8];
    client.read_full(&mut buffer).unwrap();
    assert_eq!(&buffer, b"ordinary");
    drop(sender.join().unwrap());
    assert_eq!(client.receive(&mut byte, urgent).unwrap(), 0, "the end");
    drop(before);
}

#[test]
fn several_buffers_go_in_one_call() {
    let (mut client, mut peer) = pair();
    let slices = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    assert_eq!(client.write_vectored(&slices).unwrap(), 7);
    let mut got = [0; 7];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"one two");
    peer.write_all(&got).unwrap();
    let (mut a, mut b) = ([0; 3], [0; 10]);
    assert_eq!(client.peek(&mut b).unwrap(), 7);
    let mut buffers = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
    assert_eq!(client.read_vectored(&mut buffers).unwrap(), 7);
    assert_eq!((&a, &b[..4]), (b"one", &b" two"[..]));
    client.set_read_deadline(soon());
    let mut buffers = [IoSliceMut::new(&mut a)];
    let error = client.read_vectored(&mut buffers).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // What the slices cannot pass at once they pass in part.
    let big = vec![7; MORE_THAN_FITS];
    client.set_write_deadline(later());
    let n = client
        .write_vectored(&[IoSlice::new(&big), IoSlice::new(&big)])
        .unwrap();
    assert!(n > 0 && n < big.len());
}

#[test]
fn one_thread_reads_while_another_writes() {
    let (mut client, mut peer) = pair();
    let mut other = client.try_clone().unwrap();
    let echo = thread::spawn(move || {
        let mut chunk = [0; 9_999];
        loop {
            match peer.read(&mut chunk).unwrap() {
                0 => return,
                n => peer.write_all(&chunk[..n]).unwrap(),
            }
        }
    });
    let sent: Vec<u8> = (0..3 << 20).map(|i| (i * 7 % 251) as u8).collect();
    let writer = thread::spawn(move || {
        other.write_full(&sent).unwrap();
        other.shutdown_write().unwrap();
        sent
    });
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert!(got == writer.join().unwrap());
    echo.join().unwrap();
}

fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn it_connects_over_ipv6_and_unix_sockets() {
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let path = path("blocking");
    let unix = UnixListener::bind(&path).unwrap();
    let addresses = [
        ConnectAddress::Tcp(v6.local_addr().unwrap()),
        ConnectAddress::Unix(path.clone()),
    ];
    let mut clients = addresses.map(|a| BlockingStream::connect(&a, CONNECT_TIMEOUT).unwrap());
    v6.accept().unwrap().0.write_all(b"six").unwrap();
    unix.accept().unwrap().0.write_all(b"unix").unwrap();
    let got = clients.each_mut().map(|client| {
        let mut got = String::new();
        client.read_to_string(&mut got).unwrap();
        got
    });
    assert_eq!(got, ["six", "unix"]);
    for client in &clients {
        let flags = rustix::io::fcntl_getfd(client).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        let flags = rustix::fs::fcntl_getfl(client).unwrap();
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn refused_is_said_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = ConnectAddress::Tcp(listener.local_addr().unwrap());
    drop(listener);
    let started = Instant::now();
    let error = BlockingStream::connect(&address, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(started.elapsed() < PATIENCE / 2);
}

fn black_hole() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(listener.as_fd(), 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..100 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(filler) => fillers.push(filler),
            Err(_) => return (listener, fillers, address),
        }
    }
    panic!("the backlog never fills");
}

#[test]
fn a_silent_peer_is_given_up_in_time() {
    let (_listener, _fillers, address) = black_hole();
    let started = Instant::now();
    let address = ConnectAddress::Tcp(address);
    let error = BlockingStream::connect(&address, SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() >= SHORT);
}

#[test]
fn a_unix_socket_with_a_full_backlog_is_waited_for() {
    let path = path("full");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(listener.as_fd(), 0).unwrap();
    let _filler = UnixStream::connect(&path).unwrap();
    let address = ConnectAddress::Unix(path.clone());
    let error = BlockingStream::connect(&address, SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let acceptor = thread::spawn(move || {
        thread::sleep(SHORT);
        (listener.accept().unwrap(), listener)
    });
    BlockingStream::connect(&address, PATIENCE).unwrap();
    drop(acceptor.join().unwrap());
    std::fs::remove_file(path).unwrap();
}
