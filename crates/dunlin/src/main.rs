//! The `dunlin` binary: finds out what is asked for, reads the configuration, and hands over to the server.
//!
//! Invariant: whatever is wrong before the server stands is one line on standard error and exit code 1.
//! It holds no logic of the server; that is `dunlin-server`.

mod bench;
mod check;
mod cli;
mod daemon;
mod describe;
mod gateway;
mod invocation;
mod memory;
mod pidfile;
mod submit;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

use dunlin_server::config::Config;
use dunlin_server::logging;
use dunlin_server::process::{self, Supervision};

use invocation::Invocation;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let outcome = match Invocation::of(&arguments) {
        Invocation::Server(rest) => {
            start(arguments.first().map_or(OsStr::new("dunlin"), |p| p), rest)
        }
        Invocation::CheckRdb(rest) => check::rdb(rest),
        Invocation::CheckAof(rest) => check::aof(rest),
        Invocation::Bench(rest) => bench::run(rest),
        Invocation::Cli { arguments, plain } => Ok(cli::run(arguments, plain)),
        Invocation::Gateway(rest) => gateway::run(rest),
        Invocation::Submit(rest) => submit::run(rest),
        Invocation::Completions(rest) => describe::completions(rest),
        Invocation::Man(rest) => describe::man(rest),
        Invocation::Version => print(&invocation::version()),
        Invocation::Help => print(invocation::HELP),
        Invocation::Unsupported(option) => Err(anyhow::anyhow!(
            "'{option}' is an option of redis-server that dunlin does not have"
        )),
    };
    outcome.unwrap_or_else(|error| {
        // The causes stand in the same line: `{:#}`.
        let _ = writeln!(std::io::stderr(), "dunlin: {error:#}");
        ExitCode::FAILURE
    })
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the configuration, goes where it says, opens the log, and serves until told to stop.
fn start(program: &OsStr, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let loaded = Config::load(arguments)?;
    let config = &loaded.config;
    // Who is supervised stays where the supervisor put it.
    let background = config.daemonize() && Supervision::of(config) == Supervision::None;
    if background && daemon::is_foreground() {
        daemon::start_in_background(arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    daemon::leave_terminal();
    std::env::set_current_dir(config.dir()).map_err(|error| {
        anyhow::anyhow!("can't change to '{}': {error}", config.dir().display())
    })?;
    logging::init(config.logfile(), config.loglevel())?;
    logging::set_format(config.log_format());
    if config.yes("syslog-enabled") {
        let (ident, facility) = (
            config.text("syslog-ident"),
            config.choice("syslog-facility"),
        );
        logging::init_syslog(ident, facility)?;
    }
    process::set_name(config, program);
    logging::set_report_enabled(config.crash_log_enabled());
    logging::install_panic_hook();
    logging::report_signals()?;
    let _pidfile = pidfile::Pidfile::write(config, background);
    Ok(dunlin_server::run(loaded, memory::ALLOCATOR))
}
