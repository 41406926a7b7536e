//! `rename-command` lines, checked against the commands that there are, in the order of the file.
//!
//! Invariant: what passes here, the command table takes. A command that this server does not have yet may be renamed: it
//! stays unknown, which is what hiding it wants.

use std::collections::HashSet;

use dunlin_engine::table::NAME_BYTES_MAX;

/// The names that the table would have after the lines so far.
#[derive(Debug)]
pub(super) struct Names(HashSet<Vec<u8>>);

impl Default for Names {
    fn default() -> Self {
        let engine = dunlin_engine::commands::FAMILIES.iter();
        let all = engine.chain(crate::commands::FAMILIES);
        let names = all.flat_map(|family| family.iter());
        Names(
            names
                .map(|command| command.name.as_bytes().to_vec())
                .collect(),
        )
    }
}

impl Names {
    /// Takes note of a line; false if there is no such command. Errors are Redis's where it has one.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<bool, String> {
        let known = self.0.remove(&from.to_ascii_lowercase());
        if to.is_empty() {
            return Ok(known);
        }
        if to.len() > NAME_BYTES_MAX {
            return Err(format!(
                "Target command name longer than {NAME_BYTES_MAX} bytes"
            ));
        }
        let to = to.to_ascii_lowercase();
        if self.0.contains(&to) {
            return Err("Target command name already exists".to_owned());
        }
        if known {
            self.0.insert(to);
        }
        Ok(known)
    }
}
