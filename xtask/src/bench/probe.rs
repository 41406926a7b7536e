//! The tail: a paced probe in a process of its own, alone and while another client loops `KEYS *` over all keys.
//!
//! The probe sends at fixed times, whatever the replies do, and counts latency from the time a request was due, so that a stall counts
//! for every request that it held up.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Plan;
use super::load;
use super::report::{Bar, Better, Report, Row, median};
use crate::client::{Client, Reply};
use crate::server::{Launch, Server};

/// Requests a second of the probe.
const RATE_PER_S: u64 = 2_000;
/// Rounds whose median counts.
const ROUNDS: usize = 5;
/// What the disturber may add to p99.9, in milliseconds.
const ADDED_MS_MAX: f64 = 2.0;
/// The disturber runs only while nobody else wants its core: a mere niceness would hold the probe up for milliseconds on the load's
/// own core, whatever the server does.
const DISTURBER_RUNS_UNDER: [&str; 3] = ["chrt", "--idle", "0"];

/// This program, even if a newer build has taken its file's place meanwhile.
fn own_program() -> String {
    format!("/proc/{}/exe", std::process::id())
}

/// What `cargo xtask probe` is told.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[arg(long)]
    port: u16,
    /// GETs are of key:000000000000 up to this many.
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    #[arg(long, default_value_t = RATE_PER_S)]
    rate: u64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Connections to open first and leave idle, so that the probe's lands on another worker.
    #[arg(long, default_value_t = 0)]
    fillers: usize,
    /// Be the disturber instead: loop `KEYS *` until standard input ends, and print how many there were.
    #[arg(long)]
    disturb: bool,
}

/// Latencies from the due time, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// `cargo xtask probe`: one connection, paced GETs; prints `p50 p99 p99.9 max` in milliseconds.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.disturb {
        return disturb(arguments.port);
    }
    let fillers: Vec<Client> = (0..arguments.fillers)
        .map(|_| {
            let mut client = Client::connect(arguments.port)?;
            client.run("PING")?;
            Ok(client)
        })
        .collect::<Result<_>>()?;
    let mut client = Client::connect(arguments.port)?;
    let latency = probe(&mut client, arguments)?;
    drop(fillers);
    println!(
        "{:.3} {:.3} {:.3} {:.3}",
        latency.p50, latency.p99, latency.p999, latency.max
    );
    Ok(())
}

fn probe(client: &mut Client, arguments: &Arguments) -> Result<Latency> {
    /// An odd constant that walks all keys in a scattered order.
    const STRIDE: usize = 7_919 * 101;
    let requests = (arguments.rate as f64 * arguments.seconds) as usize;
    let gap = Duration::from_secs_f64(1.0 / arguments.rate as f64);
    let mut latencies_ms = Vec::with_capacity(requests);
    let started = Instant::now();
    for index in 0..requests {
        let due = started + gap * u32::try_from(index)?;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let key = format!("key:{:012}", index * STRIDE % arguments.keys);
        match client.call(&[b"GET", key.as_bytes()])? {
            Reply::Bulk(_) => latencies_ms.push(due.elapsed().as_secs_f64() * 1000.0),
            other => bail!("GET {key}: {other:?}"),
        }
    }
    latencies_ms.sort_by(f64::total_cmp);
    let at = |share: f64| latencies_ms[((requests as f64 * share) as usize).min(requests - 1)];
    Ok(Latency {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: at(1.0),
    })
}

/// Loops `KEYS *` until standard input ends.
fn disturb(port: u16) -> Result<()> {
    static ENDED: AtomicBool = AtomicBool::new(false);
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ENDED.store(true, Ordering::Relaxed);
    });
    let mut client = Client::connect(port)?;
    let keys = usize::try_from(client.integer("DBSIZE")?)?;
    // Every key has 16 bytes, so the length of the reply is known and need not be parsed.
    let element = format!("${}\r\n", load::KEY_BYTES).len() + load::KEY_BYTES + 2;
    let bytes = format!("*{keys}\r\n").len() + keys * element;
    let mut loops = 0;
    while !ENDED.load(Ordering::Relaxed) {
        client.queue(&[b"KEYS", b"*"]);
        client.flush()?;
        client.skip(bytes)?;
        loops += 1;
    }
    println!("{loops}");
    Ok(())
}

/// One configuration of a server that is probed.
struct Case {
    /// What the table says; empty for the peer.
    name: String,
    launch: Launch,
    fillers: usize,
}

