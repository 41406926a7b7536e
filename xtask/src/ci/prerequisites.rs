//! What the other steps need from the machine: Debian packages, installed when we may, otherwise named.
//!
//! Never the redis-server package: it would start a service on 6379.

use std::process::Command;

use anyhow::{Result, bail};

use super::{Step, Verdict};
use crate::tcl;
use crate::workspace::program;

/// A program, the Debian package that has it, and what for.
const NEEDED: [(&str, &str); 10] = [
    ("redis-cli", "redis-tools"),
    ("redis-benchmark", "redis-tools"),
    ("redis-check-rdb", "redis-tools"),
    ("tclsh", "tcl"),
    ("dpkg-source", "dpkg-dev"),
    ("cc", "build-essential"),
    ("taskset", "util-linux"),
    ("git", "git"),
    // For certificates.
    ("openssl", "openssl"),
    // For the test of the metrics. Where systemd runs, its service starts, too (port 9090).
    ("promtool", "prometheus"),
];

/// Installs what is missing, or says what to install.
pub(super) fn install(step: &Step) -> Result<Verdict> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(Verdict::Passed);
    }
    let line = format!("apt-get install {}", missing.join(" "));
    if program("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        bail!("missing here; on Debian: {line}");
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        step.run(&mut command)
    };
    // Other sources of the machine may be out of reach; what counts is whether the packages come.
    if let Err(error) = apt(&["update", "-q"]) {
        println!("note: {error:#}");
    }
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(&missing);
    apt(&arguments)?;
    Ok(Verdict::Passed)
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = NEEDED
        .iter()
        .filter(|(name, _)| program(name).is_none())
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    // The one that brings no program.
    if !matches!(tcl::tcl_has_tls(), Ok(true)) {
        packages.push("tcl-tls");
    }
    packages
}
