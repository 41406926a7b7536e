//! JavaScript modules into one, as they are written in web/: named imports from relative paths, named exports, no cycles.
//!
//! The modules are put one behind the other, those that are imported first, without renaming anything: so no two of them may define
//! the same name at their top level, which is checked, as is that what is imported is exported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// The text of all modules that `entry` needs, itself last.
pub(super) fn bundle(entry: &Path) -> Result<String> {
    let mut bundle = Bundle::default();
    bundle.add(&plain(entry))?;
    Ok(bundle.text)
}

#[derive(Debug, Default)]
struct Bundle {
    text: String,
    /// What each module exports, once it is in the text.
    exports: BTreeMap<PathBuf, BTreeSet<String>>,
    /// Modules that wait for those that they import.
    open: Vec<PathBuf>,
    /// Which module defines a name.
    names: BTreeMap<String, PathBuf>,
}

impl Bundle {
    fn add(&mut self, path: &Path) -> Result<()> {
        if self.exports.contains_key(path) {
            return Ok(());
        }
        ensure!(
            !self.open.iter().any(|other| other == path),
            "{} imports itself, through {:?}",
            path.display(),
            self.open
        );
        self.open.push(path.to_owned());
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the module {}", path.display()))?;
        let mut body = String::new();
        let mut exports = BTreeSet::new();
        for line in text.lines() {
            if line.starts_with("import ") {
                self.import(path, line)?;
                continue;
            }
            let exported = line.strip_prefix("export ");
            let line = exported.unwrap_or(line);
            if let Some(name) = defined(line) {
                if exported.is_some() {
                    exports.insert(name.to_owned());
                }
                if let Some(other) = self.names.insert(name.to_owned(), path.to_owned()) {
                    bail!(
                        "{} and {} both define {name}",
                        other.display(),
                        path.display()
                    );
                }
            } else if exported.is_some() {
                bail!("{}: not an export that is known: {line}", path.display());
            }
            body.push_str(line);
            body.push('\n');
        }
        self.text.push_str(&body);
        self.open.pop();
        self.exports.insert(path.to_owned(), exports);
        Ok(())
    }

    /// Takes in what a line `import { a, b } from './c.js';` names.
    fn import(&mut self, path: &Path, line: &str) -> Result<()> {
        let known = || {
            let rest = line.strip_prefix("import { ")?;
            let (names, from) = rest.split_once(" } from '")?;
            Some((names, from.strip_suffix("';")?))
        };
        let Some((names, from)) = known() else {
            bail!("{}: not an import that is known: {line}", path.display());
        };
        let dir = path.parent().unwrap_or(Path::new(""));
        ensure!(
            from.starts_with('.'),
            "{}: {from} is not in this folder",
            path.display()
        );
        let target = plain(&dir.join(from));
        self.add(&target)?;
        for name in names.split(", ") {
            ensure!(
                self.exports[&target].contains(name),
                "{}: {from} does not export {name}",
                path.display()
            );
        }
        Ok(())
    }
}

/// The name that a line at the top level defines.
fn defined(line: &str) -> Option<&str> {
    const KEYWORDS: [&str; 6] = [
        "function ",
        "async function ",
        "class ",
        "const ",
        "let ",
        "var ",
    ];
    let rest = KEYWORDS
        .iter()
        .find_map(|keyword| line.strip_prefix(keyword))?;
    let end = rest
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '$')
        .unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// The path without `.` and `..`, so that a module has one name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::empty_scratch;

    fn bundled(name: &str, files: &[(&str, &str)]) -> Result<String> {
        let dir = empty_scratch(&format!("web-test/{name}"))?;
        for (file, text) in files {
            fs::create_dir_all(dir.join(file).parent().unwrap())?;
            fs::write(dir.join(file), text)?;
        }
        bundle(&dir.join("main.js"))
    }

    #[test]
    fn what_is_imported_comes_first_and_once() {
        let text = bundled(
            "order",
            &[
                (
                    "main.js",
                    "import { b } from './in/b.js';\nimport { a } from './a.js';\nb(a);\n",
                ),
                (
                    "in/b.js",
                    "import { a } from '../a.js';\nexport function b() {}\na;\n",
                ),
                ("a.js", "export const a = 1;\n"),
            ],
        );
        assert_eq!(text.unwrap(), "const a = 1;\nfunction b() {}\na;\nb(a);\n");
    }

    #[test]
    fn what_cannot_be_put_together_is_refused() {
        let refused = |name, files: &[(&str, &str)], wanted: &str| {
            let error = format!("{:#}", bundled(name, files).unwrap_err());
            assert!(error.contains(wanted), "{error}");
        };
        refused(
            "twice",
            &[
                ("main.js", "import { a } from './a.js';\nconst b = 1;\n"),
                ("a.js", "export const a = 1;\nlet b;\n"),
            ],
            "both define b",
        );
        refused(
            "missing",
            &[
                ("main.js", "import { c } from './a.js';\n"),
                ("a.js", "export const a = 1;\n"),
            ],
            "does not export c",
        );
        refused(
            "cycle",
            &[
                ("main.js", "import { a } from './a.js';\n"),
                (
                    "a.js",
                    "import { m } from './main.js';\nexport const a = 1;\n",
                ),
            ],
            "imports itself",
        );
        refused("outside", &[("main.js", "import x from 'x';\n")], "import");
    }
}
