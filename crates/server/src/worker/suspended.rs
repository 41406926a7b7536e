//! Sessions that wait: for a stripe, for their next step, or for the auxiliary thread. Those that wait for a key: `blocked`.
//!
//! Invariant: a suspended connection's input is paused, its session executes nothing else, and it owns its arguments.

use std::any::Any;
use std::sync::Arc;

use dunlin_engine::dispatch::Stepped;
use dunlin_engine::{Args, Call, Engine, Executed, Heavy, OwnedArgs, Session};
use dunlin_reactor::{ConnId, Io};
use dunlin_store::blocked::Turn;

use super::Worker;
use super::batch::settle_replies;
use super::slot::{Activity, Stopwatch, token_of};
use super::unsafe_replies::note_positions;
use crate::auxiliary::{Finished, Job};
use crate::observe::Done;
use crate::persistence::saving::{Order, Traveller};

/// Steps of one session in a turn are stopped after this long, so that the other connections are served.
const STEPS_TURN_US: u64 = 100;
/// Likewise after so many, whatever the clock says (a simulated one stands still meanwhile).
const STEPS_TURN_MAX: usize = 64;
/// What a session in steps has written is sent once it is this long.
const STEP_FLUSH_BYTES: usize = 256 << 10;
/// A session in steps whose client takes its output slower than this much stays where it is.
const STEP_OUTPUT_BYTES_MAX: usize = 64 << 20;

impl Worker {
    /// Puts a session aside whose command was not done at once.
    pub(super) fn suspend(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        executed: Executed,
        args: Args<'_>,
    ) {
        io.pause_input(conn);
        let number = self.number;
        let parked = matches!(executed, Executed::Parked { .. });
        let Some(slot) = self.slot(conn) else { return };
        match executed {
            Executed::Done { .. } => unreachable!("a finished command suspends nobody"),
            Executed::Parked { id } => {
                slot.activity = Activity::Parked {
                    id,
                    args: args.to_owned(),
                }
            }
            Executed::Continue(continuation) => {
                slot.activity = Activity::Stepping {
                    continuation,
                    parked: false,
                    args: args.to_owned(),
                };
                self.stepping.push_back(conn);
            }
            Executed::Blocked(blocked) => self.block(io, conn, *blocked, args.to_owned()),
            Executed::Heavy(heavy) => self.send_away(conn, heavy, args),
            Executed::Away(order) => self.send_off(conn, order),
            Executed::Again { .. } => unreachable!("only the auxiliary thread says so"),
        }
        if parked {
            self.watch_for_scripts(io);
            self.host.shared.workers[number].parked.add(1);
        }
    }

    fn send_away(&mut self, conn: ConnId, heavy: Box<Heavy>, args: Args<'_>) {
        let (worker, now_ms) = (self.number, self.now_ms);
        let slot = self.slot(conn).expect("the connection executes a command");
        slot.activity = Activity::Away;
        let Stopwatch { arrived_us, ran_us } = slot.suspended;
        let waiter = Arc::clone(&slot.waiter);
        let session = slot
            .session
            .take()
            .expect("a session that executes is here");
        let job = Job {
            worker,
            token: token_of(conn),
            session,
            args: args.to_owned(),
            heavy,
            now_ms,
            arrived_us,
            ran_us,
            waiter,
        };
        self.auxiliary.submit(job);
    }

    /// Sends a session away to the saving thread, which answers it.
    fn send_off(&mut self, conn: ConnId, order: Box<dyn Any + Send>) {
        let worker = self.number;
        let turn = self.state.local.turn.take();
        let slot = self.slot(conn).expect("the connection executes a command");
        slot.activity = Activity::Away;
        let session = slot
            .session
            .take()
            .expect("a session that executes is here");
        let traveller = Traveller {
            turn,
            worker,
            token: token_of(conn),
            session,
        };
        let order = order
            .downcast::<Order>()
            .expect("no command sends sessions anywhere else");
        self.host.shared.saving.submit(*order, Some(traveller));
    }

    /// Goes on with the sessions that were granted a stripe.
    pub(super) fn run_ready(&mut self, io: &mut Io<'_>) {
        while self.ready.drain(&mut self.tokens) > 0 {
            let mut tokens = std::mem::take(&mut self.tokens);
            for token in tokens.drain(..) {
                self.resume(io, token);
            }
            self.tokens = tokens;
        }
    }

    /// Takes back the sessions that the auxiliary thread is done with.
    pub(super) fn run_finished(&mut self, io: &mut Io<'_>) {
        for finished in self.auxiliary.take_finished(self.number) {
            self.come_back(io, finished);
        }
    }

