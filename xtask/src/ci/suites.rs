//! Steps that run our own tests: as they are, longer, under loom, and under AddressSanitizer.
//!
//! Each kind that needs builds of its own has a target directory of its own, so that none throws out another's work.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Step, Verdict, failure};
use crate::build::cargo;
use crate::process::output;
use crate::workspace::{program, target};

/// How long each fuzz target runs.
const FUZZ_TARGET_S: u64 = 25;
/// Set for tests that compare with a genuine redis-server: where that is missing they fail instead of passing over it.
const PEERS_REQUIRED: &str = "DUNLIN_REQUIRE_PEERS";
/// Chooses the server's I/O backend where its configuration does not.
const IO_BACKEND: &str = "DUNLIN_IO_BACKEND";
const OTHER_BACKENDS: [&str; 2] = ["epoll", "poll"];
/// Fuzz targets are the tests whose name begins with this.
const FUZZ_PREFIX: &str = "fuzz_";
/// The crates with unsafe code that own memory.
const SANITIZED: [&str; 2] = ["dunlin-structures", "dunlin-store"];
/// Random cases per property under the sanitizer, which is several times slower.
const SANITIZED_CASES: &str = "64";
/// The sanitizer needs its target named, so that build scripts stay without it.
const SANITIZED_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The tests of the workspace. The server's I/O backend is the best that works here.
pub(super) fn tests(step: &Step) -> Result<Verdict> {
    let mut command = tests_of(None);
    counted(step, command.env(PEERS_REQUIRED, "1"))
}

/// The tests that drive the server's binary, on the I/O backends that it takes only where it is told to, or where the best is forbidden.
pub(super) fn tests_on_other_backends(step: &Step) -> Result<Verdict> {
    let (mut passed, mut failed) = (0, 0);
    for backend in OTHER_BACKENDS {
        let mut command = tests_of(Some("dunlin"));
        if let Verdict::Counted(p, f) = counted(step, command.env(IO_BACKEND, backend))? {
            (passed, failed) = (passed + p, failed + f);
        }
    }
    Ok(Verdict::Counted(passed, failed))
}

/// A command that runs the tests of the workspace, or of one package, by nextest where it is installed.
fn tests_of(package: Option<&str>) -> Command {
    let mut command = Command::new(cargo());
    if has_nextest() {
        command.args(["nextest", "run", "--workspace", "--locked"]);
        command.args(["--profile", "ci", "--cargo-quiet"]);
        if let Some(package) = package {
            // Built for the whole workspace, as they are already: a package by itself would get other features.
            command.args(["--filterset", &format!("package({package})")]);
        }
    } else {
        command.args(["test", "--locked", "--quiet", "--lib", "--bins", "--tests"]);
        command.args(["--examples", "--no-fail-fast"]);
        match package {
            Some(package) => command.args(["--package", package]),
            None => command.arg("--workspace"),
        };
    }
    command
}

/// The examples in the documentation; nextest does not run these.
pub(super) fn doc_tests(step: &Step) -> Result<Verdict> {
    counted(
        step,
        Command::new(cargo()).args(["test", "--workspace", "--locked", "--doc", "--quiet"]),
    )
}

/// The fuzz targets by bolero on stable, each for [`FUZZ_TARGET_S`].
pub(super) fn fuzz(step: &Step) -> Result<Verdict> {
    let mut command = Command::new(cargo());
    if has_nextest() {
        command.args([
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--profile",
            "ci",
            "--cargo-quiet",
        ]);
        command.args(["-E", &format!("test(/^{FUZZ_PREFIX}/)")]);
    } else {
        command.args([
            "test",
            "--workspace",
            "--locked",
            "--quiet",
            "--tests",
            "--no-fail-fast",
            "--",
            FUZZ_PREFIX,
        ]);
    }
    command
        .env(
            "BOLERO_RANDOM_TEST_TIME_MS",
            (FUZZ_TARGET_S * 1000).to_string(),
        )
        .env("DUNLIN_FUZZ_SECONDS", FUZZ_TARGET_S.to_string());
    counted(step, &mut command)
}

/// The stripes and their parking under loom. Optimized, since it walks millions of interleavings; not linked as a release is.
pub(super) fn loom(step: &Step) -> Result<Verdict> {
    counted(
        step,
        Command::new(cargo())
            .args([
                "test",
                "--package",
                "dunlin-store",
                "--locked",
                "--quiet",
                "--release",
            ])
            .args(["--test", "stripes_loom"])
            .arg("--target-dir")
            .arg(target().join("loom"))
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    )
}

/// AddressSanitizer over the crates that own memory, where there is a nightly toolchain.
pub(super) fn address_sanitizer(step: &Step) -> Result<Verdict> {
    if !has_nightly() {
        return Ok(Verdict::LeftOut("no nightly toolchain".to_owned()));
    }
    // The cargo of rustup, not the one that runs us: that one knows no +toolchain.
    let mut command = Command::new("cargo");
    command.args([
        "+nightly",
        "test",
        "--locked",
        "--quiet",
        "--lib",
        "--tests",
        "--no-fail-fast",
    ]);
    for package in SANITIZED {
        command.args(["--package", package]);
    }
    command
        .args(["--target", SANITIZED_TARGET, "--target-dir"])
        .arg(target().join("asan"))
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env("PROPTEST_CASES", SANITIZED_CASES)
        .env(
            "RUSTFLAGS",
            "-Zsanitizer=address -Cforce-frame-pointers=yes",
        )
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    counted(step, &mut command)
}

fn has_nextest() -> bool {
    program("cargo-nextest").is_some()
}

fn has_nightly() -> bool {
    output(Command::new("rustup").args(["toolchain", "list"]))
        .is_ok_and(|list| list.lines().any(|line| line.starts_with("nightly")))
        && cfg!(all(target_arch = "x86_64", target_os = "linux"))
}

/// Runs tests and adds up what the runner says.
fn counted(step: &Step, command: &mut Command) -> Result<Verdict> {
    let teed = step.tee(command)?;
    let (passed, failed) = sum(&teed.text);
    // No failed test, and yet a failure: it did not build, or the runner itself failed.
    ensure!(
        teed.outcome.success() || failed > 0,
        "{}",
        failure(command, &teed)
    );
    Ok(Verdict::Counted(passed, failed))
}

/// The summary of nextest (`12 tests run: 11 passed, 1 failed`), or the sum of those of cargo test (`test result: ok. 3 passed; 0 failed`).
fn sum(text: &str) -> (usize, usize) {
    let mut sums = (0, 0);
    let of_nextest = |line: &str| line.contains("tests run:") || line.contains("test run:");
    // nextest shows what a failed test printed: that it failed, once more.
    let has_nextest = text.lines().any(of_nextest);
    let summaries = text
        .lines()
        .filter(|line| of_nextest(line) || (!has_nextest && line.contains("test result:")));
    for line in summaries {
        let words: Vec<&str> = line
            .split(|c: char| c.is_whitespace() || c == ',' || c == ';')
            .collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<usize>() else {
                continue;
            };
            match pair[1] {
                "passed" => sums.0 += count,
                "failed" => sums.1 += count,
                _ => {}
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn summaries_of_both_runners_are_added_up() {
        let nextest =
            "     Summary [   0.105s] 14 tests run: 12 passed (1 slow), 2 failed, 0 skipped\n";
        assert_eq!(sum(nextest), (12, 2));
        let test = "test result: ok. 3 passed; 1 failed; 0 ignored\nfoo 7 passed\ntest result: ok. 4 passed; 0 failed;\n";
        assert_eq!(sum(test), (7, 1));
    }
}
