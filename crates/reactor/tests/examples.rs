//! Each example as a process of its own. (The echo server has a file of its own.)

#[path = "common/example.rs"]
mod example;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use example::{PATIENCE, Server, binary, read_line, rest};
use rustix::process::Signal;

fn say(mut stream: &TcpStream, what: &str) {
    stream.write_all(what.as_bytes()).unwrap();
}

/// Sees that nothing comes.
fn hears_nothing(mut stream: &TcpStream) {
    let timeout = Some(Duration::from_millis(50));
    stream.set_read_timeout(timeout).unwrap();
    let error = stream.read(&mut [0; 10]).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

/// The backends that this machine has, by the names that the examples give them.
fn backends() -> Vec<&'static str> {
    let mut names = vec!["epoll", "epoll-level", "poll", "select"];
    // On a thread of its own, since the kernel interrupts the calls of one that has dropped a ring.
    let has_uring = thread::spawn(|| dunlin_reactor::Uring::new().is_ok());
    if has_uring.join().unwrap() {
        names.push("io_uring");
    }
    names
}

fn stops(server: Server) {
    server.signal(Signal::TERM);
    let (said, success) = server.finish();
    assert!(success);
    assert_eq!(said, "stopped, 0 connections were cut\n");
}

#[test]
fn bad_flags_are_refused() {
    for example in ["chat", "lines", "timer", "proxy", "echo_client"] {
        for flags in [
            ["--port", "70000"],
            ["--colour", "red"],
            ["--backend", "pigeon"],
        ] {
            let output = Command::new(binary(example)).args(flags).output().unwrap();
            assert!(!output.status.success());
            assert!(!output.stderr.is_empty());
        }
    }
}

fn joins(server: &Server, name: &str) -> (TcpStream, String) {
    let member = server.connect();
    assert_eq!(read_line(&member), "* your name?\n");
    say(&member, &format!("{name}\n"));
    let greeting = read_line(&member);
    (member, greeting)
}

#[test]
fn members_of_a_chat_hear_each_other() {
    let server = Server::start("chat", &[]);
    let (ann, here) = joins(&server, "Ann");
    assert_eq!(here, "* here: \n");
    let (bob, here) = joins(&server, "Bob");
    assert_eq!(here, "* here: Ann\n");
    assert_eq!(read_line(&ann), "* Bob came\n");
    let (carl, refused) = joins(&server, "Bob");
    assert!(refused.starts_with("* that name"), "{refused}");
    say(&carl, "Carl\r\n");
    assert_eq!(read_line(&carl), "* here: Ann, Bob\n");
    say(&ann, "hello, ");
    hears_nothing(&carl);
    say(&ann, "all\n\nand good night\n");
    assert_eq!(read_line(&bob), "* Carl came\n");
    for other in [&bob, &carl] {
        assert_eq!(read_line(other), "Ann: hello, all\n");
        assert_eq!(read_line(other), "Ann: and good night\n");
    }
    assert_eq!(read_line(&ann), "* Carl came\n");
    // Nobody hears oneself.
    hears_nothing(&ann);
    drop(bob);
    assert_eq!(read_line(&ann), "* Bob left\n");
    say(&carl, &"x".repeat(5_000));
    assert_eq!(read_line(&carl), "* Bob left\n");
    assert_eq!(rest(&carl), b"* that was too long\n");
    assert_eq!(read_line(&ann), "* Carl left\n");
    stops(server);
}

#[test]
fn a_member_who_does_not_listen_is_closed() {
    let server = Server::start("chat", &[]);
    let (deaf, _) = joins(&server, "Deaf");
    let (ann, _) = joins(&server, "Ann");
    let talk = format!("{}\n", "x".repeat(4_000)).repeat(250);
    ann.set_nonblocking(true).unwrap();
    let started = Instant::now();
    let mut heard = Vec::new();
    let mut left: &[u8] = &[];
    while !heard.ends_with(b"* Deaf did not listen\n") {
        assert!(started.elapsed() < PATIENCE);
        if left.is_empty() {
            left = talk.as_bytes();
        }
        if let Ok(n) = (&ann).write(left) {
            left = &left[n..];
        }
        let mut chunk = [0; 1_000];
        if let Ok(n) = (&ann).read(&mut chunk) {
            heard.extend_from_slice(&chunk[..n]);
        }
    }
    drop(deaf);
}

#[test]
fn requests_of_lines_are_answered_in_order() {
    backends().into_iter().for_each(lines_are_answered_on);
}

