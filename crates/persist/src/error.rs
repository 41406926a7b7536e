//! What can be wrong with bytes that claim to be a dump or a log.

/// Why bytes can't be read, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source failed.
    #[error("reading failed at offset {offset}: {source}")]
    Io {
        /// Bytes read before.
        offset: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes end in the middle of something.
    #[error("the data ends at offset {offset}, in the middle of {what}")]
    Truncated {
        /// Where the data ends.
        offset: u64,
        /// What is incomplete.
        what: &'static str,
    },
    /// The bytes are not what they should be.
    #[error("{what} at offset {offset}")]
    Corrupt {
        /// Where it stands.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The bytes are fine, but hold what this server does not know (a version, a module's value).
    #[error("{what} at offset {offset}")]
    Unsupported {
        /// Where it stands.
        offset: u64,
        /// What it is.
        what: String,
    },
}

impl Error {
    /// Where it stands.
    pub fn offset(&self) -> u64 {
        match self {
            Error::Io { offset, .. }
            | Error::Truncated { offset, .. }
            | Error::Corrupt { offset, .. }
            | Error::Unsupported { offset, .. } => *offset,
        }
    }
}