    /// A parked session was granted its stripe.
    fn resume(&mut self, io: &mut Io<'_>, token: u64) {
        let index = (token & u64::from(u32::MAX)) as usize;
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_deref_mut) else {
            return;
        };
        // A token of a connection that is gone: its waiter was abandoned, which gave the stripe back.
        if token_of(slot.conn) != token {
            return;
        }
        let conn = slot.conn;
        match std::mem::replace(&mut slot.activity, Activity::Idle) {
            Activity::Parked { id, args } => {
                self.go_on(io, conn, args, |engine, call| engine.resume(call, id));
            }
            Activity::Stepping {
                continuation, args, ..
            } => {
                slot.activity = Activity::Stepping {
                    continuation,
                    parked: false,
                    args,
                };
                if self.step(io, conn, true) {
                    self.stepping.push_back(conn);
                }
            }
            Activity::Blocked(waiting) => self.resume_called(io, conn, waiting),
            Activity::Settling => {
                slot.waiter.note_passed();
                self.finish(io, conn);
            }
            other => slot.activity = other,
        }
    }

    /// A command is done that may have had something for others, who are served first.
    fn finish_in_turn(&mut self, io: &mut Io<'_>, conn: ConnId, turn: Option<Turn>) {
        if turn.is_none_or(|turn| !self.serve_others(io, conn, turn)) {
            self.finish(io, conn);
        }
    }

    /// A command is done: sends its reply and lets the connection go on.
    pub(super) fn finish(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let Some(slot) = self.slot(conn) else { return };
        slot.activity = Activity::Idle;
        if let Some(session) = slot.session.as_deref_mut() {
            if std::mem::take(&mut slot.muted) {
                slot.out.clear();
                settle_replies(session, None, &mut slot.out);
            }
            if let Some(mut pushes) = slot.pushes.take() {
                slot.out.append(&mut pushes);
            }
            slot.client
                .publish_session(session, slot.last.map(usize::from));
        }
        self.look_around();
        let Some(slot) = self.slot(conn) else { return };
        if slot.session.as_ref().is_some_and(|s| s.close_after_reply) {
            self.close_after_reply(io, conn);
            return;
        }
        self.flush(io, conn);
        io.resume_input(conn);
    }

    /// Does one step of a session; whether it has more to do and can.
    fn step(&mut self, io: &mut Io<'_>, conn: ConnId, resumed: bool) -> bool {
        let Some(slot) = self
            .slots
            .get_mut(conn.index())
            .and_then(Option::as_deref_mut)
        else {
            return false;
        };
        if slot.conn != conn {
            return false;
        }
        let Activity::Stepping {
            continuation,
            parked,
            args,
        } = &mut slot.activity
        else {
            return false;
        };
        let Some(session) = slot.session.as_deref_mut() else {
            return false;
        };
        let none = OwnedArgs::default();
        let started_us = self.host.clock.monotonic_us();
        let call = Call {
            args: none.as_args(),
            id: None,
            first_hash: None,
            session,
            out: &mut slot.out,
            host: &mut self.host,
            worker: &mut self.state,
            waiter: &slot.waiter,
            now_ms: self.now_ms,
        };
        let stepped = self.engine.step(call, &mut **continuation, resumed);
        note_positions(&mut self.state.local, session, &mut slot.awaits);
        slot.suspended.ran_us += self.host.clock.monotonic_us() - started_us;
        match stepped {
            Stepped::More => {
                if slot.out.len() > STEP_FLUSH_BYTES {
                    if slot.muted {
                        slot.out.clear();
                    } else {
                        self.flush(io, conn);
                    }
                }
                true
            }
            Stepped::Parked => {
                *parked = true;
                false
            }
            Stepped::Done => {
                let args = args.as_args();
                let id = self.engine.table.id_of_call(args);
                let times = slot.suspended.times();
                self.host
                    .suspended_ran(id, args, session, times, slot.awaits);
                self.finish(io, conn);
                false
            }
        }
    }

    /// Whether a session in steps can go on now. One whose client is slow goes on once its output has drained.
    pub(super) fn can_step(&self, io: &mut Io<'_>) -> bool {
        self.stepping.iter().any(|&conn| has_room(io, conn))
    }

    /// Steps the sessions that go on in steps, for a bounded time.
    pub(super) fn run_steps(&mut self, io: &mut Io<'_>) {
        let start_us = self.host.clock.monotonic_us();
        for _ in 0..STEPS_TURN_MAX {
            let Some(conn) = self.stepping.pop_front() else {
                break;
            };
            if !has_room(io, conn) || self.step(io, conn, false) {
                self.stepping.push_back(conn);
            }
            if self.host.clock.monotonic_us() - start_us > STEPS_TURN_US {
                break;
            }
        }
        self.read_wall_clock();
    }

    fn come_back(&mut self, io: &mut Io<'_>, finished: Finished) {
        let reply_bytes = finished.out.owned_bytes() as i64;
        self.arrived_bytes += reply_bytes;
        let index = (finished.token & u64::from(u32::MAX)) as usize;
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_deref_mut) else {
            return self.forget(*finished.session);
        };
        if token_of(slot.conn) != finished.token {
            return self.forget(*finished.session);
        }
        let conn = slot.conn;
        slot.session = Some(finished.session);
        slot.awaits = slot.awaits.max(finished.awaits);
        if let Some((id, args)) = finished.again {
            // It needs every stripe.
            return self.go_on(io, conn, args, |engine, call| engine.run_again(call, id));
        }
        if let Some(done) = finished.done {
            let awaits = slot.awaits;
            self.host.executed(Done { awaits, ..done });
        }
        slot.out.append(&mut { finished.out });
        self.finish_in_turn(io, conn, finished.turn);
    }

    /// Runs a command whose session has been suspended, by `run`.
    fn go_on(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        args: OwnedArgs,
        run: impl FnOnce(&Engine, Call<'_>) -> Executed,
    ) {
        let slot = self.slots.get_mut(conn.index());
        let Some(slot) = slot.and_then(Option::as_deref_mut) else {
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
            args: args.as_args(),
            id: None,
            first_hash: None,
            session,
            out: &mut slot.out,
            host: &mut self.host,
            worker: &mut self.state,
            waiter: &slot.waiter,
            now_ms: self.now_ms,
        };
        let executed = run(&self.engine, call);
        note_positions(&mut self.state.local, session, &mut slot.awaits);
        slot.suspended.ran_us += self.host.clock.monotonic_us() - started_us;
        match executed {
            Executed::Done { id } => {
                let times = slot.suspended.times();
                let (args, awaits) = (args.as_args(), slot.awaits);
                self.host.suspended_ran(id, args, session, times, awaits);
                let turn = self.state.local.turn.take();
                self.finish_in_turn(io, conn, turn);
            }
            other => self.suspend(io, conn, other, args.as_args()),
        }
    }

    /// Drops a session whose connection is gone; what it watches is unwatched as soon as its stripes are free.
    pub(super) fn forget(&mut self, mut session: Session) {
        self.engine.pubsub.unsubscribe_all(&mut session);
        if let Some(watches) = session.watches {
            self.unwatch_later.extend(
                watches
                    .keys
                    .into_iter()
                    .map(|key| (key, watches.flag.clone())),
            );
        }
    }

    /// Unwatches for sessions that are gone; whether some stripe was busy.
    pub(super) fn run_unwatch(&mut self) -> bool {
        let store = &self.engine.store;
        self.unwatch_later
            .retain(|((db, key, hash), flag)| !store.unwatch_now(*db, key, *hash, flag));
        !self.unwatch_later.is_empty()
    }

    /// Gives a reply's bytes to the reactor.
    pub(super) fn flush(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let Some(slot) = self
            .slots
            .get_mut(conn.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        if matches!(slot.activity, Activity::Settling) {
            return;
        }
        if slot.conn != conn {
            return;
        }
        if !slot.out.is_empty() {
            if (slot.awaits != 0 || slot.unsafe_replies.is_some()) && self.keep_back(io, conn) {
                return;
            }
            self.send_out(io, conn);
        } else if slot.out.tail().capacity() > 0 {
            // Lent for a reply that was not written: idle connections own no buffer.
            io.recycle(std::mem::take(&mut slot.out).take_tail());
        }
    }

    /// Sends a connection's output, come what may.
    #[inline]
    pub(super) fn send_out(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let now_ms = self.now_mono_ms;
        let counters = &self.host.shared.workers[self.number];
        let Some(slot) = self.slots[conn.index()].as_deref_mut() else {
            return;
        };
        counters.output_bytes.add(slot.out.len() as u64);
        counters.recent_output.note(now_ms, slot.out.len());
        let unsent = io.send(conn, &mut slot.out);
        if unsent >= self.output_watch_bytes {
            self.check_output(io, conn, unsent);
        }
    }
}

/// Whether a session in steps may write more for its client.
fn has_room(io: &mut Io<'_>, conn: ConnId) -> bool {
    io.output_len(conn) <= STEP_OUTPUT_BYTES_MAX
}
