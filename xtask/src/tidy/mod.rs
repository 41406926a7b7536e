//! `cargo xtask tidy`: the rules of the house that neither rustfmt nor clippy know. Reads only.
//!
//! Each rule is a function over data, in a file of its own, with a test that plants the bug that it is there to find.

mod documents;
mod layers;
mod sources;
mod supply;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::build::cargo;
use crate::process::output;
use crate::workspace::root;

/// Checks the tree; an error says how many findings there were, which are printed before.
pub(crate) fn run() -> Result<()> {
    let mut findings = layers::check(&metadata(&["--no-deps"])?)?;
    let mut known = documents::Known::default();
    for name in tracked_files()? {
        let path = Path::new(&name);
        let Ok(bytes) = fs::read(root().join(path)) else {
            continue; // Deleted, but not yet in the index.
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        findings.extend(sources::check(path, &text));
        known.add(path, &text);
    }
    for name in documents::CHECKED {
        match fs::read_to_string(root().join(name)) {
            Ok(text) => findings.extend(documents::check(name, &text, &known)),
            Err(_) => findings.push(format!("{name} is missing")),
        }
    }
    report("tidy", &findings)
}

/// Checks licences, bans and sources of all dependencies by our own reading of deny.toml.
pub(crate) fn supply() -> Result<()> {
    let rules = supply::Rules::parse(&fs::read_to_string(root().join("deny.toml"))?)?;
    report("deny.toml", &rules.check(&metadata(&[])?)?)
}

fn report(what: &str, findings: &[String]) -> Result<()> {
    for finding in findings {
        println!("{what}: {finding}");
    }
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{what}: {} findings", findings.len())
}

fn metadata(more: &[&str]) -> Result<Value> {
    let text = output(
        Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(more)
            .current_dir(root()),
    )?;
    Ok(serde_json::from_str(&text)?)
}

/// The files of the tree: known to git, or new and not ignored.
fn tracked_files() -> Result<Vec<String>> {
    let list = output(
        Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root()),
    )?;
    Ok(list
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}
