//! Units over TLS: named `unit/protocol+tls` in the lists and on the command line, and run with the harness's `--tls`.
//!
//! The certificates are made once, below the target directory, by the suite's own script; Tcl needs its package tls (Debian: tcl-tls).

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use super::lists::Setting;
use super::source::Suite;
use crate::process::output;
use crate::workspace;

/// What ends a unit's name.
const SUFFIX: &str = "+tls";

/// The harness turns TLS between servers on, too, which Dunlin refuses since it has none.
pub(super) const SETTINGS: &[Setting] = &[("tls-cluster", "no"), ("tls-replication", "no")];

/// The unit as the harness knows it, and whether it is run over TLS.
pub(super) fn split(unit: &str) -> (&str, bool) {
    match unit.strip_suffix(SUFFIX) {
        Some(name) => (name, true),
        None => (unit, false),
    }
}

/// The same unit over TLS.
pub(super) fn over_tls(unit: &str) -> String {
    format!("{}{SUFFIX}", split(unit).0)
}

/// Whether any of these units is run over TLS; an error if Tcl cannot.
pub(super) fn wanted(units: &[String]) -> Result<bool> {
    if !units.iter().any(|unit| split(unit).1) {
        return Ok(false);
    }
    ensure!(
        tcl_has_tls()?,
        "Tcl lacks its package tls (Debian: apt-get install tcl-tls)"
    );
    Ok(true)
}

/// Whether Tcl has its package tls; an error if there is no Tcl.
pub(crate) fn tcl_has_tls() -> Result<bool> {
    let mut tcl = Command::new("tclsh")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("tclsh is not installed")?;
    let script = b"exit [catch {package require tls 1.6}]\n";
    std::io::Write::write_all(&mut tcl.stdin.take().expect("it is a pipe"), script)?;
    Ok(tcl.wait()?.success())
}

/// The folder of the certificates, made if it is not there.
pub(super) fn certificates(suite: &Suite) -> Result<PathBuf> {
    let made_in = env::current_dir()?.join(workspace::scratch("tcl/tls")?);
    let folder = made_in.join("tests/tls");
    if folder.join("done").exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    // The script would look for a prime of its own, which can take a minute; what it finds here it keeps.
    let arguments =
        "genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out tests/tls/redis.dh";
    output(
        Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&made_in),
    )
    .context("openssl is needed for the certificates of the TLS tests")?;
    output(
        Command::new("bash")
            .arg(suite.dir.join("utils/gen-test-certs.sh"))
            .current_dir(&made_in),
    )?;
    // Several jobs share the folder, and none may see it half made.
    fs::write(folder.join("done"), "")?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_says_that_a_unit_is_run_over_tls() {
        assert_eq!(split("unit/multi"), ("unit/multi", false));
        assert_eq!(split("unit/multi+tls"), ("unit/multi", true));
        assert_eq!(over_tls("unit/multi"), "unit/multi+tls");
        assert_eq!(over_tls("unit/multi+tls"), "unit/multi+tls");
    }
}
