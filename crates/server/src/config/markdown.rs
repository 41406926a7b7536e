//! docs/configuration.md, written from the table.
//!
//! Invariant: the page in the repository is this text (tested, and rewritten by the same test on request).

use std::fmt::Write;

use super::key::{Change, Key, Kind, Status};
use super::table::SECTIONS;

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in SECTIONS {
        let _ = write!(page, "\n## {}\n", section.title);
        page.push_str("\n| key | type | default | at run time | effect | |\n|-|-|-|-|-|-|\n");
        for key in section.keys {
            push_row(&mut page, key);
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from the table in crates/server/src/config/table by the test config_markdown; do not edit. -->

`dunlin [server] [redis.conf] [-] [--key value ...]`: defaults, then the file, then standard input (`-`), then the options;
later lines win. The file has one directive to a line: `#` begins a comment line; words are separated by blanks or tabs; a word in
`\"...\"` may hold blanks and the escapes `\\n \\r \\t \\a \\b \\\\ \\\" \\xHH`; in `'...'` only `\\'` is special. Names may be written in any case.
Memory may have a unit: `1k` is 1000 bytes, `1kb` 1024, `1m`, `1mb`, `1g`, `1gb` likewise.

A directive that Redis does not have is an error. In the tables, *effect* is

- **yes**: the value does what is said;
- **not yet**: the value is checked, kept, shown by CONFIG GET, and named in a warning at the start;
- **none needed**: the same, and the design leaves nothing for it to do.

*At run time* says whether CONFIG SET may change it (protected: if `enable-protected-configs` allows).
";

fn push_row(page: &mut String, key: &Key) {
    let names = match key.alias {
        Some(alias) => format!("`{}`, `{alias}`", key.name),
        None => format!("`{}`", key.name),
    };
    let default = match (key.holds_value(), key.default) {
        (false, _) => String::new(),
        (true, "") => "empty".to_owned(),
        (true, default) => format!("`{default}`"),
    };
    let change = match (key.holds_value(), key.change) {
        (false, _) | (_, Change::AtStart) => "no",
        (_, Change::AnyTime) => "yes",
        (_, Change::Protected) => "protected",
    };
    let status = match key.status {
        Status::Acted => "**yes**",
        Status::Accepted => "not yet",
        Status::Moot => "none needed",
    };
    let _ = writeln!(
        page,
        "| {names} | {} | {default} | {change} | {status} | {} |",
        type_text(&key.kind),
        key.doc
    );
}

/// The type of a key, in words.
pub(crate) fn type_text(kind: &Kind) -> String {
    match kind {
        Kind::YesNo => "yes, no".to_owned(),
        Kind::Integer { min, max } => {
            format!("integer{}", range(i128::from(*min), i128::from(*max)))
        }
        Kind::Octal { max } => format!("octal, to {max:o}"),
        Kind::Memory { min, max } => format!("memory{}", range(i128::from(*min), i128::from(*max))),
        Kind::MemoryOrPercent { percent_max } => format!("memory, or percent to {percent_max}%"),
        Kind::Choice(words) => words.join(", "),
        Kind::Flags(words) => format!("some of {}", words.join(", ")),
        Kind::Text(_) => "text".to_owned(),
        Kind::Directory => "directory".to_owned(),
        Kind::Workers => "integer, or auto".to_owned(),
        Kind::Bind => "addresses".to_owned(),
        Kind::Save => "pairs".to_owned(),
        Kind::OutputLimits => "groups of four".to_owned(),
        Kind::OomScores => "three integers".to_owned(),
        Kind::Events => "letters".to_owned(),
        Kind::Percentiles => "numbers".to_owned(),
        Kind::ReplicaOf => "host and port".to_owned(),
        Kind::Line(_) => "line".to_owned(),
    }
}

/// A bound that is only the end of the machine's integers says nothing.
fn range(min: i128, max: i128) -> String {
    let far = |bound: i128| {
        [
            i128::from(i32::MAX),
            i128::from(i32::MIN),
            i128::from(i64::MAX),
            i128::from(u64::MAX),
        ]
        .contains(&bound)
    };
    match (far(min), far(max)) {
        (true, true) => String::new(),
        (false, true) => format!(", from {min}"),
        (true, false) => format!(", to {max}"),
        (false, false) => format!(", {min} to {max}"),
    }
}
