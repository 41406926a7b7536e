//! `cargo xtask tcl`: Redis's own test suite, from Debian's source package, against Dunlin in drop-in mode.
//!
//! Prints `N passed, N failed` against what the genuine server passes. Fails when a test fails that tests/tcl/known-failures.txt does not
//! list. Never external mode: that skips whole units.

mod harness;
mod lists;
mod log;
mod source;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

pub(crate) use harness::genuine_server;
use harness::{JOBS_MAX, Job, Setup, UnitRun};
use lists::{Genuine, KnownOfUnit};
use log::{Counts, OUTSIDE};
use source::Suite;
pub(crate) use tls::tcl_has_tls;

use crate::build;
use crate::workspace;

/// How long one unit may take; the genuine server's slowest takes about two minutes.
const UNIT_LIMIT_S: u64 = 400;

/// What to run.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Run this unit, such as unit/type/string (may be repeated); without it, those of tests/tcl/units.txt.
    #[arg(long)]
    unit: Vec<String>,
    /// Run the named units over TLS, as those of the list whose names end in `+tls` always are.
    #[arg(long, requires = "unit")]
    tls: bool,
    /// Run all units of the suite.
    #[arg(long)]
    all: bool,
    /// Run the genuine server through the same path, instead of Dunlin.
    #[arg(long)]
    genuine: bool,
    /// With --genuine: write its counts to tests/tcl/genuine.txt.
    #[arg(long, requires = "genuine")]
    bless: bool,
    /// Run this program, a Dunlin, instead of building one.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Units at a time (default: the cores, at most 4).
    #[arg(long)]
    jobs: Option<usize>,
    /// Seconds that one unit may take.
    #[arg(long, default_value_t = UNIT_LIMIT_S)]
    limit_s: u64,
    /// Keep a unit going after an exception inside a test (on by default; this names the harness's own option).
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    durable: bool,
    /// Leave tests with this tag out, beside needs:repl (may be repeated).
    #[arg(long)]
    without_tag: Vec<String>,
    /// Leave this test out, beside those of the list (may be repeated).
    #[arg(long)]
    skip: Vec<String>,
    /// Show the messages of failures that are known, too.
    #[arg(long)]
    verbose: bool,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            unit: Vec::new(),
            tls: false,
            all: false,
            genuine: false,
            bless: false,
            server: None,
            jobs: None,
            limit_s: UNIT_LIMIT_S,
            durable: true,
            without_tag: Vec::new(),
            skip: Vec::new(),
            verbose: false,
        }
    }
}

/// Runs the suite and compares; an error lists what is wrong. Returns how many tests passed.
pub(crate) fn run(arguments: &Arguments) -> Result<usize> {
    let suite = source::suite()?;
    let units = if arguments.all {
        harness::all_units(&suite)?
    } else if arguments.unit.is_empty() {
        lists::units()?
    } else {
        let over_tls = |unit: &String| match arguments.tls {
            true => tls::over_tls(unit),
            false => unit.clone(),
        };
        arguments.unit.iter().map(over_tls).collect()
    };
    let known = if arguments.genuine {
        BTreeMap::new()
    } else {
        lists::known()?
    };
    let mut setup = setup(arguments)?;
    setup.over_tls = tls::wanted(&units)?;
    println!(
        "suite: redis {}; server: {}; {} units",
        suite.version,
        setup.server.display(),
        units.len()
    );
    let runs = run_units(&suite, &setup, &units, &known, arguments)?;
    if arguments.genuine {
        return report_genuine(&suite, &runs, arguments);
    }
    report(&suite, &runs, &known, arguments)
}

fn setup(arguments: &Arguments) -> Result<Setup> {
    let (name, server) = match &arguments.server {
        Some(server) => ("server", server.clone()),
        None if arguments.genuine => ("genuine", genuine_server()?),
        None => ("dunlin", build::release()?),
    };
    let mut without_tags = vec!["needs:repl".to_owned()];
    without_tags.extend(arguments.without_tag.iter().cloned());
    Ok(Setup {
        server,
        name: name.to_owned(),
        own_clients: name == "dunlin",
        limit: Duration::from_secs(arguments.limit_s),
        durable: arguments.durable,
        without_tags,
        over_tls: false,
        tls_settings: match arguments.genuine {
            true => &[],
            false => tls::SETTINGS,
        },
        settings: match arguments.genuine {
            true => BTreeMap::new(),
            false => lists::settings()?,
        },
    })
}

