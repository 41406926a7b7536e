//! The step that runs applications whose queues live on Lua and blocking pops: BullMQ, RQ and Celery.
//!
//! The scripts and the versions are in tests/apps; each script gets a server of its own, with what a queue needs to survive. What can't
//! be had here is left out by name, and the rest is run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::fetch::{counted, folder, node, python};
use super::{Step, Verdict};
use crate::build;
use crate::server::Launch;

/// The folder of their scripts, and that below the target directory.
const GROUP: &str = "apps";
/// Overrides how many jobs each application has.
const JOBS: &str = "DUNLIN_JOBS";

/// An application: its script's language, and how many jobs it has in CI.
struct Application {
    script: &'static str,
    fetch: fn(&str) -> Result<PathBuf>,
    command: fn(&Path, &str) -> Command,
    jobs: &'static str,
}

const APPLICATIONS: [Application; 3] = [
    Application {
        script: "bullmq.cjs",
        fetch: node,
        command: in_node,
        jobs: "2000",
    },
    Application {
        script: "rq_jobs.py",
        fetch: python,
        command: in_python,
        jobs: "300",
    },
    Application {
        script: "celery_jobs.py",
        fetch: python,
        command: in_python,
        jobs: "400",
    },
];

fn in_node(modules: &Path, script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(modules.join(script));
    command
}

fn in_python(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(folder(GROUP).join(script));
    // The tree stays as it is.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs every application that can be had here.
pub(super) fn applications(step: &Step) -> Result<Verdict> {
    let program = build::release()?;
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for application in &APPLICATIONS {
        let place = match (application.fetch)(GROUP) {
            Ok(place) => place,
            Err(why) => {
                println!("  left out: {}: {why:#}", application.script);
                left_out += 1;
                continue;
            }
        };
        println!("{}:", application.script);
        let server = Launch::new(GROUP, &program)
            .with(&["--appendonly", "yes", "--maxmemory-policy", "noeviction"])
            .start()?;
        let mut command = (application.command)(&place, application.script);
        command.env("DUNLIN_PORT", server.port.to_string());
        if std::env::var_os(JOBS).is_none() {
            command.env(JOBS, application.jobs);
        }
        let (good, bad) = counted(step, &mut command)?;
        passed += good;
        failed += bad;
    }
    if left_out == APPLICATIONS.len() {
        return Ok(Verdict::LeftOut(
            "no application can be had here".to_owned(),
        ));
    }
    Ok(Verdict::Counted(passed, failed))
}
