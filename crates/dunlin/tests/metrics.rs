//! The metrics of the real binary: they agree with what was done, Prometheus's own checker likes them, and what a client feels is what the server says.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, free_port, wait_for};

/// A server with an admin port.
struct Measured {
    server: Server,
    admin_port: u16,
}

impl Measured {
    fn start(lines: &str) -> Measured {
        let admin_port = free_port();
        let server = Server::start(&format!("admin-port {admin_port}\n{lines}"));
        Measured { server, admin_port }
    }

    /// Head and body of a page.
    fn get(&self, path: &str, accept: &str) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin_port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let port = self.admin_port;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        (head.to_owned(), body.to_owned())
    }

    /// All samples, by name and labels.
    fn scrape(&self) -> BTreeMap<String, f64> {
        let (_, body) = self.get("/metrics", "text/plain");
        let samples = body.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').expect("a value");
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }
}

/// What every command does that a test of many kinds needs.
const MIXED: &str = "SET a 1;SET b 2 PX 100000;GET a;GET nosuch;INCR a;INCR a;LPUSH l 1 2 3;LRANGE l 0 -1;SADD s x y;HSET h f v;ZADD z 1 m;XADD x * f v;\
    LPUSH a 1;GET;NOSUCH;MULTI;SET c 1;GET c;EXEC;SELECT 3;SET other 1;SELECT 0;KEYS *;CONFIG GET port;CLIENT LIST;EVAL return(1) 0;BLPOP nokey 0.01;DEL b";

#[test]
fn counters_agree_with_the_workload() {
    let measured = Measured::start("");
    let mut before = BTreeMap::new();
    // That of the test which saw it start is over.
    wait_for("the first connection's end", || {
        before = measured.scrape();
        before["dunlin_connections_accepted_total"] == 1.0 && before["dunlin_clients"] == 0.0
    });
    let mut clients: Vec<_> = (0..3).map(|_| measured.server.client()).collect();
    for n in 0..100 {
        let client = &mut clients[n % 3];
        assert_eq!(client.ask(&format!("SET key:{n} text")), "OK");
        assert_eq!(client.ask(&format!("GET key:{n}")), "text");
        assert_eq!(client.ask(&format!("GET nokey:{n}")), "nil");
    }
    // In one piece, so that runs of equal commands are counted, too.
    for _ in 0..500 {
        clients[0].send(&["GET", "key:1"]).unwrap();
    }
    (0..500).for_each(|_| assert_eq!(clients[0].reply().unwrap(), "text"));
    for _ in 0..10 {
        assert!(clients[1].ask("INCR key:1").starts_with("-ERR value"));
        assert!(clients[2].ask("GET").starts_with("-ERR wrong"));
        assert!(clients[0].ask("NOSUCH").starts_with("-ERR unknown"));
    }
    for _ in 0..4 {
        for line in ["MULTI", "SET in 1", "GET in"] {
            clients[1].ask(line);
        }
        assert_eq!(clients[1].ask("EXEC"), "[OK 1]");
    }
    for n in 0..20 {
        clients[2].ask(&format!("SET brief:{n} x PX 1"));
    }
    wait_for("the keys' end", || clients[2].ask("DBSIZE") == "101");
    let expected = [
        ("dunlin_command_calls_total{cmd=\"set\"}", 124.0),
        ("dunlin_command_calls_total{cmd=\"get\"}", 704.0),
        ("dunlin_command_calls_total{cmd=\"incr\"}", 10.0),
        ("dunlin_command_calls_total{cmd=\"multi\"}", 4.0),
        ("dunlin_command_calls_total{cmd=\"exec\"}", 4.0),
        ("dunlin_command_failures_total{cmd=\"incr\"}", 10.0),
        ("dunlin_command_failures_total{cmd=\"get\"}", 0.0),
        ("dunlin_command_rejections_total{cmd=\"get\"}", 10.0),
        ("dunlin_error_replies_total{code=\"ERR\"}", 30.0),
        ("dunlin_keyspace_hits_total", 604.0),
        ("dunlin_keyspace_misses_total", 100.0),
        ("dunlin_expired_keys_total", 20.0),
        ("dunlin_expiry_lag_seconds_count", 20.0),
        ("dunlin_connections_accepted_total", 3.0),
        ("dunlin_connections_rejected_total", 0.0),
        ("dunlin_clients", 3.0),
        ("dunlin_keys{db=\"0\"}", 101.0),
        (
            "dunlin_command_stage_seconds_count{cmd=\"get\",stage=\"execute\"}",
            704.0,
        ),
        // Those of the transactions have no replies of their own.
        (
            "dunlin_command_stage_seconds_count{cmd=\"get\",stage=\"queue\"}",
            700.0,
        ),
        (
            "dunlin_command_stage_seconds_count{cmd=\"get\",stage=\"flush\"}",
            700.0,
        ),
        ("dunlin_command_duration_seconds_count{cmd=\"get\"}", 700.0),
        ("dunlin_command_duration_seconds_count{cmd=\"set\"}", 120.0),
        ("dunlin_command_duration_seconds_count{cmd=\"exec\"}", 4.0),
    ];
    let at =
        |samples: &BTreeMap<String, f64>, name: &str| samples.get(name).copied().unwrap_or(0.0);
    let mut after = BTreeMap::new();
    // A stage is filed a moment after its reply has left.
    let filed = expected
        .iter()
        .filter(|(name, _)| name.contains("duration"));
    wait_for("the last stages", || {
        after = measured.scrape();
        filed
            .clone()
            .all(|(name, count)| at(&after, name) >= *count)
    });
    for (name, count) in expected {
        assert_eq!(at(&after, name) - at(&before, name), count, "{name}");
    }
    let commands = "dunlin_commands_processed_total";
    let sizes = at(&after, "dunlin_command_calls_total{cmd=\"dbsize\"}");
    let all = at(&after, commands) - at(&before, commands);
    assert_eq!(all, 300.0 + 500.0 + 30.0 + 16.0 + 20.0 + sizes);
    let of_worker = |n| {
        at(
            &after,
            &format!("dunlin_worker_commands_total{{worker=\"{n}\"}}"),
        )
    };
    assert_eq!(of_worker(0) + of_worker(1), at(&after, commands));
}

