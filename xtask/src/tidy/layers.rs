//! Who may import whom: the table of the architecture as data, checked against `cargo metadata`.
//!
//! Invariant: an import that the table lacks fails, a crate that the table lacks fails too. Tests may use what the crate may, and the
//! simulator.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

/// A crate and the crates of ours that it may import. Each knows only what lies below it.
const LAYERS: [(&str, &[&str]); 14] = [
    ("dunlin-structures", &[]),
    ("dunlin-resp", &[]),
    ("dunlin-frame", &[]),
    ("dunlin-reactor", &["dunlin-structures"]),
    ("dunlin-tls", &["dunlin-reactor"]),
    ("dunlin-store", &["dunlin-structures"]),
    ("dunlin-persist", &["dunlin-store", "dunlin-structures"]),
    (
        "dunlin-engine",
        &[
            "dunlin-structures",
            "dunlin-store",
            "dunlin-persist",
            "dunlin-resp",
        ],
    ),
    (
        "dunlin-client",
        &["dunlin-resp", "dunlin-reactor", "dunlin-tls"],
    ),
    (
        "dunlin-gateway",
        &["dunlin-resp", "dunlin-frame", "dunlin-reactor"],
    ),
    (
        "dunlin-server",
        &[
            "dunlin-structures",
            "dunlin-resp",
            "dunlin-frame",
            "dunlin-reactor",
            "dunlin-store",
            "dunlin-persist",
            "dunlin-engine",
            "dunlin-gateway",
            "dunlin-tls",
        ],
    ),
    (
        "dunlin",
        &[
            "dunlin-server",
            "dunlin-client",
            "dunlin-gateway",
            "dunlin-frame",
            "dunlin-resp",
            "dunlin-reactor",
            "dunlin-tls",
        ],
    ),
    ("dunlin-simulator", &["dunlin-reactor", "dunlin-server"]),
    ("xtask", &[]),
];

/// Imported by tests only, wherever they are.
const FOR_TESTS: &str = "dunlin-simulator";

/// Returns a line for each import that the table lacks.
pub(super) fn check(metadata: &Value) -> Result<Vec<String>> {
    check_against(metadata, &LAYERS)
}

fn check_against(metadata: &Value, layers: &[(&str, &[&str])]) -> Result<Vec<String>> {
    let layers: BTreeMap<_, _> = layers.iter().copied().collect();
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    let ours: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"]
            .as_str()
            .context("a package without a name")?;
        let Some(allowed) = layers.get(name) else {
            findings.push(format!(
                "{name}: not in the table of layers (xtask/src/tidy/layers.rs)"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let import = dependency["name"].as_str().unwrap_or_default();
            let is_ours = ours.contains(&import) || layers.contains_key(import);
            let in_tests = dependency["kind"] == "dev" && (import == FOR_TESTS || import == name);
            if is_ours && !allowed.contains(&import) && !in_tests {
                findings.push(format!(
                    "{name} imports {import}, which the table of layers does not allow (xtask/src/tidy/layers.rs)"
                ));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TABLE: [(&str, &[&str]); 3] = [("low", &[]), ("high", &["low"]), (FOR_TESTS, &["high"])];

    fn findings(packages: Value) -> Vec<String> {
        check_against(&json!({ "packages": packages }), &TABLE).expect("it is well-formed")
    }

    #[test]
    fn an_upward_import_is_found() {
        let found = findings(json!([
            {"name": "low", "dependencies": [{"name": "high", "kind": null}]},
            {"name": "high", "dependencies": [{"name": "low", "kind": null}, {"name": "serde", "kind": null}]},
        ]));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("low imports high"));
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        assert_eq!(
            findings(json!([{"name": "new", "dependencies": []}])).len(),
            1
        );
    }

    #[test]
    fn tests_may_import_the_simulator() {
        let import = |kind: Value| {
            findings(json!([{"name": "low", "dependencies": [{"name": FOR_TESTS, "kind": kind}]}]))
        };
        assert!(import(json!("dev")).is_empty());
        assert_eq!(import(Value::Null).len(), 1);
    }
}
