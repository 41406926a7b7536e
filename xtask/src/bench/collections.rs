//! Collections: throughput of their common commands at pipeline 16, and bytes for each element in small and large ones.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Plan;
use super::load::{self, Load, Measured};
use super::report::{Bar, Better, Report, Row, median};
use crate::client::{Client, Reply};
use crate::server::{Launch, Server};

/// Connections of the load tool.
const CONNECTIONS: usize = 50;
const PIPELINE: usize = 16;
/// What redis-benchmark draws keys, members and fields from.
const KEYS: usize = 100_000;
/// Ratios of throughput below this miss the bar.
const SPEED_BAR: f64 = 1.3;
/// The large sorted set takes at most this share of the peer's bytes.
const LARGE_ZSET_BAR: f64 = 0.75;
/// How long a server gets to put its house in order before it is looked at: free memory is given back some seconds after the last command.
const SETTLE_S: u64 = 6;
/// Commands per write when filling.
const BATCH: usize = 100;
/// redis-benchmark's own tests, and a command.
const TESTS: [&str; 9] = [
    "INCR",
    "LPUSH",
    "SADD",
    "HSET",
    "ZADD",
    "MSET",
    "LRANGE_100",
    "SPOP",
    "ZRANGE zset 0 99",
];

/// Measures all of it.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let mut rows = Vec::new();
    let ours = launch_ours(plan).start()?;
    let peer = launch_peer(plan).start()?;
    for test in TESTS {
        let (ours, peer) = speed(plan, &ours, &peer, test, prepare)?;
        rows.push(speed_row(test, ours, peer, SPEED_BAR));
    }
    drop((ours, peer));
    for shape in SHAPES {
        let mut sides = [Vec::new(), Vec::new()];
        for _ in 0..if plan.quick { 1 } else { plan.rounds } {
            sides[0].push(bytes(plan, &launch_ours(plan), shape)?);
            sides[1].push(bytes(plan, &launch_peer(plan), shape)?);
        }
        let (ours, peer) = (median(&sides[0]), median(&sides[1]));
        let is_large = shape.count == 1;
        rows.push(Row {
            what: shape.name.to_owned(),
            unit: "bytes/element",
            ours,
            peer,
            better: Better::Less,
            bar: Bar::RatioAtMost(if is_large { LARGE_ZSET_BAR } else { 1.0 }),
            charted: true,
        });
    }
    Ok(Report {
        name: "collections",
        title: "Collections: speed and size",
        how: format!(
            "redis-benchmark's tests at pipeline {PIPELINE} with {CONNECTIONS} connections and {KEYS} random keys or members, one worker; growth of resident \
             memory of a fresh server for each element, the key's share included; medians of {} rounds, the servers taking turns.",
            plan.rounds
        ),
        rows,
    })
}

pub(super) fn launch_ours(plan: &Plan) -> Launch {
    plan.ours.clone().on(&plan.cores.one).with(&plan.workers(1))
}

pub(super) fn launch_peer(plan: &Plan) -> Launch {
    plan.peer.clone().on(&plan.cores.one)
}

pub(super) fn speed_row(test: &str, ours: Measured, peer: Measured, bar: f64) -> Row {
    Row {
        what: format!("{test}, pipeline {PIPELINE}"),
        unit: "requests/s",
        ours: ours.requests_per_s,
        peer: peer.requests_per_s,
        better: Better::More,
        bar: Bar::RatioAtLeast(bar),
        charted: true,
    }
}

