//! `dunlin check-rdb` and `dunlin check-aof`: what their command lines mean.
//!
//! Invariant: the exit code is 0 if the files are sound (or have been made so) and 1 otherwise.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use dunlin_server::logging::startup::{REDIS_VERSION, VERSION};
use dunlin_server::persistence::check::{Desk, Repair, check_aof, check_rdb};
use dunlin_server::persistence::disk::SystemDisk;

const RDB_USAGE: &str = "Usage: dunlin check-rdb FILE";
const AOF_USAGE: &str =
    "Usage: dunlin check-aof [--fix | --truncate-to-timestamp SECONDS] FILE.manifest | FILE.aof";

/// `check-rdb`.
pub(crate) fn rdb(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    match arguments {
        [option] if is_version(option) => version("redis-check-rdb"),
        [path] => with_desk(|desk| check_rdb(desk, Path::new(path))),
        _ => anyhow::bail!(RDB_USAGE),
    }
}

/// `check-aof`.
pub(crate) fn aof(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let (path, repair) = match arguments {
        [option] if is_version(option) => return version("redis-check-aof"),
        [path] => (path, Repair::No),
        [option, path] if option == "--fix" => (path, Repair::Fix),
        [option, seconds, path] if option == "--truncate-to-timestamp" => {
            let seconds = seconds.to_str().and_then(|text| text.parse().ok());
            let seconds =
                seconds.ok_or_else(|| anyhow::anyhow!("Invalid timestamp, aborting..."))?;
            (path, Repair::ToTimestamp(seconds))
        }
        _ => anyhow::bail!(AOF_USAGE),
    };
    with_desk(|desk| check_aof(desk, Path::new(path), repair))
}

fn is_version(option: &OsString) -> bool {
    option == "-v" || option == "--version"
}

fn version(tool: &str) -> anyhow::Result<ExitCode> {
    writeln!(
        std::io::stdout(),
        "{tool} {REDIS_VERSION} (Dunlin {VERSION})"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn with_desk(
    check: impl FnOnce(&mut Desk<'_>) -> std::io::Result<bool>,
) -> anyhow::Result<ExitCode> {
    let mut terminal = std::io::stderr();
    let shows_progress = terminal.is_terminal();
    let is_sound = check(&mut Desk {
        disk: &SystemDisk,
        out: &mut std::io::stdout().lock(),
        input: &mut std::io::stdin().lock(),
        progress: shows_progress.then_some(&mut terminal),
    })?;
    Ok(if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
