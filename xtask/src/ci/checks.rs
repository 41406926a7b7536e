//! Steps that read the sources: format, lints, the rules of the house, the supply chain.

use std::process::Command;

use anyhow::Result;

use super::{Step, Verdict};
use crate::build::cargo;
use crate::{tidy, workspace};

pub(super) fn fmt(step: &Step) -> Result<Verdict> {
    step.run(Command::new(cargo()).args(["fmt", "--all", "--check", "--", "-l"]))?;
    Ok(Verdict::Passed)
}

pub(super) fn clippy(step: &Step) -> Result<Verdict> {
    step.run(Command::new(cargo()).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Verdict::Passed)
}

/// The documentation can be made, and no link in it is broken.
pub(super) fn docs(step: &Step) -> Result<Verdict> {
    step.run(
        Command::new(cargo())
            .args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Ok(Verdict::Passed)
}

pub(super) fn tidy(_: &Step) -> Result<Verdict> {
    tidy::run()?;
    Ok(Verdict::Passed)
}

pub(super) fn supply_chain(step: &Step) -> Result<Verdict> {
    if workspace::program("cargo-deny").is_some() {
        step.run(Command::new(cargo()).args([
            "deny",
            "--disable-fetch",
            "check",
            "bans",
            "licenses",
            "sources",
        ]))?;
    } else {
        println!("cargo-deny is not installed: xtask reads deny.toml itself");
        tidy::supply()?;
    }
    Ok(Verdict::Passed)
}
