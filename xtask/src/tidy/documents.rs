//! Names in documents must exist: paths, crates and types that a page puts between backquotes.
//!
//! Checked in ARCHITECTURE.md alone, since it is the map. A path may be written from the root or as the end of one
//! (`engine/src/commands/`). A word counts as a type when it is in camel case; it must then be defined somewhere in the sources.

use std::collections::HashSet;
use std::path::Path;

/// The documents whose names are checked.
pub(super) const CHECKED: [&str; 1] = ["ARCHITECTURE.md"];

/// What exists: paths of files and folders, and names of definitions.
#[derive(Debug, Default)]
pub(super) struct Known {
    paths: HashSet<String>,
    definitions: HashSet<String>,
}

impl Known {
    /// Adds a file: its path, its folders, and the names that a Rust source defines.
    pub(super) fn add(&mut self, path: &Path, text: &str) {
        for part in path.ancestors().filter(|part| *part != Path::new("")) {
            self.paths.insert(part.to_string_lossy().into_owned());
        }
        if path.extension().is_some_and(|ext| ext == "rs") {
            self.definitions
                .extend(text.lines().filter_map(defined).map(str::to_owned));
        }
    }

    fn has_path(&self, wanted: &str) -> bool {
        let wanted = wanted.trim_end_matches('/');
        let tail = format!("/{wanted}");
        self.paths.contains(wanted) || self.paths.iter().any(|path| path.ends_with(&tail))
    }
}

/// Returns a line for each name of the text that does not exist.
pub(super) fn check(name: &str, text: &str, known: &Known) -> Vec<String> {
    let mut findings = Vec::new();
    let mut in_block = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            for span in line.split('`').skip(1).step_by(2) {
                if let Some(missing) = missing(span, known) {
                    findings.push(format!(
                        "{name}: line {}: {missing} does not exist",
                        number + 1
                    ));
                }
            }
        }
    }
    findings
}

fn missing<'a>(span: &'a str, known: &Known) -> Option<&'a str> {
    if is_path(span) {
        return (!known.has_path(span)).then_some(span);
    }
    let words = span.split(|c: char| !c.is_alphanumeric() && c != '_');
    if span.contains(' ') {
        return None;
    }
    words
        .filter(|word| is_camel_case(word))
        .find(|word| !known.definitions.contains(*word))
}

fn is_path(span: &str) -> bool {
    const EXTENSIONS: [&str; 5] = [".rs", ".toml", ".md", ".txt", ".conf"];
    let plain = span
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
    let rooted = ["crates/", "xtask/", "docs/", "tests/", "bench/", "fuzz/"];
    plain
        && (rooted.iter().any(|root| span.starts_with(root))
            || span.contains("/src/")
            || EXTENSIONS
                .iter()
                .any(|ext| span.ends_with(ext) && span.len() > ext.len())
                && span != "redis.conf")
}

/// `TimerWheel`, not `GET`, `Vec` or `OK`: two capitals at least, and a small letter after the first.
fn is_camel_case(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_uppercase)
        && chars.next().is_some_and(char::is_lowercase)
        && chars.any(char::is_uppercase)
        && !word.contains('_')
}

/// The name that a line of Rust defines, if it is a type, a trait, a variant-like item or a constant.
fn defined(line: &str) -> Option<&str> {
    const KEYWORDS: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "union "];
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.trim_start_matches(|c| c != ' ').trim_start(),
        None => line,
    };
    let line = line.strip_prefix("unsafe ").unwrap_or(line);
    let rest = KEYWORDS
        .iter()
        .find_map(|keyword| line.strip_prefix(keyword))?;
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let mut known = Known::default();
        known.add(
            Path::new("crates/store/src/wheel.rs"),
            "pub(crate) struct TimerWheel<P> {\nenum Due\npub unsafe trait BackEnd {}\n",
        );
        known
    }

    #[test]
    fn names_that_exist_pass() {
        let text = "`crates/store/`, `store/src/wheel.rs`, `wheel.rs`, `TimerWheel<P>`, `BackEnd::poll`, `SET k v`, `GET`, `redis.conf`";
        assert_eq!(check("A", text, &known()), Vec::<String>::new());
    }

    #[test]
    fn a_crate_file_or_type_that_is_gone_is_found() {
        let text =
            "`crates/gone/`\n`store/src/gone.rs`\n`TimerWheels`\n```\n`crates/in-a-block/`\n```\n";
        assert_eq!(check("A", text, &known()).len(), 3);
    }
}
