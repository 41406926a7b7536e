//! Snapshots: the paced probe while the dataset is saved again and again and written to, and the memory that one save takes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Plan;
use super::load;
use super::probe::{Disturbance, Latency, middle, probe_disturbed, probe_process};
use super::report::{Bar, Better, Report, Row, median};
use crate::client::{Client, Reply};
use crate::server::{Launch, Server};

/// What a save may add to p99.9, in milliseconds.
const ADDED_MS_MAX: f64 = 1.0;
/// Memory of a save, beside the peer's.
const MEMORY_RATIO_MAX: f64 = 0.1;
/// Keys of the first dataset, for each of the plan's.
const KEYS_FACTOR: usize = 2;
/// Fields of the second one's hash, likewise.
const FIELDS_FACTOR: usize = 1;
const HASH: &str = "saved:hash";
/// Fields that one command sets.
const FIELDS_PER_COMMAND: usize = 100;
/// A save takes no longer.
const SAVE_LIMIT: Duration = Duration::from_secs(120);

/// What is saved.
#[derive(Clone, Copy)]
enum Dataset {
    Keys,
    Hash,
}

const DATASETS: [Dataset; 2] = [Dataset::Keys, Dataset::Hash];

/// Latencies of one server and dataset: idle, with writes, with writes and saves; and the memory of a save, bytes.
#[derive(Clone, Default)]
struct Case {
    idle: Vec<Latency>,
    written: Vec<Latency>,
    saved: Vec<Latency>,
    memory_bytes: Vec<f64>,
}

/// Measures the peer and ours.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours = plan.ours.clone().on(&plan.cores.one).with(&plan.workers(1));
    let launches = [ours, plan.peer.clone().on(&plan.cores.one)];
    let mut cases = vec![[Case::default(), Case::default()]; DATASETS.len()];
    let rounds = plan.probe_rounds;
    for _ in 0..rounds {
        for (dataset, sides) in DATASETS.into_iter().zip(&mut cases) {
            for (launch, case) in launches.iter().zip(sides) {
                round(plan, launch, dataset, case)?;
            }
        }
    }
    let mut rows = Vec::new();
    for (dataset, [ours, peer]) in DATASETS.into_iter().zip(&cases) {
        let name = match dataset {
            Dataset::Keys => "2M keys",
            Dataset::Hash => "a hash of 1M fields",
        };
        let idle_ms = middle(&ours.idle, |l| l.p999);
        let states = [
            ("idle", &ours.idle, &peer.idle, Bar::None),
            ("20k writes/s", &ours.written, &peer.written, Bar::None),
            (
                "20k writes/s, BGSAVE loops",
                &ours.saved,
                &peer.saved,
                Bar::AtMost(idle_ms + ADDED_MS_MAX),
            ),
        ];
        for (state, ours, peer, bar) in states {
            rows.push(Row {
                what: format!("{name}, {state}, p99.9"),
                unit: "ms",
                ours: middle(ours, |l| l.p999),
                peer: middle(peer, |l| l.p999),
                better: Better::Less,
                bar,
                floor: None,
                charted: true,
            });
        }
        rows.push(Row {
            what: format!("{name}, memory of a save"),
            unit: "MB",
            ours: median(&ours.memory_bytes) / 1e6,
            peer: median(&peer.memory_bytes) / 1e6,
            better: Better::Less,
            bar: Bar::RatioAtMost(MEMORY_RATIO_MAX),
            floor: None,
            charted: false,
        });
    }
    Ok(Report {
        name: "snapshots",
        title: "Latency of a paced GET while the dataset is saved and written to",
        how: format!(
            "The probe of the tail experiment for {} s, beside 20,000 SETs a second and BGSAVE after BGSAVE; the median of {rounds} rounds. \
             Memory: the growth of the resident set from before a save to its peak, writes going on; of redis-server what it reports as \
             copied by its child (rdb_last_cow_size).",
            plan.probe_s
        ),
        rows,
    })
}

fn round(plan: &Plan, launch: &Launch, dataset: Dataset, case: &mut Case) -> Result<()> {
    let server = launch.start()?;
    match dataset {
        Dataset::Keys => load::preload(&server, plan.keys * KEYS_FACTOR)?,
        Dataset::Hash => {
            load::preload(&server, plan.keys / 10)?;
            fill_hash(&mut server.client()?, plan.keys * FIELDS_FACTOR)?;
        }
    }
    let probed = Plan {
        keys: match dataset {
            Dataset::Keys => plan.keys,
            Dataset::Hash => plan.keys / 10,
        },
        ..plan.clone()
    };
    case.idle.push(probe_process(&probed, &server, 0, false)?);
    let written = probe_disturbed(&probed, &server, 0, Disturbance::Writes)?;
    case.written.push(written);
    let saved = probe_disturbed(&probed, &server, 0, Disturbance::Bgsave)?;
    case.saved.push(saved);
    let has_child = launch.name == plan.peer.name;
    let bytes = memory_of_a_save(&server, probed.keys, has_child)?;
    case.memory_bytes.push(bytes);
    Ok(())
}

fn fill_hash(client: &mut Client, fields: usize) -> Result<()> {
    for first in (0..fields).step_by(FIELDS_PER_COMMAND) {
        let words: Vec<String> = (first..(first + FIELDS_PER_COMMAND).min(fields))
            .flat_map(|at| [format!("field:{at:08}"), format!("value:{at:010}")])
            .collect();
        let all: Vec<&[u8]> = ["HSET", HASH]
            .into_iter()
            .chain(words.iter().map(String::as_str))
            .map(str::as_bytes)
            .collect();
        let reply = client.call(&all)?;
        ensure!(matches!(reply, Reply::Integer(_)), "{reply:?}");
    }
    Ok(())
}

/// Bytes that a save takes at its peak while keys, and a field of the hash, change.
fn memory_of_a_save(server: &Server, keys: usize, has_child: bool) -> Result<f64> {
    let mut client = server.client()?;
    wait_for_saves(&mut client)?;
    let before = server.rss_bytes()?;
    let reply = client.run("BGSAVE")?;
    ensure!(!matches!(reply, Reply::Error(_)), "{reply:?}");
    let (started, mut peak, mut index) = (Instant::now(), before, 0);
    while client.info("persistence", "rdb_bgsave_in_progress")? != "0" {
        for _ in 0..20 {
            index = (index + 7_919 * 211) % keys;
            let key = format!("key:{index:012}");
            client.call(&[b"SET", key.as_bytes(), &[b'z'; load::VALUE_BYTES]])?;
        }
        let field = format!("field:{:08}", index % 1_000);
        client.call(&[b"HSET", HASH.as_bytes(), field.as_bytes(), b"changed"])?;
        peak = peak.max(server.rss_bytes()?);
        ensure!(started.elapsed() < SAVE_LIMIT, "a save takes too long");
    }
    if has_child {
        // What is copied is another process's.
        return Ok(client.info("persistence", "rdb_last_cow_size")?.parse()?);
    }
    Ok(peak.saturating_sub(before) as f64)
}

fn wait_for_saves(client: &mut Client) -> Result<()> {
    let started = Instant::now();
    while client.info("persistence", "rdb_bgsave_in_progress")? != "0" {
        thread::sleep(Duration::from_millis(20));
        ensure!(started.elapsed() < SAVE_LIMIT, "a save takes too long");
    }
    Ok(())
}
