//! Builds of the server that other tasks drive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::workspace;

/// Builds the release binary and returns its path.
pub(crate) fn release() -> Result<PathBuf> {
    let status = Command::new(cargo())
        .args(["build", "--release", "--quiet", "--package", "dunlin"])
        .current_dir(workspace::root())
        .status()?;
    ensure!(status.success(), "the release build failed");
    Ok(workspace::target().join("release/dunlin"))
}

/// The cargo that runs us.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
