//! Everything of a loop that handlers may touch, without the backend: connections, timers, pools, the queues of a turn.
//!
//! Invariant: a slot that wants a turn stands in `ready`, one with output to write in `dirty`, one to be closed in `doomed`.
//! Entries of those lists may be stale; the slot's own flags decide. No system call is made here.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use dunlin_structures::Rope;

use crate::arrival::{Arrivals, Mark};
use crate::backend::socket::ConnectAddress;
use crate::backend::{Held, SocketOption};
use crate::buffer::{BUFFER_BYTES, Buffer, BufferPool};
use crate::clock::Clock;
use crate::conn::{CloseReason, ConnId, Connections, Life};
use crate::deadlines::Deadlines;
use crate::event_loop::Attempt;
use crate::layer::Layers;
use crate::limits::Limits;
use crate::timers::Timers;

/// A buffer larger than this is not kept for a few unconsumed bytes.
const KEPT_BYTES_MAX: usize = 8 * BUFFER_BYTES;

/// What a loop has done since it began. Plain counters: read them on the loop's thread.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Turns.
    pub turns: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections that were made from here and stood.
    pub connected: u64,
    /// Connections that were to be made from here and never stood.
    pub connect_failures: u64,
    /// Connections that found no descriptor or memory: accept calls failing that way.
    pub accept_failures: u64,
    /// Connections closed at once since their address had too many.
    pub address_refusals: u64,
    /// Times that accepting paused to keep its rate.
    pub accept_throttles: u64,
    /// Receive calls.
    pub reads: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Send calls.
    pub writes: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Microseconds spent in turns, waiting for events left out.
    pub busy_us: u64,
}

/// A graceful stop in progress.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Stopping {
    pub(crate) deadline_ms: u64,
    /// Full turns since it began.
    pub(crate) turns: u64,
    /// Since when it waits for nothing but peers that take nothing.
    pub(crate) stalled_since_ms: Option<u64>,
    /// Bytes that had been passed to the system at the last turn.
    pub(crate) bytes_out: u64,
}

impl Stopping {
    /// When everyone left is cut, as it looks now.
    pub(crate) fn cut_at_ms(&self, limits: &Limits) -> u64 {
        let stalled = self.stalled_since_ms;
        let until = stalled.map(|since| since.saturating_add(limits.stop_stall_ms));
        until.map_or(self.deadline_ms, |until| until.min(self.deadline_ms))
    }
}

pub(crate) struct State {
    pub(crate) now_us: u64,
    pub(crate) arrivals: Arrivals,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) conns: Connections,
    pub(crate) pool: BufferPool,
    pub(crate) timers: Timers,
    pub(crate) deadlines: Deadlines,
    pub(crate) layers: Layers,
    pub(crate) ready: VecDeque<u32>,
    pub(crate) dirty: Vec<u32>,
    /// Slots whose output goes on in the next turn.
    pub(crate) again: Vec<u32>,
    pub(crate) doomed: Vec<u32>,
    pub(crate) options: Vec<(ConnId, SocketOption)>,
    /// Connections that are to be begun at the end of the turn.
    pub(crate) connects: Vec<ConnId>,
    /// Connections in the making, those to be begun included.
    pub(crate) connecting: usize,
    pub(crate) stats: Stats,
    /// Unconsumed input and unsent output of all connections, bytes.
    pub(crate) held_input: usize,
    pub(crate) held_output: usize,
    /// The memory in which these lie.
    pub(crate) input_capacity: usize,
    pub(crate) output_capacity: usize,
    /// What the backend holds, as of the turn's beginning.
    pub(crate) held_by_backend: Held,
    pub(crate) stopping: Option<Stopping>,
    /// A handler asked for a stop by this time.
    pub(crate) stop_request_ms: Option<u64>,
}

