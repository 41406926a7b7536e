//! `dunlin bench`: puts load on a server and reports rates and latencies; the options and reports of redis-benchmark, and more.
//!
//! A run is a list of [`workload::Workload`]s, each done by [`load`]: event loops that send requests encoded beforehand and count the
//! replies with [`scan`]. [`report`] prints what came of it.
//!
//! Invariant: a request is measured from when it was to be sent. With a fixed rate that is its place in the schedule, whether or not a
//! connection was free then; so a server that stops for a while is charged for all that it kept waiting (no coordinated omission).

mod idle;
mod keys;
mod load;
mod options;
mod progress;
mod rate;
mod report;
mod scan;
mod template;
mod workload;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use dunlin_resp::Value;
use dunlin_server::logging::startup::VERSION;

use crate::cli::{endpoint::Endpoint, introduce, open};
use options::Read;
use report::{Outcome, Report};

/// Its command line, for completions and the manual.
pub(crate) fn command() -> clap::Command {
    options::command()
}

/// Runs it with these arguments.
///
/// # Errors
/// Nobody answers, the server answers with an error, or output is broken.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode> {
    let options = match options::read(arguments) {
        Ok(Read::Run(options)) => *options,
        Ok(Read::Show(text)) => {
            io::stdout().write_all(text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(complaint) => {
            // On standard output, where redis-benchmark has it.
            writeln!(io::stdout(), "{complaint}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let server = ServerFacts::ask(&options.endpoint)?;
    if options.idle {
        return idle::run(&options);
    }
    let mut report = Report::new(&options, server)?;
    loop {
        for workload in workload::all(&options)? {
            let measured = load::run(&options, &workload)?;
            report.add(Outcome::new(&workload, measured))?;
        }
        if !options.forever {
            break;
        }
    }
    report.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// What the report says about the server; empty where it does not tell.
#[derive(Clone, Debug, Default)]
struct ServerFacts {
    save: Option<String>,
    appendonly: Option<String>,
}

impl ServerFacts {
    /// Asks, which also shows whether anybody answers.
    fn ask(endpoint: &Endpoint) -> Result<ServerFacts> {
        let mut connection = open(endpoint)?;
        introduce(&mut connection, endpoint)?;
        let mut value_of = |key: &str| -> Result<Option<String>> {
            let answer = connection
                .ask(&["CONFIG", "GET", key])
                .context("asking for the server's configuration")?;
            Ok(match answer {
                Value::Array(items) => match items.as_slice() {
                    [_, Value::Bulk(value)] => Some(String::from_utf8_lossy(value).into_owned()),
                    _ => None,
                },
                _ => None,
            })
        };
        let facts = ServerFacts {
            save: value_of("save")?,
            appendonly: value_of("appendonly")?,
        };
        if facts.save.is_none() {
            writeln!(io::stderr(), "WARNING: Could not fetch server CONFIG")?;
        }
        Ok(facts)
    }
}

/// One line for `--version`.
fn version() -> String {
    format!("dunlin-bench {VERSION}\n")
}
