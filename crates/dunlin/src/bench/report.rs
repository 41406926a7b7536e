//! What came of the tests: redis-benchmark's three reports, whose lines scripts know, and JSON.
//!
//! Invariant: all figures come from one histogram of a test, so they fit together; latencies are in milliseconds.

use std::io::{self, Write};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::ServerFacts;
use super::load::Measured;
use super::options::{Options, Style};
use super::workload::Workload;

/// Percentiles of the JSON, with their names there.
const PERCENTILES: [(&str, f64); 8] = [
    ("p50", 0.50),
    ("p75", 0.75),
    ("p90", 0.90),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("max", 1.0),
];
const CSV_HEADING: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"";
/// Up to here the cumulative distribution has steps of 0.1 ms, above of 1 ms, in microseconds.
const FINE_US_MAX: u64 = 2_000;
const FINE_STEP_US: u64 = 100;
const STEP_US: u64 = 1_000;

/// A test that was run.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    title: String,
    requests: u64,
    measured: Measured,
}

impl Outcome {
    pub(super) fn new(workload: &Workload, measured: Measured) -> Outcome {
        Outcome {
            title: workload.title.clone(),
            requests: measured.latencies.len(),
            measured,
        }
    }

    fn rate(&self) -> f64 {
        self.requests as f64 / self.measured.seconds
    }

    fn ms_at(&self, quantile: f64) -> f64 {
        ms(self.measured.latencies.value_at_quantile(quantile))
    }

    fn json(&self) -> Value {
        let latencies = &self.measured.latencies;
        let mut figures = serde_json::Map::new();
        figures.insert("avg".to_owned(), json!(latencies.mean() / 1_000.0));
        figures.insert("min".to_owned(), json!(ms(latencies.min())));
        for (name, quantile) in PERCENTILES {
            figures.insert(name.to_owned(), json!(self.ms_at(quantile)));
        }
        json!({
            "test": self.title,
            "requests": self.requests,
            "seconds": self.measured.seconds,
            "rps": self.rate(),
            "latency_ms": figures,
            "client_cpu_us_per_request": self.cpu_us_per_request(),
        })
    }

