//! Closing: immediately, or by lingering until the peer has read what was sent.
//!
//! Invariant: each connection is told closed exactly once, and its slot is freed exactly once, after that. A socket that still
//! has unread input, or sent bytes that the peer's system has not confirmed, is not closed yet: the system would reset the
//! connection and drop them. Such a socket lingers, shut down and its input discarded, until the peer closes or a timer ends
//! it; handlers know nothing of it any more.

use super::EventLoop;
use crate::backend::Backend;
use crate::buffer::Buffer;
use crate::conn::{CloseReason, Life};
use crate::handler::Handler;
use crate::io::Io;
use crate::timers::Action;

impl<B: Backend> EventLoop<B> {
    /// The output of a closing connection is flushed: close it, or let it linger.
    pub(super) fn finish_close(&mut self, index: u32) {
        let c = self.state.conns.at(index);
        let ended = c.eof;
        let unread = c.readable;
        if let (false, Some(socket)) = (ended, self.sockets[index as usize].as_mut())
            && (c.courteous || unread || self.backend.unconfirmed_bytes(socket) > 0)
            && self.backend.shutdown_write(socket).is_ok()
        {
            c.linger = true;
        }
        self.state.doom(index, CloseReason::Local);
    }

    /// Tells the handler of every connection that is to be closed, and closes it.
    pub(super) fn bury<H: Handler>(&mut self, handler: &mut H) {
        while let Some(index) = self.state.doomed.pop() {
            let id = self.state.conns.id(index);
            let c = self.state.conns.at(index);
            if c.live != Life::Doomed {
                continue;
            }
            let reason = c.reason.take().unwrap_or(CloseReason::Local);
            let linger = c.linger;
            self.state.conns.open -= 1;
            if self
                .sockets
                .get(index as usize)
                .is_some_and(Option::is_some)
            {
                // One that was never begun has no socket, and was not counted.
                self.neighbours[self.index].remote.drop_load();
            }
            let never_stood = matches!(reason, CloseReason::Connect(_));
            self.state.stats.connect_failures += u64::from(never_stood);
            if linger {
                self.begin_linger(index);
            } else {
                self.close_socket(index);
                self.resume_accepting();
            }
            // The handler's last word before a sleep is always `turn_end`.
            self.busy = true;
            handler.closed(&mut Io::new(&mut self.state), id, reason);
            if !linger {
                self.state.conns.remove(index);
            }
        }
    }

    fn begin_linger(&mut self, index: u32) {
        let c = self.state.conns.at(index);
        c.live = Life::Lingering;
        let generation = c.generation;
        let at_ms = self.state.now_ms() + self.state.limits.linger_ms;
        let action = Action::EndLinger(index, generation);
        self.state.timers.set(at_ms, action);
        self.state.conns.lingering += 1;
        self.state.enqueue(index);
    }

    fn close_socket(&mut self, index: u32) {
        if let Some(place) = self.places.get_mut(index as usize) {
            *place = None;
        }
        let socket = self.sockets.get_mut(index as usize);
        if let Some(socket) = socket.and_then(Option::take) {
            self.backend.close(socket);
        }
    }

    /// Reads and forgets what the peer of a lingering connection sends.
    pub(super) fn discard(&mut self, index: u32) {
        let Some(socket) = self.sockets[index as usize].as_mut() else {
            return;
        };
        let mut buffer = Buffer::from_vec(self.state.pool.lend());
        let got = self.backend.receive(socket, &mut buffer, usize::MAX);
        self.state.pool.give(buffer.into_vec());
        let c = self.state.conns.at(index);
        match got {
            Ok(got) if !got.eof => {
                c.readable = got.more || c.end_ahead;
                self.state.enqueue(index);
            }
            _ => {
                let generation = c.generation;
                self.end_linger(index, generation);
            }
        }
    }

    pub(super) fn end_linger(&mut self, index: u32, generation: u32) {
        let Some(c) = self.state.conns.of_event(index, generation) else {
            return;
        };
        if c.live == Life::Lingering {
            self.close_socket(index);
            self.state.conns.lingering -= 1;
            self.state.conns.remove(index);
            self.resume_accepting();
        }
    }
}
