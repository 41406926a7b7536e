//! Expiry without reads: many keys with a short time to live, written once; how many are resident although they have expired, and what
//! that costs.
//!
//! A deadline is counted from the moment its batch was sent, which is before the server could count it: we err against the server.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Plan;
use super::load;
use super::report::{Bar, Better, Report, Row, median};
use crate::server::Launch;

/// Keys, and the range of their times to live.
const KEYS: usize = 500_000;
const TTL_MIN_MS: u64 = 1_000;
const TTL_MAX_MS: u64 = 10_000;
/// How long after its deadline a key may be resident.
const GRACE_MS: u64 = 1_000;
/// How often DBSIZE is asked.
const SAMPLE_MS: u64 = 100;

/// What one run showed.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Worst share of keys that were resident and expired, at any moment, in percent.
    expired_percent: f64,
    /// Worst share that was resident more than the grace after its deadline, in percent.
    late_percent: f64,
    /// CPU from the last write until a grace after the last deadline.
    cpu_ms: f64,
}

/// Measures both sides.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let rounds = plan.rounds;
    let keys = if plan.quick { plan.keys } else { KEYS };
    let ours = plan.ours.clone().on(&plan.cores.one).with(&plan.workers(1));
    let peer = plan.peer.clone().on(&plan.cores.one);
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        runs[0].push(run(&ours, keys, plan.ttl_divisor)?);
        runs[1].push(run(&peer, keys, plan.ttl_divisor)?);
    }
    let row = |what: &str, unit, of: fn(&Run) -> f64, bar| Row {
        what: what.to_owned(),
        unit,
        ours: median(&runs[0].iter().map(of).collect::<Vec<_>>()),
        peer: median(&runs[1].iter().map(of).collect::<Vec<_>>()),
        better: Better::Less,
        bar,
        floor: None,
        charted: true,
    };
    Ok(Report {
        name: "expiry",
        title: "Expiry without reads",
        how: format!(
            "{keys} keys with times to live of {} to {} s, evenly spread, and no reads; DBSIZE every {SAMPLE_MS} ms against the deadlines. Shares \
             are of all keys, at the worst moment; CPU is the server's from the last write to {} s after the last deadline. Medians of {rounds} rounds.",
            TTL_MIN_MS as f64 / 1000.0 / plan.ttl_divisor as f64,
            TTL_MAX_MS as f64 / 1000.0 / plan.ttl_divisor as f64,
            GRACE_MS / 1000
        ),
        rows: vec![
            row(
                "resident though expired",
                "%",
                |r| r.expired_percent,
                Bar::None,
            ),
            row(
                "resident 1 s after the deadline",
                "%",
                |r| r.late_percent,
                Bar::AtMost(1.0),
            ),
            row("server CPU", "ms", |r| r.cpu_ms, Bar::RatioAtMost(1.0)),
        ],
    })
}

fn run(launch: &Launch, keys: usize, divisor: u64) -> Result<Run> {
    let server = launch.start()?;
    let mut client = server.client()?;
    let ttl_ms = |index: usize| {
        let spread = (TTL_MAX_MS - TTL_MIN_MS) / divisor;
        TTL_MIN_MS / divisor + scattered(index) % spread
    };
    let sent = load::fill(&mut client, keys, |index| Some(ttl_ms(index)))?;
    let cpu_before = server.cpu_ns()?;
    let mut deadlines: Vec<Instant> = (0..keys)
        .map(|index| sent[load::batch_of(index)] + Duration::from_millis(ttl_ms(index)))
        .collect();
    deadlines.sort();
    let last = deadlines[keys - 1] + Duration::from_millis(GRACE_MS);
    let (mut expired, mut late) = (0, 0);
    loop {
        let now = Instant::now();
        let resident = usize::try_from(client.integer("DBSIZE")?)?;
        let due = |at: Option<Instant>| {
            at.map_or(0, |at| {
                deadlines.partition_point(|deadline| *deadline <= at)
            })
        };
        expired = expired.max(resident.saturating_sub(keys - due(Some(now))));
        let grace_ago = now.checked_sub(Duration::from_millis(GRACE_MS));
        late = late.max(resident.saturating_sub(keys - due(grace_ago)));
        if now >= last {
            break;
        }
        thread::sleep(Duration::from_millis(SAMPLE_MS));
    }
    let percent = |count: usize| count as f64 * 100.0 / keys as f64;
    Ok(Run {
        expired_percent: percent(expired),
        late_percent: percent(late),
        cpu_ms: (server.cpu_ns()? - cpu_before) as f64 / 1e6,
    })
}

/// A number that looks random, the same in each run (splitmix64).
fn scattered(index: usize) -> u64 {
    let mut z = (index as u64)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