fn lines_are_answered_on(backend: &str) {
    let server = Server::start("lines", &["--backend", backend]);
    let client = server.connect();
    say(
        &client,
        "upper hello\nadd 2 3\r\nadd 2\nadd 9223372036854775807 1\nprimes -1\n",
    );
    assert_eq!(read_line(&client), "HELLO\n");
    assert_eq!(read_line(&client), "5\n");
    assert!(read_line(&client).starts_with("error: upper"));
    assert_eq!(read_line(&client), "error: that is too much\n");
    assert!(read_line(&client).starts_with("error: from 0"));
    // What takes long does not overtake, nor is it overtaken; and others do not wait for it.
    say(
        &client,
        "primes 10000000\nadd 1 1\nprimes 100\nprimes 0\nupper end\n",
    );
    let other = server.connect();
    say(&other, "add 1 2\n");
    assert_eq!(read_line(&other), "3\n");
    let answers: Vec<_> = (0..5).map(|_| read_line(&client)).collect();
    assert_eq!(answers, ["664579\n", "2\n", "25\n", "0\n", "END\n"]);
    say(&client, "upper one\nquit\nupper never\n");
    assert_eq!(rest(&client), b"ONE\n");
    // The end of the stream ends a last line too, one that takes long included.
    say(&other, "upper two\nprimes 1000");
    other.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&other), b"TWO\n168\n");
    let long = server.connect();
    say(&long, &"y".repeat(20_000));
    assert_eq!(rest(&long), b"error: line too long\n");
    stops(server);
}

#[test]
fn reminders_come_in_their_time() {
    let server = Server::start("timer", &[]);
    let client = server.connect();
    let started = Instant::now();
    say(
        &client,
        "in 300 third\nin 100 first\nin 200 second\nin 150 never\n",
    );
    let ids: Vec<String> = (0..4)
        .map(|_| {
            read_line(&client)
                .trim()
                .strip_prefix("timer ")
                .unwrap()
                .to_string()
        })
        .collect();
    say(&client, &format!("cancel {}\n", ids[3]));
    assert_eq!(read_line(&client), "cancelled\n");
    for (text, ms) in [("first\n", 100), ("second\n", 200), ("third\n", 300)] {
        assert_eq!(read_line(&client), text);
        assert!(
            started.elapsed() >= Duration::from_millis(ms),
            "{text} is early"
        );
    }
    say(&client, &format!("cancel {}\nin x y\nin 5\n", ids[0]));
    assert_eq!(read_line(&client), "error: no such timer\n");
    assert!(read_line(&client).starts_with("error: from 0"));
    assert!(read_line(&client).starts_with("error: in <ms>"));
    // Nobody cancels another's.
    say(&client, "in 60000 later\n");
    let id = read_line(&client);
    let other = server.connect();
    say(&other, &id.replace("timer", "cancel"));
    assert_eq!(read_line(&other), "error: no such timer\n");
    say(&other, &"in 80000000 x\n".repeat(1_001));
    for _ in 0..1_000 {
        assert!(read_line(&other).starts_with("timer "));
    }
    assert_eq!(read_line(&other), "error: 1000 timers are the most\n");
    stops(server);
}

#[test]
fn who_says_nothing_is_closed_after_a_while() {
    let server = Server::start("timer", &["--idle-ms", "300"]);
    let waiting = server.connect();
    say(&waiting, "in 1200 worth waiting for\n");
    assert!(read_line(&waiting).starts_with("timer "));
    let idle = server.connect();
    let started = Instant::now();
    assert_eq!(rest(&idle), b"idle\n");
    assert!(started.elapsed() >= Duration::from_millis(250));
    assert_eq!(rest(&waiting), b"worth waiting for\nidle\n");
}

/// A server that the proxy is to forward to, and the proxy.
fn forwarding(backend: &str) -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let proxy = Server::start("proxy", &["--to", &to, "--backend", backend]);
    (listener, proxy)
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 % 251) as u8).collect()
}

#[test]
fn a_proxy_passes_both_directions_and_both_ends() {
    backends().into_iter().for_each(both_directions_on);
}

fn both_directions_on(backend: &str) {
    let (listener, proxy) = forwarding(backend);
    // The client speaks before the server has taken the connection.
    let client = proxy.connect();
    say(&client, "question");
    client.shutdown(Shutdown::Write).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(rest(&server), b"question");
    // It has heard the end, and still answers.
    say(&server, "answer, ");
    hears_nothing(&server_side_of(&client, "answer, "));
    say(&server, "second part");
    drop(server);
    assert_eq!(rest(&client), b"second part");
    // The other way round: the server ends first.
    let client = proxy.connect();
    let (server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client), b"");
    say(&client, "last words");
    drop(client);
    assert_eq!(rest(&server), b"last words");
    stops(proxy);
}

