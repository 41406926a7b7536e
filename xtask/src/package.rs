//! `cargo xtask package`: the release binary, its manual pages and completions, and the Debian package of them by cargo-deb.

use std::fs::File;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{build, workspace};

/// Pages of `dunlin man`, with their sections.
const PAGES: &[(&str, &str)] = &[
    ("dunlin", "1"),
    ("dunlin-cli", "1"),
    ("dunlin-bench", "1"),
    ("dunlin-gateway", "1"),
    ("dunlin-submit", "1"),
    ("dunlin.conf", "5"),
];
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "dunlin.bash"),
    ("zsh", "_dunlin"),
    ("fish", "dunlin.fish"),
];

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only the pages and completions, without the Debian package
    #[arg(long)]
    no_deb: bool,
}

/// Writes everything below target/package, and the Debian package below target/debian.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = build::release()?;
    let folder = workspace::target().join("package");
    std::fs::create_dir_all(&folder)?;
    let write = |name: &str, arguments: [&str; 2]| -> Result<()> {
        let path = folder.join(name);
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let status = Command::new(&binary)
            .args(arguments)
            .stdout(file)
            .status()?;
        ensure!(status.success(), "dunlin {arguments:?} failed");
        Ok(())
    };
    for (page, section) in PAGES {
        // `dunlin.conf` is the page's name, not a file with an ending.
        write(&format!("{page}.{section}"), ["man", page])?;
    }
    for (shell, name) in COMPLETIONS {
        write(name, ["completions", shell])?;
    }
    println!("written: {}", folder.display());
    if arguments.no_deb {
        return Ok(());
    }
    let status = Command::new("cargo")
        .args(["deb", "--no-build", "--package", "dunlin"])
        .current_dir(workspace::root())
        .status()?;
    ensure!(
        status.success(),
        "cargo deb failed; where it is not there: cargo install cargo-deb --locked"
    );
    Ok(())
}
