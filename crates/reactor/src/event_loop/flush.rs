//! Writing: at the end of the turn every connection with new output gets one send call.
//!
//! Invariant: a connection that the system takes no more from waits for the backend's event, armed only then; one that used up
//! its budget goes on in the next turn. Crossing the soft limit downwards is told once.

use std::mem;

use dunlin_structures::Rope;

use super::EventLoop;
use crate::backend::{Backend, Token};
use crate::conn::{CloseReason, Life};
use crate::deadlines::Side;
use crate::handler::Handler;
use crate::io::Io;

/// Handlers may send from `drained` and `closed`; after so many rounds the rest waits for the next turn.
const SETTLE_ROUNDS_MAX: usize = 4;

impl<B: Backend> EventLoop<B> {
    /// Writes, closes, and does both again for what handlers did meanwhile.
    pub(super) fn settle<H: Handler>(&mut self, handler: &mut H) {
        self.apply_options();
        for _ in 0..SETTLE_ROUNDS_MAX {
            self.begin_connects();
            self.flush(handler);
            self.bury(handler);
            let state = &self.state;
            if state.dirty.is_empty() && state.doomed.is_empty() && state.connects.is_empty() {
                return;
            }
        }
    }

    fn flush<H: Handler>(&mut self, handler: &mut H) {
        let mut list = mem::replace(&mut self.state.dirty, mem::take(&mut self.flushing));
        for index in list.drain(..) {
            let c = self.state.conns.at(index);
            // What is to be done with one that is being made is done when it stands.
            if mem::take(&mut c.dirty) && c.is_live() && c.live != Life::Connecting {
                self.flush_one(index, handler);
            }
        }
        self.flushing = list;
    }

    fn flush_one<H: Handler>(&mut self, index: u32, handler: &mut H) {
        let c = self.state.conns.at(index);
        if c.write_expired && c.unsent() > 0 {
            return self.tell_write_deadline(index, handler);
        }
        if !self.write(index) {
            return;
        }
        let soft = self.state.limits.output_soft_bytes;
        let c = self.state.conns.at(index);
        if c.over_soft && c.unsent() <= soft / 2 {
            c.over_soft = false;
            c.overlooked = 0;
            let id = self.state.conns.id(index);
            self.busy = true;
            handler.drained(&mut Io::new(&mut self.state), id);
            self.state.enqueue(index);
        }
        let c = self.state.conns.at(index);
        let left = c.unsent() > 0;
        if c.is_live() && (left || c.backlog) {
            // Rare: most output is taken by the system at once.
            c.backlog = left;
            let id = self.state.conns.id(index);
            self.busy = true;
            handler.backlog(&mut Io::new(&mut self.state), id);
        }
        let c = self.state.conns.at(index);
        if !c.is_live() || c.unsent() > 0 {
            return;
        }
        if c.closing {
            if self.is_sending(index) {
                self.await_sent(index);
            } else {
                self.finish_close(index);
            }
        } else if c.shutdown && !c.shut && !c.handshaking {
            self.shut_down(index);
        }
    }

    /// One send call. False: the connection failed.
    fn write(&mut self, index: u32) -> bool {
        let Some(socket) = self.sockets[index as usize].as_mut() else {
            return false;
        };
        let state = &mut self.state;
        let c = state.conns.at(index);
        if c.blocked {
            return true;
        }
        if c.layered {
            state.seal(index);
        }
        let c = state.conns.at(index);
        let output = match state.layers.at(index) {
            Some(layered) if c.layered => &mut layered.wire,
            _ => &mut c.output,
        };
        if output.is_empty() {
            return true;
        }
        let pool = &mut state.pool;
        let budget = state.limits.output_turn_bytes;
        let capacity = output.owned_bytes();
        let mut recycle = |buffer| pool.give(buffer);
        let sent = match self.backend.send(socket, output, budget, &mut recycle) {
            Ok(sent) => sent,
            Err(error) => {
                // A failed call may have let go of buffers.
                state.output_capacity = state.output_capacity + output.owned_bytes() - capacity;
                state.doom(index, CloseReason::Reset(error));
                return false;
            }
        };
        state.stats.writes += 1;
        state.output_capacity = state.output_capacity + output.owned_bytes() - capacity;
        state.stats.bytes_out += sent.bytes as u64;
        state.held_output -= sent.bytes;
        c.taken |= sent.bytes > 0;
        state.arrivals.mark(index).answered_turn = state.stats.turns as u32;
        if c.write_timed {
            state.deadlines.count(index, Side::Write, sent.bytes);
        }
        let empty = output.is_empty();
        let spent = match empty {
            true => mem::take(output),
            false => Rope::new(),
        };
        if c.layered {
            c.wire_bytes = output.len() as u32;
        }
        c.blocked = sent.blocked && !empty;
        // What a layer left uncoded goes on, unless it waits for the peer.
        let left = !empty || (c.layered && !c.handshaking && !c.output.is_empty());
        if left && !sent.blocked {
            state.again.push(index);
        } else if c.blocked != c.armed {
            // Rare: once when a socket fills up, and once when it is empty again.
            c.armed = c.blocked;
            let token = Token::connection(index, c.generation);
            if let Err(error) = self.backend.watch_writable(socket, token, c.armed) {
                state.doom(index, CloseReason::Reset(error));
                return false;
            }
        }
        if empty {
            state.output_capacity -= spent.owned_bytes();
            state.recycle(spent);
        }
        true
    }

    fn is_sending(&self, index: u32) -> bool {
        let socket = self.sockets.get(index as usize).and_then(Option::as_ref);
        socket.is_some_and(|socket| self.backend.is_sending(socket))
    }

    /// True if the system takes no more from this connection for now.
    pub(super) fn is_full(&mut self, index: u32) -> bool {
        let c = self.state.conns.at(index);
        c.blocked || c.write_expired || self.is_sending(index)
    }

    /// A connection that is closing has bytes in the backend's hands: the event of their end brings it here again.
    fn await_sent(&mut self, index: u32) {
        let c = self.state.conns.at(index);
        let Some(socket) = self.sockets[index as usize].as_mut() else {
            return;
        };
        c.blocked = true;
        if !std::mem::replace(&mut c.armed, true) {
            let token = Token::connection(index, c.generation);
            if let Err(error) = self.backend.watch_writable(socket, token, true) {
                self.state.doom(index, CloseReason::Reset(error));
            }
        }
    }

    fn shut_down(&mut self, index: u32) {
        let Some(socket) = self.sockets[index as usize].as_mut() else {
            return;
        };
        match self.backend.shutdown_write(socket) {
            Ok(()) => self.state.conns.at(index).shut = true,
            Err(error) => self.state.doom(index, CloseReason::Reset(error)),
        }
    }

    fn apply_options(&mut self) {
        for (id, option) in mem::take(&mut self.state.options) {
            let live = self.state.conns.live(id).is_some();
            let socket = self.sockets.get_mut(id.index()).and_then(Option::as_mut);
            if let (true, Some(socket)) = (live, socket) {
                // Best effort: a connection works without.
                let _ = self.backend.set_option(socket, option);
            }
        }
    }

    /// True if the slot's connection still waits to write or to be closed.
    pub(super) fn has_work(&mut self, index: u32) -> bool {
        let sending = self.is_sending(index);
        let c = self.state.conns.at(index);
        if c.live == Life::Connecting {
            return c.unsent() > 0;
        }
        c.live == Life::Open
            && (c.readable || c.queued || c.paused || c.closing || c.unsent() > 0 || sending)
    }
}
