//! MIGRATE to a target that is a thread of the test.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use crate::commands::testing::{Console, check};

/// A target that answers `replies` to what one connection after the other sends, a string for each connection, and then closes it. What
/// they have sent.
fn target(connections: Vec<&'static str>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    let thread = thread::spawn(move || {
        let mut all = Vec::new();
        for replies in connections {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut sent = Vec::new();
            // One command for each reply.
            let wanted = replies.matches("\r\n").count();
            while commands(&sent) < wanted {
                let mut piece = [0; 4096];
                match stream.read(&mut piece).expect("bytes") {
                    0 => break,
                    len => sent.extend_from_slice(&piece[..len]),
                }
            }
            stream.write_all(replies.as_bytes()).expect("it reads");
            all.push(sent.escape_ascii().to_string());
        }
        all
    });
    (port, thread)
}

/// How many whole commands there are: each ends with as many texts as it says.
fn commands(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    loop {
        let Some(rest) = after_command(bytes) else {
            return count;
        };
        bytes = rest;
        count += 1;
    }
}

fn after_command(bytes: &[u8]) -> Option<&[u8]> {
    let line = |bytes: &[u8]| -> Option<(usize, usize)> {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let number = std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()?;
        Some((number, end + 2))
    };
    let (args, mut at) = line(bytes)?;
    for _ in 0..args {
        let (len, end) = line(&bytes[at..])?;
        at += end + len + 2;
    }
    bytes.get(at..)
}

#[test]
fn moves_and_copies_keys() {
    let (port, thread) = target(vec!["+OK\r\n+OK\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n"]);
    let mut console = Console::default();
    assert_eq!(
        console.run(&format!(
            "SET a 1; SET b 2 PX 70; MIGRATE 127.0.0.1 {port} a 3 1000; EXISTS a; \
             MIGRATE 127.0.0.1 {port} '' 4 1000 COPY REPLACE AUTH2 user password KEYS a b c b; EXISTS b"
        )),
        "OK; OK; OK; 0; OK; 1"
    );
    assert_eq!(console.heavy, 2);
    let sent = thread.join().expect("it ends");
    assert!(
        sent[0].starts_with("*2\\r\\n$6\\r\\nSELECT\\r\\n$1\\r\\n3\\r\\n*4\\r\\n$7\\r\\nRESTORE\\r\\n$1\\r\\na\\r\\n$1\\r\\n0\\r\\n$13"),
        "{}",
        sent[0]
    );
    assert!(
        sent[1].starts_with("*3\\r\\n$4\\r\\nAUTH\\r\\n$4\\r\\nuser\\r\\n$8\\r\\npassword\\r\\n*2\\r\\n$6\\r\\nSELECT\\r\\n$1\\r\\n4"),
        "{}",
        sent[1]
    );
    let restore = "*5\\r\\n$7\\r\\nRESTORE\\r\\n$1\\r\\nb\\r\\n$2\\r\\n70\\r\\n";
    assert_eq!(sent[1].matches(restore).count(), 2, "{}", sent[1]);
    assert!(sent[1].ends_with("$7\\r\\nREPLACE\\r\\n"), "{}", sent[1]);
}

#[test]
fn only_what_the_target_took_goes() {
    let (port, thread) = target(vec![
        "+OK\r\n+OK\r\n-BUSYKEY Target key name already exists.\r\n+OK\r\n",
    ]);
    let mut console = Console::default();
    assert_eq!(
        console.run(&format!(
            "MSET a 1 b 2 c 3; MIGRATE 127.0.0.1 {port} '' 0 1000 KEYS a b c; EXISTS a b c; GET b"
        )),
        "OK; (error) ERR Target instance replied with error: BUSYKEY Target key name already exists.; 1; 2"
    );
    thread.join().expect("it ends");
}

#[test]
fn a_target_that_knows_nobody_takes_nothing() {
    let (port, thread) = target(vec!["-WRONGPASS invalid\r\n-NOAUTH\r\n-NOAUTH\r\n"]);
    let mut console = Console::default();
    assert_eq!(
        console.run(&format!(
            "SET a 1; MIGRATE 127.0.0.1 {port} a 0 1000 AUTH wrong; EXISTS a"
        )),
        "OK; (error) ERR Target instance replied with error: WRONGPASS invalid; 1"
    );
    thread.join().expect("it ends");
}

#[test]
fn a_target_that_closes_or_is_not_there() {
    let (port, thread) = target(vec!["+OK\r\n"]);
    let mut console = Console::default();
    assert_eq!(
        console.run(&format!(
            "SET a 1; MIGRATE 127.0.0.1 {port} a 0 1000; EXISTS a"
        )),
        "OK; (error) IOERR error or timeout reading to target instance; 1"
    );
    thread.join().expect("it ends");
    assert_eq!(
        console.run(&format!(
            "MIGRATE 127.0.0.1 {port} a 0 1000; MIGRATE 127.0.0.1 none a 0 1000; EXISTS a"
        )),
        "(error) IOERR error or timeout connecting to the client; \
         (error) IOERR error or timeout connecting to the client; 1"
    );
}

#[test]
fn a_target_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    let mut console = Console::default();
    assert_eq!(
        console.run(&format!(
            "SET a 1; MIGRATE 127.0.0.1 {port} a 0 60; EXISTS a"
        )),
        "OK; (error) IOERR error or timeout reading to target instance; 1"
    );
}

#[test]
fn refuses_what_redis_refuses() {
    check(
        "MIGRATE h 1 k 0; MIGRATE h 1 k x 1; MIGRATE h 1 k 0 x; MIGRATE h 1 k 0 1 NX; MIGRATE h 1 k 0 1 AUTH; \
         MIGRATE h 1 k 0 1 AUTH2 u; MIGRATE h 1 k 0 1 KEYS a; MIGRATE h 1 k 0 1; MIGRATE h 1 '' 0 1 KEYS a KEYS b",
        "(error) ERR wrong number of arguments for 'migrate' command; \
         (error) ERR value is not an integer or out of range; (error) ERR value is not an integer or out of range; \
         (error) ERR syntax error; (error) ERR syntax error; (error) ERR syntax error; \
         (error) ERR When using MIGRATE KEYS option, the key argument must be set to the empty string; NOKEY; NOKEY",
    );
}
