//! `dunlin cli`: a client at the terminal and for scripts, with redis-cli's options, formats and exit codes.
//!
//! A command line comes to [`options::Options`]; [`run`] picks the mode. Commands go through a [`session::Session`], which knows what the
//! connection is in (a database, a transaction, subscriptions); the modes that only ask use a [`connection::Connection`] as it is.
//!
//! Invariant: replies go to standard output and everything about them to standard error; a reader that goes away ends the program
//! without a word.

pub(crate) mod connection;
pub(crate) mod endpoint;
pub(crate) mod format;
mod interrupt;
mod lines;
mod modes;
mod oneshot;
pub(crate) mod options;
mod prompt;
#[cfg(feature = "tls")]
mod relay;
mod session;
pub(crate) mod tls;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use dunlin_resp::split_words;
use dunlin_server::logging::startup::VERSION;

use connection::{Connection, system_text};
use endpoint::Endpoint;
use options::{Mode, Options, Read};
use session::Session;

/// Redis's tests, which have no terminal, set this to see what a terminal would get.
const FAKE_TERMINAL: &str = "FAKETTY";
/// A password that is not to stand in the list of processes.
const PASSWORD: &str = "REDISCLI_AUTH";

/// Its command line, for completions and the manual.
pub(crate) fn command() -> clap::Command {
    options::command()
}

/// Runs it with these arguments. `plain`: it was called by redis-cli's name, whose users expect no tables.
pub(crate) fn run(arguments: &[OsString], plain: bool) -> ExitCode {
    match run_with(arguments, plain) {
        Ok(code) => code,
        Err(error) => {
            let gone = error.downcast_ref::<io::Error>();
            if gone.is_none_or(|error| error.kind() != io::ErrorKind::BrokenPipe) {
                let _ = writeln!(io::stderr(), "{error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run_with(arguments: &[OsString], plain: bool) -> Result<ExitCode> {
    let terminal = io::stdout().is_terminal() || std::env::var_os(FAKE_TERMINAL).is_some();
    let mut options = match options::read(arguments, terminal).map_err(anyhow::Error::msg)? {
        Read::Run(options) => *options,
        Read::Show(text) => {
            io::stdout().write_all(text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    if options.auth_warning {
        let _ = writeln!(
            io::stderr(),
            "Warning: others can see a password on the command line ('-a', '-u') in the list of processes; REDISCLI_AUTH hides it."
        );
    }
    find_password(&mut options)?;
    match options.mode.clone() {
        Mode::Commands if options.command.is_empty() => prompt::run(Session::new(options), plain),
        Mode::Commands => oneshot::run(Session::new(options)),
        Mode::Eval(file) => modes::eval::run(Session::new(options), &file),
        Mode::IntrinsicLatency { seconds } => modes::intrinsic::run(seconds),
        mode => run_mode(&mode, &options),
    }
}

/// The modes that are no commands of the user.
fn run_mode(mode: &Mode, options: &Options) -> Result<ExitCode> {
    let connection = connect(options)?;
    match mode {
        Mode::Pipe { timeout } => modes::pipe::run(connection, *timeout),
        Mode::BigKeys => {
            modes::big_keys::run(connection, options, modes::big_keys::Measure::Elements)
        }
        Mode::MemKeys { samples } => {
            let measure = modes::big_keys::Measure::Memory { samples: *samples };
            modes::big_keys::run(connection, options, measure)
        }
        Mode::HotKeys => modes::hot_keys::run(connection, options),
        Mode::Latency { history } => modes::latency::run(connection, options, *history),
        Mode::LatencyDistribution { mono } => modes::latency_dist::run(connection, options, *mono),
        Mode::Stat => modes::stat::run(connection, options),
        Mode::Scan { kind } => modes::scan::run(connection, options, kind.as_deref()),
        Mode::Rdb(file) => modes::rdb::run(connection, file),
        Mode::Commands | Mode::Eval(_) | Mode::IntrinsicLatency { .. } => {
            unreachable!("run_with has taken these")
        }
    }
}

fn find_password(options: &mut Options) -> Result<()> {
    let endpoint = &mut options.endpoint;
    if options.askpass {
        endpoint.password = Some(prompt::password("Please input password: ")?);
    } else if endpoint.password.is_none() {
        endpoint.password = std::env::var(PASSWORD).ok();
    }
    Ok(())
}

/// A connection that is logged in and has its database, for a mode.
fn connect(options: &Options) -> Result<Connection> {
    let mut connection = open(&options.endpoint)?;
    introduce(&mut connection, &options.endpoint)?;
    Ok(connection)
}

/// Connects; the error is the line that redis-cli prints.
pub(crate) fn open(endpoint: &Endpoint) -> Result<Connection> {
    Connection::open(endpoint).map_err(|error| {
        let why = system_text(&error);
        anyhow::anyhow!("Could not connect to Redis at {endpoint}: {why}")
    })
}

/// Logs in and selects the database.
pub(crate) fn introduce(connection: &mut Connection, endpoint: &Endpoint) -> Result<()> {
    if let Some(auth) = endpoint.auth() {
        refuse_error("AUTH failed", &connection.ask(&auth)?)?;
    }
    if endpoint.database != 0 {
        let database = endpoint.database.to_string();
        let answer = connection.ask(&["SELECT", &database])?;
        refuse_error(&format!("SELECT {database} failed"), &answer)?;
    }
    Ok(())
}

/// An error reply as an error, behind what was tried.
pub(crate) fn refuse_error(what: &str, value: &dunlin_resp::Value) -> Result<()> {
    match format::error_text(value) {
        None => Ok(()),
        Some(text) => anyhow::bail!("{what}: {}", String::from_utf8_lossy(text)),
    }
}

/// The one word that a quoted string stands for; `None` if it is none or several.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut words = split_words(text).ok()?;
    let word = words.pop()?;
    words.is_empty().then_some(word)
}

/// All of standard input.
fn read_stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::stdin().lock(), &mut bytes).context("standard input")?;
    Ok(bytes)
}

/// One line for `--version`.
fn version() -> String {
    format!("dunlin-cli {VERSION}\n")
}
