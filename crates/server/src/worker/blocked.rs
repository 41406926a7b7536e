//! Sessions that wait for a key (BLPOP and its kind), and those whose reply waits until whoever they had something for is served.
//!
//! Invariants: a ticket that is called belongs to the command's next run, so timing out or unblocking it fails and the run decides. A
//! session that is settling has done its command and written its reply; nothing of either is sent or executed before its turn is over.

use std::sync::Arc;

use dunlin_engine::{Blocked, Call, Executed, OwnedArgs, Reply, ReplyError, UntilSafe};
use dunlin_reactor::{ConnId, Io, TimerId};
use dunlin_store::blocked::{Ticket, Turn};
use std::sync::atomic::Ordering;

use super::Worker;
use super::slot::{Activity, Slot, token_of};
use super::unsafe_replies::note_positions;
use crate::clients::Mark;

/// In the token of a reactor timer: it is the deadline of the session with the rest of the token.
pub(super) const BLOCKED_UNTIL: u64 = 1 << 63;

/// A command that waits for a key.
pub(super) struct Waiting {
    id: usize,
    pub(super) args: OwnedArgs,
    pub(super) ticket: Arc<Ticket>,
    nothing: fn(&mut Reply<'_>),
    until_safe: Option<UntilSafe>,
    timer: Option<TimerId>,
    /// Why it was to end while the ticket was called: what comes to pass if that run finds nothing.
    late: Option<GiveUp>,
}

/// How a wait ends without a key.
#[derive(Copy, Clone)]
pub(super) enum GiveUp {
    /// The time is over.
    Timeout,
    /// CLIENT UNBLOCK ... ERROR.
    Unblocked,
}

impl Worker {
    /// Puts a session aside that waits for a key. Its input is paused already.
    pub(super) fn block(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        blocked: Blocked,
        args: OwnedArgs,
    ) {
        let now_ms = self.now_ms;
        let timer = blocked.deadline_ms.map(|at_ms| {
            let left_ms = at_ms.saturating_sub(now_ms).max(1);
            let at_ms = io.now_ms().saturating_add(left_ms);
            io.set_timer(at_ms, BLOCKED_UNTIL | token_of(conn))
        });
        if blocked.until_safe.is_some_and(|wait| wait.at_once) {
            self.wait_until_safe.push(conn);
        }
        let Some(slot) = self.slot(conn) else { return };
        slot.activity = Activity::Blocked(Box::new(Waiting {
            id: blocked.id,
            args: blocked.args.unwrap_or(args),
            ticket: blocked.ticket,
            nothing: blocked.nothing,
            until_safe: blocked.until_safe,
            timer,
            late: None,
        }));
        slot.client.mark(Mark::BLOCKED, true);
        self.count_blocked(1);
        if self.is_stopping {
            self.dismiss(io, conn);
        }
    }

    /// The server ends: who waits for a key is closed, for the wait could outlast all patience.
    pub(super) fn stop_waiting(&mut self, io: &mut Io<'_>) {
        self.is_stopping = true;
        let slots = self.slots.iter().flatten();
        let blocked = slots.filter(|slot| matches!(slot.activity, Activity::Blocked(_)));
        for conn in blocked.map(|slot| slot.conn).collect::<Vec<_>>() {
            self.dismiss(io, conn);
        }
    }

    /// Closes a client that waits for a key. The replies to what it asked before still reach it.
    fn dismiss(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let Some(place) = self.slots.get_mut(conn.index()) else {
            return;
        };
        let Some(mut slot) = place.take_if(|slot| slot.conn == conn) else {
            return;
        };
        self.abandon_wait(io, &mut slot);
        slot.client.mark(Mark::BLOCKED, false);
        self.slots[conn.index()] = Some(slot);
        self.close_after_reply(io, conn);
    }

    fn count_blocked(&self, change: isize) {
        let blocked = &self.host.shared.workers[self.number].blocked;
        blocked.fetch_add(change as usize, Ordering::Relaxed);
    }

