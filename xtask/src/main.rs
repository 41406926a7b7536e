//! Development tasks, called as `cargo xtask <task>`.
//!
//! `ci` is the one that counts: it changes nothing in the tree and calls the others. What a task fetches or builds stays below the target
//! directory.
#![allow(clippy::print_stdout, reason = "a command line tool talks on stdout")]
#![allow(
    clippy::disallowed_methods,
    reason = "tools measure: only the layers below the server must not read clocks"
)]

mod bench;
mod build;
mod ci;
mod client;
mod fix;
mod package;
mod process;
mod server;
mod simulate;
mod tcl;
mod tidy;
mod torture;
mod web;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser, Debug)]
#[command(name = "cargo xtask", about = "Development tasks of Dunlin")]
enum Task {
    /// Everything that decides whether a change is good; changes nothing in the tree.
    Ci(ci::Arguments),
    /// Apply clippy's fixes and rustfmt.
    Fix,
    /// Check the rules of the house that rustfmt and clippy do not know.
    Tidy,
    /// Run Redis's own test suite against Dunlin (or the genuine server).
    Tcl(tcl::Arguments),
    /// Measure Dunlin beside a peer.
    Bench(bench::Arguments),
    /// The paced probe of the bench, by itself.
    Probe(bench::probe::Arguments),
    /// The server under network faults, simulated from seeds.
    Simulate(simulate::Arguments),
    /// Many connects and disconnects, and ends under load.
    Torture(torture::Arguments),
    /// The Debian package, manual pages and completions.
    Package(package::Arguments),
    /// Make the browser console's page, which is committed, from its sources in web/.
    Web(web::Arguments),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Ci(arguments) => ci::run(&arguments),
        Task::Fix => fix::run(),
        Task::Tidy => tidy::run(),
        Task::Tcl(arguments) => tcl::run(&arguments).map(|_| ()),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Probe(arguments) => bench::probe::run(&arguments),
        Task::Simulate(arguments) => simulate::run(&arguments),
        Task::Torture(arguments) => torture::run(&arguments),
        Task::Package(arguments) => package::run(&arguments),
        Task::Web(arguments) => web::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
