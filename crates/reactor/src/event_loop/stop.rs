//! Stopping, and what else reaches the loop from other threads.
//!
//! A graceful stop closes the listeners, lets every connection finish what it has sent so far, flushes, and closes; what has
//! work left at the one shared deadline is cut and counted. A second request can bring the deadline forward, and so do peers that take
//! nothing of their output, once they are all that the stop waits for.
//!
//! Invariant: tasks that were taken run before the loop ends; no reply is cut before the deadline while its peer takes any of it.

use super::EventLoop;
use crate::backend::Backend;
use crate::conn::{CloseReason, Life};
use crate::handler::Handler;
use crate::io::Io;
use crate::state::Stopping;

/// A connection that still has unread input after so many reads since the stop began sends faster than it is served: it is
/// closed (about 1 MiB with the default budget).
const STOP_READS_MAX: u8 = 16;

impl<B: Backend> EventLoop<B> {
    /// Posted tasks, changes of listeners, sockets handed over, stop requests; then the handler's `woken`.
    pub(super) fn run_woken<H: Handler>(&mut self, handler: &mut H) {
        if self.waker.take() {
            self.run_tasks();
            self.change_listeners(handler);
            self.open_handed_over(handler);
            if let Some(deadline_ms) = self.neighbours[self.index].remote.stop_deadline_ms() {
                self.request_stop(deadline_ms, handler);
            }
            handler.woken(&mut Io::new(&mut self.state));
        }
        if let Some(deadline_ms) = self.state.stop_request_ms.take() {
            self.request_stop(deadline_ms, handler);
        }
    }

    fn run_tasks(&mut self) {
        self.neighbours[self.index]
            .remote
            .take_tasks(&mut self.tasks);
        while let Some(task) = self.tasks.pop_front() {
            task(&mut Io::new(&mut self.state));
        }
    }

    fn request_stop<H: Handler>(&mut self, deadline_ms: u64, handler: &mut H) {
        if let Some(stopping) = &mut self.state.stopping {
            stopping.deadline_ms = stopping.deadline_ms.min(deadline_ms);
            return;
        }
        self.state.stopping = Some(Stopping {
            deadline_ms,
            turns: 0,
            stalled_since_ms: None,
            bytes_out: 0,
        });
        self.listeners.end();
        self.acceptor.close(&mut self.backend);
        if let Some(timer) = self.acceptor.resume_timer.take() {
            self.state.timers.cancel(timer);
        }
        for (socket, _) in self.neighbours[self.index].inbox.end() {
            drop(socket);
            self.neighbours[self.index].remote.drop_load();
        }
        handler.stopping(&mut Io::new(&mut self.state));
    }

    /// At the end of each turn of a stop: close who has nothing left to do, cut everyone at the deadline, end when all are gone.
    pub(super) fn advance_stop<H: Handler>(&mut self, handler: &mut H) {
        let Some(mut stopping) = self.state.stopping else {
            return;
        };
        stopping.turns += 1;
        self.note_stall(&mut stopping);
        self.state.stopping = Some(stopping);
        if self.state.now_ms() >= stopping.cut_at_ms(&self.state.limits) {
            self.cut_all(handler);
            return self.end();
        }
        // Two turns: what had arrived when the request came has been reported by the second wait at the latest.
        if stopping.turns < 2 {
            self.busy = true;
            return;
        }
        for index in 0..self.state.conns.slots() {
            let works = self.has_work(index);
            let c = self.state.conns.at(index);
            let floods = c.stop_reads >= STOP_READS_MAX && !c.paused;
            if c.live == Life::Open && (!works || floods) {
                self.state.close_after_flush(index, CloseReason::Local);
            } else if c.live == Life::Connecting && !works {
                self.state.doom(index, CloseReason::Local);
            }
        }
        self.settle(handler);
        if self.state.conns.open == 0 && self.state.conns.lingering == 0 {
            self.end();
        }
    }

    /// Sees since when every connection with work has a full socket and nothing was sent.
    fn note_stall(&mut self, stopping: &mut Stopping) {
        let now_ms = self.state.now_ms();
        let sent = self.state.stats.bytes_out - self.backend.held().sending as u64;
        let was_sent = std::mem::replace(&mut stopping.bytes_out, sent) != sent;
        let waits_for_others =
            (0..self.state.conns.slots()).any(|index| self.has_work(index) && !self.is_full(index));
        if was_sent || waits_for_others {
            stopping.stalled_since_ms = None;
        } else {
            stopping.stalled_since_ms.get_or_insert(now_ms);
        }
    }

    fn cut_all<H: Handler>(&mut self, handler: &mut H) {
        for index in 0..self.state.conns.slots() {
            if self.state.conns.at(index).is_live() {
                // Without work, nothing is lost by closing: that is no cut.
                let cut = self.has_work(index);
                self.report.cut += usize::from(cut);
                let reason = if cut {
                    CloseReason::Deadline
                } else {
                    CloseReason::Local
                };
                self.state.conns.at(index).reason = Some(reason);
                self.state.doom(index, CloseReason::Deadline);
            }
            let generation = self.state.conns.at(index).generation;
            self.end_linger(index, generation);
        }
        self.bury(handler);
    }

    fn end(&mut self) {
        let remote = self.neighbours[self.index].remote.clone();
        for task in remote.end() {
            task(&mut Io::new(&mut self.state));
        }
        self.backend.finish();
        self.ended = true;
    }
}
