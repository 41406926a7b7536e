//! What a user sets once: `:set ...` at the prompt, or in ~/.dunlinclirc (REDISCLI_RCFILE), a line each.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use dunlin_resp::split_words;

/// The file with preferences, in the home directory.
const FILE: &str = ".dunlinclirc";
/// Names another.
const FILE_VARIABLE: &str = "REDISCLI_RCFILE";

/// The preferences.
#[derive(Clone, Debug)]
pub(super) struct Preferences {
    /// Show the syntax of the command that is being typed.
    pub(super) hints: bool,
    /// Show hashes and scores as tables.
    pub(super) table: bool,
}

impl Preferences {
    /// Those of the file if somebody types, else the defaults.
    pub(super) fn load(terminal: bool) -> Preferences {
        let mut preferences = Preferences {
            hints: true,
            table: true,
        };
        let path = dotfile(FILE_VARIABLE, FILE).filter(|_| terminal);
        let text = path.and_then(|path| std::fs::read_to_string(path).ok());
        for line in text.unwrap_or_default().lines() {
            if let Ok(words) = split_words(line.as_bytes())
                && !words.is_empty()
            {
                // Only standard output that is broken fails, which the first prompt will find out.
                let _ = preferences.set(&words, "~/.dunlinclirc: ");
            }
        }
        preferences
    }

    /// Follows `:set ...`; complaints begin with `place`.
    ///
    /// # Errors
    /// When a complaint can't be written.
    pub(super) fn set(&mut self, words: &[Vec<u8>], place: &str) -> Result<()> {
        let words: Vec<String> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word).to_lowercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [":set", "hints"] | [":set", "hints", "on"] => self.hints = true,
            [":set", "nohints"] | [":set", "hints", "off"] => self.hints = false,
            [":set", "table"] | [":set", "table", "on"] => self.table = true,
            [":set", "notable"] | [":set", "table", "off"] => self.table = false,
            _ => writeln!(
                io::stdout(),
                "{place}'{}' is not known: there are ':set hints', ':set nohints', ':set table on' and ':set table off'",
                words.join(" ")
            )?,
        }
        Ok(())
    }
}

/// A file in the home directory, or the one that a variable names; `None` for /dev/null.
pub(super) fn dotfile(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty());
    match named {
        Some(path) if path == "/dev/null" => None,
        Some(path) => Some(path.into()),
        None => {
            let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
            Some(PathBuf::from(home).join(name))
        }
    }
}
