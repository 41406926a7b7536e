//! The test's end of an in-memory connection.
//!
//! Invariant: nothing blocks. Dropping a client closes it, and resets the connection if it has unread bytes, as a real one.

use std::io;

use super::Network;

/// A connection's client end.
#[derive(Debug)]
pub struct Client {
    network: Network,
    link: usize,
    closed: bool,
}

impl Client {
    pub(super) fn new(network: Network, link: usize) -> Client {
        Client {
            network,
            link,
            closed: false,
        }
    }

    /// Sends as much of `bytes` as fits; returns how much that was.
    ///
    /// # Errors
    /// When the server closed the connection.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.network.lock().link(self.link).client_write(bytes)
    }

    /// Appends what has arrived to `out`, at most `max` bytes: `None` when nothing has, `Some(0)` when nothing more will.
    ///
    /// # Errors
    /// When the server reset the connection.
    pub fn read(&mut self, out: &mut Vec<u8>, max: usize) -> io::Result<Option<usize>> {
        self.network.lock().link(self.link).client_read(out, max)
    }

    /// Says that nothing more will be sent; replies can still be read.
    pub fn shutdown(&mut self) {
        self.network.lock().link(self.link).client_shutdown();
    }

    /// Closes with a reset, whatever is unread.
    pub fn reset(mut self) {
        self.close(true);
    }

    fn close(&mut self, reset: bool) {
        if !std::mem::replace(&mut self.closed, true) {
            let mut inner = self.network.lock();
            inner.link(self.link).client_close(reset);
            inner.release(self.link);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close(false);
    }
}
