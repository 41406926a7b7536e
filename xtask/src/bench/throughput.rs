//! Throughput and server CPU per request, by pipeline depth: redis-benchmark, random keys out of all, both servers interleaved.

use anyhow::Result;

use super::Plan;
use super::load::{self, Load};
use super::report::{Bar, FLOOR, Report, Row};
use super::rounds::{self, Requests};
use crate::server::Server;

/// Connections of the load tool.
pub(super) const CONNECTIONS: usize = 50;
const COMMANDS: [&str; 2] = ["GET", "SET"];

/// A pipeline depth with the bars for throughput and CPU per request as ratios to the peer; None where the load tool is the limit.
pub(super) type Depth = (usize, Option<f64>, Option<f64>);

const DEPTHS: [Depth; 3] = [
    (64, Some(5.0), Some(0.25)),
    (16, Some(3.0), Some(0.33)),
    (1, None, Some(0.95)),
];

/// Measures all depths and commands.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours = plan
        .ours
        .clone()
        .on(&plan.cores.one)
        .with(&plan.workers(1))
        .start()?;
    let peer = plan.peer.clone().on(&plan.cores.one).start()?;
    let floors = rounds::floors(plan, None)?;
    load::preload(&ours, plan.keys)?;
    load::preload(&peer, plan.keys)?;
    let rows = rows(plan, [&ours, &peer], &floors, &DEPTHS)?;
    for server in [&ours, &peer] {
        load::assert_size(&mut server.client()?, plan.keys)?;
    }
    Ok(Report {
        name: "throughput",
        title: "Throughput and CPU per request",
        how: format!("{} {FLOOR}", how(plan, "redis-benchmark")),
        rows,
    })
}

/// How it is measured, with this load tool.
pub(super) fn how(plan: &Plan, tool: &str) -> String {
    format!(
        "{tool} with {CONNECTIONS} connections {}, which has one worker on one core; {} keys of {} bytes, values of {} bytes, random keys, \
         every GET hits; medians of {} rounds, the servers taking turns.",
        load::place(),
        plan.keys,
        load::KEY_BYTES,
        load::VALUE_BYTES,
        plan.rounds
    )
}

/// Ours and the peer, filled, by depth and command.
pub(super) fn rows(
    plan: &Plan,
    servers: [&Server; 2],
    floors: &[Server],
    depths: &[Depth],
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (pipeline, speed_bar, cpu_bar) in depths.iter().copied() {
        for command in COMMANDS {
            let load = Load {
                command,
                keys: plan.keys,
                requests: 0,
                pipeline,
                connections: CONNECTIONS,
            };
            let requests = Requests::of(plan);
            let measured = rounds::run(plan, &servers, floors, load, requests, rounds::as_it_is)?;
            let (ours, peer, floors) = (measured[0], measured[1], &measured[2..]);
            let what = format!("{command}, pipeline {pipeline}");
            let [mut speed, mut cpu] = rounds::rows(&what, ours, peer, floors);
            speed.bar = speed_bar.map_or(Bar::None, Bar::RatioAtLeast);
            cpu.bar = cpu_bar.map_or(Bar::None, Bar::RatioAtMost);
            rows.extend([speed, cpu]);
        }
    }
    Ok(rows)
}
