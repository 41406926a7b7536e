//! Clients whose next command waits until CLIENT PAUSE is over, or until the disk has taken enough of the log, and clients that somebody closes.
//!
//! Invariant: a postponed command is still among the input of its connection, which is paused: nothing of it has happened.

use std::sync::atomic::Ordering;

use dunlin_engine::Args;
use dunlin_reactor::{ConnId, Io};

use super::slot::{Activity, Slot, token_of};
use super::{PAUSE_OVER, Worker};
use crate::clients::{Mark, Order, Scope};

/// When it is looked again whether the disk has taken enough of the log.
const CONGESTED_CHECK_MS: u64 = 10;

impl Worker {
    /// Puts a client aside whose command has to wait until the pause is over; false if it has not. What is refused anyway is
    /// refused at once.
    #[cold]
    pub(super) fn postpone(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        args: Args<'_>,
        id: Option<usize>,
    ) -> bool {
        let Some((scope, end_ms)) = self.pause_now() else {
            return false;
        };
        let Some(slot) = self.slots[conn.index()].as_deref_mut() else {
            return false;
        };
        let Some(session) = slot.session.as_deref() else {
            return false;
        };
        let waits = match self.engine.would_write(args, id, session) {
            None => false,
            Some(writes) => writes || scope == Scope::All,
        };
        if !waits {
            return false;
        }
        slot.activity = Activity::Postponed;
        slot.client.mark(Mark::POSTPONED, true);
        io.pause_input(conn);
        if self.postponed.is_empty() {
            self.wake_when_over(io, end_ms);
        }
        self.postponed.push(conn);
        self.count_postponed(1);
        true
    }

    /// Which commands wait now, and until when: because clients are paused, or the disk does not take the log as fast as it comes.
    fn pause_now(&self) -> Option<(Scope, u64)> {
        let pause = self.host.shared.clients.pause.at(self.now_ms);
        let (journal, log) = (&self.host.shared.journal, &self.engine.store.log);
        let congestion = || {
            journal
                .is_congested(log, self.number)
                .then_some((Scope::Write, self.now_ms + CONGESTED_CHECK_MS))
        };
        pause.or_else(congestion)
    }

    fn wake_when_over(&mut self, io: &mut Io<'_>, end_ms: u64) {
        // One is enough: if it comes too early it is set anew, and an end that is brought forward wakes the workers.
        if std::mem::replace(&mut self.pause_timer_set, true) {
            return;
        }
        let left_ms = end_ms.saturating_sub(self.now_ms).max(1);
        io.set_timer(io.now_ms().saturating_add(left_ms), PAUSE_OVER);
    }

    /// Lets the postponed clients go on, if there is no pause any more.
    pub(super) fn release_postponed(&mut self, io: &mut Io<'_>) {
        if self.postponed.is_empty() {
            return;
        }
        if let Some((_, end_ms)) = self.pause_now() {
            return self.wake_when_over(io, end_ms);
        }
        for conn in std::mem::take(&mut self.postponed) {
            let postponed = |slot: &&mut Slot| matches!(slot.activity, Activity::Postponed);
            let Some(slot) = self.slot(conn).filter(postponed) else {
                continue;
            };
            slot.activity = Activity::Idle;
            slot.client.mark(Mark::POSTPONED, false);
            self.count_postponed(-1);
            io.resume_input(conn);
        }
    }

    pub(super) fn count_postponed(&self, change: isize) {
        let postponed = &self.host.shared.workers[self.number].postponed;
        postponed.fetch_add(change as usize, Ordering::Relaxed);
    }

    /// Does what others ask of this worker's clients.
    pub(super) fn read_mail(&mut self, io: &mut Io<'_>) {
        for order in self.host.shared.clients.take_mail(self.number) {
            match order {
                Order::Close(token) => {
                    let index = (token & u64::from(u32::MAX)) as usize;
                    if let Some(slot) = self.slots.get(index).and_then(Option::as_deref)
                        && token_of(slot.conn) == token
                    {
                        io.close(slot.conn);
                    }
                }
                Order::Unblock { token, with_error } => self.unblock(io, token, with_error),
            }
        }
    }
}
