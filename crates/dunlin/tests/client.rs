//! The Rust client against the binary: many threads over one connection, kills in mid-flight, subscriptions, transactions, a pool.
//!
//! Invariant: every reply is the one to its own request, and under `appendfsync always` nothing that was acknowledged is lost.
//! `DUNLIN_CLIENT_REQUESTS` (per thread) and `DUNLIN_CLIENT_KILLS` make it longer than in CI.

mod common;

use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{PROGRAM, Server, free_port, scratch, wait_for};
use dunlin_client::commands::*;
use dunlin_client::{Client, Error, Options, Pipeline, Pool, PoolOptions, Protocol, RetryLimits};

fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

fn options(port: u16) -> Options {
    let options: Options = format!("redis://127.0.0.1:{port}").parse().unwrap();
    options.retry(RetryLimits {
        quick_wait_ms: 2,
        wait_ms: 20,
        wait_max_ms: 40,
        ..RetryLimits::default()
    })
}

#[test]
fn threads_share_one_connection_and_get_their_own_replies() {
    let server = Server::start("");
    let requests = setting("DUNLIN_CLIENT_REQUESTS", 300);
    let client = Client::connect(options(server.port)).unwrap();
    let threads: Vec<_> = (0..32)
        .map(|id| {
            let client = client.clone();
            thread::spawn(move || {
                for n in 0..requests {
                    let word = format!("{id}:{n}");
                    assert_eq!(client.echo(&word).call::<String>().unwrap(), word);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    let stats = client.stats();
    assert_eq!((stats.connections, stats.time_outs), (1, 0));
}

/// Killed when dropped, so that a failure leaves nothing behind.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(directory: &Path, port: u16) -> Victim {
    let child = Process::new(PROGRAM)
        .args(["--port", &port.to_string(), "--dir"])
        .arg(directory)
        .args(["--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--workers", "2", "--logfile"])
        .arg(directory.join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    Victim(child.unwrap())
}

/// Counts a key up until told to stop. A reply says how often it was counted up: more than was acknowledged before, and not more than was
/// tried.
fn count(client: &Client, key: &str, stop: &AtomicBool, answers: &AtomicU64) {
    let (mut acknowledged, mut tried) = (0, 0);
    let within = |n: i64, acknowledged: i64, tried: i64| {
        assert!(
            n >= acknowledged && n <= tried,
            "{acknowledged} {n} {tried}"
        );
    };
    while !stop.load(Ordering::SeqCst) {
        tried += 1;
        match client.incr(key).call::<i64>() {
            Ok(n) => {
                within(n, acknowledged + 1, tried);
                acknowledged = n;
                answers.fetch_add(1, Ordering::Relaxed);
            }
            Err(Error::ConnectionReset) => {}
            // It was refused, so it was not done.
            Err(Error::Server(error)) if error.code() == "LOADING" => {
                tried -= 1;
                thread::sleep(Duration::from_millis(2));
            }
            Err(other) => panic!("{other}"),
        }
    }
    let left = client.get(key).call::<Option<i64>>().unwrap();
    within(left.unwrap_or(0), acknowledged, tried);
}

#[test]
fn killed_in_mid_flight_no_reply_is_wrong_and_no_acknowledgement_lost() {
    let kills = setting("DUNLIN_CLIENT_KILLS", 5);
    let directory = scratch("client");
    let port = free_port();
    let mut victim = start(&directory, port);
    let client = Client::start(options(port).deadline(Duration::from_secs(20))).unwrap();
    wait_for("the server", || client.set("ready", 1).call::<()>().is_ok());
    let stop = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..16)
        .map(|id| {
            let (client, stop, answers) = (client.clone(), stop.clone(), answers.clone());
            thread::spawn(move || count(&client, &format!("k{id}"), &stop, &answers))
        })
        .collect();
    let some_answers = || {
        let before = answers.load(Ordering::Relaxed);
        wait_for("answers", || answers.load(Ordering::Relaxed) > before + 100);
    };
    for _ in 0..kills {
        some_answers();
        drop(victim);
        victim = start(&directory, port);
    }
    some_answers();
    stop.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(client.stats().connections > kills as u64);
    client.close();
    drop(victim);
    let _ = std::fs::remove_dir_all(&directory);
}

#[test]
fn messages_and_subscriptions_that_come_back() {
    let server = Server::start("");
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let client = Client::connect(options(server.port).protocol(protocol)).unwrap();
        let news = client.subscribe(["news", "sport"]).unwrap();
        let all = client.psubscribe("n*").unwrap();
        assert_eq!(client.publish("news", "one").call::<i64>().unwrap(), 2);
        assert_eq!(news.recv().unwrap().payload, b"one");
        assert_eq!(all.recv().unwrap().channel, b"news");
        for kind in ["pubsub", "normal"] {
            let kill = client
                .command("CLIENT")
                .arg(("KILL", "TYPE", kind, "SKIPME", "no"));
            let _ = kill.call::<i64>();
        }
        wait_for("the subscriptions", || {
            matches!(client.publish("sport", "two").call(), Ok(1))
        });
        assert_eq!(news.recv().unwrap().channel, b"sport");
        drop((news, all));
        wait_for("the end of all", || {
            matches!(client.publish("sport", "three").call(), Ok(0))
        });
        client.close();
    }
}

#[test]
fn transactions_pools_and_scans() {
    let server = Server::start("requirepass secret");
    let login = options(server.port)
        .login(None, "secret")
        .db(3)
        .name("tester");
    let client = Client::connect(login.clone()).unwrap();
    let mut unit = Pipeline::transaction();
    unit.set("text", "x").incr("n");
    let ((), n): ((), i64) = client.run(&unit).unwrap();
    assert_eq!(n, 1);
    // EXEC RB: the failing command undoes the others.
    let mut failing = Pipeline::transaction().rollback();
    failing.incr("n").incr("text");
    assert!(client.run::<()>(&failing).is_err());
    assert_eq!(client.get("n").call::<i64>().unwrap(), 1);

    let pool = Pool::connections(login, PoolOptions::default()).unwrap();
    {
        let mut connection = pool.get().unwrap();
        connection.watch("n").unwrap();
        let () = client.incr("n").call().unwrap();
        let mut late = Pipeline::transaction();
        late.set("n", 100);
        assert!(matches!(connection.run::<()>(&late), Err(Error::Aborted)));
        let () = connection.select(9).call().unwrap();
        let () = connection.multi().call().unwrap();
    }
    let mut connection = pool.get().unwrap();
    assert_eq!(connection.get("n").call::<i64>().unwrap(), 2);

    let mut fill = Pipeline::new();
    for n in 0..500 {
        fill.hset("hash", (n, n)).zadd("zset", (n, n));
    }
    let () = client.run::<Vec<()>>(&fill).map(drop).unwrap();
    assert_eq!(client.hscan("hash").map(Result::unwrap).count(), 500);
    assert_eq!(client.zscan("zset").map(Result::unwrap).count(), 500);
    assert_eq!(client.scan().map(Result::unwrap).count(), 4);
}
