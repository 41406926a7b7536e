//! Runs single units of Redis's suite in drop-in mode: the harness starts `src/redis-server` of a scratch copy, which is a link to ours.
//!
//! Each job has a copy of its own (links to the suite, a real `tests/tmp`), since the harness clears `tests/tmp` when it starts, and
//! ports of its own. A unit that passes its time limit is killed with all that it started.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use super::lists::Setting;
use super::log::UnitLog;
use super::source::Suite;
use super::tls;
use crate::process::{kill_below, run_to_file};
use crate::workspace;

/// How often a harness that does not start is started anew, on other ports.
const START_TRIES_MAX: usize = 3;
/// Ports that harnesses take: each job has a slot of them, and uses port + 10,000 too, which stays below the ports that the system
/// gives to clients. Which slots we take depends on our process id, so that two runs at once seldom meet.
const BASE_PORT: usize = 11_000;
const PORTS_PER_JOB: usize = 500;
const SLOTS: usize = 20;
/// Programs that tests call beside the server: Dunlin is them, too; the genuine server is not.
const CLIENTS: [&str; 2] = ["redis-cli", "redis-benchmark"];
/// Tools that either server's program is, too, when it is called so.
const OWN_TOOLS: [&str; 2] = ["redis-check-rdb", "redis-check-aof"];

/// Units at a time, at most.
pub(crate) const JOBS_MAX: usize = 4;

/// What to run, the same for all units.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The program that plays redis-server.
    pub(crate) server: PathBuf,
    /// Folder below target/tcl for copies and logs.
    pub(crate) name: String,
    /// Some units are run over TLS.
    pub(crate) over_tls: bool,
    pub(crate) limit: Duration,
    /// An exception inside a test body fails that test instead of ending the unit.
    pub(crate) durable: bool,
    /// Tests with these tags are left out.
    pub(crate) without_tags: Vec<String>,
    /// The server's program is redis-cli and redis-benchmark, too; otherwise they are Debian's.
    pub(crate) own_clients: bool,
    /// What the servers of some units are given; nothing where the server is the genuine one, which knows no such keys.
    pub(crate) settings: BTreeMap<String, Vec<Setting>>,
    /// What every server of a unit over TLS is given.
    pub(crate) tls_settings: &'static [Setting],
}

/// One unit's result.
#[derive(Debug)]
pub(crate) struct UnitRun {
    pub(crate) unit: String,
    pub(crate) log: UnitLog,
    pub(crate) took: Duration,
    pub(crate) over_limit: bool,
    pub(crate) log_path: PathBuf,
}

/// A scratch copy of the suite for one job.
#[derive(Debug)]
pub(crate) struct Job {
    slot: usize,
    dir: PathBuf,
}

impl Job {
    /// Lays out the copy with the links.
    pub(crate) fn new(suite: &Suite, setup: &Setup, index: usize) -> Result<Job> {
        let dir = workspace::empty_scratch(&format!("tcl/{}/job{index}", setup.name))?;
        link_all(&suite.dir, &dir, &["src", "tests"])?;
        fs::create_dir_all(dir.join("tests/tmp"))?;
        link_all(&suite.dir.join("tests"), &dir.join("tests"), &["tmp"])?;
        let source = dir.join("src");
        fs::create_dir(&source)?;
        let server = setup
            .server
            .canonicalize()
            .with_context(|| format!("no server at {}", setup.server.display()))?;
        link(&server, &source.join("redis-server"))?;
        for tool in OWN_TOOLS {
            link(&server, &source.join(tool))?;
        }
        for tool in CLIENTS {
            let path = match setup.own_clients {
                true => server.clone(),
                false => workspace::program(tool).with_context(|| {
                    format!("{tool} is not installed (Debian: apt-get install redis-tools)")
                })?,
            };
            link(&path, &source.join(tool))?;
        }
        if setup.over_tls {
            link(&tls::certificates(suite)?, &dir.join("tests/tls"))?;
        }
        let slot = (std::process::id() as usize * JOBS_MAX + index) % SLOTS;
        Ok(Job { slot, dir })
    }

