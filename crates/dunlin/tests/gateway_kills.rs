//! Exactly once, whatever dies: gateways are killed, and lanes are cut, while devices submit with tokens. At the end each message is in the
//! stream once, on Dunlin and on a genuine redis-server.
//!
//! `DUNLIN_FRAMES=200x10000` says how many devices and messages there are, `DUNLIN_GATEWAY_KILLS` how often a gateway is killed at least.

mod common;

use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::devices::Gateway;
use common::{Client, PROGRAM, Server, free_port, scratch, wait_for};

/// Debian's redis-tools brings it: the same program as the server, which it is when called by that name.
const GENUINE: &str = "redis-check-rdb";

/// How often lanes are cut.
const CUTS: usize = 300;

fn frames() -> (usize, usize) {
    let text = std::env::var("DUNLIN_FRAMES").unwrap_or_else(|_| "12x400".to_owned());
    let (devices, messages) = text.split_once('x').expect("DUNLIN_FRAMES is 200x10000");
    (devices.parse().unwrap(), messages.parse().unwrap())
}

fn kills() -> usize {
    let kills = std::env::var("DUNLIN_GATEWAY_KILLS").ok();
    kills.map_or(6, |kills| kills.parse().unwrap())
}

/// A store under `appendfsync always`.
enum Store {
    Dunlin(Server),
    Genuine {
        child: Child,
        port: u16,
        directory: PathBuf,
    },
}

impl Store {
    fn dunlin() -> Store {
        Store::Dunlin(Server::start("appendonly yes\nappendfsync always"))
    }

    /// `None` where there is no redis-server.
    fn genuine() -> Option<Store> {
        let program = std::env::var("DUNLIN_GENUINE").unwrap_or_else(|_| GENUINE.to_owned());
        let (port, directory) = (free_port(), scratch("genuine"));
        let child = Command::new(program)
            .arg0("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--dir"])
            .arg(&directory)
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            let required = std::env::var_os("DUNLIN_REQUIRE_PEERS").is_some();
            assert!(!required, "there is no redis-server");
            eprintln!("there is no redis-server: not compared");
            return None;
        };
        wait_for("redis-server", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(Store::Genuine {
            child,
            port,
            directory,
        })
    }

    fn port(&self) -> u16 {
        match self {
            Store::Dunlin(server) => server.port,
            Store::Genuine { port, .. } => *port,
        }
    }

    fn client(&self) -> Client {
        Client::connect(([127, 0, 0, 1], self.port()).into()).unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Store::Genuine {
            child, directory, ..
        } = self
        {
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// `dunlin submit` that goes on until all is acknowledged.
fn submit(port: u16, devices: usize, messages: usize) -> Child {
    Command::new(PROGRAM)
        .args([
            "submit",
            "-c",
            &devices.to_string(),
            "-n",
            &messages.to_string(),
        ])
        .args([
            "--interval",
            "0",
            "--pipeline",
            "8",
            "--token",
            "device",
            "--reconnect",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Does `harm` again and again until all is submitted; then looks whether each message is in the stream once.
fn survive(store: &Store, port: u16, mut harm: impl FnMut(&mut Client, usize)) {
    let (devices, messages) = frames();
    let mut client = store.client();
    let mut submitting = submit(port, devices, messages);
    let since = Instant::now();
    let mut times = 0;
    while submitting.try_wait().unwrap().is_none() {
        harm(&mut client, times);
        times += 1;
    }
    let output = submitting.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{times} times in {:?}:\n{report}", since.elapsed());
    assert!(output.status.success(), "{report}");
    let planned = devices * messages;
    assert!(
        report.contains(&format!("acknowledged {planned}, unacknowledged 0")),
        "{report}"
    );
    check_stream(&mut client, devices, messages);
}

/// Each device's messages are there, each once, and in order.
fn check_stream(client: &mut Client, devices: usize, messages: usize) {
    let mut last: HashMap<String, usize> = HashMap::new();
    let (mut from, mut count) = ("-".to_owned(), 0);
    loop {
        let page = client.ask(&format!("XRANGE submissions {from} + COUNT 1000"));
        // [[ID [id 00000001 token device-1 payload a-b-1]] ...]
        let words: Vec<&str> = page
            .split(|c: char| "[] ".contains(c))
            .filter(|w| !w.is_empty())
            .collect();
        let entries = words.chunks_exact(7);
        if entries.len() == 0 {
            break;
        }
        for entry in entries {
            let ["id", id, "token", token, "payload", _] = entry[1..] else {
                panic!("{entry:?}");
            };
            let id: usize = id.parse().unwrap();
            let last = last.entry(token.to_owned()).or_default();
            assert!(
                id > *last,
                "{token} has {id} behind {last}: twice, or out of order"
            );
            assert_eq!(id, *last + 1, "{token} has a gap");
            *last = id;
            count += 1;
            from = format!("({}", entry[0]);
        }
    }
    assert_eq!(count, devices * messages);
    assert_eq!(last.len(), devices);
}

fn gateways_are_killed(store: &Store) {
    let port = free_port();
    let mut gateway = Some(Gateway::start_on(port, store.port(), &["--threads", "2"]));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let kills = kills();
    survive(store, port, |_, times| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        sleep(Duration::from_millis(20 + (random >> 33) % 60));
        if times < kills {
            // Dropped first: the new one needs its port.
            gateway = None;
            gateway = Some(Gateway::start_on(port, store.port(), &["--threads", "2"]));
        }
    });
}

fn lanes_are_cut(store: &Store) {
    let gateway = Gateway::start(store.port(), &["--threads", "2"]);
    survive(store, gateway.port, |client, times| {
        sleep(Duration::from_millis(5));
        // Each loss makes the next wait longer.
        if times < CUTS {
            client.ask("CLIENT KILL TYPE normal SKIPME yes");
        }
    });
    assert!(
        gateway.log().contains("No connection to the store"),
        "nothing was shown"
    );
}

fn somebody_is_in_the_way(store: &Store) {
    let gateway = Gateway::start(store.port(), &[]);
    let (devices, _) = frames();
    survive(store, gateway.port, |client, times| {
        // Touches what the gateway watches, and changes nothing.
        let key = format!("{{submissions}}:kept:device-{}", 1 + times % devices);
        client.ask(&format!("ZADD {key} 1 nobody"));
        client.ask(&format!("ZREM {key} nobody"));
    });
}

#[test]
fn gateways_killed_before_dunlin() {
    gateways_are_killed(&Store::dunlin());
}

#[test]
fn gateways_killed_before_a_genuine_server() {
    if let Some(store) = Store::genuine() {
        gateways_are_killed(&store);
    }
}

#[test]
fn lanes_cut_before_dunlin() {
    lanes_are_cut(&Store::dunlin());
}

#[test]
fn lanes_cut_before_a_genuine_server() {
    if let Some(store) = Store::genuine() {
        lanes_are_cut(&store);
    }
}

#[test]
fn tokens_that_somebody_else_touches() {
    somebody_is_in_the_way(&Store::dunlin());
    if let Some(store) = Store::genuine() {
        somebody_is_in_the_way(&store);
    }
}
