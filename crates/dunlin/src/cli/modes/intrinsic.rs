//! `--intrinsic-latency`: how long this machine keeps a process waiting that never sleeps. No server is needed.

use std::hint::black_box;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli::interrupt::StopFlag;

/// Steps of arithmetic between two looks at the clock.
const STEPS: u64 = 100;

/// Runs for so many seconds, or until Ctrl-C.
///
/// # Errors
/// When standard output is broken.
pub(in crate::cli) fn run(seconds: u64) -> Result<ExitCode> {
    let stop = StopFlag::register()?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let (mut runs, mut worst) = (0_u64, Duration::ZERO);
    let mut stdout = io::stdout().lock();
    let mut before = begun;
    while before < end && !stop.is_set() {
        let mut mixed = runs;
        for _ in 0..STEPS {
            mixed = black_box(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31));
        }
        let now = Instant::now();
        runs += 1;
        if now - before > worst {
            worst = now - before;
            writeln!(
                stdout,
                "Max latency so far: {} microseconds.",
                worst.as_micros()
            )?;
        }
        before = Instant::now();
    }
    let average_us = begun.elapsed().as_secs_f64() * 1e6 / runs.max(1) as f64;
    writeln!(
        stdout,
        "\n{runs} total runs (avg latency: {average_us:.4} microseconds / {:.2} nanoseconds per run).",
        average_us * 1e3
    )?;
    let times = worst.as_secs_f64() * 1e6 / average_us;
    writeln!(
        stdout,
        "Worst run took {times:.0}x longer than the average latency."
    )?;
    Ok(ExitCode::SUCCESS)
}