/// Runs units, several at a time, each job taking the next one; results in the order of `units`.
fn run_units(
    suite: &Suite,
    setup: &Setup,
    units: &[String],
    known: &BTreeMap<String, KnownOfUnit>,
    arguments: &Arguments,
) -> Result<Vec<UnitRun>> {
    let jobs = arguments
        .jobs
        .unwrap_or_else(|| workspace::cores().min(JOBS_MAX))
        .clamp(1, units.len().max(1));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..jobs)
            .map(|index| {
                let (next, results) = (&next, &results);
                scope.spawn(move || -> Result<()> {
                    let job = Job::new(suite, setup, index)?;
                    while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut skip: Vec<&str> =
                            arguments.skip.iter().map(String::as_str).collect();
                        if let Some(tests) = known.get(unit) {
                            skip.extend(
                                tests
                                    .iter()
                                    .filter(|(_, k)| k.skip)
                                    .map(|(name, _)| name.as_str()),
                            );
                        }
                        let run = job.run(setup, unit, &skip)?;
                        println!("  {}", one_line(&run));
                        results.lock().expect("no job panics").push(run);
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no job panics")?;
        }
        Ok(())
    })?;
    let mut runs = results.into_inner().expect("no job panics");
    runs.sort_by_key(|run| units.iter().position(|unit| *unit == run.unit));
    Ok(runs)
}

fn one_line(run: &UnitRun) -> String {
    let failed: usize = run.log.failed.values().sum();
    let note = match (run.over_limit, run.log.complete) {
        (true, _) => ", KILLED at its time limit",
        (false, true) => "",
        (false, false) => ", ended early",
    };
    format!(
        "{}: {} ok, {failed} err, {} s{note}",
        run.unit,
        run.log.passes(),
        run.took.as_secs()
    )
}

fn report_genuine(suite: &Suite, runs: &[UnitRun], arguments: &Arguments) -> Result<usize> {
    let mut passes = BTreeMap::new();
    let mut failed = 0;
    for run in runs {
        passes.insert(run.unit.clone(), run.log.passes());
        failed += run.log.failed.values().sum::<usize>();
        for message in &run.log.messages {
            println!("{}: {message}", run.unit);
        }
    }
    let passed: usize = passes.values().sum();
    println!(
        "genuine server: {passed} passed, {failed} failed in {} units",
        runs.len()
    );
    if arguments.bless {
        lists::write_genuine(&suite.version, &passes)?;
    }
    Ok(passed)
}

/// What one unit's run means against the lists.
#[derive(Debug, Default)]
struct Verdict {
    /// Failing or missing, and not in the list.
    unlisted: Counts,
    /// In the list, but passing.
    stale: Vec<String>,
    /// Tests that are missing and whose names only the genuine server can tell.
    unnamed: usize,
}

/// Compares one unit with its list. `names` are those that the genuine server passes, when they are known.
fn judge(run: &UnitRun, genuine: usize, known: &KnownOfUnit, names: Option<&Counts>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut excused = 0;
    for (name, known) in known {
        if name == OUTSIDE {
            continue;
        }
        let passed = run.log.passed.get(name).copied().unwrap_or(0);
        let failed = run.log.failed.get(name).copied().unwrap_or(0);
        // Where the genuine server's names are not at hand, a listed test that passed at all and failed nowhere is done.
        let missing = match names {
            Some(names) => names.get(name).copied().unwrap_or(0).saturating_sub(passed),
            None if passed > 0 && failed == 0 && !known.skip => 0,
            None => known.count,
        };
        if missing < known.count {
            verdict.stale.push(name.clone());
        }
        excused += missing.min(known.count);
    }
    for (name, &failed) in &run.log.failed {
        let listed = known.get(name).map_or(0, |known| known.count);
        if failed > listed {
            verdict.unlisted.insert(name.clone(), failed - listed);
        }
    }
    if let Some(names) = names {
        for (name, &wanted) in names {
            let passed = run.log.passed.get(name).copied().unwrap_or(0);
            let listed = known.get(name).map_or(0, |known| known.count);
            if wanted > passed + listed {
                verdict
                    .unlisted
                    .insert(name.clone(), wanted - passed - listed);
            }
        }
    }
    let named: usize = verdict
        .unlisted
        .iter()
        .filter(|(name, _)| *name != OUTSIDE)
        .map(|(_, count)| count)
        .sum();
    verdict.unnamed = genuine.saturating_sub(run.log.passes() + excused + named);
    verdict
}

fn report(
    suite: &Suite,
    runs: &[UnitRun],
    known: &BTreeMap<String, KnownOfUnit>,
    arguments: &Arguments,
) -> Result<usize> {
    let genuine = lists::genuine().unwrap_or_default();
    let same_suite = genuine.version == suite.version;
    if !same_suite {
        println!(
            "note: genuine.txt is about {:?}; the genuine server is run again for its names and counts",
            genuine.version
        );
    }
    let empty = KnownOfUnit::new();
    let mut table = Vec::new();
    let mut wrong = Vec::new();
    for run in runs {
        let known = known.get(&run.unit).unwrap_or(&empty);
        let mut count = genuine
            .passes
            .get(&run.unit)
            .copied()
            .filter(|_| same_suite);
        let mut verdict = judge(run, count.unwrap_or(0), known, None);
        if count.is_none() || verdict.unnamed > 0 {
            let names = genuine_names(suite, &run.unit, arguments)?;
            let total = names.values().sum();
            count = Some(total);
            verdict = judge(run, total, known, Some(&names));
        }
        table.push((run, count.unwrap_or(0)));
        print_unit(run, known, &verdict, arguments.verbose);
        if !verdict.unlisted.is_empty() || verdict.unnamed > 0 {
            wrong.push(run.unit.clone());
        }
    }
    let passed = print_table(&table, &genuine);
    if wrong.is_empty() {
        return Ok(passed);
    }
    bail!(
        "tests that known-failures.txt does not list failed in {}",
        wrong.join(", ")
    )
}