/// Rounds of one test, the servers taking turns; medians. `prepare` makes a server ready for so many requests.
pub(super) fn speed(
    plan: &Plan,
    ours: &Server,
    peer: &Server,
    test: &str,
    prepare: fn(&mut Client, usize) -> Result<()>,
) -> Result<(Measured, Measured)> {
    let mut results = [Vec::new(), Vec::new()];
    let mut requests = [plan.calibration_requests.min(100_000); 2];
    for round in 0..=plan.rounds {
        for (side, server) in [ours, peer].into_iter().enumerate() {
            prepare(&mut server.client()?, requests[side])?;
            let load = Load {
                command: test,
                keys: KEYS,
                requests: requests[side],
                pipeline: PIPELINE,
                connections: CONNECTIONS,
            };
            let measured = load::run(server, &load)?;
            if round == 0 {
                requests[side] = ((measured.requests_per_s * plan.round_s) as usize)
                    .clamp(requests[side], 2_000_000);
            } else {
                results[side].push(measured);
            }
        }
    }
    let middle = |side: usize, of: fn(&Measured) -> f64| {
        median(&results[side].iter().map(of).collect::<Vec<_>>())
    };
    let medians = |side: usize| Measured {
        requests_per_s: middle(side, |m| m.requests_per_s),
        cpu_us: middle(side, |m| m.cpu_us),
    };
    Ok((medians(0), medians(1)))
}

/// Empties the server but for a sorted set to read from.
fn prepare(client: &mut Client, _requests: usize) -> Result<()> {
    client.run("FLUSHALL")?;
    for at in 0..1_000 {
        client.run(&format!("ZADD zset {at} member:{at}"))?;
    }
    Ok(())
}

/// Collections of one shape.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// How many collections there are.
    count: usize,
    /// Elements of each.
    elements: usize,
    command: &'static str,
    /// Words of one element.
    words: fn(usize) -> Vec<String>,
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "hashes of 10 fields",
        count: 50_000,
        elements: 10,
        command: "HSET",
        words: |at| vec![format!("field:{at}"), format!("value:{at:06}")],
    },
    Shape {
        name: "sets of 10 integers",
        count: 50_000,
        elements: 10,
        command: "SADD",
        words: |at| vec![(at * 37).to_string()],
    },
    Shape {
        name: "sorted sets of 100",
        count: 5_000,
        elements: 100,
        command: "ZADD",
        words: |at| vec![(at * 3).to_string(), format!("member:{at:08}")],
    },
    Shape {
        name: "lists of 10",
        count: 50_000,
        elements: 10,
        command: "RPUSH",
        words: |at| vec![format!("element:{at:012}")],
    },
    Shape {
        name: "one sorted set of many",
        count: 1,
        elements: 1_000_000,
        command: "ZADD",
        words: |at| vec![format!("{}.5", at * 7), format!("member:{at:09}")],
    },
];

fn bytes(plan: &Plan, launch: &Launch, shape: Shape) -> Result<f64> {
    let server = launch.start()?;
    let mut client = server.client()?;
    settle(plan);
    let before = server.rss_bytes()?;
    let count = if plan.quick {
        shape.count.div_ceil(50)
    } else {
        shape.count
    };
    let elements = match shape.count {
        1 if plan.quick => shape.elements / 50,
        _ => shape.elements,
    };
    fill(&mut client, shape, count, elements)?;
    settle(plan);
    let grown = server.rss_bytes()? as f64 - before as f64;
    Ok(grown / (count * elements) as f64)
}

/// Makes the collections, at most a hundred elements a command.
fn fill(client: &mut Client, shape: Shape, count: usize, elements: usize) -> Result<()> {
    let mut queued = 0;
    for number in 0..count {
        let key = format!("key:{number:012}");
        for first in (0..elements).step_by(BATCH) {
            let mut words = vec![shape.command.to_owned(), key.clone()];
            words.extend((first..(first + BATCH).min(elements)).flat_map(shape.words));
            let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
            client.queue(&words);
            queued += 1;
            if queued == BATCH {
                drain(client, &mut queued)?;
            }
        }
    }
    drain(client, &mut queued)
}

fn drain(client: &mut Client, queued: &mut usize) -> Result<()> {
    client.flush()?;
    for _ in 0..std::mem::take(queued) {
        let reply = client.reply()?;
        ensure!(matches!(reply, Reply::Integer(_)), "{reply:?}");
    }
    Ok(())
}

fn settle(plan: &Plan) {
    thread::sleep(Duration::from_secs(if plan.quick { 1 } else { SETTLE_S }));
}
