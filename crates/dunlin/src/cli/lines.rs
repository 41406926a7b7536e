//! Lines from a standard input that is no terminal, read so that one can tell whether another line is here already.
//!
//! Invariant: what was read and is not a line yet stays here, so waiting for the descriptor is right only when [`Lines::has_line`] says no.

use std::io;

use memchr::memchr;

/// Read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// The reader.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unread: Vec<u8>,
    ended: bool,
}

impl Lines {
    /// Whether [`Lines::next`] would return at once.
    pub(super) fn has_line(&self) -> bool {
        self.ended || memchr(b'\n', &self.unread).is_some()
    }

    /// The next line without its end; `None` when there are no more.
    ///
    /// # Errors
    /// As reading.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr(b'\n', &self.unread) {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.unread);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            let mut chunk = [0; CHUNK_BYTES];
            match rustix::io::read(rustix::stdio::stdin(), &mut chunk) {
                Ok(0) => self.ended = true,
                Ok(n) => self.unread.extend_from_slice(&chunk[..n]),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
