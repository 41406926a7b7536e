//! Memory per key with and without a time to live, memory per idle connection, and what an idle server costs.
//!
//! Each figure is from a fresh server, as growth of its resident memory, since that is what the machine loses.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Plan;
use super::load::{self, KEY_BYTES, VALUE_BYTES};
use super::machine::raise_descriptors;
use super::report::{Bar, Better, Report, Row, median};
use crate::client::Client;
use crate::server::{Launch, Server};

/// Idle connections.
const CONNECTIONS: usize = 5_000;
/// How long a server gets to put its house in order before it is looked at: free memory is given back some seconds after the last command.
const SETTLE_S: u64 = 6;
/// A time to live that ends after the measurement.
const TTL_MS: u64 = 3_600_000;

/// Measures all of it.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let mut rows = Vec::new();
    let plain = both(plan, |launch| bytes_over_payload(plan, launch, None))?;
    let expiring = both(plan, |launch| {
        bytes_over_payload(plan, launch, Some(TTL_MS))
    })?;
    rows.push(row("key + value, bytes over payload", "bytes", plain, 40.0));
    let ttl = (expiring.0 - plain.0, expiring.1 - plain.1);
    rows.push(row("a TTL on it", "bytes", ttl, 28.0));
    let connections = match plan.quick {
        true => CONNECTIONS / 20,
        false => CONNECTIONS,
    };
    let idle = both(plan, |launch| {
        bytes_per_connection(plan, launch, connections)
    })?;
    rows.push(row("an idle connection", "bytes", idle, 2048.0));
    let cpu = both(plan, |launch| idle_cpu_us_per_s(plan, launch))?;
    rows.push(row("idle server", "us CPU/s", cpu, 400.0));
    Ok(Report {
        name: "memory",
        title: "Memory and idling",
        how: format!(
            "Growth of resident memory of a fresh server: {} keys of {KEY_BYTES} bytes with values of {VALUE_BYTES} bytes, less these {} bytes; \
             {connections} connections that each asked one PING; CPU of a server that holds the keys and has no connection. Medians of {} rounds.",
            plan.keys,
            KEY_BYTES + VALUE_BYTES,
            plan.rounds
        ),
        rows,
    })
}

fn row(what: &str, unit: &'static str, (ours, peer): (f64, f64), bar: f64) -> Row {
    Row {
        what: what.to_owned(),
        unit,
        ours,
        peer,
        better: Better::Less,
        bar: Bar::AtMost(bar),
        floor: None,
        charted: true,
    }
}

/// Runs a measurement on both sides in turn; medians.
fn both(plan: &Plan, measure: impl Fn(&Launch) -> Result<f64>) -> Result<(f64, f64)> {
    let ours = plan.ours.clone().on(&plan.cores.one).with(&plan.workers(1));
    let peer = plan.peer.clone().on(&plan.cores.one);
    let mut results = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        results[0].push(measure(&ours)?);
        results[1].push(measure(&peer)?);
    }
    Ok((median(&results[0]), median(&results[1])))
}

fn settle(plan: &Plan) {
    thread::sleep(Duration::from_secs(if plan.quick { 1 } else { SETTLE_S }));
}

fn growth(server: &Server, before: u64) -> Result<f64> {
    Ok(server.rss_bytes()? as f64 - before as f64)
}

fn bytes_over_payload(plan: &Plan, launch: &Launch, ttl_ms: Option<u64>) -> Result<f64> {
    let server = launch.start()?;
    let mut client = server.client()?;
    settle(plan);
    let before = server.rss_bytes()?;
    load::fill(&mut client, plan.keys, |_| ttl_ms)?;
    load::assert_size(&mut client, plan.keys)?;
    settle(plan);
    Ok(growth(&server, before)? / plan.keys as f64 - (KEY_BYTES + VALUE_BYTES) as f64)
}

fn bytes_per_connection(plan: &Plan, launch: &Launch, count: usize) -> Result<f64> {
    let allowed = raise_descriptors()?;
    ensure!(
        allowed > count as u64 + 100,
        "only {allowed} descriptors are allowed here"
    );
    let server = launch.start()?;
    settle(plan);
    let before = server.rss_bytes()?;
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Client::connect(server.port)?;
        client.run("PING")?;
        clients.push(client);
    }
    settle(plan);
    Ok(growth(&server, before)? / count as f64)
}

fn idle_cpu_us_per_s(plan: &Plan, launch: &Launch) -> Result<f64> {
    let server = launch.start()?;
    load::preload(&server, plan.keys)?;
    settle(plan);
    let seconds = if plan.quick { 1 } else { 5 };
    let before = server.cpu_ns()?;
    thread::sleep(Duration::from_secs(seconds));
    Ok((server.cpu_ns()? - before) as f64 / 1000.0 / seconds as f64)
}
