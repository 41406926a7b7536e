//! The start of a turn: how long to sleep, what happened meanwhile, which timers are due.
//!
//! Invariant: the loop sleeps only if nothing is queued, and never past a timer, the handler's bound or a stop's deadline.

use std::{io, mem, thread};

use dunlin_structures::Due;

use super::{EventLoop, Sleep};
use crate::backend::{Backend, Event, Subject};
use crate::conn::{CloseReason, Life};
use crate::handler::Handler;
use crate::io::Io;
use crate::timers::Action;

/// A loop that has read and written so much lets others run: to move it takes 50 to 200 us, to let others run where there are none 0.5 us.
const GIVE_WAY_BYTES: u64 = 256 << 10;

impl<B: Backend> EventLoop<B> {
    /// How long the loop would sleep if a turn began now and nothing happened.
    #[must_use]
    pub fn sleep(&self) -> Sleep {
        let state = &self.state;
        if self.busy
            || !state.ready.is_empty()
            || !state.dirty.is_empty()
            || !state.again.is_empty()
            || !state.doomed.is_empty()
            || !state.connects.is_empty()
            || state.stop_request_ms.is_some()
            || self.waker.is_pending()
        {
            return Sleep::None;
        }
        let deadline = state.stopping.map(|s| s.cut_at_ms(&state.limits));
        let bounds = [state.timers.next_ms(), self.sleep_until_ms, deadline];
        match bounds.into_iter().flatten().min() {
            Some(at_ms) => Sleep::Until(at_ms),
            None => Sleep::Forever,
        }
    }

    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.events.clear();
        self.give_way();
        let timeout_ms = match self.sleep() {
            Sleep::None => Some(0),
            Sleep::Forever => None,
            Sleep::Until(at_ms) => {
                // The turn may have taken long since it read the clock.
                let now_us = self.backend.monotonic_us();
                Some((at_ms.saturating_mul(1_000).saturating_sub(now_us)).div_ceil(1_000))
            }
        };
        if timeout_ms == Some(0) {
            self.backend.wait(Some(0), &mut self.events)?;
        } else if self.waker.fall_asleep() {
            let waited = self.backend.wait(timeout_ms, &mut self.events);
            self.waker.rise();
            waited?;
        } else {
            self.waker.rise();
            self.backend.wait(Some(0), &mut self.events)?;
        }
        self.begin();
        Ok(())
    }

    /// A loop that has moved much lets others on its processor run. The kernel would see that they want it at its next tick, after up to
    /// 4 ms.
    #[inline]
    fn give_way(&mut self) {
        let moved = self.state.stats.bytes_in + self.state.stats.bytes_out;
        if moved - self.gave_way_at >= GIVE_WAY_BYTES {
            self.gave_way_at = moved;
            thread::yield_now();
        }
    }

    /// As [`EventLoop::wait`], without waiting; not even for a call of the system, unless something may have happened.
    pub(super) fn look(&mut self, look: bool) -> io::Result<()> {
        self.waker.rise();
        self.events.clear();
        if look {
            self.backend.wait(Some(0), &mut self.events)?;
        }
        self.begin();
        Ok(())
    }

    fn begin(&mut self) {
        self.state.now_us = self.backend.monotonic_us();
        self.state.arrivals.begin(self.state.now_us);
        self.state.held_by_backend = self.backend.held();
        self.busy = false;
    }

    /// Takes note of the turn's events. Only flags are set; the bytes are collected when the connection's turn comes.
    pub(super) fn dispatch<H: Handler>(&mut self, handler: &mut H) {
        let events = mem::take(&mut self.events);
        for event in &events {
            match event.token.subject() {
                Subject::Connection { index, generation } => {
                    self.dispatch_connection(index, generation, event, handler);
                }
                Subject::Listener(index) => self.acceptor.mark_ready(index),
                Subject::Descriptor(index) => {
                    let token = self.descriptors[index as usize].1;
                    handler.fd_ready(&mut Io::new(&mut self.state), token);
                }
                // The flag that came with it was looked at already.
                Subject::Waker => {}
            }
        }
        self.events = events;
        for index in mem::take(&mut self.state.again) {
            self.state.mark_dirty(index);
        }
    }

    #[inline]
    fn dispatch_connection<H: Handler>(
        &mut self,
        index: u32,
        generation: u32,
        event: &Event,
        handler: &mut H,
    ) {
        let Some(c) = self.state.conns.of_event(index, generation) else {
            return;
        };
        if event.readable || event.peer_closed || event.failed {
            c.readable = true;
            c.end_ahead |= event.peer_closed || event.failed;
        }
        if c.live == Life::Connecting {
            self.end_attempt(index, event, handler);
        } else if event.writable && c.blocked {
            c.blocked = false;
            self.state.mark_dirty(index);
        }
        self.state.enqueue(index);
        if event.peer_closed || event.failed {
            self.note_end(index, event.failed, handler);
        }
    }

    /// The peer is gone. A connection that is being read learns of it behind its last bytes; any other must hear of it now.
    #[cold]
    fn note_end<H: Handler>(&mut self, index: u32, failed: bool, handler: &mut H) {
        let c = self.state.conns.at(index);
        if c.live != Life::Open || c.wants_turn() {
            return;
        }
        if failed {
            let error = self.sockets[index as usize]
                .as_mut()
                .and_then(|s| self.backend.take_error(s))
                .unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
            self.state.doom(index, CloseReason::Reset(error));
        } else if (c.paused || c.read_expired) && !mem::replace(&mut c.told_peer_closed, true) {
            let id = self.state.conns.id(index);
            handler.peer_closed(&mut Io::new(&mut self.state), id);
        }
    }

    pub(super) fn fire_timers<H: Handler>(&mut self, handler: &mut H) {
        let now_ms = self.state.now_ms();
        let mut work = self.state.limits.timer_work_per_turn;
        loop {
            match self.state.timers.pop(now_ms, &mut work) {
                Due::Fired(Action::User(token)) => {
                    handler.timer(&mut Io::new(&mut self.state), token);
                }
                Due::Fired(Action::ResumeAccepting) => self.resume_accepting(),
                Due::Fired(Action::EndLinger(index, generation)) => {
                    self.end_linger(index, generation);
                }
                Due::Fired(Action::Deadline(side, index, generation)) => {
                    self.expire(side, index, generation, handler);
                }
                Due::Fired(Action::Unthrottle) => self.acceptor.unthrottle(&mut self.backend),
                Due::Fired(Action::Pace(index, generation)) => {
                    self.state.check_pace(index, generation);
                }
                Due::Fired(Action::Handshake(index, generation)) => {
                    self.state.check_handshake(index, generation);
                }
                Due::Fired(Action::GiveUpConnecting(index, generation)) => {
                    self.give_up_connecting(index, generation);
                }
                Due::Idle => return,
                Due::OutOfWork => {
                    self.busy = true;
                    return;
                }
            }
        }
    }
}
