//! `cargo xtask fix`: puts right what can be put right without thinking. The one task that changes the tree.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::build::cargo;
use crate::workspace::root;

/// Runs clippy's fixes, then rustfmt.
pub(crate) fn run() -> Result<()> {
    let steps: [&[&str]; 2] = [
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--fix",
            "--allow-dirty",
            "--allow-staged",
        ],
        &["fmt", "--all"],
    ];
    for arguments in steps {
        let status = Command::new(cargo())
            .args(arguments)
            .current_dir(root())
            .status()?;
        ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    }
    Ok(())
}