    /// Runs one unit; tests named in `skip` are not tried.
    pub(crate) fn run(&self, setup: &Setup, unit: &str, skip: &[&str]) -> Result<UnitRun> {
        let mut tries = 0;
        loop {
            // Another run may have taken the ports: then others are tried.
            let slot = (self.slot + tries * JOBS_MAX) % SLOTS;
            let run = self.run_at(setup, unit, skip, BASE_PORT + slot * PORTS_PER_JOB);
            tries += 1;
            if run.is_ok() || tries == START_TRIES_MAX {
                return run;
            }
        }
    }

    /// Runs one unit on these ports; an error when the harness does not start.
    fn run_at(
        &self,
        setup: &Setup,
        unit: &str,
        skip: &[&str],
        base_port: usize,
    ) -> Result<UnitRun> {
        let logs = workspace::scratch(&format!("tcl/{}/logs", setup.name))?;
        let log_path = logs.join(format!("{}.log", unit.replace('/', ".")));
        let (name, is_over_tls) = tls::split(unit);
        let mut command = Command::new("tclsh");
        command
            .arg("tests/test_helper.tcl")
            .args(["--single", name, "--clients", "1", "--ignore-encoding"])
            .args(["--baseport", &base_port.to_string()])
            .args(["--portcount", &PORTS_PER_JOB.to_string()])
            .current_dir(&self.dir)
            .env("TERM", "dumb");
        if setup.durable {
            command.arg("--durable");
        }
        if !setup.without_tags.is_empty() {
            let tags: Vec<_> = setup
                .without_tags
                .iter()
                .map(|tag| format!("-{tag}"))
                .collect();
            command.arg("--tags").arg(tags.join(" "));
        }
        let mut settings: Vec<Setting> = setup.settings.get(unit).cloned().unwrap_or_default();
        if is_over_tls {
            command.arg("--tls");
            settings.extend(setup.tls_settings);
        }
        for (key, value) in settings {
            // The harness writes it into the configuration of every server that it starts.
            command.args(["--config", key, value]);
        }
        for test in skip {
            command.arg("--skiptest").arg(test);
        }
        let outcome = run_to_file(&mut command, &log_path, setup.limit)?;
        kill_below(&self.dir)?;
        let text = fs::read(&log_path)?;
        let text = String::from_utf8_lossy(&text);
        ensure!(
            text.contains("[ready]"),
            "Redis's test harness did not start; see {}",
            log_path.display()
        );
        Ok(UnitRun {
            unit: unit.to_owned(),
            log: UnitLog::parse(&text),
            took: outcome.took,
            over_limit: outcome.status.is_none(),
            log_path,
        })
    }
}

/// All units that the suite's harness knows.
pub(crate) fn all_units(suite: &Suite) -> Result<Vec<String>> {
    let listed = crate::process::output(
        Command::new("tclsh")
            .args(["tests/test_helper.tcl", "--list-tests"])
            .current_dir(&suite.dir),
    )?;
    Ok(listed.split_whitespace().map(str::to_owned).collect())
}

/// The genuine server: Debian's redis-check-rdb is the same program, and becomes the server by its name.
pub(crate) fn genuine_server() -> Result<PathBuf> {
    let program = workspace::program("redis-check-rdb")
        .context("redis-check-rdb is not installed (Debian: apt-get install redis-tools)")?;
    let link_path = workspace::scratch("peer")?.join("redis-server");
    if !link_path.exists() {
        link(&program, &link_path)?;
    }
    Ok(env::current_dir()?.join(link_path))
}

fn link_all(from: &Path, to: &Path, except: &[&str]) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if !except.iter().any(|excepted| name == *excepted) {
            link(&entry.path(), &to.join(&name))?;
        }
    }
    Ok(())
}

fn link(to: &Path, at: &Path) -> Result<()> {
    symlink(to, at).with_context(|| format!("cannot link {} to {}", at.display(), to.display()))
}
