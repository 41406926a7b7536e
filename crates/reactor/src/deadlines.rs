//! Deadlines of connections: a time after which one side of a connection stands still until its user says otherwise.
//!
//! Invariant: a deadline is absolute and stays expired until it is moved or withdrawn, so that nothing slips through between two calls.
//! A connection without deadlines costs a flag on the way of its bytes, and nothing else.

use crate::conn::ConnId;
use crate::state::State;
use crate::timers::{Action, TimerId};

/// Which direction.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Side {
    Read,
    Write,
}

/// One side's deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    /// Running.
    timer: Option<TimerId>,
    /// Bytes moved since it was set.
    bytes: usize,
    /// The handler was told that it has passed.
    told: bool,
}

/// The deadlines of a loop's connections, by slot.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    slots: Vec<[Deadline; 2]>,
}

impl Deadlines {
    fn at(&mut self, index: u32, side: Side) -> &mut Deadline {
        let index = index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, Default::default);
        }
        &mut self.slots[index][side as usize]
    }

    /// Counts bytes that were moved.
    pub(crate) fn count(&mut self, index: u32, side: Side, bytes: usize) {
        self.at(index, side).bytes += bytes;
    }

    /// How many bytes were moved, unless the handler was told already.
    pub(crate) fn tell(&mut self, index: u32, side: Side) -> Option<usize> {
        let deadline = self.at(index, side);
        (!std::mem::replace(&mut deadline.told, true)).then_some(deadline.bytes)
    }
}

impl State {
    /// Sets, moves or withdraws a deadline. What stood still goes on.
    pub(crate) fn set_deadline(&mut self, conn: ConnId, side: Side, at_ms: Option<u64>) {
        let Some(c) = self.conns.live(conn) else {
            return;
        };
        let index = conn.index() as u32;
        match side {
            Side::Read => (c.read_timed, c.read_expired) = (at_ms.is_some(), false),
            Side::Write => (c.write_timed, c.write_expired) = (at_ms.is_some(), false),
        }
        let action = Action::Deadline(side, index, conn.generation());
        let timer = at_ms.map(|at_ms| self.timers.set(at_ms, action));
        let new = Deadline {
            timer,
            ..Deadline::default()
        };
        let old = std::mem::replace(self.deadlines.at(index, side), new);
        if let Some(timer) = old.timer {
            self.timers.cancel(timer);
        }
        match side {
            Side::Read => self.enqueue(index),
            Side::Write => self.mark_dirty(index),
        }
    }

    /// Withdraws the deadlines of a connection that is closed.
    pub(crate) fn drop_deadlines(&mut self, index: u32) {
        let c = self.conns.at(index);
        if !c.read_timed && !c.write_timed {
            return;
        }
        for side in [Side::Read, Side::Write] {
            let old = std::mem::take(self.deadlines.at(index, side));
            if let Some(timer) = old.timer {
                self.timers.cancel(timer);
            }
        }
    }
}
