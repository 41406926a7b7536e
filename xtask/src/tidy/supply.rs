//! What cargo-deny would check, for machines without it: licences, bans and sources, by the rules of deny.toml over `cargo metadata`.
//!
//! Reads the same deny.toml, so that the rules stand once. It knows the parts of deny.toml that we use: `licenses.allow`,
//! `licenses.exceptions`, `bans.deny`, `bans.wildcards`, `sources.allow-registry`. Advisories need a database and are not looked at.

use anyhow::{Context, Result};
use serde_json::Value;

/// The rules of deny.toml.
#[derive(Debug, Default)]
pub(super) struct Rules {
    allowed: Vec<String>,
    exceptions: Vec<(String, Vec<String>)>,
    denied: Vec<String>,
    registries: Vec<String>,
}

impl Rules {
    /// Reads deny.toml.
    pub(super) fn parse(text: &str) -> Result<Rules> {
        let table: toml::Table = text.parse().context("deny.toml")?;
        let section = |name: &str, key: &str| -> Vec<toml::Value> {
            table
                .get(name)
                .and_then(|section| section.get(key))
                .and_then(toml::Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let exceptions = section("licenses", "exceptions")
            .iter()
            .map(|exception| {
                (
                    text_of(exception, &["crate", "name"]),
                    strings(exception.get("allow")),
                )
            })
            .collect();
        Ok(Rules {
            allowed: strings_of(&section("licenses", "allow")),
            exceptions,
            denied: section("bans", "deny")
                .iter()
                .map(|ban| text_of(ban, &["crate", "name"]))
                .collect(),
            registries: strings_of(&section("sources", "allow-registry")),
        })
    }

    /// Returns a line for each crate that breaks a rule. `metadata` covers all dependencies.
    pub(super) fn check(&self, metadata: &Value) -> Result<Vec<String>> {
        let packages = metadata["packages"]
            .as_array()
            .context("cargo metadata names no packages")?;
        let mut findings = Vec::new();
        for package in packages {
            let name = package["name"].as_str().unwrap_or_default();
            let mut allowed = self.allowed.clone();
            for (_, more) in self
                .exceptions
                .iter()
                .filter(|(crate_name, _)| crate_name == name)
            {
                allowed.extend(more.iter().cloned());
            }
            let licence = package["license"].as_str().unwrap_or_default();
            if !satisfied(licence, &allowed) {
                findings.push(format!(
                    "{name}: licence {licence:?} is not allowed by deny.toml"
                ));
            }
            if self.denied.iter().any(|denied| denied == name) {
                findings.push(format!("{name}: banned by deny.toml"));
            }
            // A path dependency of ours has no source.
            if let Some(source) = package["source"].as_str()
                && !self
                    .registries
                    .iter()
                    .any(|registry| source.ends_with(registry.as_str()))
            {
                findings.push(format!(
                    "{name}: comes from {source}, which deny.toml does not allow"
                ));
            }
            findings.extend(wildcards(package));
        }
        Ok(findings)
    }
}

/// Requirements of ours that take any version.
fn wildcards(package: &Value) -> Vec<String> {
    let ours = package["source"].is_null();
    package["dependencies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|dependency| ours && dependency["req"] == "*" && dependency["path"].is_null())
        .map(|dependency| {
            format!(
                "{} takes any version of {}",
                package["name"], dependency["name"]
            )
        })
        .collect()
}

fn text_of(value: &toml::Value, keys: &[&str]) -> String {
    let text = value
        .as_str()
        .or_else(|| keys.iter().find_map(|key| value.get(key)?.as_str()));
    text.unwrap_or_default().to_owned()
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    value
        .and_then(toml::Value::as_array)
        .map(|list| strings_of(list))
        .unwrap_or_default()
}

fn strings_of(list: &[toml::Value]) -> Vec<String> {
    list.iter()
        .filter_map(toml::Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether a licence expression can be met with the allowed licences: AND, OR, WITH, parentheses, and the old `/` for OR.
/// <https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Expression {
        tokens: &tokens,
        at: 0,
        allowed,
    };
    parser.any() && parser.at == tokens.len()
}

struct Expression<'a> {
    tokens: &'a [&'a str],
    at: usize,
    allowed: &'a [String],
}

impl Expression<'_> {
    fn accept(&mut self, token: &str) -> bool {
        let found = self.tokens.get(self.at) == Some(&token);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> bool {
        let mut met = self.all();
        while self.accept("OR") {
            met |= self.all();
        }
        met
    }

    fn all(&mut self) -> bool {
        let mut met = self.one();
        while self.accept("AND") {
            met &= self.one();
        }
        met
    }

    fn one(&mut self) -> bool {
        if self.accept("(") {
            return self.any() & self.accept(")");
        }
        let Some(licence) = self.tokens.get(self.at) else {
            return false;
        };
        self.at += 1;
        let mut name = (*licence).to_owned();
        if self.accept("WITH") {
            let exception = self.tokens.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            name = format!("{name} WITH {exception}");
        }
        self.allowed.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "odd", allow = ["Zlib"] }]
        [bans]
        deny = [{ crate = "openssl" }]
        [sources]
        allow-registry = ["https://registry.test/index"]
    "#;

    fn findings(package: Value) -> usize {
        let rules = Rules::parse(DENY).expect("it parses");
        rules
            .check(&json!({ "packages": [package] }))
            .expect("it is well-formed")
            .len()
    }

    #[test]
    fn expressions() {
        let allowed = [
            "MIT".to_owned(),
            "Apache-2.0".to_owned(),
            "A WITH e".to_owned(),
        ];
        for good in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-3.0 OR MIT",
            "(MIT OR X) AND Apache-2.0",
            "A WITH e OR X",
        ] {
            assert!(satisfied(good, &allowed), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "A",
            "(MIT",
            "MIT MIT",
            "MIT)",
            "A WITH f",
        ] {
            assert!(!satisfied(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn a_licence_a_ban_a_source_and_a_wildcard_are_found() {
        let registry = "registry+https://registry.test/index";
        let crate_of = |name: &str, license: &str, source: &str| json!({"name": name, "license": license, "source": source});
        assert_eq!(findings(crate_of("good", "MIT", registry)), 0);
        assert_eq!(findings(crate_of("odd", "Zlib", registry)), 0);
        assert_eq!(findings(crate_of("other", "Zlib", registry)), 1);
        assert_eq!(findings(crate_of("openssl", "MIT", registry)), 1);
        assert_eq!(
            findings(crate_of("far", "MIT", "git+https://somewhere.test/x")),
            1
        );
        let ours = json!({"name": "ours", "license": "MIT", "source": null,
            "dependencies": [{"name": "x", "req": "*"}, {"name": "y", "req": "*", "path": "y"}]});
        assert_eq!(findings(ours), 1);
    }
}
