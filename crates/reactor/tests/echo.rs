//! The echo server as a process of its own: its lines, its limits, its orderly end.

#[path = "common/example.rs"]
mod example;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use example::{PATIENCE, Server, binary, read_line, rest};
use rustix::process::Signal;

#[test]
fn lines_come_back_whole() {
    let server = Server::start("echo", &[]);
    let mut a = server.connect();
    let mut b = server.connect();
    a.write_all(b"first half, ").unwrap();
    b.write_all(b"other\n").unwrap();
    assert_eq!(read_line(&b), "other\n");
    a.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let early = a.read(&mut [0; 10]).unwrap_err();
    assert!(matches!(
        early.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    a.set_read_timeout(Some(PATIENCE)).unwrap();
    a.write_all(b"second half\nand ").unwrap();
    assert_eq!(read_line(&a), "first half, second half\n");
    // The unterminated tail comes back at the end, and then the connection closes.
    a.write_all(b"a tail").unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&a), b"and a tail");
    drop(b);
}

#[test]
fn a_line_without_end_is_refused() {
    let server = Server::start("echo", &["--threads", "1"]);
    let mut stream = server.connect();
    let mut sent = 0;
    while sent < 10_000_000 {
        match stream.write(&[b'x'; 10_000]) {
            Ok(n) => sent += n,
            Err(_) => break,
        }
        if sent > 200_000 {
            break;
        }
    }
    assert_eq!(rest(&stream), b"error: line too long\n");
    let mut other = server.connect();
    other.write_all(b"still there\n").unwrap();
    assert_eq!(read_line(&other), "still there\n");
}

#[test]
fn every_stop_signal_ends_it_orderly() {
    for signal in [Signal::HUP, Signal::QUIT, Signal::TERM, Signal::INT] {
        let server = Server::start("echo", &[]);
        let mut idle = server.connect();
        idle.write_all(b"x\n").unwrap();
        assert_eq!(read_line(&idle), "x\n");
        let address = server.address;
        server.signal(signal);
        assert_eq!(rest(&idle), b"", "an idle connection is closed orderly");
        let (said, success) = server.finish();
        assert!(success);
        assert!(said.ends_with("0 connections were cut\n"), "{said}");
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

/// A connection whose peer reads nothing, so that its echo cannot be delivered.
fn stuck(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let line = [[b'x'; 999].as_slice(), b"\n"].concat().repeat(100);
    while stream.write_all(&line).is_ok() {}
    stream
}

#[test]
fn peers_that_do_not_read_are_cut_at_the_shared_deadline() {
    let server = Server::start("echo", &["--stop-ms", "700"]);
    let peers = [stuck(&server), stuck(&server)];
    let started = Instant::now();
    server.signal(Signal::TERM);
    // Meanwhile nobody new is served.
    std::thread::sleep(Duration::from_millis(100));
    assert!(TcpStream::connect(server.address).is_err());
    let (said, success) = server.finish();
    let took = started.elapsed();
    assert!(success);
    assert!(said.ends_with("2 connections were cut\n"), "{said}");
    assert!(
        took >= Duration::from_millis(700) && took < PATIENCE,
        "{took:?}"
    );
    drop(peers);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let server = Server::start("echo", &["--stop-ms", "60000"]);
    let peer = stuck(&server);
    let started = Instant::now();
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(100));
    server.signal(Signal::TERM);
    let (said, success) = server.finish();
    assert!(success && started.elapsed() < PATIENCE);
    assert!(said.ends_with("1 connections were cut\n"), "{said}");
    drop(peer);
}

#[test]
fn what_was_received_before_the_signal_is_echoed() {
    let server = Server::start("echo", &[]);
    let mut stream = server.connect();
    let lines = b"a line of some length\n".repeat(2_000);
    stream.write_all(&lines).unwrap();
    server.signal(Signal::TERM);
    let got = rest(&stream);
    assert_eq!(got.len() % 22, 0, "a line was cut");
    let (said, _) = server.finish();
    assert!(said.ends_with("0 connections were cut\n"), "{said}");
}

#[test]
fn bad_flags_are_refused() {
    for flags in [["--port", "70000"], ["--colour", "red"]] {
        let output = Command::new(binary("echo")).args(flags).output().unwrap();
        assert!(!output.status.success());
        assert!(!output.stderr.is_empty());
    }
}