impl State {
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: Limits) -> State {
        let now_us = clock.monotonic_us();
        State {
            now_us,
            arrivals: Arrivals::default(),
            clock,
            limits,
            conns: Connections::default(),
            pool: BufferPool::new(),
            timers: Timers::new(now_us / 1_000),
            deadlines: Deadlines::default(),
            layers: Layers::default(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            again: Vec::new(),
            doomed: Vec::new(),
            options: Vec::new(),
            connects: Vec::new(),
            connecting: 0,
            stats: Stats::default(),
            held_input: 0,
            held_output: 0,
            input_capacity: 0,
            output_capacity: 0,
            held_by_backend: Held::default(),
            stopping: None,
            stop_request_ms: None,
        }
    }

    #[inline]
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_us / 1_000
    }

    /// Puts a slot in the ready queue if it wants a turn and does not stand there yet.
    #[inline]
    pub(crate) fn enqueue(&mut self, index: u32) {
        let c = self.conns.at(index);
        if !c.queued && c.wants_turn() {
            c.queued = true;
            self.ready.push_back(index);
        }
    }

    /// Puts a slot in the list of outputs to be written.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, index: u32) {
        let c = self.conns.at(index);
        if !c.dirty {
            c.dirty = true;
            self.dirty.push(index);
        }
    }

    /// Appends output. What a connection that is closing or shut is sent is dropped.
    #[inline]
    pub(crate) fn send(&mut self, conn: ConnId, rope: &mut Rope) -> usize {
        let added = rope.len();
        let Some(c) = self.conns.live(conn) else {
            rope.clear();
            return 0;
        };
        if added == 0 {
            return c.unsent();
        }
        if c.closing || c.shutdown || c.shut {
            rope.clear();
            return 0;
        }
        let before = c.output.owned_bytes();
        c.output.append(rope);
        self.held_output += added;
        self.output_capacity = self.output_capacity + c.output.owned_bytes() - before;
        let len = c.unsent();
        c.over_soft |= len > self.limits.output_soft_bytes;
        if !c.dirty {
            c.dirty = true;
            self.dirty.push(conn.index() as u32);
        }
        if len > self.limits.output_hard_bytes {
            self.doom(conn.index() as u32, CloseReason::OutputLimit);
        }
        len
    }

    /// Begins a connection at the end of the turn.
    pub(crate) fn connect(&mut self, address: ConnectAddress, deadline_ms: Option<u64>) -> ConnId {
        let deadline_ms = deadline_ms.unwrap_or(self.now_ms() + self.limits.connect_ms);
        let id = self.conns.insert();
        let c = self.conns.at(id.index() as u32);
        c.live = Life::Connecting;
        c.attempt = Some(Box::new(Attempt::new(address, deadline_ms)));
        // Nothing is written before the event that tells of the end of the attempt.
        (c.blocked, c.armed) = (true, true);
        self.connecting += 1;
        if self.connecting > self.limits.connecting_max {
            let error = io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "too many connections are being made",
            );
            self.doom(id.index() as u32, CloseReason::Connect(error));
        } else {
            self.connects.push(id);
        }
        id
    }

    /// Closes a live connection at the end of the turn, dropping its output; the first reason stands.
    pub(crate) fn doom(&mut self, index: u32, reason: CloseReason) {
        let c = self.conns.at(index);
        if !c.is_live() {
            return;
        }
        c.live = Life::Doomed;
        *self.arrivals.mark(index) = Mark::default();
        if matches!(reason, CloseReason::Connect(_)) {
            // It stood never, so whatever else was to happen to it did not.
            c.reason = Some(reason);
        } else {
            c.reason.get_or_insert(reason);
        }
        if let Some(attempt) = c.attempt.take() {
            self.connecting -= 1;
            self.timers.cancel_some(attempt.timer);
        }
        self.doomed.push(index);
        self.drop_input(index);
        self.drop_deadlines(index);
        self.drop_output(index);
        if self.conns.at(index).layered {
            self.drop_layer(index);
        }
    }

    /// Forgets what a connection was sent, as far as a layer has not coded it.
    pub(crate) fn drop_output(&mut self, index: u32) {
        let c = self.conns.at(index);
        let output = std::mem::take(&mut c.output);
        self.held_output -= output.len();
        self.output_capacity -= output.owned_bytes();
        if output.owned_bytes() <= BUFFER_BYTES {
            // What a client did not take may be big, and is not worth keeping.
            self.recycle(output);
        }
    }

    /// No more input from a live connection; it is closed for `reason` once its output is flushed.
    pub(crate) fn close_after_flush(&mut self, index: u32, reason: CloseReason) {
        let c = self.conns.at(index);
        if !c.is_live() || c.closing {
            return;
        }
        c.closing = true;
        // Its last output is written, whatever came before.
        c.write_expired = false;
        c.reason.get_or_insert(reason);
        self.drop_input(index);
        self.mark_dirty(index);
    }

    /// Keeps what the handler left of a connection's input.
    #[inline]
    pub(crate) fn keep_input(&mut self, index: u32, mut buffer: Buffer) {
        if buffer.is_empty() {
            self.pool.give(buffer.into_vec());
            return;
        }
        if buffer.capacity() > KEPT_BYTES_MAX && buffer.len() <= BUFFER_BYTES / 2 {
            // The first bytes of the next request stand behind a huge one: do not keep the huge buffer for them.
            let mut small = Buffer::from_vec(self.pool.lend());
            small.append(buffer.as_slice());
            self.pool
                .give(std::mem::replace(&mut buffer, small).into_vec());
        }
        self.held_input += buffer.len();
        self.input_capacity += buffer.capacity();
        self.conns.at(index).input = buffer;
        if self.limits.request_pace_ms > 0 {
            self.watch_pace(index);
        }
    }

    /// Takes a connection's unconsumed input.
    #[inline]
    pub(crate) fn take_input(&mut self, index: u32) -> Buffer {
        let buffer = std::mem::take(&mut self.conns.at(index).input);
        self.held_input -= buffer.len();
        self.input_capacity -= buffer.capacity();
        buffer
    }

    pub(crate) fn drop_input(&mut self, index: u32) {
        let buffer = self.take_input(index);
        self.pool.give(buffer.into_vec());
    }

    /// Gives the buffer of an emptied or abandoned rope back to the pool.
    #[inline]
    pub(crate) fn recycle(&mut self, mut rope: Rope) {
        rope.clear();
        let tail = rope.take_tail();
        if tail.capacity() > 0 {
            self.pool.give(tail);
        }
    }
}
