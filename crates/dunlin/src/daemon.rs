//! `daemonize yes`: the process starts itself again, detached, and ends.
//!
//! Invariant: no fork of a process that may have threads. The child knows by an environment variable that it is the one
//! to stay. As with redis-server, the exit code of the parent says only that the child was started.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const MARK: &str = "DUNLIN_IN_BACKGROUND";

/// True in the process that the user started.
pub(crate) fn is_foreground() -> bool {
    env::var_os(MARK).is_none()
}

/// Starts the process that stays, with the same arguments.
pub(crate) fn start_in_background(arguments: &[OsString]) -> anyhow::Result<()> {
    if arguments.first().is_some_and(|first| first == "-")
        || arguments.last().is_some_and(|last| last == "-")
    {
        anyhow::bail!(
            "daemonize can't be combined with a configuration from standard input: write it to a file"
        );
    }
    // All arguments as they came, so that the child reads them the same way.
    let mut all = env::args_os();
    let mut command = Command::new(env::current_exe()?);
    if let Some(name) = all.next() {
        command.arg0(name);
    }
    command
        .args(all)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(())
}

/// In the process that stays: a session of its own, so that closing the terminal does not end it.
pub(crate) fn leave_terminal() {
    if !is_foreground() {
        // Fails only for a process that leads a group already, which has left the terminal by that.
        let _ = rustix::process::setsid();
    }
}
