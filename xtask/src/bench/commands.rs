//! Streams, bitmaps, HyperLogLogs, geo and queues: throughput at pipeline 16.

use anyhow::Result;

use super::Plan;
use super::collections::{launch_ours, launch_peer, speed};
use super::report::{FLOOR, Report};
use super::rounds::Prepare;
use crate::client::Client;

/// Ratios of throughput below this miss the bar.
const SPEED_BAR: f64 = 1.1;
/// Entries of the stream that is read.
const ENTRIES: usize = 10_000;
/// Bytes of the bitmap that is counted.
const BITMAP_BYTES: usize = 1_000;
/// Elements per command when a queue is filled.
const PUSHED_AT_ONCE: usize = 500;

/// A command of redis-benchmark, and what it needs before.
const TESTS: [(&str, Prepare); 6] = [
    ("XADD stream * field __rand_int__", |client, _| {
        empty(client)
    }),
    ("XREAD COUNT 10 STREAMS stream 0", |client, _| {
        empty(client)?;
        for at in 0..ENTRIES {
            client.run(&format!("XADD stream {}-1 field {at}", at + 1))?;
        }
        Ok(())
    }),
    ("BITCOUNT bitmap", |client, _| {
        empty(client)?;
        client.run(&format!("SET bitmap {}", "x".repeat(BITMAP_BYTES)))?;
        Ok(())
    }),
    ("PFADD hll __rand_int__", |client, _| empty(client)),
    (
        "GEOADD geo 13.361389 38.115556 __rand_int__",
        |client, _| empty(client),
    ),
    // The other half, LPUSH, is among the collections.
    ("BLPOP queue 0", |client, requests| {
        empty(client)?;
        let elements = " element".repeat(PUSHED_AT_ONCE);
        // And some more: redis-benchmark asks for whole pipelines, and would wait for ever for the last one's elements.
        for _ in 0..=requests.div_ceil(PUSHED_AT_ONCE) {
            client.run(&format!("LPUSH queue{elements}"))?;
        }
        Ok(())
    }),
];

/// Measures all of it.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours = launch_ours(plan).start()?;
    let peer = launch_peer(plan).start()?;
    let mut rows = Vec::new();
    for (test, prepare) in TESTS {
        let servers = [&ours, &peer];
        rows.extend(speed(plan, servers, (test, test), prepare, SPEED_BAR)?);
    }
    Ok(Report {
        name: "commands",
        title: "Streams, bitmaps, HyperLogLogs, geo and queues: speed",
        how: format!(
            "redis-benchmark at pipeline 16 with 50 connections, one worker; a bitmap of {BITMAP_BYTES} bytes, a queue that is never empty; medians of \
             {} rounds, the servers taking turns. {FLOOR}",
            plan.rounds
        ),
        rows,
    })
}

fn empty(client: &mut Client) -> Result<()> {
    client.run("FLUSHALL")?;
    Ok(())
}
