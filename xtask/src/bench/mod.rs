//! `cargo xtask bench`: Dunlin beside a peer, in one run, on the same machine.
//!
//! Prints a table for each experiment and writes it, with a chart, to bench/results. `--quick` runs all of it in small, to see that it
//! runs, and writes nothing.

pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod probe;

mod backends;
mod chart;
mod client;
mod collections;
mod commands;
mod durability;
mod echo;
mod eviction;
mod expiry;
mod memory;
mod observing;
mod pubsub;
mod report;
mod rounds;
mod scaling;
mod scripts;
mod snapshots;
mod stages;
mod stalls;
mod throughput;
mod tls;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::server::Launch;
use crate::{build, process, tcl, workspace};
use machine::Cores;
use report::{Report, Sides};

/// What to measure.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The peer: `redis-server` (Debian's, from redis-tools), or a path.
    #[arg(long, default_value = "redis-server")]
    against: String,
    /// In small, to see that it runs: nothing is written.
    #[arg(long)]
    quick: bool,
    /// Only these experiments: throughput, scaling, backends, echo, client, memory, tail, expiry, collections, commands, stalls, eviction, pubsub, snapshots, durability, scripts, tls, stages, observing (may be repeated).
    #[arg(long)]
    only: Vec<String>,
    /// Rounds whose median counts, instead of 3 (5 for latencies).
    #[arg(long)]
    rounds: Option<usize>,
    /// Run this program instead of building Dunlin; nothing is written then, unless --out says where.
    #[arg(long)]
    server: Option<PathBuf>,
    /// The folder for the tables and charts, instead of bench/results.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Arguments {
    /// The smoke run of `cargo xtask ci`.
    pub(crate) fn smoke() -> Arguments {
        Arguments {
            against: "redis-server".to_owned(),
            quick: true,
            only: Vec::new(),
            rounds: Some(1),
            server: None,
            out: None,
        }
    }

    /// Where the tables and charts go, if anywhere.
    fn folder(&self) -> Option<PathBuf> {
        match &self.out {
            Some(folder) => Some(folder.clone()),
            None if self.quick || self.server.is_some() => None,
            None => Some(workspace::root().join("bench/results")),
        }
    }
}

/// What the experiments share.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) ours: Launch,
    pub(crate) peer: Launch,
    pub(crate) cores: Cores,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    /// The same for latencies, which vary more.
    pub(crate) probe_rounds: usize,
    pub(crate) keys: usize,
    /// Requests of the first, uncounted round.
    pub(crate) calibration_requests: usize,
    /// How long a counted round takes.
    pub(crate) round_s: f64,
    pub(crate) probe_s: f64,
    /// What times to live are divided by.
    pub(crate) ttl_divisor: u64,
    /// Whether `ours` knows `--workers`: not when another program plays it.
    ours_has_workers: bool,
}

impl Plan {
    /// Arguments for this many workers, for our side.
    pub(crate) fn workers(&self, count: usize) -> Vec<&'static str> {
        match (self.ours_has_workers, count) {
            (false, _) => vec![],
            (true, 1) => vec!["--workers", "1"],
            (true, 2) => vec!["--workers", "2"],
            (true, 4) => vec!["--workers", "4"],
            (true, 8) => vec!["--workers", "8"],
            (true, count) => unreachable!("no experiment has {count} workers"),
        }
    }
}

/// Rounds whose median counts.
const ROUNDS: usize = 3;
const PROBE_ROUNDS: usize = 5;

type Experiment = (&'static str, fn(&Plan) -> Result<Report>);

const EXPERIMENTS: [Experiment; 19] = [
    ("throughput", throughput::measure),
    ("scaling", scaling::measure),
    ("backends", backends::measure),
    ("echo", echo::measure),
    ("client", client::measure),
    ("memory", memory::measure),
    ("tail", probe::measure),
    ("expiry", expiry::measure),
    ("collections", collections::measure),
    ("commands", commands::measure),
    ("stalls", stalls::measure),
    ("eviction", eviction::measure),
    ("pubsub", pubsub::measure),
    ("snapshots", snapshots::measure),
    ("durability", durability::measure),
    ("scripts", scripts::measure),
    ("tls", tls::measure),
    ("stages", stages::measure),
    ("observing", observing::measure),
];

/// Runs the experiments, prints their tables, and writes them unless it was a quick run.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    for name in &arguments.only {
        ensure!(
            EXPERIMENTS.iter().any(|(known, _)| known == name),
            "no experiment is called {name}"
        );
    }
    // Before the cores are divided: this process then has but some of them.
    let machine = machine::describe();
    let plan = plan(arguments)?;
    let sides = Sides {
        ours: format!("{} {}", plan.ours.name, version(&plan.ours.program)?),
        peer: format!("{} {}", plan.peer.name, version(&plan.peer.program)?),
    };
    println!("{} against {} on {machine}", sides.ours, sides.peer);
    for (name, measure) in EXPERIMENTS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let report = measure(&plan)?;
        let sides = match name {
            "echo" => &echo::sides(),
            "client" => &client::sides(),
            "stages" => &stages::sides(),
            "observing" => &observing::sides(),
            _ => &sides,
        };
        println!(
            "\n{}\n{}\n\n{}",
            report.title,
            report.how,
            report.table(sides)
        );
        if let Some(folder) = arguments.folder() {
            write(&folder, &report, sides, &machine, arguments)?;
        }
    }
    Ok(())
}

fn plan(arguments: &Arguments) -> Result<Plan> {
    let program = match &arguments.server {
        Some(path) => std::path::absolute(path)?,
        None => build::release()?,
    };
    let peer = match arguments.against.as_str() {
        "redis-server" => tcl::genuine_server()?,
        path if Path::new(path).is_file() => std::path::absolute(path)?,
        other => bail!("no peer {other}: say redis-server, or the path of a program"),
    };
    let peer_name = peer
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let quick = arguments.quick;
    let rounds = |usual: usize| match arguments.rounds {
        _ if quick => 1,
        Some(rounds) => rounds.max(1),
        None => usual,
    };
    Ok(Plan {
        ours: Launch::new("dunlin", &program),
        peer: Launch::new(&peer_name, &peer),
        cores: machine::divide()?,
        quick,
        rounds: rounds(ROUNDS),
        probe_rounds: rounds(PROBE_ROUNDS),
        keys: if quick { 10_000 } else { 1_000_000 },
        calibration_requests: if quick { 10_000 } else { 500_000 },
        round_s: if quick { 0.01 } else { 3.0 },
        probe_s: if quick { 0.5 } else { 10.0 },
        ttl_divisor: if quick { 10 } else { 1 },
        ours_has_workers: !program.ends_with("redis-server"),
    })
}

/// The version that a program reports: the word after `v=`, or the last word of its first line.
fn version(program: &Path) -> Result<String> {
    let text = process::output(Command::new(program).arg("--version"))?;
    let line = text.lines().next().unwrap_or_default();
    let found = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
        .or_else(|| line.split_whitespace().last());
    Ok(found.unwrap_or_default().to_owned())
}

fn write(
    folder: &Path,
    report: &Report,
    sides: &Sides,
    machine: &str,
    arguments: &Arguments,
) -> Result<()> {
    let command = format!(
        "cargo xtask bench --against {} --only {}",
        arguments.against, report.name
    );
    let page = report.markdown(sides, machine, &command);
    workspace::write(&folder.join(format!("{}.md", report.name)), &page)?;
    workspace::write(
        &folder.join(format!("{}.svg", report.name)),
        &chart::svg(report, sides),
    )
}
