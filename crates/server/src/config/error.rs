//! What can go wrong while a configuration is read or set. Every text is one line and names the place and the way out.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::logging::startup::VERSION;

/// Where a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, as it was named.
    File(PathBuf),
    /// Standard input (`-` on the command line).
    Stdin,
    /// The options of the command line, each read as a line.
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(out, "{}", path.display()),
            Source::Stdin => out.write_str("standard input"),
            Source::CommandLine => out.write_str("the command line"),
        }
    }
}

/// A configuration that the server does not start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be opened or read.
    #[error("can't open config file '{}'", path.display())]
    Read {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that means nothing, or whose value is out of range.
    #[error(
        "FATAL CONFIG FILE ERROR (Dunlin {VERSION}) in {source_name}, line {number}: '{text}': {reason}"
    )]
    Line {
        /// The file, standard input or the command line.
        source_name: Source,
        /// Counted from 1.
        number: usize,
        /// The line without its indentation; cut if long, and without a password.
        text: String,
        /// Redis's text where it has one, and the nearest name for an unknown directive.
        reason: String,
    },
    /// Lines that are valid alone and not together.
    #[error("FATAL CONFIG FILE ERROR (Dunlin {VERSION}): {reason}")]
    Conflict {
        /// Redis's text.
        reason: &'static str,
    },
}

/// Why CONFIG SET changed nothing. Displayed as the error reply, code included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No key of this name.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    UnknownOption(String),
    /// A key that may not change now, or a value out of its range.
    #[error("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Refused {
        /// The key, as Redis names it in this case.
        name: String,
        /// Redis's text.
        reason: String,
    },
}
