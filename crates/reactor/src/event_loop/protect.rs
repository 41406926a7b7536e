//! Peers that would hold the loop up: those that never finish what they say, and those whose buffers fill the memory.
//!
//! Invariant: a connection that is cut here is told closed with its own reason. With the default limits no connection has a timer and
//! nothing is searched.

use super::EventLoop;
use crate::backend::Backend;
use crate::conn::{CloseReason, Life};
use crate::state::State;
use crate::timers::Action;

/// Connections that one turn cuts at most because the buffers are too big; the next turn goes on.
const CUT_PER_TURN_MAX: usize = 16;

impl State {
    /// The beginning of a request is left in the input of a connection: it has so long to go on.
    pub(crate) fn watch_pace(&mut self, index: u32) {
        let pace_ms = self.limits.request_pace_ms;
        let c = self.conns.at(index);
        if pace_ms == 0 || c.paced {
            return;
        }
        c.paced = true;
        c.pace_bytes = 0;
        let action = Action::Pace(index, c.generation);
        self.timers.set(self.now_ms() + pace_ms, action);
    }

    /// So long later: who has sent too little and still not finished is cut.
    pub(crate) fn check_pace(&mut self, index: u32, generation: u32) {
        let least = self.limits.request_pace_bytes;
        let Some(c) = self.conns.of_event(index, generation) else {
            return;
        };
        c.paced = false;
        if c.live != Life::Open || c.input.is_empty() || c.closing {
            return;
        }
        // Who is paused waits for us, and what the socket still holds was sent.
        let waits = c.paused || c.readable || c.read_expired;
        if waits || c.pace_bytes as usize >= least {
            return self.watch_pace(index);
        }
        self.doom(index, CloseReason::SlowRequest);
    }
}

impl<B: Backend> EventLoop<B> {
    /// Cuts the connections with the biggest buffers while all buffers together exceed the ceiling.
    pub(super) fn keep_below_ceiling(&mut self) {
        let ceiling = self.state.limits.buffer_memory_bytes_max;
        for _ in 0..CUT_PER_TURN_MAX {
            let used = self.state.input_capacity + self.state.output_capacity;
            if used <= ceiling {
                return;
            }
            let mut greediest = None;
            for index in 0..self.state.conns.slots() {
                let c = self.state.conns.at(index);
                let bytes = c.input.capacity() + c.output.owned_bytes() + c.wire_bytes as usize;
                if c.is_live() && greediest.is_none_or(|(most, _)| bytes > most) {
                    greediest = Some((bytes, index));
                }
            }
            let Some((1.., index)) = greediest else {
                return;
            };
            self.state.doom(index, CloseReason::BufferCeiling);
        }
        self.busy = true;
    }
}
