//! Reading: every connection that is ready gets one read up to its budget, and the handler is shown all of them at once.
//!
//! Invariant: one receive call per connection and turn (two when the end of the stream is known to follow); a short read means
//! drained. A connection with more goes to the back of the queue. While its input is shown, the buffer is the batch's; what
//! the handler leaves goes back to the connection, an emptied buffer to the pool.

use std::{io, mem};

use super::EventLoop;
use crate::arrival::Since;
use crate::backend::Backend;
use crate::buffer::{BUFFER_BYTES, Buffer};
use crate::conn::{CloseReason, Life};
use crate::deadlines::Side;
use crate::handler::{Handler, Input};
use crate::io::Io;

/// A connection with unconsumed bytes is read when its buffer has at least this much room, else the buffer grows.
const ROOM_BYTES_MIN: usize = BUFFER_BYTES / 2;

impl<B: Backend> EventLoop<B> {
    pub(super) fn read_inputs<H: Handler>(&mut self, handler: &mut H) {
        // Who is queued again during the turn has its next read in the next one.
        let turns = self.state.ready.len();
        let turns = turns.min(self.state.limits.inputs_per_turn);
        let mut handshakes = self.state.limits.handshakes_per_turn;
        for _ in 0..turns {
            let Some(index) = self.state.ready.pop_front() else {
                break;
            };
            let c = self.state.conns.at(index);
            if !mem::take(&mut c.queued) || !c.wants_turn() {
                continue;
            }
            if c.handshaking && !take_one(&mut handshakes) {
                c.queued = true;
                self.state.ready.push_back(index);
            } else if c.live == Life::Lingering {
                self.discard(index);
            } else {
                self.read_one(index);
            }
        }
        if self.batch.is_empty() {
            return;
        }
        handler.inputs(&mut Io::new(&mut self.state), &mut self.batch);
        self.take_back();
        while let Some(id) = self.paused_at_end.pop() {
            handler.peer_closed(&mut Io::new(&mut self.state), id);
        }
    }

    fn read_one(&mut self, index: u32) {
        let state = &mut self.state;
        let c = state.conns.at(index);
        let shown = mem::take(&mut c.show);
        let ended_before = c.eof;
        let mut buffer = state.take_input(index);
        let c = state.conns.at(index);
        let before = buffer.len();
        if c.readable && !c.eof && before < state.limits.input_bytes_max {
            if buffer.capacity() > 0 {
                // It stands until the handler has seen more: a read may bring nothing.
                let expected = c.expected as usize;
                buffer.make_room_for(ROOM_BYTES_MIN, expected);
            } else if c.wide {
                buffer = Buffer::from_vec(state.pool.lend_wide());
            } else {
                buffer = Buffer::from_vec(state.pool.lend());
            }
            let layered = c.layered;
            let received = match layered {
                false => self.receive(index, &mut buffer),
                true => self.receive_layered(index, &mut buffer),
            };
            if let Err(error) = received {
                self.state.pool.give(buffer.into_vec());
                self.state.doom(index, CloseReason::Reset(error));
                return;
            }
            if layered && self.state.conns.at(index).closing {
                // Its layer refused what came.
                return self.state.pool.give(buffer.into_vec());
            }
        }
        let state = &mut self.state;
        let c = state.conns.at(index);
        if c.read_timed {
            let bytes = buffer.len() - before;
            state.deadlines.count(index, Side::Read, bytes);
        }
        if buffer.len() > before || shown || c.eof != ended_before {
            let eof = c.eof;
            let (first_us, last_us) = self.arrival(index, before, buffer.len() > before);
            let input = Input {
                eof,
                conn: self.state.conns.id(index),
                buffer,
                expected: 0,
                first_us,
                last_us,
            };
            self.batch.push(input);
        } else {
            state.keep_input(index, buffer);
            state.enqueue(index);
        }
    }

    /// When the first and the last of the bytes came that are shown of a connection. `before`: so many were there before this turn.
    #[inline]
    fn arrival(&mut self, index: u32, before: usize, any_new: bool) -> (u64, u64) {
        let now_us = self.state.now_us;
        let waits_since = mem::take(&mut self.state.arrivals.mark(index).waits_since);
        if waits_since == Since::NEVER && !self.state.arrivals.is_late() {
            return (now_us, now_us);
        }
        match waits_since.at_us(now_us) {
            at_us if !any_new => {
                let at_us = at_us.unwrap_or(now_us);
                (at_us, at_us)
            }
            // What the handler left, and new ones behind that.
            Some(at_us) if before > 0 => (at_us, now_us),
            unread_since_us => self.late_arrival(index, unread_since_us),
        }
    }

