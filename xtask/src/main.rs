//! Development tasks, called as `cargo xtask <task>`.
//!
//! `ci` is the one that counts: it changes nothing in the tree and calls the others. What a task fetches or builds stays below the target
//! directory.
#![allow(clippy::print_stdout, reason = "a command line tool talks on stdout")]
#![allow(
    clippy::disallowed_methods,
    reason = "tools measure: only the layers below the server must not read clocks"
)]

mod build;
mod process;
mod tcl;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser, Debug)]
#[command(name = "cargo xtask", about = "Development tasks of Dunlin")]
enum Task {
    /// Run Redis's own test suite against Dunlin (or the genuine server).
    Tcl(tcl::Arguments),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Tcl(arguments) => tcl::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
