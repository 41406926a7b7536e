//! -BUSY: sessions that wait for a stripe which a script holds for longer than `busy-reply-threshold` are told so and wait no longer.
//!
//! Others are not concerned, on whichever worker: the script runs on the auxiliary thread. KEYS and its kind, which go on in steps, wait
//! for the stripe that they have come to.

use std::sync::Arc;

use dunlin_engine::scripting::Kind;
use dunlin_engine::{Reply, ReplyError};
use dunlin_reactor::{ConnId, Io};
use dunlin_store::stripes::{LockSet, Waiter};

use super::slot::{Activity, token_of};
use super::{BUSY_CHECK, Worker};

/// Milliseconds between two looks while sessions wait for stripes.
const BUSY_CHECK_MS: u64 = 10;

impl Worker {
    /// A session waits for a stripe: looks after a while whether a script is to blame.
    #[inline]
    pub(super) fn watch_for_scripts(&mut self, io: &mut Io<'_>) {
        if !self.busy_check_set {
            self.busy_check_set = true;
            io.set_timer(io.now_ms() + BUSY_CHECK_MS, BUSY_CHECK);
        }
    }

    pub(super) fn check_busy(&mut self, io: &mut Io<'_>) {
        self.busy_check_set = false;
        let parked = |activity: &Activity| matches!(activity, Activity::Parked { .. });
        let slots = self.slots.iter().flatten();
        let parked = slots.filter(|slot| parked(&slot.activity));
        let parked: Vec<ConnId> = parked.map(|slot| slot.conn).collect();
        if parked.is_empty() {
            return;
        }
        self.watch_for_scripts(io);
        let Some(since_us) = self.engine.scripts.running.longest_since_us() else {
            return;
        };
        let threshold_ms = self.host.shared.config().integer("busy-reply-threshold");
        let threshold_us = u64::try_from(threshold_ms).unwrap_or(0) * 1_000;
        let ran_us = self.host.clock.monotonic_us().saturating_sub(since_us);
        // Without a threshold nobody is told.
        if threshold_us == 0 || ran_us < threshold_us {
            return;
        }
        let Some(script) = self.engine.scripts.running.longest() else {
            return;
        };
        let Some(held) = &script.held else { return };
        for conn in parked {
            if self.waits_for(conn, held) {
                self.refuse_busy(io, conn, script.kind);
            }
        }
    }

    /// Whether what a parked session needs and what is held have a stripe in common.
    fn waits_for(&mut self, conn: ConnId, held: &LockSet) -> bool {
        let engine = Arc::clone(&self.engine);
        let Some(slot) = self.slot(conn) else {
            return false;
        };
        let (Activity::Parked { id, args }, Some(session)) = (&slot.activity, &slot.session) else {
            return false;
        };
        let command = engine.table.at(*id);
        let Some(wanted) = engine.lock_set(command, args.as_args(), session, None) else {
            return false;
        };
        let stripes = engine.store.stripe_count() as u16;
        (0..stripes).any(|stripe| held.covers(stripe) && wanted.covers(stripe))
    }

    fn refuse_busy(&mut self, io: &mut Io<'_>, conn: ConnId, kind: Kind) {
        let error = match kind {
            Kind::Script => ReplyError::BusyScript,
            Kind::Function => ReplyError::BusyFunction,
        };
        let stats = &self.engine.stats[self.number];
        let Some(slot) = self
            .slots
            .get_mut(conn.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        let Activity::Parked { id, .. } = std::mem::replace(&mut slot.activity, Activity::Idle)
        else {
            return;
        };
        // Its place in the queue is given up with the waiter; the next wait has one of its own.
        self.engine.store.abandon_stripes(&slot.waiter);
        slot.waiter = Waiter::new(Arc::clone(&self.ready), token_of(conn));
        if let Some(session) = slot.session.as_deref_mut() {
            if slot.out.tail().capacity() == 0 {
                *slot.out.tail() = io.buffer();
            }
            stats.commands[id].rejected.add(1);
            stats.count_error(&error);
            Reply::new(&mut slot.out, session.version).error(&error);
        }
        self.finish(io, conn);
    }
}