    /// The same for bytes that may have come while the loop was busy, or their connection paused.
    #[cold]
    fn late_arrival(&mut self, index: u32, unread_since_us: Option<u64>) -> (u64, u64) {
        let state = &mut self.state;
        let since_us = state.arrivals.earliest_us(unread_since_us);
        let last_turn = state.stats.turns.wrapping_sub(1) as u32;
        let answered = state.arrivals.mark(index).answered_turn == last_turn;
        let mut ago_us = None;
        if state.arrivals.may_ask(since_us)
            && let Some(socket) = self.sockets[index as usize].as_mut()
        {
            ago_us = self.backend.last_received_ago_us(socket);
        }
        state.arrivals.times(since_us, ago_us, answered)
    }

    /// Receives the coded bytes of a connection into a buffer of their own, and decodes them all.
    fn receive_layered(&mut self, index: u32, plain: &mut Buffer) -> io::Result<()> {
        let mut wire = Buffer::from_vec(self.state.pool.lend_wide());
        let received = self.receive(index, &mut wire);
        if received.is_ok() && !wire.is_empty() {
            self.state.unseal(index, wire.as_slice(), plain);
        }
        self.state.pool.give(wire.into_vec());
        received
    }

    /// One receive call, and a second one if it would find the end of the stream.
    fn receive(&mut self, index: u32, buffer: &mut Buffer) -> io::Result<()> {
        let state = &mut self.state;
        let budget = state.limits.input_turn_bytes;
        // A connection that is live has its socket.
        let Some(socket) = self.sockets[index as usize].as_mut() else {
            return Ok(());
        };
        let got = self.backend.receive(socket, buffer, budget)?;
        state.stats.reads += 1;
        state.stats.bytes_in += got.bytes as u64;
        let c = state.conns.at(index);
        c.pace_bytes = c.pace_bytes.saturating_add(got.bytes as u32);
        c.wide = got.bytes >= BUFFER_BYTES;
        c.eof = got.eof;
        c.stop_reads += u8::from(state.stopping.is_some() && c.stop_reads < u8::MAX);
        c.readable = got.more;
        if got.more || got.eof || !c.end_ahead || got.bytes == 0 {
            return Ok(());
        }
        // The end stands behind these bytes and no further event will tell: look now, if the budget allows.
        c.readable = true;
        if got.bytes >= budget {
            return Ok(());
        }
        buffer.make_room(1);
        state.stats.reads += 1;
        match self.backend.receive(socket, buffer, budget - got.bytes) {
            Ok(rest) => {
                state.stats.bytes_in += rest.bytes as u64;
                c.eof = rest.eof;
                c.readable = !rest.eof && rest.bytes > 0;
            }
            // The bytes before the failure come first; to the handler it is an end like any other.
            Err(_) => {
                c.eof = true;
                c.readable = false;
            }
        }
        Ok(())
    }

    /// After the handler: unconsumed bytes go back to their connections, and those at their end begin to close.
    fn take_back(&mut self) {
        let state = &mut self.state;
        let now_us = state.now_us;
        for input in self.batch.drain(..) {
            let index = input.conn.index() as u32;
            let Some(c) = state.conns.live(input.conn).filter(|c| !c.closing) else {
                state.pool.give(input.buffer.into_vec());
                continue;
            };
            // Who asked to be shown the rest again has not seen the last of it.
            let finished = input.eof && !c.paused && !c.show;
            if c.paused && c.end_ahead && !c.eof && !mem::replace(&mut c.told_peer_closed, true) {
                // Its event came and went while the connection was still being read.
                self.paused_at_end.push(input.conn);
            }
            c.expected = input.expected;
            if c.paused || c.show {
                // What is left are whole requests, or what comes will lie unread.
                let left = !input.buffer.is_empty();
                let since_us = if left { input.first_us } else { now_us };
                state.arrivals.mark(index).waits_since = Since::of(since_us);
            }
            state.keep_input(index, input.buffer);
            if finished {
                state.close_after_flush(index, CloseReason::Eof);
            } else {
                state.enqueue(index);
            }
        }
    }
}

/// Takes one of what is left, if there is any.
fn take_one(left: &mut usize) -> bool {
    let any = *left > 0;
    *left -= usize::from(any);
    any
}
