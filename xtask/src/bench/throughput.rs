//! Throughput and server CPU per request, by pipeline depth: redis-benchmark, random keys out of all, both servers interleaved.

use anyhow::Result;

use super::Plan;
use super::load::{self, Load, Measured};
use super::report::{Bar, Better, Report, Row, median};
use crate::build;
use crate::server::{Launch, Server};

/// Connections of the load tool.
const CONNECTIONS: usize = 50;
const COMMANDS: [&str; 2] = ["GET", "SET"];

/// Pipeline depths, with the bars for throughput and CPU per request as ratios to the peer; None where the load tool is the limit.
const DEPTHS: [(usize, Option<f64>, Option<f64>); 3] = [
    (64, Some(5.0), Some(0.25)),
    (16, Some(3.0), Some(0.33)),
    (1, None, Some(0.95)),
];

/// The place of the server that does nothing among those that are compared.
const FLOOR: usize = 2;

/// Measures all depths and commands.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours = plan
        .ours
        .clone()
        .on(&plan.cores.one)
        .with(&plan.workers(1))
        .start()?;
    let peer = plan.peer.clone().on(&plan.cores.one).start()?;
    let floor = Launch::new("floor", &build::floor()?)
        .on(&plan.cores.one)
        .start()?;
    load::preload(&ours, plan.keys)?;
    load::preload(&peer, plan.keys)?;
    let mut rows = Vec::new();
    for (pipeline, speed_bar, cpu_bar) in DEPTHS {
        for command in COMMANDS {
            let [ours, peer, floor] = compare(
                plan,
                [&ours, &peer, &floor],
                &[FLOOR],
                command,
                pipeline,
                CONNECTIONS,
            )?;
            rows.push(Row {
                what: format!("{command}, pipeline {pipeline}"),
                unit: "requests/s",
                ours: ours.requests_per_s,
                peer: peer.requests_per_s,
                better: Better::More,
                bar: speed_bar.map_or(Bar::None, Bar::RatioAtLeast),
                charted: true,
            });
            rows.push(Row {
                what: format!("{command}, pipeline {pipeline}, server CPU"),
                unit: "us/request",
                ours: ours.cpu_us,
                peer: peer.cpu_us,
                better: Better::Less,
                bar: cpu_bar.map_or(Bar::None, Bar::RatioAtMost),
                charted: true,
            });
            rows.push(Row {
                what: format!("{command}, pipeline {pipeline}, CPU of a server that does nothing"),
                unit: "us/request",
                ours: floor.cpu_us,
                peer: peer.cpu_us,
                better: Better::Less,
                bar: Bar::None,
                charted: false,
            });
        }
    }
    for server in [&ours, &peer] {
        load::assert_size(&mut server.client()?, plan.keys)?;
    }
    Ok(Report {
        name: "throughput",
        title: "Throughput and CPU per request",
        how: format!(
            "redis-benchmark with {CONNECTIONS} connections on another core than the server, which has one worker on one core; {} keys of {} bytes, \
             values of {} bytes, random keys, every GET hits; medians of {} rounds, the servers taking turns. The server that does nothing answers each request \
             with a constant (crates/reactor/examples/floor.rs): what the kernel and the load tool cost.",
            plan.keys,
            load::KEY_BYTES,
            load::VALUE_BYTES,
            plan.rounds
        ),
        rows,
    })
}

/// Rounds of one command at one depth, the servers taking turns; medians. The servers with the numbers `only_answer` count nothing.
pub(super) fn compare<const N: usize>(
    plan: &Plan,
    servers: [&Server; N],
    only_answer: &[usize],
    command: &str,
    pipeline: usize,
    connections: usize,
) -> Result<[Measured; N]> {
    let mut results = [const { Vec::new() }; N];
    // What each gets to do, so that each round takes about as long whatever the speed.
    let mut requests = [plan.calibration_requests; N];
    for round in 0..=plan.rounds {
        for (side, server) in servers.into_iter().enumerate() {
            let load = Load {
                command,
                keys: plan.keys,
                requests: requests[side],
                pipeline,
                connections,
            };
            let measured = if only_answer.contains(&side) {
                load::run_uncounted(server, &load)?
            } else {
                load::run(server, &load)?
            };
            if round == 0 {
                // The first tells how much fits into a round, and warms up.
                requests[side] = ((measured.requests_per_s * plan.round_s) as usize)
                    .max(plan.calibration_requests);
            } else {
                results[side].push(measured);
            }
        }
    }
    let middle = |results: Vec<Measured>, of: fn(&Measured) -> f64| {
        median(&results.iter().map(of).collect::<Vec<_>>())
    };
    Ok(results.map(|results| Measured {
        requests_per_s: middle(results.clone(), |m| m.requests_per_s),
        cpu_us: middle(results, |m| m.cpu_us),
    }))
}
