//! Pub/sub: this worker's mail, delivered to its subscribers, and publishers that wait for other workers to take theirs.
//!
//! Invariant: before a session's subscriptions change, what was published earlier is delivered: it gets what was for it, and nothing
//! else. A message never comes amid a reply. Who does not read has messages in its output until its limit is reached; the others do
//! not notice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_engine::Args;
use dunlin_engine::command::Flags;
use dunlin_reactor::{ConnId, Io};
use dunlin_resp::Version;
use dunlin_structures::Rope;

use super::Worker;
use super::slot::{Activity, Slot, token_of};
use crate::clients::Mark;

impl Worker {
    /// Whether this worker has published something in this turn. One load.
    #[inline]
    pub(super) fn has_published(&self) -> bool {
        !self.state.local.wakes.is_empty()
    }

    /// Whether what was published in this turn has to be delivered before this command runs: it may change subscriptions.
    pub(super) fn mail_goes_first(&self, conn: ConnId, args: Args<'_>, id: Option<usize>) -> bool {
        let Some(command) = id.map(|id| self.engine.table.at(id)) else {
            return false;
        };
        match command.full_name {
            "exec" => {
                let slot = self.slots[conn.index()].as_deref();
                let session = slot.and_then(|slot| slot.session.as_deref());
                let queued = session.and_then(|session| session.transaction.as_deref());
                queued.is_some_and(|queued| queued.flags.has(Flags::PUBSUB))
            }
            "reset" => args.len() == 1,
            // All others of pub/sub but PUBLISH, which are few.
            _ => command.flags.has(Flags::PUBSUB) && !command.flags.has(Flags::FAST),
        }
    }

    /// Delivers the messages that have come for this worker's subscribers.
    #[inline]
    pub(super) fn deliver_messages(&mut self, io: &mut Io<'_>) {
        if self.engine.pubsub.has_mail(self.number) {
            self.deliver_mail(io);
        }
        // Those that this worker itself is told of while it delivers, too.
        while self.engine.tracking.has_mail(self.number) {
            self.deliver_invalidations(io);
        }
    }

    #[cold]
    fn deliver_invalidations(&mut self, io: &mut Io<'_>) {
        let engine = Arc::clone(&self.engine);
        let mut reached = std::mem::take(&mut self.reached);
        let (slots, mut broken) = (&mut self.slots, Vec::new());
        engine.tracking.deliver(self.number, |delivery| {
            let token = delivery.token;
            let index = (token & u64::from(u32::MAX)) as usize;
            let slot = slots.get_mut(index).and_then(Option::as_deref_mut);
            match slot.filter(|slot| token_of(slot.conn) == token) {
                Some(slot) => {
                    let listens = slot.client.is(Mark::SUBSCRIBER);
                    let write = |out: &mut Rope, version| delivery.write(out, version, listens);
                    if slot.take(write) {
                        reached.push(slot.conn);
                    }
                }
                None if delivery.redirected => broken.push(delivery.tracker),
                None => {}
            }
        });
        for tracker in broken {
            if let Some(worker) = engine.tracking.note_broken(tracker)
                && worker != self.number
            {
                self.host.shared.wake_worker(worker);
            }
        }
        for conn in reached.drain(..) {
            self.flush_messages(io, conn);
        }
        self.reached = reached;
    }

    fn deliver_mail(&mut self, io: &mut Io<'_>) {
        let engine = Arc::clone(&self.engine);
        let mut reached = std::mem::take(&mut self.reached);
        let slots = &mut self.slots;
        // A message may tell of any change so far.
        let awaits = if self.state.local.replies_wait {
            engine.store.log.position()
        } else {
            0
        };
        self.state.local.tell_now(&engine.store, |telling| {
            engine.pubsub.deliver(self.number, telling, |token, run| {
                let index = (token & u64::from(u32::MAX)) as usize;
                let slot = slots.get_mut(index).and_then(Option::as_deref_mut);
                if let Some(slot) = slot.filter(|slot| token_of(slot.conn) == token) {
                    slot.awaits = slot.awaits.max(awaits);
                    if slot.take(|out, version| run.append_to(out, version)) {
                        reached.push(slot.conn);
                    }
                }
            });
        });
        for conn in reached.drain(..) {
            self.flush_messages(io, conn);
        }
        self.reached = reached;
    }

    fn flush_messages(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let watch_bytes = self.output_watch_bytes;
        let Some(slot) = self.slot(conn) else { return };
        if let Some(waiting) = &slot.pushes {
            let waiting = waiting.len();
            if waiting >= watch_bytes {
                let unsent = io.output_len(conn) + waiting;
                self.check_output(io, conn, unsent);
            }
            return;
        }
        self.flush(io, conn);
    }

    /// What a command has left to do behind it: a publisher waits while another worker has too much mail; this worker delivers its own.
    /// Whether the connection's further commands wait.
    pub(super) fn ease_congestion(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        if !self.engine.pubsub.is_congested() {
            return false;
        }
        self.deliver_messages(io);
        if !self.engine.pubsub.is_congested() {
            return false;
        }
        io.pause_input(conn);
        self.publishers.push(conn);
        true
    }

    /// Lets publishers go on if there is room again; whether some still wait.
    pub(super) fn release_publishers(&mut self, io: &mut Io<'_>) -> bool {
        if self.publishers.is_empty() {
            return false;
        }
        if self.engine.pubsub.is_congested() {
            return true;
        }
        for conn in std::mem::take(&mut self.publishers) {
            if self.slot(conn).is_some_and(|slot| slot.is_idle()) {
                io.resume_input(conn);
            }
        }
        false
    }

    /// The limits of output that hold for a client.
    pub(super) fn output_limits(&self, is_subscriber: bool) -> (usize, usize, u64) {
        let knobs = &self.host.shared.knobs;
        let limits = if is_subscriber {
            &knobs.subscriber_output
        } else {
            &knobs.output
        };
        (
            limits.hard_bytes.load(Ordering::Relaxed),
            limits.soft_bytes.load(Ordering::Relaxed),
            limits.soft_s.load(Ordering::Relaxed).saturating_mul(1_000),
        )
    }
}

impl Slot {
    /// Takes messages into the output; whether that has to be flushed.
    fn take(&mut self, write: impl FnOnce(&mut Rope, Version)) -> bool {
        if self.client.is(Mark::KILLED) {
            return false;
        }
        let version = match &self.session {
            Some(session) => session.version,
            None if self.client.figures().resp == 3 => Version::Resp3,
            None => Version::Resp2,
        };
        match self.activity {
            Activity::Closing => return false,
            // A part of its reply may be out already, or nothing of it may go out yet.
            Activity::Stepping { .. } | Activity::Settling => {
                write(self.pushes.get_or_insert_default(), version);
                return true;
            }
            _ => {}
        }
        let was_empty = self.out.is_empty();
        write(&mut self.out, version);
        // What a RESP2 client can't be told leaves nothing to flush.
        was_empty && !self.out.is_empty()
    }
}
