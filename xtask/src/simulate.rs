//! `cargo xtask simulate`: the server under network faults, with as many seeds as one likes, or one seed again with its trace.
//!
//! The simulation is an example of the server crate, built in release; what it does is told at the head of `crates/server/tests/faults`.

use std::process::Command;
use std::thread;

use anyhow::{Result, bail};

use crate::build;

/// What to run.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads; 0: as many as there are cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Run this seed alone and print its trace: the same bytes each time.
    #[arg(long, conflicts_with_all = ["seeds", "from", "threads"])]
    seed: Option<u64>,
}

/// Builds and runs it; an error when a seed failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = Command::new(build::simulation()?);
    match arguments.seed {
        Some(seed) => command.args(["seed", &seed.to_string()]),
        None => {
            let threads = match arguments.threads {
                0 => thread::available_parallelism()?.get(),
                threads => threads,
            };
            command.args([
                "seeds",
                &arguments.from.to_string(),
                &arguments.seeds.to_string(),
                &threads.to_string(),
            ])
        }
    };
    let status = command.status()?;
    if !status.success() {
        bail!("the simulation ended with {status}: the seeds to run again stand above");
    }
    Ok(())
}
