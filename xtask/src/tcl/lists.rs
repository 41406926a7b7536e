//! The lists under tests/tcl: which units CI runs, what the genuine server passes in each, and which tests Dunlin is known to fail.
//!
//! The rule that they serve: in a unit of the list, every test that the genuine server passes must pass here too, or stand in
//! known-failures.txt under the work that clears it. A test's name is all that is kept of it.
//!
//! A unit in units.txt may be marked `one-worker`: its tests ask on one connection for what the server has yet to read from another,
//! which only a server with one thread for all connections answers the same each time. Dunlin is started with `workers 1` for it. The mark
//! `plain-log` is for tests that read the log's file and know no comments in it: `aof-checksums no`.
//!
//! known-failures.txt reads:
//! ```text
//! [unit/type/string]
//! because: the bit commands come with the next issue
//! SETBIT against non-existing key
//! 3x SETBIT fuzzing
//! skip: it would wait for a command that is not built
//! some test that must not even be tried
//! ```

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

use super::log::Counts;
use crate::workspace;

/// One test that is known to fail, or to be left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// How many occurrences of the name.
    pub(crate) count: usize,
    /// The work that clears it.
    pub(crate) reason: String,
    /// Not even run, since it would stop the tests behind it.
    pub(crate) skip: bool,
}

/// Known failures of one unit, by test name.
pub(crate) type KnownOfUnit = BTreeMap<String, Known>;

/// What the genuine server did, unit by unit.
#[derive(Debug, Default)]
pub(crate) struct Genuine {
    /// Version of the source package that was run.
    pub(crate) version: String,
    pub(crate) passes: BTreeMap<String, usize>,
}

fn read(name: &str) -> Result<String> {
    let path = workspace::root().join("tests/tcl").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("# ") && *line != "#")
}

/// Marks of units, and the key and value that their servers get.
const MARKS: [(&str, Setting); 2] = [
    ("one-worker", ("workers", "1")),
    ("plain-log", ("aof-checksums", "no")),
];

/// A key of the configuration and its value.
pub(crate) type Setting = (&'static str, &'static str);

/// The units that CI runs, and what the marks of each set.
fn marked_units() -> Result<Vec<(String, Vec<Setting>)>> {
    parse_units(&read("units.txt")?)
}

fn parse_units(text: &str) -> Result<Vec<(String, Vec<Setting>)>> {
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let unit = words.next().expect("no line is empty").to_owned();
        let settings = words.map(|mark| {
            let known = MARKS.iter().find(|(name, _)| *name == mark);
            known
                .map(|(_, setting)| *setting)
                .with_context(|| format!("units.txt: {unit} has the mark {mark:?}, which is none"))
        });
        let settings = settings.collect::<Result<_>>()?;
        Ok((unit, settings))
    };
    lines(text).map(parse).collect()
}

/// The units that CI runs.
pub(crate) fn units() -> Result<Vec<String>> {
    Ok(marked_units()?.into_iter().map(|(unit, _)| unit).collect())
}

/// What is set for the servers of those of them that are marked.
pub(crate) fn settings() -> Result<BTreeMap<String, Vec<Setting>>> {
    Ok(marked_units()?.into_iter().collect())
}

/// The known failures of all units.
pub(crate) fn known() -> Result<BTreeMap<String, KnownOfUnit>> {
    parse_known(&read("known-failures.txt")?)
}

fn parse_known(text: &str) -> Result<BTreeMap<String, KnownOfUnit>> {
    let mut all = BTreeMap::<String, KnownOfUnit>::new();
    let mut unit = None;
    let mut reason = None;
    for line in lines(text) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            && (name.starts_with("unit/") || name.starts_with("integration/"))
        {
            unit = Some(all.entry(name.to_owned()).or_default());
            reason = None;
        } else if let Some(text) = line.strip_prefix("because: ") {
            reason = Some((text, false));
        } else if let Some(text) = line.strip_prefix("skip: ") {
            reason = Some((text, true));
        } else {
            let (Some(unit), Some((reason, skip))) = (unit.as_mut(), reason) else {
                bail!("known-failures.txt: {line:?} stands below no unit or no reason");
            };
            let (count, name) = counted(line);
            let known = Known {
                count,
                reason: reason.to_owned(),
                skip,
            };
            if unit.insert(name.to_owned(), known).is_some() {
                bail!("known-failures.txt: {name:?} is listed twice; give it a count (2x ...)");
            }
        }
    }
    Ok(all)
}

