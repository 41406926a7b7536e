//! What watching costs: throughput with the metrics, histograms, hot keys and the admin port in use, beside the same with all of it off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::Plan;
use super::load::{self, Load};
use super::report::{Bar, Better, Report, Row, Sides};
use super::rounds::{self, Requests};
use super::stages::page;
use crate::server::free_port;

const CONNECTIONS: usize = 50;
const PIPELINE: usize = 64;
const COMMANDS: [&str; 2] = ["GET", "SET"];
/// Pause between two readings of the metrics; Prometheus's own default is a minute.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
/// Throughput with everything on, at least this share of that with it off.
const SPEED_BAR: f64 = 0.97;

/// The names of the columns.
pub(super) fn sides() -> Sides {
    Sides {
        ours: "everything on".to_owned(),
        peer: "all off".to_owned(),
    }
}

/// Compares the two.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let admin_port = free_port()?;
    let launch = plan.ours.clone().on(&plan.cores.one);
    let launch = launch.with(&plan.workers(1));
    let watched = launch
        .clone()
        .with(&["--admin-port", &admin_port.to_string()])
        .start()?;
    let blind = launch
        .with(&["--latency-tracking", "no", "--hot-keys-sample-every", "0"])
        .start()?;
    load::preload(&watched, plan.keys)?;
    load::preload(&blind, plan.keys)?;
    let ended = AtomicBool::new(false);
    let rows = thread::scope(|scope| {
        let reader = scope.spawn(|| scrape(admin_port, &ended));
        let rows = COMMANDS
            .into_iter()
            .map(|command| {
                let load = Load {
                    command,
                    keys: plan.keys,
                    requests: 0,
                    pipeline: PIPELINE,
                    connections: CONNECTIONS,
                };
                let servers = [&watched, &blind];
                let requests = Requests::of(plan);
                let measured = rounds::run(plan, &servers, &[], load, requests, rounds::as_it_is)?;
                Ok(rows_of(command, &measured))
            })
            .collect::<Result<Vec<_>>>();
        ended.store(true, Ordering::Relaxed);
        reader.join().expect("the reader does not panic")?;
        rows
    })?;
    Ok(Report {
        name: "observing",
        title: "What watching costs",
        how: format!(
            "redis-benchmark with {CONNECTIONS} connections on another core than the server, which has one worker on one core, beside which the admin port \
             is read each {} s; {} keys of {} bytes, values of {} bytes; medians of {} rounds, in turns.",
            SCRAPE_EVERY.as_secs(),
            plan.keys,
            load::KEY_BYTES,
            load::VALUE_BYTES,
            plan.rounds
        ),
        rows: rows.into_iter().flatten().collect(),
    })
}

fn rows_of(command: &str, measured: &[load::Measured]) -> [Row; 2] {
    let row = |what: &str, unit, better, bar, figure: fn(&load::Measured) -> f64| Row {
        what: format!("{command}, pipeline {PIPELINE}{what}"),
        unit,
        ours: figure(&measured[0]),
        peer: figure(&measured[1]),
        better,
        bar,
        floor: None,
        charted: true,
    };
    let bar = Bar::RatioAtLeast(SPEED_BAR);
    [
        row("", "requests/s", Better::More, bar, |m| m.requests_per_s),
        row(", server CPU", "us/request", Better::Less, Bar::None, |m| {
            m.cpu_us
        }),
    ]
}

/// Reads the metrics again and again.
fn scrape(port: u16, ended: &AtomicBool) -> Result<()> {
    while !ended.load(Ordering::Relaxed) {
        page(port, "/metrics")?;
        thread::sleep(SCRAPE_EVERY);
    }
    Ok(())
}
