//! `--scan`: the names of all keys, one a line.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Result;

use super::keyspace::Walk;
use crate::cli::connection::Connection;
use crate::cli::format::{Output, quote::quoted};
use crate::cli::options::Options;

/// Prints keys as they are found.
///
/// # Errors
/// When the server refuses, or is gone.
pub(in crate::cli) fn run(
    mut connection: Connection,
    options: &Options,
    kind: Option<&str>,
) -> Result<ExitCode> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut walk = Walk::new(options, kind);
    let mut line = Vec::new();
    while let Some(keys) = walk.step(&mut connection)? {
        for key in keys {
            line.clear();
            match options.format.output {
                Output::Standard => quoted(&mut line, &key),
                _ => line.extend_from_slice(&key),
            }
            line.push(b'\n');
            stdout.write_all(&line)?;
        }
        stdout.flush()?;
        if !options.interval.is_zero() {
            std::thread::sleep(options.interval);
        }
    }
    Ok(ExitCode::SUCCESS)
}