/// Reads what is expected, and hands the stream on.
fn server_side_of(client: &TcpStream, expected: &str) -> TcpStream {
    let mut client = client.try_clone().unwrap();
    let mut got = vec![0; expected.len()];
    client.read_exact(&mut got).unwrap();
    assert_eq!(got, expected.as_bytes());
    client
}

#[test]
fn a_proxy_waits_for_who_does_not_read() {
    backends().into_iter().for_each(backpressure_on);
}

fn backpressure_on(backend: &str) {
    let (listener, proxy) = forwarding(backend);
    let clients = [proxy.connect(), proxy.connect()];
    let servers = [listener.accept().unwrap().0, listener.accept().unwrap().0];
    for end in servers.iter().chain(&clients) {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    // Which is whose?
    say(&clients[0], "0");
    say(&clients[1], "1");
    let first_is_first = read_one(&servers[0]) == b'0';
    read_one(&servers[1]);
    let [a, b] = servers;
    let servers = if first_is_first { [a, b] } else { [b, a] };
    let [down_client, up_client] = clients;
    let [down_server, up_server] = servers;
    let before = proxy.resident_bytes();
    let all = pattern(64 << 20);
    // One transfer in each direction, whose readers do not read for now.
    let writers = [
        (down_server.try_clone().unwrap(), all.clone()),
        (up_client.try_clone().unwrap(), all.clone()),
    ]
    .map(|(mut end, all)| {
        thread::spawn(move || {
            end.write_all(&all).unwrap();
            end.shutdown(Shutdown::Write).unwrap();
        })
    });
    thread::sleep(Duration::from_millis(500));
    assert!(
        writers.iter().all(|w| !w.is_finished()),
        "somebody took it all"
    );
    let grown = proxy.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "it holds {grown} bytes");
    // The other directions are not held up by that.
    say(&down_client, "up\n");
    assert_eq!(read_line(&down_server), "up\n");
    say(&up_server, "down\n");
    assert_eq!(read_line(&up_client), "down\n");
    let readers = [down_client, up_server].map(|end| thread::spawn(move || rest(&end)));
    for reader in readers {
        assert!(reader.join().unwrap() == all);
    }
    for writer in writers {
        writer.join().unwrap();
    }
}

fn read_one(mut stream: &TcpStream) -> u8 {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    byte[0]
}

#[test]
fn a_proxy_says_that_nobody_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    drop(listener);
    let proxy = Server::start("proxy", &["--to", &to]);
    let client = proxy.connect();
    say(&client, "anybody there?");
    let answer = String::from_utf8(rest(&client)).unwrap();
    assert!(
        answer.starts_with("error: the server cannot be reached: "),
        "{answer}"
    );
    stops(proxy);
}

#[test]
fn a_proxy_passes_a_reset_on() {
    backends().into_iter().for_each(reset_on);
}

fn reset_on(backend: &str) {
    let (listener, proxy) = forwarding(backend);
    let client = proxy.connect();
    let (server, _) = listener.accept().unwrap();
    say(&client, "never read");
    let mut byte = [0];
    assert_eq!(server.peek(&mut byte).unwrap(), 1);
    // Closing with unread bytes resets.
    drop(server);
    let end = (&client).read(&mut [0; 10]);
    assert!(matches!(end, Ok(0) | Err(_)));
    // Whichever it was, the connection is gone.
    let started = Instant::now();
    while (&client).write(b"x").is_ok() {
        assert!(started.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    stops(proxy);
}

fn echo_client(server: SocketAddr, lines: &str) -> Output {
    let port = server.port().to_string();
    Command::new(binary("echo_client"))
        .args(["--port", &port, "--threads", "3", "--lines", lines])
        .output()
        .unwrap()
}

#[test]
fn the_echo_client_hears_the_echo_server() {
    let server = Server::start("echo", &["--threads", "2"]);
    let output = echo_client(server.address, "200");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("3 connections, 200 lines each, all echoed"),
        "{said}"
    );
}

#[test]
fn the_echo_client_says_what_is_wrong() {
    // A server that is not one, and nobody at all.
    let wrong = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = wrong.local_addr().unwrap();
    let answers = thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = wrong.accept().unwrap();
            read_line(&stream);
            stream.write_all(b"nonsense\n").unwrap();
        }
        let flags = rustix::io::fcntl_getfd(wrong.as_fd());
        assert!(flags.is_ok());
    });
    let output = echo_client(address, "5");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nonsense"), "{said}");
    answers.join().unwrap();
    assert!(!echo_client(address, "5").status.success());
}
