//! What may stand between a connection's socket and its handler: an encryption, or another coding of the whole stream.
//!
//! A handler gives a connection its [`Layer`] with [`crate::Io::add_layer`] when it is opened. From then on the loop passes what it
//! receives through the layer before the handler sees it, and what the handler sends before the backend does. Limits, deadlines,
//! backpressure and the ways to close are the same as without one.
//!
//! Invariant: a layer makes no system call and knows no connection. Bytes that it made and that were not sent are bounded, but for a few buffers, by
//! [`crate::Limits::output_turn_bytes`] for each connection: the rest waits uncoded. A connection without a layer pays for a
//! flag on either way.

use std::io;

use dunlin_structures::Rope;

use crate::buffer::{BUFFER_BYTES, Buffer, BufferPool};
use crate::conn::{CloseReason, ConnId};
use crate::state::State;
use crate::timers::{Action, TimerId};

/// Output that a layer is given at once. Four such pieces, coded, fill one buffer of 64 KiB, see [`Rope::cut`].
const PIECE_BYTES: usize = 14 * 1024;

/// A coding of both directions of one connection.
pub trait Layer: Send {
    /// Takes in all of `wire`, which was received, and appends what it means to `plain`: never more bytes than it was given in
    /// this and earlier calls.
    ///
    /// # Errors
    /// When the bytes mean nothing, or the peer is not who may be here. What is to be told to the peer is sent before the
    /// connection is closed.
    fn receive(&mut self, wire: &[u8], plain: &mut Buffer) -> io::Result<LayerState>;

    /// Appends to `wire` what the layer itself has to say, then the coded form of at most `bytes_max` bytes from the front of
    /// `plain`. Buffers that were passed go to `recycle`.
    fn send(
        &mut self,
        plain: &mut Rope,
        bytes_max: usize,
        wire: &mut Vec<u8>,
        recycle: &mut dyn FnMut(Vec<u8>),
    );

    /// Whether it has something to say before anything was received, as the side has that begins a handshake.
    fn speaks_first(&self) -> bool {
        false
    }

    /// No output follows: the next [`Layer::send`] says so to the peer.
    fn close(&mut self);
}

/// How a layer stands after it took something in.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct LayerState {
    /// Both ends know each other: output of the handler can be coded.
    pub established: bool,
    /// The peer has said that it will send nothing more.
    pub ended: bool,
    /// The layer itself has something to say.
    pub speaks: bool,
}

/// A connection's layer, and what it made that was not sent.
pub(crate) struct Layered {
    layer: Box<dyn Layer>,
    pub(crate) wire: Rope,
    speaks: bool,
    /// The end of the output was told to the layer.
    ended: bool,
    /// Until when it has to be established.
    timer: Option<TimerId>,
}

/// The layers of a loop's connections, by slot.
#[derive(Default)]
pub(crate) struct Layers {
    slots: Vec<Option<Box<Layered>>>,
}

impl Layers {
    fn put(&mut self, index: u32, layered: Box<Layered>) {
        let index = index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some(layered);
    }

    #[inline]
    pub(crate) fn at(&mut self, index: u32) -> Option<&mut Layered> {
        self.slots.get_mut(index as usize)?.as_deref_mut()
    }
}

impl State {
    /// Gives a connection its layer.
    pub(crate) fn add_layer(&mut self, conn: ConnId, layer: Box<dyn Layer>) {
        let at_ms = self.now_ms() + self.limits.handshake_ms;
        let Some(c) = self.conns.live(conn).filter(|c| !c.layered) else {
            return;
        };
        (c.layered, c.handshaking) = (true, true);
        let index = conn.index() as u32;
        let action = Action::Handshake(index, conn.generation());
        let layered = Layered {
            wire: Rope::new(),
            speaks: layer.speaks_first(),
            layer,
            ended: false,
            timer: Some(self.timers.set(at_ms, action)),
        };
        self.layers.put(index, Box::new(layered));
        self.mark_dirty(index);
    }

    /// Takes a layer away from a connection that is closed, with what was not sent.
    pub(crate) fn drop_layer(&mut self, index: u32) {
        let c = self.conns.at(index);
        (c.layered, c.handshaking, c.wire_bytes) = (false, false, 0);
        let slot = self.layers.slots.get_mut(index as usize);
        let Some(layered) = slot.and_then(Option::take) else {
            return;
        };
        self.timers.cancel_some(layered.timer);
        self.held_output -= layered.wire.len();
        self.output_capacity -= layered.wire.owned_bytes();
        if layered.wire.owned_bytes() <= BUFFER_BYTES {
            self.recycle(layered.wire);
        }
    }

