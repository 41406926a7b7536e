//! Runs other programs under a time limit, and leaves none of them behind.
//!
//! Each program gets a process group of its own, and the whole group is killed when the limit passes. A program that starts a session of
//! its own (a daemon) escapes that: [`kill_below`] finds it by its working directory. Nothing here kills by name.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How often a running program is looked at.
const POLL_INTERVAL_MS: u64 = 20;

/// How a program under a limit ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// None when the limit passed and the program was killed.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) took: Duration,
}

impl Outcome {
    /// Whether the program ended by itself with code 0.
    pub(crate) fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs a command to its end, its output going where the command says.
pub(crate) fn run_limited(command: &mut Command, limit: Duration) -> Result<Outcome> {
    let started = Instant::now();
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let status = wait_limited(&mut child, limit)?;
    if status.is_none() {
        kill_group(&child);
        child.wait()?;
    }
    Ok(Outcome {
        status,
        took: started.elapsed(),
    })
}

/// Waits for a child at most `limit`; None when it still runs then.
pub(crate) fn wait_limited(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(POLL_INTERVAL_MS));
    }
}

/// Runs a command with its output going to a file.
pub(crate) fn run_to_file(command: &mut Command, log: &Path, limit: Duration) -> Result<Outcome> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    run_limited(command, limit)
}

/// A program's outcome and what it said.
#[derive(Debug)]
pub(crate) struct Teed {
    pub(crate) outcome: Outcome,
    /// Standard output and error, as they came.
    pub(crate) text: String,
}

/// Runs a command under a limit, passing its output on line by line and keeping it.
pub(crate) fn run_teed(command: &mut Command, limit: Duration) -> Result<Teed> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let pump = thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
        text
    });
    let outcome = run_limited(command, limit);
    // The command holds the write ends: the pump ends only without them.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let text = pump.join().unwrap_or_default();
    Ok(Teed {
        outcome: outcome?,
        text,
    })
}

/// Runs a short command and returns its standard output; a failure is an error that quotes its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}");
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !out.status.success() {
        bail!(
            "{name} failed ({}): {}",
            out.status,
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The process id of a child, as rustix wants it.
pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Sends SIGTERM to a child.
pub(crate) fn terminate(child: &Child) -> Result<()> {
    Ok(kill_process(pid_of(child), Signal::TERM)?)
}

/// Kills the process group that a child leads. A group that is gone already is no error.
pub(crate) fn kill_group(child: &Child) {
    let _ = kill_process_group(pid_of(child), Signal::KILL);
}

/// Kills the processes whose working directory lies below `dir`: what a test started as a daemon and left running.
/// Returns how many there were.
pub(crate) fn kill_below(dir: &Path) -> Result<usize> {
    let dir = dir.canonicalize()?;
    let mut killed = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
            .and_then(Pid::from_raw)
        else {
            continue;
        };
        let below = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&dir));
        if below && kill_process(pid, Signal::KILL).is_ok() {
            killed += 1;
        }
    }
    Ok(killed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_over_its_limit_is_killed_with_its_children() {
        let limit = Duration::from_millis(200);
        let outcome = run_limited(Command::new("sh").args(["-c", "sleep 60 & wait"]), limit);
        let outcome = outcome.expect("sh starts");
        assert!(outcome.status.is_none());
        assert!(outcome.took < Duration::from_secs(10));
    }

    #[test]
    fn an_exit_code_is_seen() {
        let limit = Duration::from_secs(10);
        let outcome = run_limited(Command::new("sh").args(["-c", "exit 3"]), limit);
        let status = outcome.expect("sh starts").status.expect("it ends");
        assert_eq!(status.code(), Some(3));
    }
}
