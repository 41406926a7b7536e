//! Under `appendfsync always` nothing that was acknowledged, or read, is gone after a kill -9; and what is there is there once and in order.
//!
//! `DUNLIN_KILLS` says how often the server is killed.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{Client, PROGRAM, free_port, scratch, wait_for};

/// Clients that append.
const WRITERS: usize = 50;
/// Requests that each has under way.
const PIPELINE: u64 = 16;
const READERS: usize = 2;
const KILLS_DEFAULT: u64 = 12;
/// How often the log is rewritten: else it would grow with every round.
const REWRITE_ROUNDS: u64 = 5;
/// The longest time until a server is killed.
const LIFE_MS_MAX: u64 = 120;

fn kills() -> u64 {
    let kills = std::env::var("DUNLIN_KILLS").ok();
    kills.map_or(KILLS_DEFAULT, |kills| kills.parse().unwrap())
}

/// Killed when dropped, so that a failure leaves nothing behind.
struct Victim(Child);

impl Victim {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(directory: &Path, port: u16) -> Victim {
    let mut child = Command::new(PROGRAM)
        .args(["--port", &port.to_string(), "--dir"])
        .arg(directory)
        .args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .args(["--workers", "2", "--logfile"])
        .arg(directory.join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the server to have loaded", || {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{}", common::read(&directory.join("log")));
        let client = Client::connect(([127, 0, 0, 1], port).into());
        client.is_ok_and(|mut client| {
            let size = client.try_ask(&["DBSIZE"]);
            size.is_ok_and(|size| size.parse::<u64>().is_ok())
        })
    });
    Victim(child)
}

/// Appends numbers to a list of its own, and to the list of all, until the server is gone; how many were acknowledged in both.
fn append(port: u16, round: u64, number: usize) -> u64 {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return 0;
    };
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    let mut acknowledged = 0;
    let mut line = String::new();
    for first in (0..).step_by(PIPELINE as usize) {
        let mut batch = String::new();
        for id in first..first + PIPELINE {
            let own = id.to_string();
            let shared = format!("{number}:{id}");
            for (key, value) in [
                (format!("own-{round}-{number}"), own),
                (format!("all-{round}"), shared),
            ] {
                batch += &format!(
                    "*3\r\n$5\r\nRPUSH\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n",
                    key.len(),
                    value.len()
                );
            }
        }
        if stream.write_all(batch.as_bytes()).is_err() {
            break;
        }
        for _ in 0..PIPELINE {
            for _ in 0..2 {
                line.clear();
                match replies.read_line(&mut line) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        panic!("the server does not answer")
                    }
                    Ok(n) if n > 0 && line.ends_with('\n') => {
                        assert!(line.starts_with(':'), "{line}")
                    }
                    _ => return acknowledged,
                }
            }
            acknowledged += 1;
        }
    }
    acknowledged
}

/// Looks at the ends of the writers' lists until the server is gone; what it saw goes into `seen`.
fn look(port: u16, round: u64, first: usize, seen: &[AtomicU64], stop: &AtomicBool) {
    let Ok(mut client) = Client::connect(([127, 0, 0, 1], port).into()) else {
        return;
    };
    for number in (0..WRITERS).cycle().skip(first) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("own-{round}-{number}");
        let Ok(last) = client.try_ask(&["LINDEX", &key, "-1"]) else {
            return;
        };
        if let Ok(id) = last.parse::<u64>() {
            seen[number].fetch_max(id + 1, Ordering::Relaxed);
        }
    }
}

fn numbers(client: &mut Client, key: &str) -> Vec<String> {
    let list = client.ask(&format!("LRANGE {key} 0 -1"));
    let inner = list.trim_matches(['[', ']']);
    inner
        .split(' ')
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn nothing_acknowledged_or_read_is_gone_after_a_kill() {
    let directory = scratch("durability");
    let port = free_port();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut acknowledged_in_all = 0;
    let mut server = start(&directory, port);
    for round in 0..kills() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(round | 1);
        let life = Duration::from_millis(5 + (random >> 33) % LIFE_MS_MAX);
        let seen: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        let stop = AtomicBool::new(false);
        let acknowledged: Vec<u64> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| scope.spawn(move || append(port, round, number)))
                .collect();
            for reader in 0..READERS {
                let (seen, stop) = (&seen, &stop);
                scope.spawn(move || look(port, round, reader * 7, seen, stop));
            }
            thread::sleep(life);
            server.kill();
            stop.store(true, Ordering::Relaxed);
            writers
                .into_iter()
                .map(|writer| writer.join().unwrap())
                .collect()
        });
        drop(std::mem::replace(&mut server, start(&directory, port)));
        let mut client = Client::connect(([127, 0, 0, 1], port).into()).unwrap();
        let all = numbers(&mut client, &format!("all-{round}"));
        for number in 0..WRITERS {
            let own = numbers(&mut client, &format!("own-{round}-{number}"));
            let expected: Vec<String> = (0..own.len()).map(|id| id.to_string()).collect();
            assert_eq!(own, expected, "each once and in order, round {round}");
            let len = own.len() as u64;
            let seen = seen[number].load(Ordering::Relaxed);
            assert!(
                len >= acknowledged[number],
                "acknowledged and gone: {} of {}, round {round}",
                len,
                acknowledged[number]
            );
            assert!(len >= seen, "read and gone: {len} of {seen}, round {round}");
            let prefix = format!("{number}:");
            let ids: Vec<u64> = all
                .iter()
                .filter_map(|id| id.strip_prefix(&prefix)?.parse().ok())
                .collect();
            assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
            assert!(ids.len() as u64 >= acknowledged[number]);
        }
        acknowledged_in_all += acknowledged.iter().sum::<u64>();
        assert_eq!(client.ask("FLUSHALL"), "OK");
        if round % REWRITE_ROUNDS == REWRITE_ROUNDS - 1 {
            // It may be under way when the server is killed again.
            client.ask("BGREWRITEAOF");
            eprintln!("killed {} times", round + 1);
        }
    }
    drop(server);
    assert!(acknowledged_in_all > 0, "the test has shown nothing");
    fs::remove_dir_all(&directory).unwrap();
}
