//! Scripts: a rate limiter in Lua, on one worker and on two.

use anyhow::Result;

use super::Plan;
use super::collections::{launch_ours, launch_peer};
use super::load::Load;
use super::report::{Bar, Better, FLOOR, Report, Row};
use super::rounds::{self, Requests};
use super::throughput::CONNECTIONS;

/// Counts the calls of a client in a span of time, and tells whether this one is still allowed.
const LIMITER: &str = "local calls = redis.call('INCR', KEYS[1]) \
    if calls == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end \
    return calls <= tonumber(ARGV[1]) and 1 or 0";
const PIPELINE: usize = 16;
/// Clients that are limited.
const KEYS: usize = 1_000_000;
/// Throughput beside the peer's, and with two workers beside one.
const SPEED_BAR: f64 = 1.2;
const GROWTH_BAR: f64 = 1.0;

/// Measures the peer, and ours with one and two workers.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let one = launch_ours(plan).start()?;
    let two = plan.ours.clone().on(&plan.cores.two);
    let two = two.with(&plan.workers(2)).start()?;
    let peer = launch_peer(plan).start()?;
    // The command is taken apart at its spaces, of which the script must have none.
    let script = LIMITER.replace(' ', "\t");
    let command = format!("EVAL {script} 1 limit:__rand_int__ 100 60000");
    let load = Load {
        command: &command,
        keys: KEYS,
        requests: 0,
        pipeline: PIPELINE,
        connections: CONNECTIONS,
    };
    let floors = rounds::floors(plan, Some(b":1\r\n"))?;
    let requests = Requests::of(plan);
    let servers = [&one, &peer, &two];
    let measured = rounds::run(plan, &servers, &floors, load, requests, rounds::as_it_is)?;
    let (one, peer, two) = (measured[0], measured[1], measured[2]);
    let floors = &measured[servers.len()..];
    let what = format!("rate limiter, pipeline {PIPELINE}");
    let [mut speed, cpu] = rounds::rows(&what, one, peer, floors);
    speed.bar = Bar::RatioAtLeast(SPEED_BAR);
    let rows = vec![
        speed,
        cpu,
        Row {
            what: format!("{what}, two workers beside one"),
            unit: "requests/s",
            ours: two.requests_per_s,
            peer: one.requests_per_s,
            better: Better::More,
            bar: Bar::RatioAtLeast(GROWTH_BAR),
            floor: None,
            charted: true,
        },
    ];
    Ok(Report {
        name: "scripts",
        title: "EVAL of a rate limiter",
        how: format!(
            "redis-benchmark at pipeline {PIPELINE} with {CONNECTIONS} connections, {KEYS} keys, one worker on one core; in the last row two workers on two \
             cores, the second of which the load needs, too, beside our own one; medians of {} rounds, the servers taking turns. {FLOOR}",
            plan.rounds
        ),
        rows,
    })
}