    /// A session is not blocked any more.
    fn end_block(&mut self, io: &mut Io<'_>, conn: ConnId, waiting: &Waiting) {
        if let Some(timer) = waiting.timer {
            io.cancel_timer(timer);
        }
        if let Some(slot) = self.slot(conn) {
            slot.client.mark(Mark::BLOCKED, false);
        }
        self.count_blocked(-1);
    }

    /// The ticket of a session was called, and a stripe is its own: runs its command again.
    pub(super) fn resume_called(&mut self, io: &mut Io<'_>, conn: ConnId, waiting: Box<Waiting>) {
        let Some(slot) = self
            .slots
            .get_mut(conn.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        let Some(session) = slot.session.as_deref_mut() else {
            return;
        };
        if slot.out.tail().capacity() == 0 {
            *slot.out.tail() = io.buffer();
        }
        let started_us = self.host.clock.monotonic_us();
        let call = Call {
            args: waiting.args.as_args(),
            id: None,
            first_hash: None,
            session,
            out: &mut slot.out,
            host: &mut self.host,
            worker: &mut self.state,
            waiter: &slot.waiter,
            now_ms: self.now_ms,
        };
        let executed = self.engine.resume_called(call, waiting.id, &waiting.ticket);
        note_positions(&mut self.state.local, session, &mut slot.awaits);
        let ended_us = self.host.clock.monotonic_us();
        slot.suspended.ran_us += ended_us - started_us;
        // The wait for the key is no part of its latency.
        slot.suspended.arrived_us = ended_us - slot.suspended.ran_us;
        match executed {
            Executed::Parked { .. } => slot.activity = Activity::Blocked(waiting),
            Executed::Blocked(_) => {
                let late = waiting.late;
                slot.activity = Activity::Blocked(waiting);
                self.end_turn();
                if let Some(how) = late {
                    self.give_up(io, conn, how);
                }
            }
            Executed::Done { id } => {
                let times = slot.suspended.times();
                let (args, awaits) = (waiting.args.as_args(), slot.awaits);
                self.host.suspended_ran(id, args, session, times, awaits);
                self.end_block(io, conn, &waiting);
                self.finish(io, conn);
                self.end_turn();
            }
            other => {
                self.end_block(io, conn, &waiting);
                self.suspend(io, conn, other, waiting.args.as_args());
                self.end_turn();
            }
        }
    }

    /// The session that was called is through with this turn.
    fn end_turn(&mut self) {
        self.state.local.turn = None;
    }

    /// Ends a wait without a key, unless the ticket is called; whether it did.
    pub(super) fn give_up(&mut self, io: &mut Io<'_>, conn: ConnId, how: GiveUp) -> bool {
        let number = self.number;
        let safe = self.engine.store.log.safe();
        let Some(slot) = self
            .slots
            .get_mut(conn.index())
            .and_then(Option::as_deref_mut)
            .filter(|slot| slot.conn == conn)
        else {
            return false;
        };
        let Activity::Blocked(waiting) = &mut slot.activity else {
            return false;
        };
        if !waiting.ticket.cancel() {
            waiting.late.get_or_insert(how);
            return false;
        }
        let Activity::Blocked(waiting) = std::mem::replace(&mut slot.activity, Activity::Idle)
        else {
            unreachable!("looked at above")
        };
        if let Some(session) = slot.session.as_deref() {
            if slot.out.tail().capacity() == 0 {
                *slot.out.tail() = io.buffer();
            }
            let mut reply = Reply::new(&mut slot.out, session.version);
            let stats = &self.engine.stats[number];
            stats.commands[waiting.id].calls.add(1);
            match how {
                GiveUp::Timeout => match waiting.until_safe {
                    Some(wait) if wait.position <= safe => (wait.reply)(&mut reply),
                    _ => (waiting.nothing)(&mut reply),
                },
                GiveUp::Unblocked => {
                    let error = ReplyError::Unblocked;
                    stats.count_error(&error);
                    stats.commands[waiting.id].failed.add(1);
                    reply.error(&error);
                }
            }
            let ran_us = slot.suspended.ran_us;
            let now_us = self.host.clock.monotonic_us();
            let times = (now_us.saturating_sub(ran_us), ran_us);
            let (args, id) = (waiting.args.as_args(), Some(waiting.id));
            self.host
                .suspended_ran(id, args, session, times, slot.awaits);
        }
        self.end_block(io, conn, &waiting);
        self.forget_ticket(waiting.ticket);
        self.finish(io, conn);
        true
    }

    /// Answers those who wait for nothing but a safe log, and have it.
    pub(super) fn serve_safe(&mut self, io: &mut Io<'_>) {
        let safe = self.engine.store.log.safe();
        for conn in std::mem::take(&mut self.wait_until_safe) {
            let Some(slot) = self.slot(conn) else {
                continue;
            };
            let Activity::Blocked(waiting) = &slot.activity else {
                continue;
            };
            match waiting.until_safe {
                Some(wait) if wait.position <= safe => {
                    self.give_up(io, conn, GiveUp::Timeout);
                }
                Some(_) => self.wait_until_safe.push(conn),
                None => {}
            }
        }
    }

    /// The deadline of a session has come.
    pub(super) fn blocked_until(&mut self, io: &mut Io<'_>, token: u64) {
        if let Some(slot) = self.slot_of_token(token) {
            let conn = slot.conn;
            if let Activity::Blocked(waiting) = &mut slot.activity {
                waiting.timer = None;
                self.give_up(io, conn, GiveUp::Timeout);
            }
        }
    }

    /// Ends the waits that CLIENT UNBLOCK told of.
    pub(super) fn unblock(&mut self, io: &mut Io<'_>, token: u64, with_error: bool) {
        let how = if with_error {
            GiveUp::Unblocked
        } else {
            GiveUp::Timeout
        };
        if let Some(slot) = self.slot_of_token(token) {
            let conn = slot.conn;
            self.give_up(io, conn, how);
        }
    }

    /// The connection of a session that waits is gone.
    pub(super) fn abandon_wait(&mut self, io: &mut Io<'_>, slot: &mut Slot) {
        let Activity::Blocked(waiting) = std::mem::replace(&mut slot.activity, Activity::Idle)
        else {
            return;
        };
        if !waiting.ticket.cancel() {
            // Somebody has called it, or is about to: its waiter must not take a stripe.
            self.engine.store.abandon_stripes(&slot.waiter);
        }
        if let Some(timer) = waiting.timer {
            io.cancel_timer(timer);
        }
        self.count_blocked(-1);
        self.forget_ticket(waiting.ticket);
    }

    fn forget_ticket(&mut self, ticket: Arc<Ticket>) {
        ticket.end();
        let (store, local) = (&self.engine.store, &mut self.state.local);
        if !store.forget_ticket(local, self.now_ms, &ticket) {
            self.forget_later.push(ticket);
        }
    }

    /// Takes tickets that are over out of their queues; whether some stripe was busy.
    pub(super) fn run_forget(&mut self) -> bool {
        let (store, local) = (&self.engine.store, &mut self.state.local);
        self.forget_later
            .retain(|ticket| !store.forget_ticket(local, self.now_ms, ticket));
        !self.forget_later.is_empty()
    }

    /// The command of a session had something for others: serves those of this worker. Whether the session has to wait for those of
    /// other workers; then it is settling.
    #[cold]
    pub(super) fn serve_others(&mut self, io: &mut Io<'_>, conn: ConnId, turn: Turn) -> bool {
        self.run_ready(io);
        if turn.is_over() {
            return false;
        }
        io.pause_input(conn);
        if let Some(slot) = self.slot(conn) {
            slot.activity = Activity::Settling;
        }
        true
    }

    fn slot_of_token(&mut self, token: u64) -> Option<&mut Slot> {
        let index = (token & u64::from(u32::MAX)) as usize;
        let slot = self.slots.get_mut(index)?.as_deref_mut()?;
        (token_of(slot.conn) & !BLOCKED_UNTIL == token & !BLOCKED_UNTIL).then_some(slot)
    }
}
