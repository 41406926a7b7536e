//! The simulation of the server under network faults over many seeds (`cargo xtask simulate`), or one seed again with its trace.
//!
//! Usage: `simulate seeds <from> <count> <threads>` or `simulate seed <seed>`. The second prints the same bytes each time. The exit code
//! is 1 when something was found; a panic aborts, after telling its seed.

#![allow(clippy::print_stdout, reason = "a command line tool talks on stdout")]
#![allow(
    clippy::disallowed_methods,
    reason = "it tells how long it takes; the simulation itself reads no clock"
)]

#[path = "../tests/faults/mod.rs"]
mod faults;
#[path = "../tests/world/mod.rs"]
mod world;

use std::cell::Cell;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faults::Counts;

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Failures after which it goes on no longer.
const FAILURES_MAX: usize = 20;

thread_local! {
    /// The seed that this thread runs.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = words
        .iter()
        .skip(1)
        .filter_map(|w| w.parse().ok())
        .collect();
    tell_the_seed_of_a_panic();
    match (words.first().map(String::as_str), &numbers[..]) {
        (Some("seeds"), [from, count, threads]) => many(*from, *count, *threads),
        (Some("seed"), [seed]) => one(*seed),
        _ => {
            eprintln!("usage: simulate seeds <from> <count> <threads> | seed <seed>");
            ExitCode::from(2)
        }
    }
}

/// The process aborts at a panic: its seed has to be told before.
fn tell_the_seed_of_a_panic() {
    let inner = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Some(seed) = SEED.get() {
            // If that fails, too, the panic itself is still told.
            let _ = writeln!(io::stdout(), "{}", failure(seed, "it panicked"));
        }
        inner(info);
    }));
}

fn failure(seed: u64, what: &str) -> String {
    format!("seed {seed}: {what}\n  to see it again: cargo xtask simulate --seed {seed}")
}

/// One seed, with its trace.
fn one(seed: u64) -> ExitCode {
    SEED.set(Some(seed));
    let report = faults::run(seed, None, true);
    let (said, code) = match report.result {
        Ok(counts) => (format!("{counts:?}"), ExitCode::SUCCESS),
        Err(what) => (failure(seed, &what), ExitCode::FAILURE),
    };
    let (trace, digest) = (report.trace, report.digest);
    // Who looks at the beginning only closes the pipe.
    let _ = write!(io::stdout(), "{trace}digest {digest:016x}\n{said}\n");
    code
}

/// What the threads have in common.
#[derive(Default)]
struct Tally {
    counts: Counts,
    done: u64,
    failures: Vec<u64>,
    /// Combines the digests of all traces, in whatever order they come.
    digest: u64,
}

/// Many seeds over some threads.
fn many(from: u64, count: u64, threads: u64) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| work(&next, from + count, &tally));
        }
        let mut told = Instant::now();
        loop {
            thread::sleep(Duration::from_millis(20));
            let (done, failures) = {
                let tally = tally.lock().expect("no worker panics and lives");
                (tally.done, tally.failures.len())
            };
            if done == count || failures >= FAILURES_MAX {
                next.store(from + count, Ordering::Relaxed);
                break;
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                let took_s = began.elapsed().as_secs();
                println!("{done} of {count} seeds, {failures} failures, {took_s} s");
            }
        }
    });
    let tally = tally.into_inner().expect("no worker panics and lives");
    println!(
        "{} seeds from {from} in {:.1} s: {} failures; digest of all traces {:016x}\n{:?}",
        tally.done,
        began.elapsed().as_secs_f64(),
        tally.failures.len(),
        tally.digest,
        tally.counts
    );
    if tally.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("failed: {:?}", tally.failures);
        ExitCode::FAILURE
    }
}

fn work(next: &AtomicU64, end: u64, tally: &Mutex<Tally>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        SEED.set(Some(seed));
        let report = faults::run(seed, None, false);
        let mut tally = tally.lock().expect("no worker panics and lives");
        tally.done += 1;
        tally.digest = tally.digest.wrapping_add(report.digest);
        match report.result {
            Ok(counts) => tally.counts.add(&counts),
            Err(what) => {
                println!("{}", failure(seed, &what));
                tally.failures.push(seed);
            }
        }
    }
}
