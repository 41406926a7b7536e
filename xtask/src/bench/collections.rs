//! Collections: throughput of their common commands at pipeline 16, and bytes for each element in small and large ones.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Plan;
use super::load::{self, Load};
use super::report::{Bar, Better, FLOOR, Report, Row, median};
use super::rounds::{self, Prepare, Requests};
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
/// Requests of the uncounted round at most, and of the one before a sample is taken.
const REQUESTS_FIRST_MAX: usize = 100_000;
const REQUESTS_BEFORE_SAMPLE: usize = 1_000;
/// Most requests of a round: what is pushed stays.
const REQUESTS_MAX: usize = 2_000_000;
/// redis-benchmark's own tests, and a command; and a command with the reply that each wants.
const TESTS: [(&str, &str); 9] = [
    ("INCR", "INCR counter"),
    ("LPUSH", "LPUSH pushed element"),
    ("SADD", "SADD added element"),
    ("HSET", "HSET hash field value"),
    ("ZADD", "ZADD scored 0 element"),
    ("MSET", "MSET key value"),
    ("LRANGE_100", "LRANGE mylist 0 99"),
    // redis-benchmark fills no set before it.
    ("SPOP", "SPOP nothing"),
    (SORTED_RANGE, SORTED_RANGE),
];
const SORTED_RANGE: &str = "ZRANGE zset 0 99";

/// Measures all of it.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let mut rows = Vec::new();
    let ours = launch_ours(plan).start()?;
    let peer = launch_peer(plan).start()?;
    for (test, sample) in TESTS {
        let servers = [&ours, &peer];
        rows.extend(speed(plan, servers, (test, sample), prepare, SPEED_BAR)?);
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
            floor: None,
            charted: true,
        });
    }
    Ok(Report {
        name: "collections",
        title: "Collections: speed and size",
        how: format!(
            "redis-benchmark's tests at pipeline {PIPELINE} with {CONNECTIONS} connections and {KEYS} random keys or members, one worker; growth of resident \
             memory of a fresh server for each element, the key's share included; medians of {} rounds, the servers taking turns. {FLOOR}",
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

/// Throughput and CPU of one test of redis-benchmark, for which there is a command with the reply that it wants.
pub(super) fn speed(
    plan: &Plan,
    servers: [&Server; 2],
    (test, sample): (&str, &str),
    prepare: Prepare,
    bar: f64,
) -> Result<[Row; 2]> {
    let mut load = Load {
        command: test,
        keys: KEYS,
        requests: plan.calibration_requests.min(REQUESTS_FIRST_MAX),
        pipeline: PIPELINE,
        connections: CONNECTIONS,
    };
    // Once before all, so that there is something to take the sample of.
    prepare(&mut servers[0].client()?, load.requests)?;
    load.requests = load.requests.min(REQUESTS_BEFORE_SAMPLE);
    load::run(servers[0], &load)?;
    let floors = rounds::floors(plan, Some(&rounds::sample(servers[0], sample)?))?;
    let requests = Requests {
        first: plan.calibration_requests.min(REQUESTS_FIRST_MAX),
        max: REQUESTS_MAX,
        // Each needs its data anew.
        turns: 1,
    };
    let measured = rounds::run(plan, &servers, &floors, load, requests, prepare)?;
    let (ours, peer, floors) = (measured[0], measured[1], &measured[2..]);
    let what = format!("{test}, pipeline {PIPELINE}");
    let [mut speed, mut cpu] = rounds::rows(&what, ours, peer, floors);
    speed.bar = Bar::RatioAtLeast(bar);
    cpu.charted = false;
    Ok([speed, cpu])
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
        count: 200_000,
        elements: 10,
        command: "HSET",
        words: |at| vec![format!("field:{at}"), format!("value:{at:06}")],
    },
    Shape {
        name: "sets of 10 integers",
        count: 200_000,
        elements: 10,
        command: "SADD",
        words: |at| vec![(at * 37).to_string()],
    },
    Shape {
        name: "sorted sets of 100",
        count: 60_000,
        elements: 100,
        command: "ZADD",
        words: |at| vec![(at * 3).to_string(), format!("member:{at:08}")],
    },
    Shape {
        name: "lists of 10",
        count: 200_000,
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
