//! `dunlin bench` against the real server: what it says it sent is what the server counted, and its latencies are those that the server
//! made.

mod common;

use std::process::{Command, Output};

use common::{PROGRAM, Server, scratch, wait_for};
use serde_json::Value;

fn bench(server: &Server, line: &str) -> Output {
    Command::new(PROGRAM)
        .args(["bench", "-p", &server.port.to_string()])
        .args(line.split(' '))
        .output()
        .unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Calls of a command by the server's own count.
fn calls(server: &Server, command: &str) -> u64 {
    let stats = server.client().ask("info commandstats");
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn exactly_what_was_asked_for_is_sent_and_counted() {
    let server = Server::start("");
    for line in [
        "-t set -n 1003 -c 7 --json",
        "-t set -n 1003 -c 7 -P 16 --threads 3 --json",
        "-t set -n 1003 -c 50 -P 64 --json",
        "-t set -n 203 -c 3 -k 0 --json",
        "-t set -n 503 -c 5 --rate 20000 --json",
        "-t set -n 503 -c 5 -3 --dbnum 2 --io-backend io_uring --json",
    ] {
        server.client().ask("config resetstat");
        if line.contains("io_uring") && dunlin_reactor::Uring::probe().is_err() {
            eprintln!("left out: no io_uring here");
            continue;
        }
        let report = json_of(&bench(&server, line));
        let requests = report["tests"][0]["requests"].as_u64().unwrap();
        assert!(
            line.contains(&format!("-n {requests} ")),
            "{line}: {report}"
        );
        assert_eq!(calls(&server, "set"), requests, "{line}");
    }
    server.client().ask("config resetstat");
    let report = json_of(&bench(&server, "--ratio 3:1 -r 100 -P 5 -n 4000 --json"));
    assert_eq!(report["tests"][0]["requests"], 4000);
    let (gets, sets) = (calls(&server, "get"), calls(&server, "set"));
    assert_eq!(gets + sets, 4000);
    assert!((2_700..3_300).contains(&gets), "{gets} of 4000 at 3:1");
}

#[test]
fn every_test_of_redis_benchmark_runs() {
    let server = Server::start("");
    server.client().ask("config resetstat");
    let output = bench(&server, "-n 100 -c 10 -q -r 50");
    assert!(output.status.success(), "{output:?}");
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(report.lines().count(), 21, "{report}");
    for line in report.lines() {
        let (_, rest) = line.split_once(": ").unwrap();
        let (rate, rest) = rest.split_once(" requests per second, p50=").unwrap();
        assert!(rate.parse::<f64>().unwrap() > 0.0, "{line}");
        assert!(
            rest.strip_suffix(" msec").unwrap().parse::<f64>().unwrap() > 0.0,
            "{line}"
        );
    }
    for (command, n) in [
        ("ping", 200),
        ("set", 100),
        ("lpush", 200),
        ("lrange", 400),
        ("mset", 100),
        ("zpopmin", 100),
    ] {
        assert_eq!(calls(&server, command), n, "{command}");
    }
}

#[test]
fn keys_follow_their_distribution() {
    let server = Server::start("");
    let mut client = server.client();
    let mut value = |n: u32| {
        client
            .ask(&format!("get counter:{n:012}"))
            .parse::<u64>()
            .unwrap_or(0)
    };
    assert!(
        bench(
            &server,
            "-t incr -n 1000 -P 3 -r 100 --keys sequential --threads 2 -q"
        )
        .status
        .success()
    );
    let even: Vec<u64> = (0..100).map(&mut value).collect();
    assert_eq!(even.iter().sum::<u64>(), 1000);
    // Two threads, one of which may be ahead of the other.
    assert!(even.iter().all(|n| (1..=20).contains(n)), "{even:?}");
    server.client().ask("flushall");
    assert!(
        bench(&server, "-t incr -n 20000 -P 16 -r 1000 --keys zipf:0.9 -q")
            .status
            .success()
    );
    let by_rank: Vec<u64> = (0..1000).map(&mut value).collect();
    assert_eq!(by_rank.iter().sum::<u64>(), 20_000);
    let half: u64 = by_rank[..100].iter().sum();
    assert!(
        by_rank[0] > 5 * by_rank[30] && half > 10_000,
        "first: {}, first hundred: {half}",
        by_rank[0]
    );
}

/// A sleep of the server in the middle of a run of this many seconds.
fn run_over_a_sleep(server: &Server, line: &str, sleep: &str) -> Value {
    server.client().ask("config resetstat");
    let port = server.port.to_string();
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let run = std::thread::spawn(move || {
        Command::new(PROGRAM)
            .args(["bench", "-p", &port])
            .args(arguments)
            .output()
            .unwrap()
    });
    wait_for("the run to begin", || calls(server, "get") > 100);
    server.client().ask(&format!("debug sleep {sleep}"));
    json_of(&run.join().unwrap())["tests"][0]["latency_ms"].clone()
}

#[test]
fn a_fixed_rate_charges_the_server_for_all_that_waited() {
    let server = Server::start("enable-debug-command yes\nworkers 1");
    // A quarter of the requests fall due while it sleeps; the last of them waited for nearly nothing, the first for all of it.
    let paced = run_over_a_sleep(
        &server,
        "-t get --rate 1000 --duration 2s -c 4 --json",
        "0.5",
    );
    let at = |latencies: &Value, name: &str| latencies[name].as_f64().unwrap();
    assert!(at(&paced, "max") >= 450.0, "{paced}");
    assert!(at(&paced, "p90") >= 200.0, "{paced}");
    assert!(at(&paced, "p50") < at(&paced, "p90"), "{paced}");
    // Without one, four connections have one slow request each, and nobody else is seen to wait.
    let closed = run_over_a_sleep(&server, "-t get --duration 2s -c 4 --json", "0.5");
    assert!(at(&closed, "max") >= 450.0, "{closed}");
    assert!(at(&closed, "p90") < at(&paced, "p90"), "{closed}");
    let order = [
        "min", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max",
    ];
    for latencies in [paced, closed] {
        let figures: Vec<f64> = order.iter().map(|name| at(&latencies, name)).collect();
        assert!(figures.is_sorted(), "{latencies}");
    }
}

#[test]
fn reports_for_scripts() {
    let server = Server::start("");
    let csv = String::from_utf8(bench(&server, "-t ping_mbulk,get -n 100 --csv").stdout).unwrap();
    let rows: Vec<Vec<&str>> = csv
        .lines()
        .map(|line| line.trim_matches('"').split("\",\"").collect())
        .collect();
    assert_eq!(rows[0][..3], ["test", "rps", "avg_latency_ms"]);
    assert_eq!((rows[1][0], rows[2][0]), ("PING_MBULK", "GET"));
    assert!(rows.iter().all(|row| row.len() == 8), "{csv}");
    let file = scratch("bench").join("out.json");
    let output = bench(
        &server,
        &format!(
            "-n 100 --json={} LPUSH list <__data__> -d 5",
            file.display()
        ),
    );
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    // What stands behind the command belongs to it.
    assert_eq!(report["tests"][0]["test"], "LPUSH list <__data__> -d 5");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "  100 requests completed in ",
        "  throughput summary: ",
        "  50 parallel clients",
    ] {
        assert!(
            text.lines().any(|found| found.starts_with(line)),
            "{line}: {text}"
        );
    }
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[test]
fn errors_end_the_run() {
    let server = Server::start("maxclients 20");
    for (line, complaint) in [
        (
            "-n 10 -c 5 hget x",
            "Error from server: ERR wrong number of arguments for 'hget' command",
        ),
        (
            "-n 10 -c 40 -t get",
            "Error from server: ERR max number of clients reached",
        ),
        (
            "-c 40 -I",
            "Error from server: ERR max number of clients reached",
        ),
    ] {
        let output = bench(&server, line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(complaint), "{line}: {said}");
    }
    let output = bench(&server, "--nonsense");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        output.stdout.starts_with(b"Invalid option \"--nonsense\""),
        "{output:?}"
    );
}
