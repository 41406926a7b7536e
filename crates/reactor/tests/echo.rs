//! The echo server as a process of its own: its lines, its limits, its orderly end.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine; only a failure takes it.
const PATIENCE: Duration = Duration::from_secs(20);

struct EchoServer {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl EchoServer {
    fn start(flags: &[&str]) -> EchoServer {
        let mut child = Command::new(binary())
            .args(["--port", "0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap();
        EchoServer {
            address: address.parse().unwrap(),
            child,
            stdout,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; what it said, how it exited.
    fn finish(mut self) -> (String, bool) {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        (said, self.child.wait().unwrap().success())
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where cargo puts examples: beside the directory of this test. Built here if only this test was asked for.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let echo = profile.join("examples/echo");
    if !echo.exists() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", "echo", "--manifest-path", manifest])
            .status()
            .unwrap();
        assert!(built.success());
    }
    echo
}

fn read_line(stream: &TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn lines_come_back_whole() {
    let server = EchoServer::start(&[]);
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
    let server = EchoServer::start(&["--threads", "1"]);
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
        let server = EchoServer::start(&[]);
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
fn stuck(server: &EchoServer) -> TcpStream {
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
    let server = EchoServer::start(&["--stop-ms", "700"]);
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
    let server = EchoServer::start(&["--stop-ms", "60000"]);
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
    let server = EchoServer::start(&[]);
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
        let output = Command::new(binary()).args(flags).output().unwrap();
        assert!(!output.status.success());
        assert!(!output.stderr.is_empty());
    }
}
