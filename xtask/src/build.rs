//! Builds of the server that other tasks drive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

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

/// Builds the echo server of bytes, an example of the reactor, and returns its path.
pub(crate) fn echo() -> Result<PathBuf> {
    build(&["--package", "dunlin-reactor", "--example", "echo_bytes"])?;
    Ok(workspace::target().join("release/examples/echo_bytes"))
}

/// Builds the echo servers on tokio and on monoio, which are no part of the workspace, and returns their paths.
pub(crate) fn echo_peers() -> Result<[PathBuf; 2]> {
    let target = workspace::target().join("echo-peers");
    let folder = target.to_str().context("the target directory is no text")?;
    let manifest = "bench/echo-peers/Cargo.toml";
    build(&[
        "--locked",
        "--manifest-path",
        manifest,
        "--target-dir",
        folder,
    ])?;
    Ok(["tokio-echo", "monoio-echo"].map(|name| target.join("release").join(name)))
}

/// Builds the load through client libraries, ours and others, which is no part of the workspace, and returns its path.
pub(crate) fn client_peers() -> Result<PathBuf> {
    let target = workspace::target().join("client-peers");
    let folder = target.to_str().context("the target directory is no text")?;
    let manifest = "bench/client-peers/Cargo.toml";
    build(&[
        "--locked",
        "--manifest-path",
        manifest,
        "--target-dir",
        folder,
    ])?;
    Ok(target.join("release/client-peers"))
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
