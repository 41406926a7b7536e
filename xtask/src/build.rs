//! Builds of the server that other tasks drive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::workspace;

/// Builds the release binary and returns its path.
pub(crate) fn release() -> Result<PathBuf> {
    build(&["--package", "dunlin"])?;
    Ok(workspace::target().join("release/dunlin"))
}

/// Builds the server that does nothing, an example of the reactor, and returns its path.
pub(crate) fn floor() -> Result<PathBuf> {
    build(&["--package", "dunlin-reactor", "--example", "floor"])?;
    Ok(workspace::target().join("release/examples/floor"))
}

/// Builds the simulation of the server under network faults and returns its path.
pub(crate) fn simulation() -> Result<PathBuf> {
    build(&["--package", "dunlin-server", "--example", "simulate"])?;
    Ok(workspace::target().join("release/examples/simulate"))
}

fn build(what: &[&str]) -> Result<()> {
    let status = Command::new(cargo())
        .args(["build", "--release", "--quiet"])
        .args(what)
        .current_dir(workspace::root())
        .status()?;
    ensure!(
        status.success(),
        "the release build of {} failed",
        what.join(" ")
    );
    Ok(())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