#[test]
fn prometheus_likes_the_text() {
    let measured = Measured::start("appendonly yes\nappendfsync always");
    let mut client = measured.server.client();
    for line in MIXED.split(';') {
        client.ask(line.trim());
    }
    client.ask("BGSAVE");
    let (head, body) = measured.get("/metrics", "*/*");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(
        body.contains("stage=\"log_wait\""),
        "appendfsync always is waited for"
    );
    let (head, open) = measured.get("/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(open.ends_with("\n# EOF\n"));
    let mut promtool = match Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            let must = std::env::var_os("CI").is_some();
            assert!(
                !must,
                "promtool (Debian: apt-get install prometheus): {error}"
            );
            eprintln!("left out: no promtool here (Debian: apt-get install prometheus)");
            return;
        }
    };
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(body.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{body}");
}

#[test]
fn the_json_has_what_the_contract_says() {
    let measured = Measured::start("");
    let mut client = measured.server.client();
    for line in MIXED.split(';') {
        client.ask(line.trim());
    }
    let (head, body) = measured.get("/api/stats", "application/json");
    assert!(head.contains("application/json"), "{head}");
    for name in [
        "time_ms",
        "uptime_s",
        "version",
        "mode",
        "workers",
        "busy_us",
        "commands",
        "connections_accepted",
        "hits",
        "expiry_lag_ms",
        "blocked",
        "input_bytes",
        "memory",
        "rss",
        "kinds",
        "fragmentation",
        "keys_with_ttl",
        "persistence",
        "latency",
        "bounds_us",
        "total",
        "log_wait",
        "flush",
    ] {
        assert!(body.contains(&format!("\"{name}\":")), "{name}: {body}");
    }
}

/// How long the slow command takes, and how often it comes.
const SLOW: Duration = Duration::from_millis(60);
const SLOW_EVERY: Duration = Duration::from_millis(200);
/// Connections of the probe, each with a request under way at most, and the time between two of one connection.
const PROBES: u32 = 16;
const PACE: Duration = Duration::from_millis(32);
const PROBED: Duration = Duration::from_secs(3);

#[test]
fn a_client_feels_what_the_server_says() {
    let measured = Measured::start("workers 1\nenable-debug-command yes");
    measured.server.client().ask("SET k v");
    let ended = AtomicBool::new(false);
    let mut felt: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| {
            let mut slow = measured.server.client();
            while !ended.load(Ordering::Relaxed) {
                slow.ask(&format!("DEBUG SLEEP {}", SLOW.as_secs_f64()));
                thread::sleep(SLOW_EVERY - SLOW);
            }
        });
        let probes: Vec<_> = (0..PROBES)
            .map(|number| {
                let mut client = measured.server.client();
                scope.spawn(move || {
                    let mut felt = Vec::new();
                    let began = Instant::now();
                    let mut due = began + PACE * number / PROBES;
                    while due - began < PROBED {
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let sent = Instant::now();
                        assert_eq!(client.ask("GET k"), "v");
                        felt.push(sent.elapsed());
                        due += PACE;
                    }
                    felt
                })
            })
            .collect();
        let felt = probes.into_iter().flat_map(|probe| probe.join().unwrap());
        let felt = felt.collect();
        ended.store(true, Ordering::Relaxed);
        felt
    });
    felt.sort_unstable();
    let count = felt.len() as f64;
    let above = |limit_s: f64| felt.iter().filter(|t| t.as_secs_f64() > limit_s).count() as f64;
    let name = |part: &str| format!("dunlin_command_duration_seconds{part}");
    let mut samples = BTreeMap::new();
    wait_for("the last reply's stages", || {
        samples = measured.scrape();
        samples.get(&name("_count{cmd=\"get\"}")) == Some(&count)
    });
    // The share of requests that took longer than a quarter of the slow command, by both accounts. Nothing but it takes this long, and the share is
    // the same however slow this machine is.
    let boundary_s = 0.016777216;
    let told = count - samples[&name(&format!("_bucket{{cmd=\"get\",le=\"{boundary_s}\"}}"))];
    let felt_above = above(boundary_s);
    assert!(
        felt_above > count / 20.0,
        "nothing was held up: {felt_above} of {count}"
    );
    let ratio = told / felt_above;
    assert!(
        (0.75..1.25).contains(&ratio),
        "{told} of {count} by the server, {felt_above} by the clients"
    );
    // It is the queue that held them up, not their own execution.
    let stage = |stage: &str| {
        samples[&format!("dunlin_command_stage_seconds_sum{{cmd=\"get\",stage=\"{stage}\"}}")]
    };
    assert!(
        stage("queue") + stage("flush") > 20.0 * stage("execute"),
        "{samples:?}"
    );
}
