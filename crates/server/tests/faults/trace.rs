//! What happened in a run, line by line: the same seed must give the same lines.
//!
//! Invariant: the digest covers every line, whether lines are kept or not.

use std::fmt::Write;

/// Lines, or only their digest.
#[derive(Debug)]
pub(crate) struct Trace {
    keep: bool,
    text: String,
    line: String,
    digest: u64,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Trace {
        Trace {
            keep,
            text: String::new(),
            line: String::new(),
            // FNV-1a's beginning.
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Writes a line down.
    pub(crate) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(self.line, "{line}");
        for byte in self.line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.keep {
            self.text.push_str(&self.line);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
