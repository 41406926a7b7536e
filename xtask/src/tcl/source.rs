//! Gets Redis's own test suite: Debian's source package, downloaded by apt into the target directory and unpacked there.
//!
//! The package sources are the machine's own, read from its apt configuration with `deb` turned into `deb-src`, written to a scratch list
//! with a scratch state directory: the machine's configuration is not changed, no host is named here, and root is not needed.
//! Nothing of the suite is ever committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{output, run_to_file};
use crate::workspace;

/// How long apt may take for the lists or for the package.
const FETCH_LIMIT_S: u64 = 300;
/// The upstream version whose suite the lists under tests/tcl describe.
const UPSTREAM_VERSION: &str = "7.0.15";

/// The unpacked suite.
#[derive(Debug)]
pub(crate) struct Suite {
    /// The root of the source tree, with `tests/` in it.
    pub(crate) dir: PathBuf,
    /// Debian's version of the source package.
    pub(crate) version: String,
}

/// Returns the suite, fetching it when the target directory has none.
pub(crate) fn suite() -> Result<Suite> {
    let dir = workspace::scratch("tcl/source")?;
    if let Some(suite) = unpacked(&dir)? {
        return Ok(suite);
    }
    fetch(&dir).context(
        "cannot fetch Redis's test suite by apt (wanted: Debian or a relative, its package sources \
         reachable, dpkg-dev installed)",
    )?;
    unpacked(&dir)?.context("the source package was fetched, but no suite was found in it")
}

fn unpacked(dir: &Path) -> Result<Option<Suite>> {
    let tree = dir.join("redis");
    if !tree.join("tests/test_helper.tcl").is_file() {
        return Ok(None);
    }
    let changelog = fs::read_to_string(tree.join("debian/changelog"))?;
    let version = changelog
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(version, _)| version.to_owned())
        .context("debian/changelog names no version")?;
    ensure!(
        version.contains(UPSTREAM_VERSION),
        "this machine's package sources have redis {version}; the lists under tests/tcl are for {UPSTREAM_VERSION}"
    );
    Ok(Some(Suite { dir: tree, version }))
}

fn fetch(dir: &Path) -> Result<()> {
    let state = dir.join("apt");
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(state.join("cache/archives/partial"))?;
    fs::create_dir_all(state.join("parts"))?;
    let wanted = package_uris()?;
    let entries = machine_sources(&wanted)?;
    ensure!(
        !entries.is_empty(),
        "the apt configuration names no package source"
    );
    for (index, entry) in entries.iter().enumerate() {
        let suffix = if entry.deb822 { "sources" } else { "list" };
        fs::write(state.join(format!("parts/{index}.{suffix}")), &entry.text)?;
    }
    let options = [
        "Dir::Etc::SourceList=/dev/null".to_owned(),
        format!("Dir::Etc::SourceParts={}", state.join("parts").display()),
        format!("Dir::State::Lists={}", state.join("lists").display()),
        format!("Dir::Cache={}", state.join("cache").display()),
        // The sandbox user cannot write below a root-owned target directory; signatures are checked all the same.
        "APT::Sandbox::User=root".to_owned(),
    ];
    let apt = |arguments: &[&str]| -> Result<()> {
        let mut command = Command::new("apt-get");
        for option in &options {
            command.args(["-o", option]);
        }
        command.args(arguments).current_dir(dir);
        let log = dir.join("apt.log");
        let outcome = run_to_file(&mut command, &log, Duration::from_secs(FETCH_LIMIT_S))?;
        if !outcome.success() {
            bail!(
                "apt-get {} failed:\n{}",
                arguments.join(" "),
                fs::read_to_string(&log)?
            );
        }
        Ok(())
    };
    // An unreachable third source must not stop us: what counts is whether the package comes.
    let updated = apt(&["update"]);
    apt(&["source", "--download-only", "redis"]).or_else(|error| updated.and(Err(error)))?;
    unpack(dir)
}

