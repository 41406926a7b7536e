//! The loop's timers: user timers and the loop's own, on one timing wheel with a tick of 1 ms.
//!
//! Invariant: a [`TimerId`] names one timer for ever; cancelling one that fired or was cancelled does nothing. Timers never
//! fire early. The wheel reads no clock, so a wall clock stepping back does not matter.

use dunlin_structures::{Due, TimerWheel};

use crate::deadlines::Side;

/// Names a timer of one loop.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

/// What is to be done when a timer fires.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Action {
    /// Tell the handler.
    User(u64),
    /// Accept again on all listeners.
    ResumeAccepting,
    /// Stop waiting for the peer of a lingering connection: slot and generation.
    EndLinger(u32, u32),
    /// A deadline has passed: side, slot and generation.
    Deadline(Side, u32, u32),
    /// Accept again on listeners that were held back to keep the rate.
    Unthrottle,
    /// See whether an unfinished request goes on: slot and generation.
    Pace(u32, u32),
    /// Give up making a connection: slot and generation.
    GiveUpConnecting(u32, u32),
    /// See whether a layer is established: slot and generation.
    Handshake(u32, u32),
}

#[derive(Debug)]
struct Timer {
    at_ms: u64,
    action: Action,
    generation: u32,
    /// Index in the wheel while armed.
    node: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Timers {
    wheel: TimerWheel<u64>,
    slots: Vec<Timer>,
    free: Vec<u32>,
}

impl Timers {
    pub(crate) fn new(now_ms: u64) -> Timers {
        Timers {
            wheel: TimerWheel::new(now_ms),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn set(&mut self, at_ms: u64, action: Action) -> TimerId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Timer {
                at_ms,
                action,
                generation: 0,
                node: None,
            });
            (self.slots.len() - 1) as u32
        });
        let node = self.wheel.insert(u64::from(index), at_ms);
        let timer = &mut self.slots[index as usize];
        timer.at_ms = at_ms;
        timer.action = action;
        timer.node = Some(node);
        TimerId {
            index,
            generation: timer.generation,
        }
    }

    pub(crate) fn cancel(&mut self, id: TimerId) {
        let Some(timer) = self.slots.get_mut(id.index as usize) else {
            return;
        };
        if timer.generation != id.generation {
            return;
        }
        if let Some(node) = timer.node.take() {
            self.wheel.cancel(node);
            self.release(id.index);
        }
    }

    /// Cancels a timer that may not have been set.
    pub(crate) fn cancel_some(&mut self, id: Option<TimerId>) {
        if let Some(id) = id {
            self.cancel(id);
        }
    }

    /// The next timer that is due, `Idle`, or `OutOfWork` when there may be more.
    #[inline]
    pub(crate) fn pop(&mut self, now_ms: u64, work: &mut usize) -> Due<Action> {
        let slots = &self.slots;
        match self
            .wheel
            .pop_due(now_ms, work, |i| slots[*i as usize].at_ms)
        {
            Due::Fired(index) => {
                let timer = &mut self.slots[index as usize];
                timer.node = None;
                let action = timer.action;
                self.release(index as u32);
                Due::Fired(action)
            }
            Due::Idle => Due::Idle,
            Due::OutOfWork => Due::OutOfWork,
        }
    }

    /// No timer is due before this. `None` when there is none.
    #[inline]
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.wheel.next_tick()
    }

    fn release(&mut self, index: u32) {
        let timer = &mut self.slots[index as usize];
        timer.generation = timer.generation.wrapping_add(1);
        self.free.push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fired_or_cancelled_timer_can_be_cancelled_again() {
        let mut timers = Timers::new(100);
        let a = timers.set(110, Action::User(1));
        let b = timers.set(120, Action::User(2));
        assert_eq!(timers.next_ms(), Some(110));
        let mut work = 10;
        assert_eq!(timers.pop(109, &mut work), Due::Idle);
        assert_eq!(timers.pop(115, &mut work), Due::Fired(Action::User(1)));
        let c = timers.set(130, Action::User(3));
        assert_eq!(c.index, a.index);
        timers.cancel(a);
        timers.cancel(b);
        timers.cancel(b);
        assert_eq!(timers.pop(500, &mut work), Due::Fired(Action::User(3)));
        assert_eq!(timers.pop(500, &mut work), Due::Idle);
        assert_eq!(timers.next_ms(), None);
    }
}