    /// So long after it was opened a connection has to know its peer.
    pub(crate) fn check_handshake(&mut self, index: u32, generation: u32) {
        let Some(c) = self.conns.of_event(index, generation) else {
            return;
        };
        if c.handshaking && c.is_live() {
            let error = io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long");
            self.doom(index, CloseReason::Layer(error));
        }
    }

    /// Passes received bytes through a connection's layer.
    pub(crate) fn unseal(&mut self, index: u32, wire: &[u8], plain: &mut Buffer) {
        let c = self.conns.at(index);
        let Some(layered) = self.layers.at(index) else {
            return;
        };
        if c.expected > 0 {
            plain.make_room_for(wire.len(), c.expected as usize);
        }
        let state = match layered.layer.receive(wire, plain) {
            Ok(state) => state,
            Err(error) => return self.refuse_wire(index, error),
        };
        if state.ended {
            c.eof = true;
            c.readable = false;
        }
        layered.speaks |= state.speaks;
        if state.established && c.handshaking {
            c.handshaking = false;
            self.timers.cancel_some(layered.timer.take());
            self.mark_dirty(index);
        } else if state.speaks {
            self.mark_dirty(index);
        }
    }

    /// The layer cannot go on: it may say why, and that is all.
    #[cold]
    fn refuse_wire(&mut self, index: u32, error: io::Error) {
        self.drop_output(index);
        let c = self.conns.at(index);
        c.courteous = true;
        c.refused = true;
        if let Some(layered) = self.layers.at(index) {
            layered.speaks = true;
            layered.ended = true;
        }
        self.close_after_flush(index, CloseReason::Layer(error));
    }

    /// Passes a connection's output through its layer, as far as it is soon to be sent.
    pub(crate) fn seal(&mut self, index: u32) {
        let c = self.conns.at(index);
        if c.handshaking && c.closing && !c.output.is_empty() {
            // Who is not known yet is told nothing.
            self.drop_output(index);
        }
        let c = self.conns.at(index);
        let Some(layered) = self.layers.at(index) else {
            return;
        };
        let coded = !c.handshaking && !c.refused;
        let has_output = coded && !c.output.is_empty();
        let ends = coded && (c.closing || c.shutdown) && !layered.ended;
        if !layered.speaks && !has_output && !ends {
            return;
        }
        let len = c.output.len() + layered.wire.len();
        let capacity = c.output.owned_bytes() + layered.wire.owned_bytes();
        layered.speaks = false;
        let window = self.limits.output_turn_bytes;
        if layered.wire.is_empty() {
            layered.wire = Rope::with_buffer(lend_for(&mut self.pool, c.output.len()));
        }
        let pool = &mut self.pool;
        let recycle = &mut |buffer| pool.give(buffer);
        loop {
            let room = if coded { PIECE_BYTES } else { 0 };
            let left = c.output.len();
            let wire = layered.wire.tail();
            layered.layer.send(&mut c.output, room, wire, recycle);
            let is_stuck = c.output.len() == left;
            if is_stuck || c.output.is_empty() || layered.wire.len() >= window {
                break;
            }
            layered.wire.cut();
        }
        if ends && c.output.is_empty() {
            layered.ended = true;
            layered.layer.close();
            let wire = layered.wire.tail();
            layered.layer.send(&mut c.output, 0, wire, recycle);
        }
        if c.output.is_empty() {
            // The buffer that the handler filled is free for the next one.
            let tail = c.output.take_tail();
            if tail.capacity() > 0 {
                pool.give(tail);
            }
        }
        c.wire_bytes = layered.wire.len() as u32;
        self.held_output = self.held_output + c.output.len() + layered.wire.len() - len;
        self.output_capacity =
            self.output_capacity + c.output.owned_bytes() + layered.wire.owned_bytes() - capacity;
    }
}

fn lend_for(pool: &mut BufferPool, bytes: usize) -> Vec<u8> {
    if bytes > PIECE_BYTES {
        pool.lend_wide()
    } else {
        pool.lend()
    }
}
