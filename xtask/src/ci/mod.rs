//! `cargo xtask ci`: everything that decides whether a change is good. Changes nothing in the tree.
//!
//! A list of steps, each with a budget in seconds. A step that fails does not stop the ones behind it, so that one run tells all; the
//! end lists every failure, and every step that went over its budget. A step is killed at [`OVERTIME`] times its budget.

mod apps;
mod checks;
mod clients;
mod console;
mod fetch;
mod prerequisites;
mod smoke;
mod suites;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::process::{Teed, run_teed};
use crate::workspace;

pub(crate) use console::picture;

/// A step is killed when it took this many times its budget.
const OVERTIME: u64 = 3;

/// What a step has to say.
#[derive(Debug)]
enum Verdict {
    Passed,
    /// Tests counted: passed, failed. The step fails when any did.
    Counted(usize, usize),
    /// Not run here, and why. Never for what the machine has to have.
    LeftOut(String),
}

/// One step: budget in seconds on two cores from a clean clone, and what it does.
struct Step {
    name: &'static str,
    budget_s: u64,
    run: fn(&Step) -> Result<Verdict>,
}

/// The steps in their order: what is quick to tell first. The budgets sum to about 45 minutes on two cores, of which some 30 are used.
const STEPS: [Step; 19] = [
    step("prerequisites", 60, prerequisites::install),
    step("fmt", 10, checks::fmt),
    step("tidy", 10, checks::tidy),
    step("supply chain", 20, checks::supply_chain),
    step("clippy", 150, checks::clippy),
    step("docs", 30, checks::docs),
    step("tests", 600, suites::tests),
    step("other I/O backends", 100, suites::tests_on_other_backends),
    step("doc tests", 40, suites::doc_tests),
    step("fuzz", 240, suites::fuzz),
    step("loom", 120, suites::loom),
    step("address sanitizer", 300, suites::address_sanitizer),
    step("release build", 180, smoke::release_build),
    step("redis-cli, redis-benchmark", 20, smoke::clients),
    step("real clients", 90, clients::real),
    step("console in a browser", 150, console::checks),
    step("applications", 120, apps::applications),
    step("Redis's own tests", 400, smoke::tcl),
    step("bench and torture in small", 120, smoke::bench),
];

const fn step(name: &'static str, budget_s: u64, run: fn(&Step) -> Result<Verdict>) -> Step {
    Step {
        name,
        budget_s,
        run,
    }
}

impl Step {
    /// The time after which a program of this step is killed.
    fn limit(&self) -> Duration {
        Duration::from_secs(self.budget_s * OVERTIME)
    }

    /// Runs a program of this step, its output going to ours; a failure is an error.
    fn run(&self, command: &mut Command) -> Result<()> {
        let teed = self.tee(command)?;
        ensure!(teed.outcome.success(), "{}", failure(command, &teed));
        Ok(())
    }

    /// Runs a program of this step, its output going to ours; an error only when its time is up.
    fn tee(&self, command: &mut Command) -> Result<Teed> {
        command.current_dir(workspace::root());
        let teed = run_teed(command, self.limit())?;
        ensure!(teed.outcome.status.is_some(), "{}", failure(command, &teed));
        Ok(teed)
    }
}

/// Which program failed, and how.
fn failure(command: &Command, teed: &Teed) -> String {
    let line = program_line(command);
    match teed.outcome.status {
        Some(status) => format!("{line} ({status})"),
        None => format!("{line}: killed after {} s", teed.outcome.took.as_secs()),
    }
}

fn program_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What to run.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Run only the steps whose name contains this (may be repeated).
    #[arg(long)]
    only: Vec<String>,
}

/// Runs the steps; an error when any failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let started = Instant::now();
    let mut failures = Vec::new();
    let mut table = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    for step in &STEPS {
        if !arguments.only.is_empty()
            && !arguments
                .only
                .iter()
                .any(|name| step.name.contains(name.as_str()))
        {
            continue;
        }
        println!("\n=== {} ===", step.name);
        let began = Instant::now();
        let result = (step.run)(step);
        let took_s = began.elapsed().as_secs();
        let said = match result {
            Ok(Verdict::Passed) => "ok".to_owned(),
            Ok(Verdict::Counted(good, bad)) => {
                passed += good;
                failed += bad;
                if bad > 0 {
                    failures.push(format!("{}: {bad} tests", step.name));
                }
                format!("{good} passed, {bad} failed")
            }
            Ok(Verdict::LeftOut(why)) => format!("left out: {why}"),
            Err(error) => {
                failed += 1;
                failures.push(format!("{}: {error:#}", step.name));
                "FAILED".to_owned()
            }
        };
        println!("--- {}: {said} ({took_s} s) ---", step.name);
        let over = if took_s > step.budget_s {
            "  OVER BUDGET"
        } else {
            ""
        };
        table.push(format!(
            "{:<28} {took_s:>5} s of {:>4} s  {said}{over}",
            step.name, step.budget_s
        ));
    }
    println!("\n{}", table.join("\n"));
    println!("in all {} s", started.elapsed().as_secs());
    for failure in &failures {
        println!("FAILED {failure}");
    }
    println!("{passed} passed, {failed} failed");
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{} steps failed", failures.len())
}
