//! What scripts in Python and Node need, fetched from where pip, npm and apt get it, and their runs.
//!
//! What is fetched goes below the target directory, once for each list of versions; nothing is installed on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{Step, failure};
use crate::process::run_limited;
use crate::workspace::{self, program, root, scratch};

/// How long fetching for one list of versions may take.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// The folder with the scripts and lists of versions of `group`.
pub(super) fn folder(group: &str) -> PathBuf {
    root().join("tests").join(group)
}

/// A folder below the target directory, filled by `fill` once for each content of `list`.
pub(super) fn fetched(
    group: &str,
    name: &str,
    list: &[u8],
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = scratch(&format!("{group}/{name}"))?;
    let stamp = dir.join("fetched");
    if fs::read(&stamp).is_ok_and(|text| text == list) {
        return Ok(dir);
    }
    let dir = workspace::empty_scratch(&format!("{group}/{name}"))?;
    fill(&dir)?;
    fs::write(stamp, list)?;
    Ok(dir)
}

/// Runs a program that fetches; its failure says what it printed.
pub(super) fn fetch(command: &mut Command, group: &str, name: &str) -> Result<()> {
    let log = scratch(group)?.join(format!("{name}.log"));
    let file = fs::File::create(&log)?;
    command.stdout(file.try_clone()?).stderr(file);
    let outcome = run_limited(command, FETCH_LIMIT)?;
    if outcome.success() {
        return Ok(());
    }
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    bail!("{name} did not get it: {}", last.unwrap_or("nothing said"))
}

/// The Python of a virtual environment that has what `requirements.txt` of `group` says.
pub(super) fn python(group: &str) -> Result<PathBuf> {
    let list = folder(group).join("requirements.txt");
    ensure!(program("python3").is_some(), "no python3 here");
    let dir = fetched(group, "python", &fs::read(&list)?, |dir| {
        fetch(
            Command::new("python3").args(["-m", "venv"]).arg(dir),
            group,
            "venv",
        )?;
        let mut pip = Command::new(dir.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        fetch(pip.arg(&list), group, "pip")
    })?;
    Ok(dir.join("bin/python"))
}

/// A folder with the Node scripts of `group` and the packages that they use.
pub(super) fn node(group: &str) -> Result<PathBuf> {
    ensure!(
        program("node").is_some() && program("npm").is_some(),
        "no node and npm here"
    );
    let lock = fs::read(folder(group).join("package-lock.json"))?;
    let dir = fetched(group, "node", &lock, |dir| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(folder(group).join(name), dir.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        fetch(npm.current_dir(dir), group, "npm")
    })?;
    // Beside their packages, where Node looks for these.
    for script in fs::read_dir(folder(group))?.flatten() {
        if script.path().extension().is_some_and(|end| end == "cjs") {
            fs::copy(script.path(), dir.join(script.file_name()))?;
        }
    }
    Ok(dir)
}

/// Runs a script, which counts its checks in its last line.
pub(super) fn counted(step: &Step, command: &mut Command) -> Result<(usize, usize)> {
    let teed = step.tee(command)?;
    let last = teed
        .text
        .lines()
        .rev()
        .find(|line| line.contains(" passed, "));
    let counts = last.and_then(counts);
    let Some((passed, failed)) = counts else {
        bail!("{}", failure(command, &teed));
    };
    ensure!(
        teed.outcome.success() == (failed == 0),
        "{}",
        failure(command, &teed)
    );
    Ok((passed, failed))
}

/// The numbers of `N passed, M failed`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (passed, rest) = line.split_once(" passed, ")?;
    let failed = rest.strip_suffix(" failed")?;
    Some((passed.trim().parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn a_script_s_last_line_is_read() {
        assert_eq!(counts("12 passed, 3 failed"), Some((12, 3)));
        assert_eq!(counts("ok strings"), None);
        assert_eq!(counts("x passed, 3 failed"), None);
    }
}
