//! What a handler can do to its loop.
//!
//! Invariant: nothing here makes a system call (but [`Io::refresh_now`] reads the clock); effects show at the end of the turn.
//! Calls with the id of a closed connection do nothing.

use std::sync::Arc;
use std::time::Duration;

use dunlin_structures::Rope;

use crate::backend::SocketOption;
use crate::backend::socket::ConnectAddress;
use crate::clock::Clock;
use crate::conn::{CloseReason, ConnId, ConnState};
use crate::deadlines::Side;
use crate::layer::Layer;
use crate::limits::Limits;
use crate::state::{State, Stats};
use crate::timers::{Action, TimerId};

/// The handler's view of its loop during a call.
pub struct Io<'a> {
    state: &'a mut State,
}

impl<'a> Io<'a> {
    #[inline]
    pub(crate) fn new(state: &'a mut State) -> Io<'a> {
        Io { state }
    }

    /// Monotonic time in ms, read once a turn.
    #[must_use]
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.state.now_ms()
    }

    /// Monotonic time in microseconds, read once a turn.
    #[must_use]
    #[inline]
    pub fn now_us(&self) -> u64 {
        self.state.now_us
    }

    /// Reads the clock again, after something that took long.
    pub fn refresh_now(&mut self) {
        self.state.now_us = self.state.clock.monotonic_us();
    }

