//! The append-only file: what it costs, when it is flushed always and every second, and how fast files are loaded.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Plan;
use super::load::{self, Load};
use super::report::{Bar, Better, Report, Row, median};
use super::rounds::{self, Requests};
use crate::client::Reply;
use crate::server::Launch;

const CONNECTIONS: usize = 50;
const DEPTHS: [usize; 2] = [1, 16];
/// Throughput with the log, beside our own without.
const ALWAYS_RATIO_MIN: f64 = 0.9;
const EVERY_SECOND_RATIO_MIN: f64 = 0.95;
/// Time to load, beside the peer's.
const LOAD_RATIO_MAX: f64 = 0.5;
const KEYS_FACTOR: usize = 2;
const NO_REWRITES: [&str; 2] = ["--auto-aof-rewrite-percentage", "0"];
/// Saving and rewriting take no longer.
const SAVE_LIMIT: Duration = Duration::from_secs(120);

/// Measures throughput with the log, then loading.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let mut rows = Vec::new();
    throughput(plan, &mut rows)?;
    loading(plan, &mut rows)?;
    Ok(Report {
        name: "durability",
        title: "What the append-only file costs, and how fast files are loaded",
        how: format!(
            "One worker on two cores; SET by redis-benchmark with {CONNECTIONS} connections, {} keys, no automatic rewrites; redis-server has a log of the same kind. In the rows \
             \"beside no log\" the second column is our own server without one, taking turns with the others. Possible is what a server gets on one core that does nothing but write each request to a file and flush \
             that before it answers (crates/reactor/examples/floor.rs --log yes, the better of epoll and io_uring). Loading: from start to PONG, {} keys, two cores, beside redis-server; medians of {} rounds.",
            plan.keys,
            plan.keys * KEYS_FACTOR,
            plan.rounds
        ),
        rows,
    })
}

fn throughput(plan: &Plan, rows: &mut Vec<Row>) -> Result<()> {
    // As it would run: the journal's thread may take the other core, where there is time left.
    let ours = || plan.ours.clone().on(&plan.cores.two).with(&plan.workers(1));
    // A log that grows by 100 MB a second would be rewritten all the time, on the cores that the load needs.
    let logging = |launch: Launch, fsync: &str| {
        launch
            .with(&["--appendonly", "yes", "--appendfsync", fsync])
            .with(&NO_REWRITES)
    };
    let plain = ours().start()?;
    for (fsync, bar) in [
        ("always", ALWAYS_RATIO_MIN),
        ("everysec", EVERY_SECOND_RATIO_MIN),
    ] {
        let logged = logging(ours(), fsync).start()?;
        let peer = logging(plan.peer.clone().on(&plan.cores.two), fsync).start()?;
        let floors = match fsync {
            "always" => rounds::logging_floors(plan)?,
            _ => Vec::new(),
        };
        for pipeline in DEPTHS {
            let load = Load {
                command: "SET",
                keys: plan.keys,
                requests: 0,
                pipeline,
                connections: CONNECTIONS,
            };
            let requests = Requests {
                first: plan.calibration_requests / 10,
                ..Requests::of(plan)
            };
            let servers = [&logged, &plain, &peer];
            let measured = rounds::run(plan, &servers, &floors, load, requests, rounds::as_it_is)?;
            let [ours, plain, peer] = [measured[0], measured[1], measured[2]];
            let what = format!("appendfsync {fsync}, pipeline {pipeline}");
            let [speed, _] = rounds::rows(&what, ours, peer, &measured[3..]);
            rows.push(speed);
            let what = format!("{what}, beside no log");
            let [speed, _] = rounds::rows(&what, ours, plain, &measured[3..]);
            rows.push(Row {
                bar: Bar::RatioAtLeast(bar),
                charted: false,
                ..speed
            });
        }
    }
    Ok(())
}

fn loading(plan: &Plan, rows: &mut Vec<Row>) -> Result<()> {
    let keys = plan.keys * KEYS_FACTOR;
    for (what, logged) in [("a dump", false), ("an append-only file", true)] {
        let on_two = |launch: &Launch| launch.clone().on(&plan.cores.two);
        let ours = load_times(plan, &on_two(&plan.ours), logged, keys)?;
        let peer = load_times(plan, &on_two(&plan.peer), logged, keys)?;
        rows.push(Row {
            what: format!("loading {what}"),
            unit: "s",
            ours,
            peer,
            better: Better::Less,
            bar: Bar::RatioAtMost(LOAD_RATIO_MAX),
            floor: None,
            charted: true,
        });
    }
    Ok(())
}

/// Median seconds from start to the first PONG with everything loaded. The log has commands only: its base is empty.
fn load_times(plan: &Plan, launch: &Launch, logged: bool, keys: usize) -> Result<f64> {
    let persisted = if logged {
        launch
            .clone()
            .with(&["--appendonly", "yes", "--appendfsync", "no"])
            .with(&NO_REWRITES)
    } else {
        launch.clone()
    };
    let mut server = persisted.start()?;
    load::preload(&server, keys)?;
    if !logged {
        let reply = server.client()?.run("SAVE")?;
        ensure!(matches!(reply, Reply::Simple(_)), "{reply:?}");
    }
    let mut times = Vec::new();
    for _ in 0..plan.rounds {
        server
            .terminate(SAVE_LIMIT)?
            .context("the server does not end")?;
        let started = Instant::now();
        server = persisted.start_again(&server)?;
        times.push(started.elapsed().as_secs_f64());
        load::assert_size(&mut server.client()?, keys)?;
    }
    Ok(median(&times))
}