/// Measures idle and disturbed tails of the peer and of ours with one and two workers.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours =
        |workers: usize, cores: &str| plan.ours.clone().on(cores).with(&plan.workers(workers));
    let case = |name: &str, launch: Launch, fillers: usize| Case {
        name: name.to_owned(),
        launch,
        fillers,
    };
    let cases = [
        case("", plan.peer.clone().on(&plan.cores.one), 0),
        case("1 worker", ours(1, &plan.cores.one), 0),
        case("2 workers", ours(2, &plan.cores.two), 0),
        case("2 workers, next connection", ours(2, &plan.cores.two), 1),
    ];
    let mut idle: Vec<Vec<Latency>> = cases.iter().map(|_| Vec::new()).collect();
    let mut disturbed = idle.clone();
    let rounds = if plan.quick { 1 } else { ROUNDS };
    for _ in 0..rounds {
        for (index, case) in cases.iter().enumerate() {
            let server = case.launch.start()?;
            load::preload(&server, plan.keys)?;
            idle[index].push(probe_process(plan, &server, case.fillers)?);
            disturbed[index].push(probe_disturbed(plan, &server, case.fillers)?);
        }
    }
    let rows = (1..cases.len())
        .flat_map(|index| {
            let name = &cases[index].name;
            let bar = middle(&idle[index], |l| l.p999) + ADDED_MS_MAX;
            rows_of(name, "idle", &idle[index], &idle[0], Bar::None)
                .into_iter()
                .chain(rows_of(
                    name,
                    "KEYS * loops",
                    &disturbed[index],
                    &disturbed[0],
                    Bar::AtMost(bar),
                ))
        })
        .collect();
    Ok(Report {
        name: "tail",
        title: "Latency of a paced GET while another client loops KEYS *",
        how: format!(
            "One connection in a process of its own, {RATE_PER_S} GETs a second for {} s, latency from the time each was due; {} keys; the \
             median of {rounds} rounds. \"Next connection\" has one more connection open, so that the probe's is on the other worker.",
            plan.probe_s, plan.keys
        ),
        rows,
    })
}

/// Picks one figure.
type Of = fn(&Latency) -> f64;

/// The median of a figure over the rounds.
fn middle(rounds: &[Latency], of: Of) -> f64 {
    median(&rounds.iter().map(of).collect::<Vec<_>>())
}

/// The rows of one case in one state; the bar is for p99.9, which the chart shows.
fn rows_of(name: &str, state: &str, ours: &[Latency], peer: &[Latency], bar: Bar) -> Vec<Row> {
    const BARRED: &str = "p99.9";
    let figures: [(&str, Of); 4] = [
        ("p50", |l| l.p50),
        ("p99", |l| l.p99),
        (BARRED, |l| l.p999),
        ("max", |l| l.max),
    ];
    figures
        .into_iter()
        .map(|(figure, of)| Row {
            what: format!("{name}, {state}, {figure}"),
            unit: "ms",
            ours: middle(ours, of),
            peer: middle(peer, of),
            better: Better::Less,
            bar: if figure == BARRED { bar } else { Bar::None },
            charted: figure == BARRED,
        })
        .collect()
}

fn probe_process(plan: &Plan, server: &Server, fillers: usize) -> Result<Latency> {
    let text = crate::process::output(
        Command::new(own_program())
            .args([
                "probe",
                "--port",
                &server.port.to_string(),
                "--keys",
                &plan.keys.to_string(),
            ])
            .args([
                "--seconds",
                &plan.probe_s.to_string(),
                "--fillers",
                &fillers.to_string(),
            ]),
    )?;
    let mut figures = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || {
        figures
            .next()
            .context("the probe printed too little")?
            .context("not a figure")
    };
    Ok(Latency {
        p50: next()?,
        p99: next()?,
        p999: next()?,
        max: next()?,
    })
}

fn probe_disturbed(plan: &Plan, server: &Server, fillers: usize) -> Result<Latency> {
    let [program, arguments @ ..] = DISTURBER_RUNS_UNDER;
    let mut disturber = Command::new(program)
        .args(arguments)
        .arg(own_program())
        .args(["probe", "--disturb", "--port", &server.port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // It is connected and at it before the probe's connection comes.
    thread::sleep(Duration::from_millis(300));
    let latency = probe_process(plan, server, fillers);
    drop(disturber.stdin.take());
    let said = disturber.wait_with_output()?;
    let loops = String::from_utf8_lossy(&said.stdout)
        .trim()
        .parse::<usize>()
        .unwrap_or(0);
    ensure!(loops > 0, "the disturber did not finish a single KEYS *");
    latency
}
