//! docs/metrics.md, written from the table.
//!
//! Invariant: the page in the repository is this text (tested, and rewritten by the same test on request).

use std::fmt::Write;

use super::table::{FAMILIES, Kind};

const INTRODUCTION: &str = include_str!("introduction.md");

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n| metric | type | labels | |\n|-|-|-|-|\n");
    for family in FAMILIES {
        let suffix = match family.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            _ => "",
        };
        let _ = writeln!(
            page,
            "| `{}{suffix}` | {} | {} | {} |",
            family.full_name(),
            family.kind.name(),
            family.labels,
            family.help
        );
    }
    page
}
