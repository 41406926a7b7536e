//! The step that drives the browser console of the release binary, under load, in Debian's Chromium by Playwright.
//!
//! The scripts and the version are in tests/console. Playwright is fetched below the target directory without a browser of its own;
//! Chromium is installed as root, and otherwise has to be there. A machine that has neither leaves the step out, and says so loudly in
//! CI: nothing else looks at the console as a person does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::fetch::{counted, folder, node};
use super::{Step, Verdict};
use crate::build;
use crate::server::{Launch, Server, free_port};
use crate::workspace::{program, root};

/// The folder of the scripts, and that below the target directory.
const GROUP: &str = "console";
/// The second server's, whose console asks for it.
const TOKEN: &str = "a-token-of-the-checks";
/// Where the picture for the README goes.
const PICTURE: &str = "docs/console.png";
/// What a picture in the repository may weigh.
const PICTURE_BYTES_MAX: u64 = 200_000;

/// Runs the checks with and without a browser.
pub(super) fn checks(step: &Step) -> Result<Verdict> {
    if program("node").is_none() {
        return Ok(Verdict::LeftOut(loudly("no node here")));
    }
    let units = counted(
        step,
        Command::new("node").arg(folder(GROUP).join("units.mjs")),
    )?;
    let browsed = match Stage::set(step) {
        Ok(stage) => stage.checks(step)?,
        Err(why) => {
            println!("  left out: the browser: {}", loudly(&format!("{why:#}")));
            (0, 0)
        }
    };
    Ok(Verdict::Counted(units.0 + browsed.0, units.1 + browsed.1))
}

/// Takes the picture of the console under load that the README shows.
pub(crate) fn picture() -> Result<()> {
    const STEP: Step = super::step("picture", 240, checks);
    let path = root().join(PICTURE);
    Stage::set(&STEP)?.picture(&STEP, &path)?;
    let bytes = fs::metadata(&path)?.len();
    println!("{}: {bytes} bytes", path.display());
    ensure!(
        bytes <= PICTURE_BYTES_MAX,
        "the picture has more than {PICTURE_BYTES_MAX} bytes"
    );
    Ok(())
}

/// In CI a line that nobody reads over, since nothing else looks at the console as a person does.
fn loudly(why: &str) -> String {
    if std::env::var_os("CI").is_some() {
        println!("!!!\n!!! CI DOES NOT LOOK AT THE CONSOLE: {why}\n!!!");
    }
    why.to_owned()
}

/// What the checks need from the machine.
struct Stage {
    /// The folder with the scripts and Playwright.
    scripts: PathBuf,
    chromium: PathBuf,
}

impl Stage {
    fn set(step: &Step) -> Result<Stage> {
        Ok(Stage {
            scripts: node(GROUP)?,
            chromium: chromium(step)?,
        })
    }

    fn checks(&self, step: &Step) -> Result<(usize, usize)> {
        let play = Play::begin()?;
        counted(step, &mut self.script(&play)?)
    }

    fn picture(&self, step: &Step, path: &Path) -> Result<()> {
        let play = Play::begin()?;
        step.run(self.script(&play)?.env("DUNLIN_SCREENSHOT", path))
    }

    fn script(&self, play: &Play) -> Result<Command> {
        let mut command = Command::new("node");
        command
            .arg(self.scripts.join("console.cjs"))
            .env("DUNLIN_PROGRAM", build::release()?)
            .env("DUNLIN_PORT", play.server.port.to_string())
            .env("DUNLIN_ADMIN_PORT", play.admin_port.to_string())
            .env("DUNLIN_TOKEN_PORT", play.token_port.to_string())
            .env("DUNLIN_TOKEN", TOKEN)
            .env("DUNLIN_CHROMIUM", &self.chromium);
        Ok(command)
    }
}

/// The servers that are looked at.
struct Play {
    server: Server,
    admin_port: u16,
    token_port: u16,
    /// Asks for [`TOKEN`].
    _guarded: Server,
}

impl Play {
    fn begin() -> Result<Play> {
        let binary = build::release()?;
        let [admin_port, token_port] = [free_port()?, free_port()?];
        let launch =
            |port: u16| Launch::new("console", &binary).with(&["--admin-port", &port.to_string()]);
        Ok(Play {
            server: launch(admin_port).start()?,
            admin_port,
            token_port,
            _guarded: launch(token_port).with(&["--admin-token", TOKEN]).start()?,
        })
    }
}

/// Chromium, installed if it is missing and we may.
fn chromium(step: &Step) -> Result<PathBuf> {
    if let Some(there) = program("chromium") {
        return Ok(there);
    }
    ensure!(
        program("apt-get").is_some() && rustix::process::geteuid().is_root(),
        "no chromium here; on Debian: apt-get install chromium"
    );
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        step.run(&mut command)
    };
    // A new machine has no list of packages; what counts is whether the package comes.
    if let Err(error) = apt(&["update", "-q"]) {
        println!("note: {error:#}");
    }
    apt(&["install", "-q", "-y", "--no-install-recommends", "chromium"])?;
    program("chromium").context("apt-get brought no chromium")
}
