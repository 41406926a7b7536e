//! Rules for single files: head, length, unfinished work, unsafe, and mentions of what is not in the repository.
//!
//! Each rule takes a path and a text and returns findings, so that a test can plant a bug in a text.

use std::path::Path;

/// Lines that a file may have before it has to say why it has more.
const LINES_MAX: usize = 800;
/// What the head of a longer file says, followed by the reason.
const LONG_MARK: &str = "Over 800 lines because";
/// A head is looked for in this many lines.
const HEAD_LINES: usize = 40;

/// The crates that may hold unsafe code, allowed block by block.
const UNSAFE_CRATES: [&str; 3] = ["crates/reactor/", "crates/structures/", "crates/store/"];

/// Words that may not stand in the tree, with the reason. Written in two halves, since this file is checked too.
const FORBIDDEN: [(&str, &str, &str); 4] = [
    (
        "../",
        "shared",
        "the repository stands alone: say it here or leave it out",
    ),
    ("todo", "!(", "unfinished work is not committed"),
    ("unimplemented", "!(", "unfinished work is not committed"),
    ("FIX", "ME", "open an issue, or finish it"),
];

/// All findings of one text file.
pub(super) fn check(path: &Path, text: &str) -> Vec<String> {
    let is_rust = path.extension().is_some_and(|ext| ext == "rs");
    let mut findings = forbidden(text);
    if is_rust {
        findings.extend(head(text));
        findings.extend(length(text));
        findings.extend(unsafe_code(path, text));
        findings.extend(ignored_tests(text));
    }
    let path = path.display();
    findings
        .into_iter()
        .map(|finding| format!("{path}: {finding}"))
        .collect()
}

fn head(text: &str) -> Option<String> {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!"))?;
    (!first.starts_with("//!"))
        .then(|| "no //! head: say what the file is for and its invariant".to_owned())
}

fn length(text: &str) -> Option<String> {
    let lines = text.lines().count();
    let explained = text
        .lines()
        .take(HEAD_LINES)
        .any(|line| line.starts_with("//!") && line.contains(LONG_MARK));
    (lines > LINES_MAX && !explained)
        .then(|| format!("{lines} lines; over {LINES_MAX} the head says \"{LONG_MARK} ...\""))
}

fn forbidden(text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (first, second, reason) in FORBIDDEN {
        let word = format!("{first}{second}");
        for (number, line) in text.lines().enumerate() {
            if line.contains(&word) {
                findings.push(format!("line {}: {word}: {reason}", number + 1));
            }
        }
    }
    findings
}

fn unsafe_code(path: &Path, text: &str) -> Option<String> {
    let allowed = UNSAFE_CRATES.iter().any(|folder| path.starts_with(folder));
    let allowance = format!("allow({})", "unsafe_code");
    (!allowed && text.contains(&allowance))
        .then(|| "unsafe code belongs to reactor, structures and store alone".to_owned())
}

fn ignored_tests(text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.trim() == format!("#[{}]", "ignore"))
        .map(|(number, _)| format!("line {}: an ignored test names its reason", number + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(Path::new(path), text).len()
    }

    #[test]
    fn a_good_file_passes() {
        assert_eq!(
            findings(
                "crates/x/src/a.rs",
                "#![cfg(loom)]\n//! What it is for.\nfn main() {}\n"
            ),
            0
        );
        assert_eq!(findings("notes.md", "no head needed\n"), 0);
    }

    #[test]
    fn a_missing_head_is_found() {
        assert_eq!(findings("a.rs", "// Not a doc comment.\nfn main() {}\n"), 1);
    }

    #[test]
    fn a_long_file_explains_itself() {
        let long = "\n".repeat(LINES_MAX + 1);
        assert_eq!(findings("a.rs", &format!("//! A head.\n{long}")), 1);
        assert_eq!(
            findings(
                "a.rs",
                &format!("//! A head.\n//! {LONG_MARK} of a table.\n{long}")
            ),
            0
        );
    }

    #[test]
    fn unfinished_work_is_found() {
        for (first, second, _) in FORBIDDEN {
            assert_eq!(
                findings("a.rs", &format!("//! Head.\n{first}{second}\n")),
                1,
                "{first}{second}"
            );
        }
    }

    #[test]
    fn unsafe_code_is_found_outside_its_crates() {
        let text = format!("//! Head.\n#[allow({})]\n", "unsafe_code");
        assert_eq!(findings("crates/engine/src/a.rs", &text), 1);
        assert_eq!(findings("crates/store/src/a.rs", &text), 0);
    }

    #[test]
    fn an_ignored_test_without_a_reason_is_found() {
        assert_eq!(
            findings("a.rs", &format!("//! Head.\n    #[{}]\n", "ignore")),
            1
        );
        assert_eq!(
            findings("a.rs", &format!("//! Head.\n#[{} = \"slow\"]\n", "ignore")),
            0
        );
    }
}