fn unpack(dir: &Path) -> Result<()> {
    let description = fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ext| ext == "dsc"))
        .context("apt-get source left no .dsc file")?;
    // apt has checked the hashes of what it fetched against the signed lists; dpkg-source needs no second look.
    output(
        Command::new("dpkg-source")
            .args(["--no-check", "-x"])
            .arg(&description)
            .arg("redis")
            .current_dir(dir),
    )?;
    Ok(())
}

/// The addresses that the machine gets redis-tools from: the sources worth asking. Empty when apt does not know it.
fn package_uris() -> Result<Vec<String>> {
    let policy = output(Command::new("apt-cache").args(["policy", "redis-tools"]))?;
    let uris = policy
        .split_whitespace()
        .filter(|word| word.contains("://"))
        .map(|uri| uri.trim_end_matches('/').to_owned())
        .collect();
    Ok(uris)
}

/// One file for apt's sources.list.d.
#[derive(Debug, PartialEq)]
struct Entry {
    deb822: bool,
    text: String,
}

/// The machine's package sources as source-package entries; only those at `wanted` addresses unless that is empty.
fn machine_sources(wanted: &[String]) -> Result<Vec<Entry>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(parts) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(parts.flatten().map(|entry| entry.path()));
    }
    let mut entries = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|ext| ext.to_str()) {
            Some("list") => entries.extend(one_line(&text, wanted)),
            Some("sources") => entries.extend(deb822(&text, wanted)),
            _ => {}
        }
    }
    Ok(entries)
}

fn is_wanted(text: &str, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|uri| text.contains(uri.as_str()))
}

/// Turns one-line entries (`deb [options] uri suite components`) into source entries.
fn one_line(text: &str, wanted: &[String]) -> Vec<Entry> {
    text.lines()
        .map(str::trim)
        .filter_map(|line| line.strip_prefix("deb").map(|rest| (line, rest)))
        .filter(|(line, rest)| rest.starts_with([' ', '\t']) && is_wanted(line, wanted))
        .map(|(_, rest)| Entry {
            deb822: false,
            text: format!("deb-src{rest}\n"),
        })
        .collect()
}

/// Turns stanzas (`Types: deb` and so on) into source stanzas. A stanza that is switched off stays out.
fn deb822(text: &str, wanted: &[String]) -> Vec<Entry> {
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    text.split("\n\n")
        .filter(|stanza| stanza.lines().any(|line| field(line, "Types").is_some()))
        .filter(|stanza| {
            !stanza
                .lines()
                .any(|line| field(line, "Enabled").is_some_and(|v| v == "no" || v == "false"))
        })
        .filter(|stanza| is_wanted(stanza, wanted))
        .map(|stanza| Entry {
            deb822: true,
            text: stanza
                .lines()
                .map(|line| match field(line, "Types") {
                    Some(_) => "Types: deb-src\n".to_owned(),
                    None => format!("{line}\n"),
                })
                .collect(),
        })
        .collect()
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_entries_become_source_entries() {
        let text = "# deb http://a.test/off x main\ndeb [arch=amd64] http://a.test/debian stable main contrib\n\
                    deb-src http://a.test/debian stable main\ndebug\ndeb http://b.test/other stable main\n";
        let entries = one_line(text, &["http://a.test/debian".to_owned()]);
        assert_eq!(entries.len(), 1);
        assert_eq!(
            entries[0].text,
            "deb-src [arch=amd64] http://a.test/debian stable main contrib\n"
        );
        assert_eq!(one_line(text, &[]).len(), 2);
    }

    #[test]
    fn stanzas_become_source_stanzas() {
        let text = "Types: deb\n# a comment\nURIs: http://a.test/debian\nSuites: stable\nSigned-By:\n -----BEGIN\n .\n -----END\n\n\
                    Types: deb\nURIs: http://a.test/debian\nEnabled: no\n\n\nTypes: deb\nURIs: http://b.test\n";
        let entries = deb822(text, &["http://a.test/debian".to_owned()]);
        assert_eq!(entries.len(), 1);
        assert_eq!(
            entries[0].text,
            "Types: deb-src\nURIs: http://a.test/debian\nSuites: stable\nSigned-By:\n -----BEGIN\n .\n -----END\n"
        );
        assert_eq!(deb822(text, &[]).len(), 2);
    }
}