/// Splits `3x name` into its count and name; a name alone counts once.
fn counted(line: &str) -> (usize, &str) {
    match line.split_once("x ") {
        Some((count, name)) => match count.parse() {
            Ok(count) => (count, name),
            Err(_) => (1, line),
        },
        None => (1, line),
    }
}

/// Test names in the form of the list, with counts where there are several.
pub(crate) fn format_names(names: &Counts) -> String {
    names
        .iter()
        .map(|(name, count)| match count {
            1 => format!("{name}\n"),
            count => format!("{count}x {name}\n"),
        })
        .collect()
}

/// The genuine server's counts.
pub(crate) fn genuine() -> Result<Genuine> {
    parse_genuine(&read("genuine.txt")?)
}

fn parse_genuine(text: &str) -> Result<Genuine> {
    let mut genuine = Genuine::default();
    for line in lines(text) {
        let (key, value) = line
            .split_once(' ')
            .with_context(|| format!("genuine.txt: {line:?} is not `unit passes`"))?;
        if key == "version" {
            genuine.version = value.to_owned();
        } else {
            let passes = value
                .parse()
                .with_context(|| format!("genuine.txt: {line:?}: not a count"))?;
            genuine.passes.insert(key.to_owned(), passes);
        }
    }
    Ok(genuine)
}

/// Writes the genuine server's counts, keeping those of units that were not run now.
pub(crate) fn write_genuine(version: &str, passes: &BTreeMap<String, usize>) -> Result<()> {
    let mut all = genuine().map(|genuine| genuine.passes).unwrap_or_default();
    all.extend(passes.iter().map(|(unit, count)| (unit.clone(), *count)));
    let mut text = String::from(
        "# How many tests of each unit the genuine server passes, run by `cargo xtask tcl --genuine --bless`\n\
         # through the same path as ours. The first line names the source package that the suite came from.\n",
    );
    text.push_str(&format!("version {version}\n"));
    for (unit, count) in &all {
        text.push_str(&format!("{unit} {count}\n"));
    }
    workspace::write(&workspace::root().join("tests/tcl/genuine.txt"), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_failures_carry_unit_reason_and_count() {
        let text = "# about\n[unit/a]\nbecause: lists are missing\nTEST [x]\n2x again\nskip: hangs\nnever\n[unit/b]\nbecause: x\n[odd] name\n";
        let known = parse_known(text).expect("it parses");
        assert_eq!(known["unit/a"]["TEST [x]"].reason, "lists are missing");
        assert_eq!(known["unit/a"]["again"].count, 2);
        assert!(known["unit/a"]["never"].skip);
        assert_eq!(known["unit/b"]["[odd] name"].count, 1);
    }

    #[test]
    fn a_name_without_a_reason_is_refused() {
        assert!(parse_known("[unit/a]\nbecause: x\nt\n[unit/b]\nt\n").is_err());
        assert!(parse_known("[unit/a]\nbecause: x\nt\nt\n").is_err());
    }

    #[test]
    fn units_may_be_marked() {
        let text = "# about\nunit/a\nunit/b one-worker\nunit/c one-worker plain-log\n";
        let units = parse_units(text).expect("it parses");
        let settings: Vec<usize> = units.iter().map(|(_, settings)| settings.len()).collect();
        assert_eq!((units[1].0.as_str(), settings), ("unit/b", vec![0, 1, 2]));
        assert_eq!(units[2].1[1], ("aof-checksums", "no"));
        assert!(parse_units("unit/a fast\n").is_err());
    }

    #[test]
    fn the_lists_in_the_tree_parse() {
        let known = known().expect("known-failures.txt parses");
        let genuine = genuine().expect("genuine.txt parses");
        for unit in units().expect("units.txt parses") {
            let passes = genuine
                .passes
                .get(&unit)
                .expect("each unit has a genuine count");
            let listed: usize = known
                .get(&unit)
                .map_or(0, |tests| tests.values().map(|known| known.count).sum());
            assert!(
                listed <= passes + tests_outside(&known, &unit),
                "{unit} lists more failures than it has tests"
            );
        }
    }

    fn tests_outside(known: &BTreeMap<String, KnownOfUnit>, unit: &str) -> usize {
        let outside = known
            .get(unit)
            .and_then(|tests| tests.get(super::super::log::OUTSIDE));
        outside.map_or(0, |known| known.count)
    }
}
