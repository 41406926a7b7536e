//! The tail: a paced probe in a process of its own, alone and while another client loops `KEYS *` over all keys.
//!
//! The probe sends at fixed times, whatever the replies do, and counts latency from the time a request was due, so that a stall counts
//! for every request that it held up.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use super::Plan;
use super::load;
use super::report::{Bar, Better, Report, Row, median};
use crate::client::{Client, Reply};
use crate::server::{Launch, Server};

/// Requests a second of the probe.
const RATE_PER_S: u64 = 2_000;
/// What the disturber may add to p99.9, in milliseconds.
pub(super) const ADDED_MS_MAX: f64 = 2.0;
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
    /// Be the disturber instead: do this until standard input ends, and print how often it was done.
    #[arg(long)]
    disturb: Option<Disturbance>,
    /// Keys may be missing.
    #[arg(long)]
    misses: bool,
}

/// What another client does meanwhile.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// `KEYS *` over all keys, again and again.
    Keys,
    /// `SMEMBERS` of a large set, again and again.
    Smembers,
    /// `SORT` of a long list, again and again.
    Sort,
    /// `DEL` of a large sorted set, once.
    Del,
    /// `FLUSHALL`, once.
    Flushall,
    /// Paced SETs.
    Writes,
    /// The same while `BGSAVE` runs, again and again.
    Bgsave,
}

/// Latencies from the due time, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    p50: f64,
    p99: f64,
    pub(super) p999: f64,
    max: f64,
}

/// `cargo xtask probe`: one connection, paced GETs; prints `p50 p99 p99.9 max` in milliseconds.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(disturbance) = arguments.disturb {
        return disturb(arguments.port, disturbance);
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
            Reply::Null if !arguments.misses => bail!("GET {key}: there is no such key"),
            Reply::Bulk(_) | Reply::Null => latencies_ms.push(due.elapsed().as_secs_f64() * 1000.0),
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

/// Names of what [`Disturbance`]s work on.
const SET: &str = "disturbed:set";
const LIST: &str = "disturbed:list";
const ZSET: &str = "disturbed:zset";
/// Elements of these, and keys for FLUSHALL.
const SET_MEMBERS: usize = 1_000_000;
const LIST_ELEMENTS: usize = 500_000;
const ZSET_MEMBERS: usize = 5_000_000;
const FLUSHED_KEYS: usize = 2_000_000;
/// In a quick run all of them are divided by this.
const QUICK_DIVISOR: usize = 100;
/// A disturbance that happens once waits so long, so that the probe is under way.
const ONCE_AFTER: Duration = Duration::from_secs(1);

impl Disturbance {
    /// As the tables name it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Disturbance::Keys => "KEYS * loops",
            Disturbance::Smembers => "SMEMBERS of 1M loops",
            Disturbance::Sort => "SORT of 500k loops",
            Disturbance::Del => "DEL of a zset of 5M",
            Disturbance::Flushall => "FLUSHALL of 2M keys",
            Disturbance::Writes => "20k writes/s",
            Disturbance::Bgsave => "20k writes/s, BGSAVE loops",
        }
    }

    /// As the command line names it.
    fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether the probe's keys go away.
    fn makes_misses(self) -> bool {
        self == Disturbance::Flushall
    }

    /// Makes what it works on.
    pub(super) fn prepare(self, client: &mut Client, quick: bool) -> Result<()> {
        let size = |full: usize| if quick { full / QUICK_DIVISOR } else { full };
        let number = |at: usize| format!("{:07}", at * 7_919 % 9_000_000 + 1_000_000);
        match self {
            Disturbance::Keys | Disturbance::Writes | Disturbance::Bgsave => Ok(()),
            Disturbance::Smembers => fill_with(client, &["SADD", SET], size(SET_MEMBERS), |at| {
                vec![format!("member:{at:08}")]
            }),
            Disturbance::Sort => fill_with(client, &["RPUSH", LIST], size(LIST_ELEMENTS), |at| {
                vec![number(at)]
            }),
            Disturbance::Del => fill_with(client, &["ZADD", ZSET], size(ZSET_MEMBERS), |at| {
                vec![number(at), format!("member:{at:08}")]
            }),
            Disturbance::Flushall => load::fill(client, size(FLUSHED_KEYS), |_| None).map(drop),
        }
    }
}

/// Adds elements, a hundred a command.
fn fill_with(
    client: &mut Client,
    command: &[&str],
    count: usize,
    words: impl Fn(usize) -> Vec<String>,
) -> Result<()> {
    const PER_COMMAND: usize = 100;
    for first in (0..count).step_by(PER_COMMAND) {
        let elements: Vec<String> = (first..(first + PER_COMMAND).min(count))
            .flat_map(&words)
            .collect();
        let all = command
            .iter()
            .copied()
            .chain(elements.iter().map(String::as_str));
        let all: Vec<&[u8]> = all.map(str::as_bytes).collect();
        let reply = client.call(&all)?;
        ensure!(matches!(reply, Reply::Integer(_)), "{reply:?}");
    }
    Ok(())
}