    /// The loop's clock, for the wall time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.state.clock
    }

    /// Begins a connection, without waiting for it, at the end of the turn. [`crate::Handler::connected`] tells that it stands,
    /// or [`crate::Handler::closed`] with [`CloseReason::Connect`] why it never did: refused at once, or not there at
    /// `deadline_ms` (ms of the loop's clock; `None`: after [`Limits::connect_ms`]). A connection of a socket to itself, which TCP
    /// makes if nobody listens on a port of the range for clients, counts as refused.
    ///
    /// What is sent meanwhile goes out once it stands. TCP connections send small segments at once. A Unix socket whose server
    /// has a full backlog fails with [`std::io::ErrorKind::WouldBlock`]. At most [`Limits::connecting_max`] can be in the making.
    pub fn connect(&mut self, address: &ConnectAddress, deadline_ms: Option<u64>) -> ConnId {
        self.state.connect(address.clone(), deadline_ms)
    }

    /// Passes all bytes of `conn` through `layer` from now on. For [`crate::Handler::opened`] and [`crate::Handler::connected`], before
    /// anything was received; a connection that has a layer keeps it. What is sent before the layer is established waits for
    /// that; what is sent to a connection that closes before is dropped.
    pub fn add_layer(&mut self, conn: ConnId, layer: Box<dyn Layer>) {
        self.state.add_layer(conn, layer);
    }

    /// Takes the contents of `rope` as output of `conn`; it is written at the end of the turn, with one system call as a rule.
    /// The rope is empty afterwards, and usually without its buffer: give it a new one with [`Io::buffer`]. Returns how many bytes
    /// of `conn` are to be sent now.
    #[inline]
    pub fn send(&mut self, conn: ConnId, rope: &mut Rope) -> usize {
        self.state.send(conn, rope)
    }

    /// Output of `conn` that the system has not taken yet, bytes.
    #[must_use]
    pub fn output_len(&mut self, conn: ConnId) -> usize {
        self.state.conns.live(conn).map_or(0, |c| c.unsent())
    }

    /// Input of `conn` that was not consumed in earlier turns, bytes. (0 while it is being shown.)
    #[must_use]
    pub fn input_len(&mut self, conn: ConnId) -> usize {
        self.state.conns.live(conn).map_or(0, |c| c.input.len())
    }

    /// Memory that `conn`'s buffers take, bytes. (Without that of input being shown.)
    #[must_use]
    pub fn buffer_bytes(&mut self, conn: ConnId) -> usize {
        let conns = &mut self.state.conns;
        conns.live(conn).map_or(0, |c| {
            c.input.capacity() + c.output.owned_bytes() + c.wire_bytes as usize
        })
    }

    /// The state of `conn`.
    #[must_use]
    pub fn state(&mut self, conn: ConnId) -> ConnState {
        match self.state.conns.live(conn) {
            Some(c) => c.state(),
            None => ConnState::Disconnected,
        }
    }

    /// Reads nothing more from `conn`, and shows nothing, until [`Io::resume_input`].
    pub fn pause_input(&mut self, conn: ConnId) {
        if let Some(c) = self.state.conns.live(conn) {
            c.paused = true;
        }
    }

    /// Reads `conn` again and shows its input next turn, even if no new bytes came; the loop does not sleep before.
    pub fn resume_input(&mut self, conn: ConnId) {
        if let Some(c) = self.state.conns.live(conn) {
            c.paused = false;
            c.show = true;
            self.state.enqueue(conn.index() as u32);
        }
    }

    /// Whether the peer has taken some of the output since this was asked last.
    pub fn took_output(&mut self, conn: ConnId) -> bool {
        let c = self.state.conns.live(conn);
        c.is_some_and(|c| std::mem::take(&mut c.taken))
    }

    /// Reads `conn` in spite of its unsent output until that is longer by `bytes`. For a peer that takes nothing: it may be one that reads
    /// only when it has sent all.
    pub fn overlook_output(&mut self, conn: ConnId, bytes: usize) {
        if let Some(c) = self.state.conns.live(conn) {
            c.overlooked = c.unsent() + bytes;
            self.state.enqueue(conn.index() as u32);
        }
    }

    /// Closes `conn` at the end of the turn. Unsent output is dropped.
    pub fn close(&mut self, conn: ConnId) {
        if self.state.conns.live(conn).is_some() {
            self.state.doom(conn.index() as u32, CloseReason::Local);
        }
    }

    /// Reads nothing more from `conn`, writes its output, then closes. What is sent after this call is dropped. The socket
    /// lingers until the peer closes too (at most [`Limits::linger_ms`]), so that what the peer is just sending does not make
    /// the system throw the output away.
    pub fn close_after_flush(&mut self, conn: ConnId) {
        if let Some(c) = self.state.conns.live(conn) {
            c.courteous = true;
            let index = conn.index() as u32;
            self.state.close_after_flush(index, CloseReason::Local);
        }
    }

    /// Writes the output of `conn`, then tells the peer that no more will come; input still does. What is sent after this call
    /// is dropped.
    pub fn shutdown_write(&mut self, conn: ConnId) {
        if let Some(c) = self.state.conns.live(conn) {
            c.shutdown = true;
            self.state.mark_dirty(conn.index() as u32);
        }
    }

    /// Sends small segments at once (on unless the listener was told otherwise).
    pub fn set_nodelay(&mut self, conn: ConnId, on: bool) {
        let options = &mut self.state.options;
        options.push((conn, SocketOption::NoDelay(on)));
    }

    /// Probes an idle peer after this time; `None` never does.
    pub fn set_keepalive(&mut self, conn: ConnId, idle: Option<Duration>) {
        let options = &mut self.state.options;
        options.push((conn, SocketOption::KeepAlive(idle)));
    }

    /// Calls [`crate::Handler::timer`] with `token` at `at_ms` (ms of the loop's clock) or as soon after as the loop can. O(1).
    pub fn set_timer(&mut self, at_ms: u64, token: u64) -> TimerId {
        self.state.timers.set(at_ms, Action::User(token))
    }

    /// Forgets a timer. One that fired or was cancelled is ignored. O(1).
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.state.timers.cancel(timer);
    }

    /// Sets the time (ms of the loop's clock) until which `conn` is read; `None` withdraws it. When it passes, [`crate::Handler::read_deadline`]
    /// is called, and nothing more is read or shown until this is called again: a deadline that is past stays expired.
    /// Bytes are counted anew from each call on.
    pub fn set_read_deadline(&mut self, conn: ConnId, at_ms: Option<u64>) {
        self.state.set_deadline(conn, Side::Read, at_ms);
    }

    /// Sets the time (ms of the loop's clock) until which output of `conn` is written; `None` withdraws it. When it has passed and there is
    /// output, [`crate::Handler::write_deadline`] is called, and nothing more is written until this is called again: a deadline
    /// that is past stays expired. [`Io::close_after_flush`] withdraws one that has passed. Bytes are counted anew from each call on.
    pub fn set_write_deadline(&mut self, conn: ConnId, at_ms: Option<u64>) {
        self.state.set_deadline(conn, Side::Write, at_ms);
    }

    /// Open connections of this loop.
    #[must_use]
    #[inline]
    pub fn connections(&self) -> usize {
        self.state.conns.open
    }

    /// Unconsumed input and unsent output of all connections of this loop, bytes.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.state.held_input + self.state.held_output
    }

    /// Memory in which all of that lies, the buffer pool included, bytes. Not counted: what a batch shows to its handler while it does.
    #[must_use]
    #[inline]
    pub fn buffer_memory_bytes(&self) -> usize {
        let state = &self.state;
        let backend = state.held_by_backend.received + state.held_by_backend.sending_memory;
        state.input_capacity + state.output_capacity + backend + state.pool.bytes()
    }

    /// Memory that lies in this loop's buffer pool, bytes.
    #[must_use]
    pub fn pooled_bytes(&self) -> usize {
        self.state.pool.bytes()
    }

    /// An empty buffer from the pool, for the tail of a rope; `send` brings it back.
    #[must_use]
    #[inline]
    pub fn buffer(&mut self) -> Vec<u8> {
        self.state.pool.lend()
    }

    /// Gives a buffer to the pool that was not sent after all.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.state.pool.give(buffer);
    }

    /// What the loop has done so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.state.stats
    }

    /// The loop's limits; changed ones hold from the next turn on.
    pub fn limits(&mut self) -> &mut Limits {
        &mut self.state.limits
    }

    /// Asks this loop (only) to stop by the given time, see [`crate::Remote::stop`].
    pub fn stop(&mut self, deadline_ms: u64) {
        let request = &mut self.state.stop_request_ms;
        *request = Some(request.map_or(deadline_ms, |at| at.min(deadline_ms)));
    }

    /// True once a graceful stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.state.stopping.is_some()
    }
}
