//! Our client library beside others: throughput of GET and SET through each, and the CPU that its process needs for a request.
//!
//! The libraries are driven by bench/client-peers, outside the workspace, and built here alone; a quick run leaves them out. Each run is a
//! process of its own, whose CPU time is what it says.
//!
//! Invariant: every reply is looked at (a GET brings the value that was stored), and a run that fails ends the experiment.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::Plan;
use super::load;
use super::report::{Bar, Better, Report, Row, Sides, median};
use crate::server::Server;
use crate::{build, process};

const NAME: &str = "client";
const TITLE: &str = "Our client library and others";

/// What they ask for, out of so many.
const KEYS: usize = 10_000;
/// CPU per request of ours beside a peer's.
const CPU_BAR: f64 = 0.7;
/// Throughput of ours beside a peer's.
const SPEED_BAR: f64 = 1.0;
/// How long a run takes, as a share of a round: there are many.
const RUN_SHARE: f64 = 0.25;

/// Workers and what they share.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    way: &'static str,
    over: &'static str,
    workers: usize,
    peers: &'static [&'static str],
}

const CASES: [Case; 6] = [
    Case {
        name: "16 threads, one connection",
        way: "threads",
        over: "one",
        workers: 16,
        peers: &["redis-rs", "fred"],
    },
    Case {
        name: "16 threads, a pool",
        way: "threads",
        over: "pool",
        workers: 16,
        peers: &["redis-rs", "fred"],
    },
    Case {
        name: "16 threads, a pool that lends connections",
        way: "threads",
        over: "own",
        workers: 16,
        peers: &["redis-rs"],
    },
    Case {
        name: "16 tasks, one connection",
        way: "tasks",
        over: "one",
        workers: 16,
        peers: &["redis-rs", "fred"],
    },
    Case {
        name: "16 tasks, a pool",
        way: "tasks",
        over: "pool",
        workers: 16,
        peers: &["redis-rs", "fred"],
    },
    Case {
        name: "64 tasks, one connection",
        way: "tasks",
        over: "one",
        workers: 64,
        peers: &["redis-rs", "fred"],
    },
];

/// The heads of the columns: neither side is a store here.
pub(super) fn sides() -> Sides {
    Sides {
        ours: "dunlin-client".to_owned(),
        peer: "the peer".to_owned(),
    }
}

/// Measures all libraries on both servers.
pub(super) fn measure(plan: &Plan) -> Result<Report> {
    if plan.quick {
        return Ok(Report {
            name: NAME,
            title: TITLE,
            how: "Left out of a quick run, which does not build the peers (bench/client-peers)."
                .to_owned(),
            rows: Vec::new(),
        });
    }
    let program = build::client_peers()?;
    let mut rows = Vec::new();
    let ours = plan.ours.clone().with(&plan.workers(1));
    for launch in [ours, plan.peer.clone()] {
        let server = launch.clone().on(&plan.cores.one).start()?;
        load::preload(&server, KEYS)?;
        for what in ["get", "set"] {
            for case in CASES {
                let libraries: Vec<&str> = [&["dunlin"], case.peers].concat();
                let measured = compare(plan, &program, &server, case, what, &libraries)?;
                for (peer, figures) in case.peers.iter().zip(&measured[1..]) {
                    let name = format!(
                        "{}, {}, {}, beside {peer}",
                        launch.name,
                        what.to_uppercase(),
                        case.name
                    );
                    rows.extend(pair(&name, measured[0], *figures, case.over));
                }
            }
        }
    }
    Ok(Report {
        name: NAME,
        title: TITLE,
        how: format!(
            "Workers with one request under way each, {KEYS} keys, values of {} bytes, every reply looked at; the server has one worker on one core, the \
             client's process the other cores. One connection: our Client, redis-rs's MultiplexedConnection, fred's Client. A pool, of 4: our Clients; of \
             redis-rs r2d2 (threads) and bb8 (tasks), without the PING that they send before each use; fred's Pool. A pool that lends connections: our Pool \
             and r2d2, of 4. With tasks the runtime runs our connections, too (Client::driven), which watch for replies for 40 us before they sleep. Threads use an asynchronous library through its runtime's block_on. Medians of {} rounds, the libraries taking turns; CPU is that \
             of the client's process, in user and kernel mode.",
            load::VALUE_BYTES,
            plan.probe_rounds
        ),
        rows,
    })
}

/// Requests a second, and microseconds of CPU for each.
type Figures = (f64, f64);

fn pair(name: &str, ours: Figures, peer: Figures, over: &str) -> [Row; 2] {
    // A round trip for each request, over a connection of one's own, costs bare sockets of std without any pool 10.6 us of CPU where redis-rs
    // takes 14.7 us (4 threads on one core of an EPYC): 0.7x is below what the system calls alone take.
    let cpu_bar = match over {
        "own" => Bar::None,
        _ => Bar::RatioAtMost(CPU_BAR),
    };
    let speed = Row {
        what: name.to_owned(),
        unit: "requests/s",
        ours: ours.0,
        peer: peer.0,
        better: Better::More,
        bar: Bar::RatioAtLeast(SPEED_BAR),
        floor: None,
        charted: false,
    };
    let cpu = Row {
        what: format!("{name}, client CPU"),
        unit: "us/request",
        ours: ours.1,
        peer: peer.1,
        better: Better::Less,
        bar: cpu_bar,
        floor: None,
        charted: true,
    };
    [speed, cpu]
}

/// The medians of rounds in which the libraries take turns.
fn compare(
    plan: &Plan,
    program: &std::path::Path,
    server: &Server,
    case: Case,
    what: &str,
    libraries: &[&str],
) -> Result<Vec<Figures>> {
    let mut rounds = vec![(Vec::new(), Vec::new()); libraries.len()];
    for _ in 0..plan.probe_rounds {
        for (library, (speeds, cpus)) in libraries.iter().zip(&mut rounds) {
            let mut command = Command::new(program);
            command.args(["--library", library, "--what", what]);
            command.args(["--way", case.way, "--over", case.over]);
            command.args(["--workers", &case.workers.to_string()]);
            command.args(["--port", &server.port.to_string()]);
            command.args(["--keys", &KEYS.to_string()]);
            command.args(["--seconds", &(plan.round_s * RUN_SHARE).to_string()]);
            let output = process::output(&mut command)
                .with_context(|| format!("{library}, {what}, {}", case.name))?;
            let figures: Vec<f64> = output
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?;
            let &[requests, seconds, cpu_s] = figures.as_slice() else {
                anyhow::bail!("{library} printed {output:?}");
            };
            speeds.push(requests / seconds);
            cpus.push(cpu_s / requests * 1e6);
        }
    }
    let medians = |(speeds, cpus): &(Vec<f64>, Vec<f64>)| (median(speeds), median(cpus));
    Ok(rounds.iter().map(medians).collect())
}
