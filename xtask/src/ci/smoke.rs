//! Steps that drive the release binary from outside: Redis's own clients, its test suite, and the benchmarks in small.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Step, Verdict};
use crate::process::output;
use crate::server::Launch;
use crate::{bench, build, tcl, torture};

/// Requests of the redis-benchmark smoke run, for each of its commands.
const BENCHMARK_REQUESTS: &str = "20000";

pub(super) fn release_build(_: &Step) -> Result<Verdict> {
    build::release()?;
    Ok(Verdict::Passed)
}

/// redis-cli talks to it, redis-benchmark completes.
pub(super) fn clients(step: &Step) -> Result<Verdict> {
    let server = Launch::new("smoke", &build::release()?).start()?;
    let port = server.port.to_string();
    let cli = |arguments: &[&str]| {
        output(
            Command::new("redis-cli")
                .args(["-p", &port])
                .args(arguments),
        )
    };
    for (arguments, wanted) in [
        (&["PING"][..], "PONG"),
        (&["SET", "k", "a value", "PX", "100000"], "OK"),
        (&["GET", "k"], "a value"),
        (&["-3", "HELLO", "3"], "redis"),
        (&["NO-SUCH-COMMAND"], "unknown command"),
    ] {
        let reply = cli(arguments)?;
        println!(
            "redis-cli {}: {}",
            arguments.join(" "),
            reply.trim().replace('\n', " ")
        );
        ensure!(
            reply.contains(wanted),
            "redis-cli {}: {reply:?}",
            arguments.join(" ")
        );
    }
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args([
        "-p",
        &port,
        "-q",
        "-t",
        "set,get,incr,mset",
        "-n",
        BENCHMARK_REQUESTS,
    ]);
    step.run(&mut benchmark)?;
    Ok(Verdict::Passed)
}

/// The units of tests/tcl/units.txt.
pub(super) fn tcl(_: &Step) -> Result<Verdict> {
    let passed = tcl::run(&tcl::Arguments::default())?;
    Ok(Verdict::Counted(passed, 0))
}

/// Benchmarks and torture, in small.
pub(super) fn bench(_: &Step) -> Result<Verdict> {
    torture::run(&torture::Arguments::smoke())?;
    bench::run(&bench::Arguments::smoke())?;
    Ok(Verdict::Passed)
}
