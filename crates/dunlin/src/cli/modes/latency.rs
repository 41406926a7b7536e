//! `--latency` and `--latency-history`: round trips of PING, in whole ms as redis-cli has them.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli::connection::Connection;
use crate::cli::format::Output;
use crate::cli::options::Options;

/// Between two PINGs.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
/// How long one line of the history lasts.
const HISTORY_INTERVAL: Duration = Duration::from_secs(15);
/// How long it samples when a script asks.
const SCRIPT_INTERVAL: Duration = Duration::from_secs(1);

/// Round trips since the last line.
#[derive(Default)]
struct Samples {
    min_ms: u128,
    max_ms: u128,
    sum_ms: u128,
    count: u64,
}

impl Samples {
    fn add(&mut self, ms: u128) {
        self.min_ms = if self.count == 0 {
            ms
        } else {
            self.min_ms.min(ms)
        };
        self.max_ms = self.max_ms.max(ms);
        self.sum_ms += ms;
        self.count += 1;
    }

    fn line(&self, output: Output) -> String {
        let average = self.sum_ms as f64 / self.count.max(1) as f64;
        let Samples {
            min_ms,
            max_ms,
            count,
            ..
        } = self;
        match output {
            Output::Standard => {
                format!("min: {min_ms}, max: {max_ms}, avg: {average:.2} ({count} samples)")
            }
            Output::Csv => format!("{min_ms},{max_ms},{average:.2},{count}\n"),
            Output::Raw => format!("{min_ms} {max_ms} {average:.2} {count}\n"),
            Output::Json | Output::QuotedJson => {
                format!(
                    "{{\"min\": {min_ms}, \"max\": {max_ms}, \"avg\": {average:.2}, \"count\": {count}}}\n"
                )
            }
        }
    }
}

/// Samples until the user ends it; for a script, once for an interval.
///
/// # Errors
/// When the server is gone.
pub(in crate::cli) fn run(
    mut connection: Connection,
    options: &Options,
    history: bool,
) -> Result<ExitCode> {
    let output = options.format.output;
    let named = Some(options.interval).filter(|interval| !interval.is_zero());
    let mut samples = Samples::default();
    let mut since = Instant::now();
    loop {
        let sent = Instant::now();
        connection.ask(&["PING"])?;
        samples.add(sent.elapsed().as_millis());
        let mut stdout = io::stdout().lock();
        if output == Output::Standard {
            // Over what stood there.
            write!(stdout, "\x1b[0G\x1b[2K{}", samples.line(output))?;
        } else if !history && since.elapsed() > named.unwrap_or(SCRIPT_INTERVAL) {
            write!(stdout, "{}", samples.line(output))?;
            return Ok(ExitCode::SUCCESS);
        }
        if history && since.elapsed() > named.unwrap_or(HISTORY_INTERVAL) {
            if output == Output::Standard {
                writeln!(
                    stdout,
                    " -- {:.2} seconds range",
                    since.elapsed().as_secs_f64()
                )?;
            } else {
                write!(stdout, "{}", samples.line(output))?;
            }
            samples = Samples::default();
            since = Instant::now();
        }
        stdout.flush()?;
        drop(stdout);
        std::thread::sleep(PAUSE);
    }
}
