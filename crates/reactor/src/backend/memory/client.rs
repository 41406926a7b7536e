//! The test's end of an in-memory connection.
//!
//! Invariant: nothing blocks. Dropping a client closes it, and resets the connection if it has unread bytes, as a real one.

use std::io;

use super::Network;
use super::link::OPENER;

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
    /// When the connection is known to have failed, or was shut down here.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.network.lock();
        let (link, mut moment) = inner.at(self.link);
        let n = link.room(OPENER, bytes.len(), &mut moment)?;
        link.send(OPENER, &bytes[..n], &mut moment);
        Ok(n)
    }

    /// Appends what has arrived to `out`, at most `max` bytes: `None` when nothing has, `Some(0)` when nothing more will.
    ///
    /// # Errors
    /// When the connection failed.
    pub fn read(&mut self, out: &mut Vec<u8>, max: usize) -> io::Result<Option<usize>> {
        let mut inner = self.network.lock();
        let (link, mut moment) = inner.at(self.link);
        link.read_now(OPENER, max, out, &mut moment)
    }

    /// Says that nothing more will be sent; replies can still be read.
    pub fn shutdown(&mut self) {
        let mut inner = self.network.lock();
        let (link, mut moment) = inner.at(self.link);
        link.shut_down(OPENER, &mut moment);
    }

    /// Closes with a reset, whatever is unread.
    pub fn reset(mut self) {
        self.close(true);
    }

    /// Is gone without a word, as a machine that lost its power: the server's end is open until it sends something or probes.
    pub fn vanish(mut self) {
        self.closed = true;
        let mut inner = self.network.lock();
        let (link, moment) = inner.at(self.link);
        link.vanish(OPENER, moment.now_us);
        inner.release(self.link);
    }

    /// Whether the network has reset or cut the connection (see [`super::Faults`]): the only reasons for it to end that neither end gave.
    #[must_use]
    pub fn is_struck(&self) -> bool {
        let mut inner = self.network.lock();
        inner.at(self.link).0.is_struck()
    }

    fn close(&mut self, reset: bool) {
        if !std::mem::replace(&mut self.closed, true) {
            let mut inner = self.network.lock();
            inner.close(self.link, OPENER, reset);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close(false);
    }
}