/// Disturbs until standard input ends.
fn disturb(port: u16, disturbance: Disturbance) -> Result<()> {
    static ENDED: AtomicBool = AtomicBool::new(false);
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ENDED.store(true, Ordering::Relaxed);
    });
    let mut client = Client::connect(port)?;
    // All elements of a reply are of one length, so that of the reply is known and need not be parsed.
    let (request, count, element_bytes) = match disturbance {
        Disturbance::Keys => (
            "KEYS *".to_owned(),
            client.integer("DBSIZE")?,
            load::KEY_BYTES,
        ),
        Disturbance::Smembers => {
            let count = client.integer(&format!("SCARD {SET}"))?;
            (format!("SMEMBERS {SET}"), count, "member:".len() + 8)
        }
        Disturbance::Sort => {
            let count = client.integer(&format!("LLEN {LIST}"))?;
            (format!("SORT {LIST}"), count, 7)
        }
        Disturbance::Writes | Disturbance::Bgsave => {
            let saves = disturbance == Disturbance::Bgsave;
            println!("{}", write_paced(port, saves, &ENDED)?);
            return Ok(());
        }
        Disturbance::Del | Disturbance::Flushall => {
            thread::sleep(ONCE_AFTER);
            let reply = match disturbance {
                Disturbance::Del => client.run(&format!("DEL {ZSET}"))?,
                _ => client.run("FLUSHALL")?,
            };
            ensure!(!matches!(reply, Reply::Error(_)), "{reply:?}");
            while !ENDED.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            println!("1");
            return Ok(());
        }
    };
    let count = usize::try_from(count)?;
    let element = format!("${element_bytes}\r\n").len() + element_bytes + 2;
    let bytes = format!("*{count}\r\n").len() + count * element;
    let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
    let mut loops = 0;
    while !ENDED.load(Ordering::Relaxed) {
        client.queue(&words);
        client.flush()?;
        client.skip(bytes)?;
        loops += 1;
    }
    println!("{loops}");
    Ok(())
}

/// Writes of [`Disturbance::Writes`], in batches.
const WRITES_PER_S: u32 = 20_000;
const WRITES_PER_BATCH: u32 = 20;
/// How often it is looked whether the next BGSAVE can begin, in batches.
const BATCHES_PER_LOOK: u32 = 10;

/// Sends SETs at a fixed rate until it is ended, BGSAVEs beside if `saves`; how many saves, or batches, there were.
fn write_paced(port: u16, saves: bool, ended: &AtomicBool) -> Result<usize> {
    let mut writer = Client::connect(port)?;
    let mut saver = Client::connect(port)?;
    let keys = usize::try_from(writer.integer("DBSIZE")?)?.max(1);
    let value = [b'y'; load::VALUE_BYTES];
    let gap = Duration::from_secs(1) * WRITES_PER_BATCH / WRITES_PER_S;
    let started = Instant::now();
    let (mut begun, mut index) = (0, 0usize);
    for batch in 0u32.. {
        if ended.load(Ordering::Relaxed) {
            return Ok(if saves { begun } else { batch as usize });
        }
        let due = started + gap * batch;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for _ in 0..WRITES_PER_BATCH {
            // Another scattered order than the probe's.
            index = (index + 7_919 * 211) % keys;
            writer.queue(&[b"SET", format!("key:{index:012}").as_bytes(), &value]);
        }
        writer.flush()?;
        writer.skip(WRITES_PER_BATCH as usize * b"+OK\r\n".len())?;
        if saves
            && batch % BATCHES_PER_LOOK == 0
            && saver.info("persistence", "rdb_bgsave_in_progress")? == "0"
        {
            let reply = saver.run("BGSAVE")?;
            ensure!(!matches!(reply, Reply::Error(_)), "{reply:?}");
            begun += 1;
        }
    }
    unreachable!("the loop has no end of its own")
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
    let rounds = plan.probe_rounds;
    for _ in 0..rounds {
        for (index, case) in cases.iter().enumerate() {
            let server = case.launch.start()?;
            load::preload(&server, plan.keys)?;
            idle[index].push(probe_process(plan, &server, case.fillers, false)?);
            let looped = probe_disturbed(plan, &server, case.fillers, Disturbance::Keys)?;
            disturbed[index].push(looped);
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
pub(super) type Of = fn(&Latency) -> f64;

/// The median of a figure over the rounds.
pub(super) fn middle(rounds: &[Latency], of: Of) -> f64 {
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
            floor: None,
            charted: figure == BARRED,
        })
        .collect()
}

pub(super) fn probe_process(
    plan: &Plan,
    server: &Server,
    fillers: usize,
    misses: bool,
) -> Result<Latency> {
    let text = crate::process::output(
        Command::new(own_program())
            .args([
                "probe",
                "--port",
                &server.port.to_string(),
                "--keys",
                &plan.keys.to_string(),
            ])
            .args(misses.then_some("--misses"))
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

pub(super) fn probe_disturbed(
    plan: &Plan,
    server: &Server,
    fillers: usize,
    disturbance: Disturbance,
) -> Result<Latency> {
    let [program, arguments @ ..] = DISTURBER_RUNS_UNDER;
    let mut disturber = Command::new(program)
        .args(arguments)
        .arg(own_program())
        .args(["probe", "--port", &server.port.to_string(), "--disturb"])
        .arg(disturbance.word())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // It is connected and at it before the probe's connection comes.
    thread::sleep(Duration::from_millis(300));
    let latency = probe_process(plan, server, fillers, disturbance.makes_misses());
    drop(disturber.stdin.take());
    let said = disturber.wait_with_output()?;
    let loops = String::from_utf8_lossy(&said.stdout)
        .trim()
        .parse::<usize>()
        .unwrap_or(0);
    ensure!(
        loops > 0,
        "the disturber did not finish once: {}",
        disturbance.title()
    );
    latency
}
