//! The page docs/reactor-scenarios.md: scenario by backend, as a run of all of them has it.
//!
//! `DUNLIN_WRITE=1 cargo test -p dunlin-reactor --test scenarios` writes it; otherwise it is compared. A backend that the system does not
//! have keeps the column that it had: it is no reason to fail, nor to say that nothing passes on it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::SCENARIOS;
use crate::site::{LeftOut, Played};

/// Where a run of all scenarios puts down what came of each.
const OUTCOMES: &str = "DUNLIN_REACTOR_OUTCOMES";

const PASSED: &str = "passed";
const ABSENT: &str = "absent";
const MEANINGLESS: &str = "meaningless ";

/// Plays one scenario, and puts down what came of it. (What fails puts down nothing.)
pub(crate) fn play(scenario: &str, backend: &str, scene: fn() -> Played) {
    let outcome = match scene() {
        Ok(()) => PASSED.to_string(),
        Err(LeftOut::Absent(why)) => {
            eprintln!("{scenario} is not played on {backend}: {why}");
            ABSENT.to_string()
        }
        Err(LeftOut::Meaningless(why)) => {
            eprintln!("{scenario} says nothing about {backend}: {why}");
            format!("{MEANINGLESS}{why}")
        }
    };
    if let Some(folder) = std::env::var_os(OUTCOMES) {
        std::fs::write(path_of(Path::new(&folder), scenario, backend), outcome).unwrap();
    }
}

fn path_of(folder: &Path, scenario: &str, backend: &str) -> PathBuf {
    folder.join(format!("{scenario}.{backend}"))
}

fn backends() -> Vec<&'static str> {
    let mut names = vec!["memory"];
    macro_rules! add {
        (() $id:ident $backend:ty) => {
            names.push(stringify!($id));
        };
    }
    for_each_system_backend!(add());
    names
}

/// The cells of the page as it is: by what a scenario says, in the order of its backends' names.
fn cells_of(page: &str) -> BTreeMap<(String, String), String> {
    let rows = page.lines().filter(|l| l.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let Some((head, rows)) = rows.split_first() else {
        return BTreeMap::new();
    };
    let mut cells = BTreeMap::new();
    for row in rows {
        for (backend, cell) in head.iter().zip(row).skip(1) {
            cells.insert((row[0].to_string(), backend.to_string()), cell.to_string());
        }
    }
    cells
}

/// The page, from the outcomes of a run and the page as it was.
fn markdown(folder: &Path, old: &str) -> String {
    let old = cells_of(old);
    let backends = backends();
    let mut notes: Vec<String> = Vec::new();
    let mut table = format!(
        "|Scenario|{}|\n|-|{}\n",
        backends.join("|"),
        "-|".repeat(backends.len())
    );
    for (scenario, says) in SCENARIOS {
        let mut row = format!("|{says}");
        for backend in &backends {
            let outcome = std::fs::read_to_string(path_of(folder, scenario, backend));
            let outcome =
                outcome.unwrap_or_else(|_| panic!("{scenario} on {backend} left no outcome"));
            let cell = match outcome.strip_prefix(MEANINGLESS) {
                Some(why) => {
                    let note = format!("{backend}: {why}.");
                    let at = notes.iter().position(|n| *n == note).unwrap_or_else(|| {
                        notes.push(note);
                        notes.len() - 1
                    });
                    format!("— ({})", at + 1)
                }
                None if outcome == ABSENT => {
                    let key = (says.to_string(), backend.to_string());
                    old.get(&key)
                        .cloned()
                        .unwrap_or_else(|| "not tried".to_string())
                }
                None => outcome,
            };
            write!(row, "|{cell}").unwrap();
        }
        writeln!(table, "{row}|").unwrap();
    }
    let mut page = String::from(
        "# The reactor's network scenarios\n\n\
         <!-- Written from a run of crates/reactor/tests/scenarios (see its table.rs); do not edit. -->\n\n\
         What a library for servers must get right between its users and the network, as the tests of `crates/reactor/tests/scenarios`\n\
         play it on every backend: `memory` is the network inside the process, `epoll` is edge-triggered, `epoll_level`, `poll` and `select` are\n\
         level-triggered, `io_uring` completes. Each scenario is one function, whatever the backend; the tests fail when one of them does.\n\n",
    );
    page.push_str(&table);
    for (at, note) in notes.iter().enumerate() {
        write!(page, "\n({}) {note}\n", at + 1).unwrap();
    }
    page
}

#[test]
fn the_page_is_what_a_run_says() {
    let folder = std::env::temp_dir().join(format!("dunlin-scenarios-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--skip", "table::"])
        .env(OUTCOMES, &folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "a scenario failed:\n{said}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reactor-scenarios.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let page = markdown(&folder, &old);
    std::fs::remove_dir_all(&folder).unwrap();
    if std::env::var_os("DUNLIN_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
        return;
    }
    assert!(
        old == page,
        "docs/reactor-scenarios.md is not what a run says: run this test with DUNLIN_WRITE=1\n{page}"
    );
}
