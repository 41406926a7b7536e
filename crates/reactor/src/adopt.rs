//! Giving connected sockets to a loop that nobody accepted: one end of a pair within the process, or a descriptor that was inherited.
//!
//! Invariant: a socket that was taken is opened once, in a turn of its loop, as if a listener had accepted it; a loop that ended takes
//! none.

use std::fmt;
use std::sync::Arc;

use crate::conn::Peer;
use crate::remote::{Inbox, Remote};

/// A handle that gives sockets to a loop, from any thread. Cheap to clone.
pub struct Adopter<S> {
    pub(crate) remote: Remote,
    pub(crate) inbox: Arc<Inbox<S>>,
}

impl<S> Clone for Adopter<S> {
    fn clone(&self) -> Self {
        Adopter {
            remote: self.remote.clone(),
            inbox: Arc::clone(&self.inbox),
        }
    }
}

impl<S> Adopter<S> {
    /// Gives a socket to the loop. [`crate::Handler::opened`] tells of it, with [`Peer::adopted`].
    ///
    /// # Errors
    /// When [`crate::Limits::handover_max`] sockets wait already, or the loop has ended. The socket comes back.
    pub fn adopt(&self, socket: S) -> Result<(), AdoptError<S>> {
        self.adopt_as(socket, 0)
    }

    /// As [`Adopter::adopt`], with a number for the handler: [`Peer::tag`].
    ///
    /// # Errors
    /// As [`Adopter::adopt`].
    pub fn adopt_as(&self, socket: S, tag: u32) -> Result<(), AdoptError<S>> {
        let peer = Peer {
            unix: true,
            adopted: true,
            descriptor: -1,
            tag,
            ..Peer::default()
        };
        // Counted first: the loop may open it, and count it down, at once.
        self.remote.add_load();
        if let Err((socket, _)) = self.inbox.put(socket, peer) {
            self.remote.drop_load();
            return Err(AdoptError(socket));
        }
        self.remote.waker().wake();
        Ok(())
    }

    /// Connections that the loop has, or was given and will open soon.
    #[must_use]
    pub fn load(&self) -> usize {
        self.remote.load()
    }
}

impl<S> fmt::Debug for Adopter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adopter").finish_non_exhaustive()
    }
}

/// A socket that was not taken.
pub struct AdoptError<S>(pub S);

impl<S> fmt::Debug for AdoptError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdoptError")
    }
}

impl<S> fmt::Display for AdoptError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop takes no more sockets")
    }
}

impl<S> std::error::Error for AdoptError<S> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CloseReason, ConnId, Epoll, EventLoop, Handler, Input, Io, Limits, Rope};
    use crate::{Socket, SystemBackend};

    /// Sends a byte and takes one, then stops.
    #[derive(Default)]
    struct Greets {
        adopted: usize,
        tags: u32,
        heard: Vec<u8>,
    }

    impl Handler for Greets {
        fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) {
            assert!(peer.adopted && peer.unix && peer.remote.is_none());
            self.tags += peer.tag;
            self.adopted += 1;
            let mut rope = Rope::with_buffer(io.buffer());
            rope.tail().push(b'0' + self.adopted as u8);
            io.send(conn, &mut rope);
        }

        fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
            for input in batch {
                self.heard.extend_from_slice(input.bytes());
                input.consume(input.bytes().len());
            }
            if self.heard.len() == 2 {
                io.stop(0);
            }
        }

        fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
    }

    #[test]
    fn both_ends_of_a_pair() {
        let mut one = EventLoop::new(Epoll::open().unwrap(), Limits::default());
        let adopter = one.adopter();
        let (a, b) = Socket::pair().unwrap();
        adopter.adopt(a).unwrap();
        adopter.clone().adopt_as(b, 7).unwrap();
        assert_eq!(adopter.load(), 2);
        let mut handler = Greets::default();
        one.run(&mut handler).unwrap();
        assert_eq!((handler.adopted, handler.tags), (2, 7));
        handler.heard.sort_unstable();
        assert_eq!(handler.heard, b"12");
        assert_eq!(adopter.load(), 0);
        let (late, _other) = Socket::pair().unwrap();
        assert!(adopter.adopt(late).is_err(), "the loop has ended");
        assert_eq!(adopter.load(), 0);
    }
}
