//! Reads the output of Redis's test harness into counts per test name.
//!
//! A name may occur several times in a unit (tests in loops), so everything is counted, never a set.

use std::collections::BTreeMap;

/// The pseudo-name of an error that happened outside a test body: the harness gives it no name.
pub(crate) const OUTSIDE: &str = "(outside any test)";

/// How often each test name occurred.
pub(crate) type Counts = BTreeMap<String, usize>;

/// What one run of one unit printed.
#[derive(Debug, Default)]
pub(crate) struct UnitLog {
    pub(crate) passed: Counts,
    pub(crate) failed: Counts,
    /// Left out by --skiptest.
    pub(crate) skipped: usize,
    /// Left out by a tag.
    pub(crate) ignored: usize,
    /// The harness reached its end (`done`): tests that are not named were never run for another reason than an abort.
    pub(crate) complete: bool,
    /// The first lines of each failure, for the reader.
    pub(crate) messages: Vec<String>,
}

/// Lines of a failure that are kept, beside the first; a line may be long.
const MESSAGE_LINES: usize = 1;
const MESSAGE_LINE_CHARS: usize = 200;

impl UnitLog {
    /// Parses the harness's standard output.
    pub(crate) fn parse(text: &str) -> UnitLog {
        let mut log = UnitLog::default();
        let mut message_lines = 0;
        for line in text.lines() {
            let Some((status, data)) = status_line(line) else {
                if message_lines > 0 && !line.is_empty() {
                    message_lines -= 1;
                    if let Some(message) = log.messages.last_mut() {
                        message.push_str("\n      ");
                        message.extend(line.chars().take(MESSAGE_LINE_CHARS));
                    }
                }
                continue;
            };
            message_lines = 0;
            match status {
                "ok" => count(&mut log.passed, &stable_name(without_time(data))),
                "err" | "exception" => {
                    let name = test_name(data);
                    count(&mut log.failed, &stable_name(name.unwrap_or(OUTSIDE)));
                    log.messages.push(data.to_owned());
                    message_lines = MESSAGE_LINES;
                }
                "skip" => log.skipped += 1,
                "ignore" => log.ignored += 1,
                status if status.ends_with(" done") => log.complete = true,
                _ => {}
            }
        }
        log
    }

    /// How many tests passed.
    pub(crate) fn passes(&self) -> usize {
        self.passed.values().sum()
    }
}

fn count(counts: &mut Counts, name: &str) {
    *counts.entry(name.to_owned()).or_default() += 1;
}

/// Splits `[status]: data`.
fn status_line(line: &str) -> Option<(&str, &str)> {
    let (status, data) = line.strip_prefix('[')?.split_once("]: ")?;
    let known = matches!(
        status,
        "ok" | "err" | "exception" | "skip" | "ignore" | "ready" | "TIMEOUT"
    );
    (known || status.ends_with(" done")).then_some((status, data))
}

/// `name (12 ms)` without the time.
fn without_time(data: &str) -> &str {
    match data.rsplit_once(" (") {
        Some((name, time)) if time.ends_with(" ms)") => name,
        _ => data,
    }
}

/// The name in `name in tests/unit/x.tcl`; None for an error that belongs to no test.
fn test_name(data: &str) -> Option<&str> {
    let (name, file) = data.rsplit_once(" in ")?;
    (file.starts_with("tests/") && file.ends_with(".tcl")).then_some(name)
}

/// A name without what differs from run to run: long numbers (ports, process ids, seeds, times).
fn stable_name(name: &str) -> String {
    const VOLATILE_DIGITS: usize = 5;
    let mut stable = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits >= VOLATILE_DIGITS {
            stable.push('#');
        } else {
            stable.push_str(&rest[..digits]);
        }
        rest = &rest[digits..];
        let others = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        stable.push_str(&rest[..others]);
        rest = &rest[others..];
    }
    stable.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "[ready]: 4711\nTesting unit/type/string\n[ok]: SET and GET (2 ms)\n[ok]: loop (1 ms)\n[ok]: loop (0 ms)\n\
        [err]: GETEX in x in tests/unit/type/string.tcl\nERR unknown command\n    while executing\n[skip]: LCS\n\
        [ignore]: big: large memory flag not provided\n[err]: \nERR unknown\n[1/1 done]: unit/type/string (5 seconds)\n";

    #[test]
    fn a_log_is_counted_by_name() {
        let log = UnitLog::parse(LOG);
        assert_eq!(log.passes(), 3);
        assert_eq!(log.passed["loop"], 2);
        assert_eq!(log.failed["GETEX in x"], 1);
        assert_eq!(log.failed[OUTSIDE], 1);
        assert_eq!((log.skipped, log.ignored, log.complete), (1, 1, true));
        assert!(log.messages[0].contains("unknown command"));
    }

    #[test]
    fn an_aborted_log_is_not_complete() {
        let log = UnitLog::parse(
            "[ok]: a (1 ms)\n[exception]: Executing test client: ERR unknown command.\n",
        );
        assert_eq!(log.passes(), 1);
        assert_eq!(log.failed[OUTSIDE], 1);
        assert!(!log.complete);
    }

    #[test]
    fn names_lose_what_changes_from_run_to_run() {
        assert_eq!(
            stable_name("pid 48213: 16 keys, issue #4906 é"),
            "pid #: 16 keys, issue #4906 é"
        );
    }
}
