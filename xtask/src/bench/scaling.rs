//! Throughput and CPU per request by the number of workers, on as many cores, with the load on all others.
//!
//! The peer gets as many input and output threads, which read, too, as its users would give it. Where a machine has less than twice as many
//! cores, that many workers are left out: the load would take their time.

use anyhow::Result;

use super::Plan;
use super::load::{self, Load};
use super::report::{Report, Row};
use super::rounds::{self, Requests};

const WORKERS: [usize; 4] = [1, 2, 4, 8];
/// Connections of the load tool, over all its threads.
const CONNECTIONS: usize = 160;
const LOADS: [(&str, usize); 3] = [("GET", 1), ("GET", 16), ("SET", 16)];

/// Measures all numbers of workers that fit.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let mut rows = Vec::new();
    for workers in WORKERS {
        if workers > 1 && 2 * workers > plan.cores.count() {
            break;
        }
        plan.cores.load_beside(workers)?;
        rows.extend(of(plan, workers)?);
    }
    plan.cores.load_beside(2)?;
    // All that belongs together, one below the other.
    let order = |row: &Row| {
        LOADS
            .iter()
            .position(|(command, pipeline)| row.what.starts_with(&name(command, *pipeline)))
    };
    rows.sort_by_key(|row| (order(row), row.unit));
    Ok(Report {
        name: "scaling",
        title: "Throughput by number of workers",
        how: format!(
            "redis-benchmark with {CONNECTIONS} connections, a process for each core that the server leaves (8 at most); each worker on a core; the \
             peer has as many io-threads, with io-threads-do-reads; {} keys of {} bytes, values of {} bytes, random keys, every GET hits; medians \
             of {} rounds, the servers taking turns.",
            plan.keys,
            load::KEY_BYTES,
            load::VALUE_BYTES,
            plan.rounds
        ),
        rows,
    })
}

/// What a row is called up to its workers; ends so that no name begins another.
fn name(command: &str, pipeline: usize) -> String {
    format!("{command}, pipeline {pipeline},")
}

/// All loads on so many workers.
fn of(plan: &Plan, workers: usize) -> Result<Vec<Row>> {
    let cores = plan.cores.first(workers);
    let ours = plan
        .ours
        .clone()
        .on(&cores)
        .with(&plan.workers(workers))
        .start()?;
    let threads = workers.to_string();
    let peer = plan
        .peer
        .clone()
        .on(&cores)
        .with(&["--io-threads", &threads, "--io-threads-do-reads", "yes"])
        .start()?;
    load::preload(&ours, plan.keys)?;
    load::preload(&peer, plan.keys)?;
    let mut rows = Vec::new();
    for (command, pipeline) in LOADS {
        let load = Load {
            command,
            keys: plan.keys,
            requests: 0,
            pipeline,
            connections: CONNECTIONS,
        };
        let servers = [&ours, &peer];
        let requests = Requests::of(plan);
        let measured = rounds::run(plan, &servers, &[], load, requests, rounds::as_it_is)?;
        let (ours, peer) = (measured[0], measured[1]);
        let plural = if workers == 1 { "" } else { "s" };
        let what = format!("{} {workers} worker{plural}", name(command, pipeline));
        let [speed, mut cpu] = rounds::rows(&what, ours, peer, &[]);
        cpu.charted = false;
        rows.extend([speed, cpu]);
    }
    Ok(rows)
}