    fn cpu_us_per_request(&self) -> f64 {
        self.measured.cpu.as_secs_f64() * 1e6 / self.measured.sent.max(1) as f64
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// The report as it grows.
pub(super) struct Report {
    options: Options,
    server: ServerFacts,
    done: Vec<Value>,
}

impl Report {
    /// Begins it.
    ///
    /// # Errors
    /// When standard output is broken.
    pub(super) fn new(options: &Options, server: ServerFacts) -> Result<Report> {
        if options.style == Style::Csv {
            writeln!(io::stdout(), "{CSV_HEADING}")?;
        }
        Ok(Report {
            options: options.clone(),
            server,
            done: Vec::new(),
        })
    }

    /// Adds a test.
    ///
    /// # Errors
    /// When standard output is broken.
    pub(super) fn add(&mut self, outcome: Outcome) -> Result<()> {
        let mut stdout = io::stdout().lock();
        let rate = outcome.rate();
        let digits = self.options.precision;
        match self.options.style {
            Style::Json => {}
            Style::Quiet => {
                let p50 = outcome.ms_at(0.5);
                writeln!(
                    stdout,
                    "{}: {rate:.2} requests per second, p50={p50:.digits$} msec",
                    outcome.title
                )?;
            }
            Style::Csv => {
                let latencies = &outcome.measured.latencies;
                let figures = [
                    latencies.mean() / 1_000.0,
                    ms(latencies.min()),
                    outcome.ms_at(0.5),
                    outcome.ms_at(0.95),
                    outcome.ms_at(0.99),
                    ms(latencies.max()),
                ];
                let figures: Vec<String> = figures
                    .iter()
                    .map(|figure| format!("\"{figure:.digits$}\""))
                    .collect();
                let title = outcome.title.replace('"', "\"\"");
                writeln!(stdout, "\"{title}\",\"{rate:.2}\",{}", figures.join(","))?;
            }
            Style::Full => self.write_full(&mut stdout, &outcome)?,
        }
        stdout.flush()?;
        // A run without end must not grow.
        if !self.options.forever {
            self.done.push(outcome.json());
        }
        Ok(())
    }

    fn write_full(&self, out: &mut impl Write, outcome: &Outcome) -> Result<()> {
        let options = &self.options;
        let latencies = &outcome.measured.latencies;
        writeln!(out, "====== {} ======", outcome.title)?;
        writeln!(
            out,
            "  {} requests completed in {:.2} seconds",
            outcome.requests, outcome.measured.seconds
        )?;
        writeln!(out, "  {} parallel clients", options.clients)?;
        writeln!(out, "  {} bytes payload", options.data_bytes)?;
        writeln!(out, "  keep alive: {}", u8::from(options.keep_alive))?;
        if let Some(rate) = options.rate {
            writeln!(out, "  fixed rate: {rate} requests per second")?;
        }
        if let Some(save) = &self.server.save {
            writeln!(out, "  host configuration \"save\": {save}")?;
        }
        if let Some(appendonly) = &self.server.appendonly {
            writeln!(out, "  host configuration \"appendonly\": {appendonly}")?;
        }
        match options.threads {
            None => writeln!(out, "  multi-thread: no")?,
            Some(threads) => writeln!(out, "  multi-thread: yes\n  threads: {threads}")?,
        }
        writeln!(out, "\nLatency by percentile distribution:")?;
        percentiles(out, latencies)?;
        writeln!(out, "\nCumulative distribution of latencies:")?;
        steps(out, latencies)?;
        let digits = options.precision;
        writeln!(
            out,
            "\nSummary:\n  throughput summary: {:.2} requests per second",
            outcome.rate()
        )?;
        writeln!(out, "  latency summary (msec):")?;
        for line in [0, 1] {
            let figures = [
                ("avg", latencies.mean() / 1_000.0),
                ("min", ms(latencies.min())),
                ("p50", outcome.ms_at(0.5)),
                ("p95", outcome.ms_at(0.95)),
                ("p99", outcome.ms_at(0.99)),
                ("p99.9", outcome.ms_at(0.999)),
                ("p99.99", outcome.ms_at(0.9999)),
                ("max", ms(latencies.max())),
            ];
            write!(out, "    ")?;
            for (name, figure) in figures {
                match line {
                    0 => write!(out, "{name:>9} ")?,
                    _ => write!(out, "{figure:>9.digits$} ")?,
                }
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "  client CPU: {:.2} us per request\n",
            outcome.cpu_us_per_request()
        )?;
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// When standard output or the file can't be written.
    pub(super) fn finish(self) -> Result<()> {
        let options = &self.options;
        let whole = json!({
            "options": {
                "server": options.endpoint.to_string(),
                "clients": options.clients,
                "pipeline": options.pipeline,
                "threads": options.threads.unwrap_or(1),
                "data_bytes": options.data_bytes,
                "key_space": options.key_space,
                "keys": format!("{:?}", options.distribution).to_lowercase(),
                "rate": options.rate,
                "warmup_seconds": options.warmup.as_secs_f64(),
                "seed": options.seed,
            },
            "tests": self.done,
        });
        let text = serde_json::to_string_pretty(&whole)? + "\n";
        if options.style == Style::Json {
            io::stdout().write_all(text.as_bytes())?;
        }
        if let Some(file) = &options.json_file {
            std::fs::write(file, text)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}

/// A line where the remaining share has halved.
fn percentiles(out: &mut impl Write, latencies: &Histogram<u64>) -> Result<()> {
    let mut seen = 0;
    let mut last = None;
    for step in latencies.iter_quantiles(1) {
        seen += step.count_since_last_iteration();
        if last != Some(seen) {
            let percent = step.quantile_iterated_to() * 100.0;
            let value = ms(step.value_iterated_to());
            writeln!(
                out,
                "{percent:.3}% <= {value:.3} milliseconds (cumulative count {seen})"
            )?;
        }
        last = Some(seen);
    }
    let max = ms(latencies.max());
    writeln!(
        out,
        "100.000% <= {max:.3} milliseconds (cumulative count {seen})"
    )?;
    Ok(())
}

/// A line for each step of time in which any reply came.
fn steps(out: &mut impl Write, latencies: &Histogram<u64>) -> Result<()> {
    let total = latencies.len().max(1);
    let mut steps: Vec<(u64, u64)> = Vec::new();
    let mut seen = 0;
    for recorded in latencies.iter_recorded() {
        let value = recorded.value_iterated_to();
        let step = if value <= FINE_US_MAX {
            FINE_STEP_US
        } else {
            STEP_US
        };
        let end = value.div_ceil(step) * step;
        seen += recorded.count_at_value();
        match steps.last_mut() {
            Some((last, count)) if *last == end => *count = seen,
            _ => steps.push((end, seen)),
        }
    }
    for (end, seen) in steps {
        let percent = 100.0 * seen as f64 / total as f64;
        writeln!(
            out,
            "{percent:.3}% <= {:.3} milliseconds (cumulative count {seen})",
            ms(end)
        )?;
    }
    Ok(())
}