/// The names that the genuine server passes in a unit, by running it.
fn genuine_names(suite: &Suite, unit: &str, arguments: &Arguments) -> Result<Counts> {
    let mut setup = setup(&Arguments {
        genuine: true,
        without_tag: arguments.without_tag.clone(),
        ..Arguments::default()
    })?;
    setup.over_tls = tls::split(unit).1;
    println!("  {unit}: running the genuine server for its test names");
    let run = Job::new(suite, &setup, 0)?.run(&setup, unit, &[])?;
    ensure!(
        run.log.complete,
        "the genuine server did not get through {unit}; see {}",
        run.log_path.display()
    );
    Ok(run.log.passed)
}

fn print_unit(run: &UnitRun, known: &KnownOfUnit, verdict: &Verdict, verbose: bool) {
    let listed = |message: &str| known.keys().any(|name| message.starts_with(name.as_str()));
    for message in &run.log.messages {
        if verbose || !listed(message) {
            println!("  {}: {message}", run.unit);
        }
    }
    if !verdict.unlisted.is_empty() {
        println!(
            "[{}] failing and not listed (log: {}):\nbecause: ...\n{}",
            run.unit,
            run.log_path.display(),
            lists::format_names(&verdict.unlisted)
        );
    }
    if verdict.unnamed > 0 {
        println!(
            "[{}] {} more tests than listed did not pass",
            run.unit, verdict.unnamed
        );
    }
    for name in &verdict.stale {
        println!("[{}] passes now, take it off the list: {name}", run.unit);
    }
}

/// Returns the sum of passed tests.
fn print_table(table: &[(&UnitRun, usize)], genuine: &Genuine) -> usize {
    println!(
        "{:<28} {:>7} {:>7} {:>9}",
        "unit", "passed", "failed", "genuine"
    );
    let (mut passed, mut of) = (0, 0);
    for (run, count) in table {
        let passes = run.log.passes();
        println!(
            "{:<28} {passes:>7} {:>7} {count:>9}",
            run.unit,
            count.saturating_sub(passes)
        );
        passed += passes.min(*count);
        of += count;
    }
    println!(
        "Redis's own tests: {passed} passed, {} failed (the genuine server passes {of} of these; {} in the whole suite)",
        of - passed,
        genuine.passes.values().sum::<usize>()
    );
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of(log: &str) -> UnitRun {
        UnitRun {
            unit: "unit/x".to_owned(),
            log: log::UnitLog::parse(log),
            took: Duration::ZERO,
            over_limit: false,
            log_path: PathBuf::new(),
        }
    }

    fn listed(name: &str, count: usize) -> KnownOfUnit {
        let reason = "x".to_owned();
        KnownOfUnit::from([(
            name.to_owned(),
            lists::Known {
                count,
                reason,
                skip: false,
            },
        )])
    }

    #[test]
    fn a_listed_failure_is_excused() {
        let run = run_of("[ok]: a (1 ms)\n[err]: b in tests/unit/x.tcl\n");
        let verdict = judge(&run, 2, &listed("b", 1), None);
        assert!(verdict.unlisted.is_empty() && verdict.stale.is_empty());
        assert_eq!(verdict.unnamed, 0);
    }

    #[test]
    fn an_unlisted_failure_is_named() {
        let run = run_of("[ok]: a (1 ms)\n[err]: b in tests/unit/x.tcl\n");
        let verdict = judge(&run, 2, &KnownOfUnit::new(), None);
        assert_eq!(verdict.unlisted["b"], 1);
        assert_eq!(verdict.unnamed, 0);
    }

    #[test]
    fn a_test_that_was_never_run_is_missed_by_count_and_then_named() {
        let run = run_of("[ok]: a (1 ms)\n[exception]: ERR unknown command\n");
        let verdict = judge(&run, 3, &listed("b", 1), None);
        assert_eq!(verdict.unnamed, 1);
        let names = Counts::from([
            ("a".to_owned(), 1),
            ("b".to_owned(), 1),
            ("c".to_owned(), 1),
        ]);
        let verdict = judge(&run, 3, &listed("b", 1), Some(&names));
        assert_eq!(verdict.unlisted["c"], 1);
        assert_eq!(verdict.unnamed, 0);
    }

    #[test]
    fn a_listed_test_that_passes_is_stale_and_excuses_nothing() {
        let run = run_of("[ok]: a (1 ms)\n[ok]: b (1 ms)\n");
        let verdict = judge(&run, 3, &listed("b", 1), None);
        assert_eq!(verdict.stale, ["b"]);
        assert_eq!(verdict.unnamed, 1);
    }
}
