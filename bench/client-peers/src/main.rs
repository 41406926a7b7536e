//! Load on a server through one client library: workers that each have one request under way, for so long.
//!
//! Prints `requests seconds cpu_seconds`, the last of them this process's own. Every reply is looked at: a GET has to bring the value that
//! was stored, so a library that mixes replies up, or a key that is missing, ends the run.

mod dunlin;
mod fred;
mod load;
mod redis_rs;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Which library.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Library {
    Dunlin,
    RedisRs,
    Fred,
}

/// What a worker is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    /// A thread that waits for each reply.
    Threads,
    /// A task on tokio's runtime of several threads, with its defaults.
    Tasks,
}

/// What the workers share.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Over {
    /// One connection.
    One,
    /// The library's usual way to share [`POOL`] connections.
    Pool,
    /// A pool of as many, of which each is lent to one worker at a time.
    Own,
}

/// What is asked.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Get,
    Set,
}

/// Connections of a pool.
const POOL: usize = 4;

/// The load.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    #[arg(long)]
    library: Library,
    #[arg(long)]
    way: Way,
    #[arg(long)]
    over: Over,
    #[arg(long)]
    what: What,
    /// Port of the server, on loopback.
    #[arg(long)]
    port: u16,
    #[arg(long, default_value_t = 16)]
    workers: usize,
    /// How long the counted part takes.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Keys that the server holds: `key:` and twelve digits, from 0 on, of 64 `x`.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let outcome = match arguments.library {
        Library::Dunlin => dunlin::run(&arguments),
        Library::RedisRs => redis_rs::run(&arguments),
        Library::Fred => fred::run(&arguments),
    }?;
    println!(
        "{} {:.6} {:.6}",
        outcome.requests,
        outcome.took.as_secs_f64(),
        outcome.cpu.as_secs_f64()
    );
    Ok(())
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    requests: u64,
    took: Duration,
    cpu: Duration,
}
