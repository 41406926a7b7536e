//! Latency by two accounts: what the server's histograms say, and what clients felt, while a slow command of another client holds the worker up.
//!
//! The probe's connections have one request under way at most and send at fixed times; latency counts from the moment of sending, since what was not sent
//! the server can't know. Both accounts are of all commands, the slow ones too; the server's is out of `/api/stats`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Plan;
use super::report::{Bar, Better, Report, Row, Sides, median};
use crate::client::{Client, Reply};
use crate::server::{Server, free_port};

/// Connections of the probe, and the time between two requests of one.
const PROBES: u32 = 24;
const PACE: Duration = Duration::from_millis(16);
/// How long the slow command takes, in milliseconds, and which part of the time it takes: a tenth, so that the p99 lies well within what had
/// to wait. Were it a hundredth, that would lie on the edge.
const SLOW_MS: [u64; 4] = [2, 6, 20, 60];
const SLOW_PART: u64 = 10;
/// By how much the server's p99 may differ from the clients'.
const APART_MAX: f64 = 0.10;

/// The names of the columns.
pub(super) fn sides() -> Sides {
    Sides {
        ours: "the server says".to_owned(),
        peer: "the clients felt".to_owned(),
    }
}

/// A histogram of the server: boundaries in microseconds, and counts, one more of them.
struct Histogram {
    bounds_us: Vec<f64>,
    counts: Vec<f64>,
}

/// The body of a page of the admin port.
pub(super) fn page(admin_port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin_port))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{admin_port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    ensure!(text.starts_with("HTTP/1.1 200 "), "{path}: {text}");
    let (_, body) = text.split_once("\r\n\r\n").context("no head")?;
    Ok(body.to_owned())
}

impl Histogram {
    fn read(admin_port: u16) -> Result<Histogram> {
        let all: Value = serde_json::from_str(&page(admin_port, "/api/stats")?)?;
        let numbers = |name: &str| -> Result<Vec<f64>> {
            let list = all["latency"][name].as_array().context("no histogram")?;
            Ok(list.iter().filter_map(Value::as_f64).collect())
        };
        Ok(Histogram {
            bounds_us: numbers("bounds_us")?,
            counts: numbers("total")?,
        })
    }

    fn since(&self, before: &Histogram) -> Histogram {
        let counts = self.counts.iter().zip(&before.counts);
        Histogram {
            bounds_us: self.bounds_us.clone(),
            counts: counts.map(|(now, then)| now - then).collect(),
        }
    }

    /// Milliseconds that this share of the commands did not exceed, evenly spread within a bucket.
    fn quantile_ms(&self, share: f64) -> f64 {
        let rank = share * self.counts.iter().sum::<f64>();
        let mut seen = 0.0;
        for (bucket, count) in self.counts.iter().enumerate() {
            if *count > 0.0 && seen + count >= rank {
                let low = bucket.checked_sub(1).map_or(0.0, |b| self.bounds_us[b]);
                let high = self.bounds_us.get(bucket).copied().unwrap_or(low);
                return (low + (high - low) * (rank - seen) / count) / 1e3;
            }
            seen += count;
        }
        0.0
    }
}

/// The latencies that all clients felt, milliseconds, rising.
fn probe(server: &Server, slow_ms: u64, probed: Duration) -> Result<Vec<f64>> {
    let ended = AtomicBool::new(false);
    let mut felt = thread::scope(|scope| -> Result<Vec<f64>> {
        let slow = scope.spawn(|| disturb(server, slow_ms, &ended));
        let probes: Vec<_> = (0..PROBES)
            .map(|number| scope.spawn(move || paced(server.port, number, probed)))
            .collect();
        let mut felt = Vec::new();
        for probe in probes {
            felt.extend(probe.join().expect("a probe does not panic")?);
        }
        ended.store(true, Ordering::Relaxed);
        felt.extend(slow.join().expect("nor does the disturber")?);
        Ok(felt)
    })?;
    felt.sort_by(f64::total_cmp);
    Ok(felt)
}

fn disturb(server: &Server, slow_ms: u64, ended: &AtomicBool) -> Result<Vec<f64>> {
    let mut client = server.client()?;
    let mut felt = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let sent = Instant::now();
        client.run(&format!("DEBUG SLEEP {}", slow_ms as f64 / 1e3))?;
        felt.push(sent.elapsed().as_secs_f64() * 1e3);
        thread::sleep(Duration::from_millis(slow_ms * (SLOW_PART - 1)));
    }
    Ok(felt)
}

fn paced(port: u16, number: u32, probed: Duration) -> Result<Vec<f64>> {
    let mut client = Client::connect(port)?;
    let mut felt = Vec::new();
    let began = Instant::now();
    let mut due = began + PACE * number / PROBES;
    while due - began < probed {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        let reply = client.call(&[b"GET", b"k"])?;
        ensure!(matches!(reply, Reply::Null), "{reply:?}");
        felt.push(sent.elapsed().as_secs_f64() * 1e3);
        due += PACE;
    }
    Ok(felt)
}

/// Compares the two accounts.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let admin_port = free_port()?;
    let launch = plan.ours.clone().on(&plan.cores.one);
    let launch = launch.with(&plan.workers(1)).with(&[
        "--admin-port",
        &admin_port.to_string(),
        "--enable-debug-command",
        "yes",
    ]);
    let server = launch.start()?;
    let probed = Duration::from_secs_f64(plan.probe_s);
    let mut rows = Vec::new();
    for slow_ms in SLOW_MS {
        let mut figures = vec![Vec::new(); 4];
        for _ in 0..plan.probe_rounds {
            let before = Histogram::read(admin_port)?;
            let felt = probe(&server, slow_ms, probed)?;
            let told = Histogram::read(admin_port)?.since(&before);
            for (index, share) in [0.9, 0.99].into_iter().enumerate() {
                figures[2 * index].push(told.quantile_ms(share));
                figures[2 * index + 1].push(felt[(felt.len() as f64 * share) as usize]);
            }
        }
        for (index, name) in ["p90", "p99"].into_iter().enumerate() {
            let bar = match name {
                "p99" => Bar::Within(APART_MAX),
                _ => Bar::None,
            };
            rows.push(Row {
                what: format!("{slow_ms} ms of another's, {name}"),
                unit: "ms",
                ours: median(&figures[2 * index]),
                peer: median(&figures[2 * index + 1]),
                better: Better::More,
                bar,
                floor: None,
                charted: name == "p99",
            });
        }
    }
    Ok(Report {
        name: "stages",
        title: "Latency as the server says and as clients felt it, while a slow command holds the worker up",
        how: format!(
            "One worker; {PROBES} connections send a GET every {} ms each, for {probed:?}, while another client sends commands of the given length, a tenth of \
             the time; the median of {} rounds. The two should agree within a tenth.",
            PACE.as_millis(),
            plan.probe_rounds
        ),
        rows,
    })
}
