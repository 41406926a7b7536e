//! Replies that wait until what they show is safe: `appendfsync always`.
//!
//! Invariant: bytes leave in the order in which they were written, and none before the log is safe up to the latest record that they depend
//! on. Other clients, and commands on keys that are safe, go on meanwhile.

use std::collections::VecDeque;

use dunlin_engine::{Reply, ReplyError, Session};
use dunlin_reactor::{ConnId, Io};
use dunlin_resp::Version;
use dunlin_store::Local;
use dunlin_structures::Rope;

use super::Worker;
use super::slot::Activity;
use crate::persistence::journal::Health;

/// A client with so many bytes of waiting replies is not read until some have gone.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// Replies of one connection that wait, oldest first.
#[derive(Default)]
pub(super) struct UnsafeReplies {
    /// What each waits for.
    pieces: VecDeque<(u64, Rope)>,
    /// The latest record that any of them waits for, or did.
    latest: u64,
    bytes: usize,
    /// The connection's input is paused for their sake.
    paused: bool,
    /// The connection is closed once they are out.
    close: bool,
}

/// Notes what a command has written and what its reply has to wait for.
#[inline]
pub(crate) fn note_positions(local: &mut Local, session: &mut Session, awaits: &mut u64) {
    if local.wrote | local.awaits != 0 {
        session.wrote = session.wrote.max(local.wrote);
        *awaits = (*awaits).max(local.awaits);
        (local.wrote, local.awaits) = (0, 0);
    }
}

impl Worker {
    /// Keeps the output of a connection back if it has to wait; whether it has.
    #[cold]
    pub(super) fn keep_back(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        let safe = self.engine.store.log.safe();
        self.safe_seen = safe;
        let can_wait = self.can_wait();
        let Some(slot) = self.slot(conn) else {
            return false;
        };
        let awaits = std::mem::take(&mut slot.awaits);
        if awaits <= safe && slot.unsafe_replies.is_none() {
            return false;
        }
        if slot.out.is_empty() {
            // Nothing to keep: what comes is noted anew.
            slot.awaits = awaits;
            return slot.unsafe_replies.is_some();
        }
        if !can_wait {
            slot.unsafe_replies = None;
            slot.out.clear();
            self.refuse_replies(io, conn);
            return true;
        }
        let is_new = slot.unsafe_replies.is_none();
        let waiting = slot.unsafe_replies.get_or_insert_default();
        waiting.bytes += slot.out.len();
        waiting.latest = waiting.latest.max(awaits);
        waiting
            .pieces
            .push_back((awaits, std::mem::take(&mut slot.out)));
        if waiting.bytes > WAITING_BYTES_MAX {
            // Perhaps not for the first time: a session that was suspended meanwhile has resumed it.
            waiting.paused = true;
            io.pause_input(conn);
        }
        if is_new {
            self.unsafe_clients.push(conn);
        }
        true
    }

    /// Keeps a connection open while its replies wait. Without this, it would be closed as soon as it seems to have nothing more to do:
    /// when its client has sent its last, or the server stops.
    pub(super) fn hold_open(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let slot = self.slot(conn);
        if let Some(waiting) = slot.and_then(|slot| slot.unsafe_replies.as_mut()) {
            waiting.paused = true;
            io.pause_input(conn);
        }
    }

    /// The same for all, since the server stops.
    pub(super) fn hold_all_open(&mut self, io: &mut Io<'_>) {
        for conn in self.unsafe_clients.clone() {
            self.hold_open(io, conn);
        }
    }

    /// Has the connection closed once its waiting replies are out; false if there are none.
    pub(super) fn close_when_safe(&mut self, conn: ConnId) -> bool {
        let slot = self.slot(conn);
        match slot.and_then(|slot| slot.unsafe_replies.as_mut()) {
            Some(waiting) => {
                waiting.close = true;
                true
            }
            None => false,
        }
    }

    /// Sends a rope ahead of what this turn has written.
    fn send_now(&mut self, io: &mut Io<'_>, conn: ConnId, rope: &mut Rope) {
        if rope.is_empty() {
            return;
        }
        let Some(slot) = self.slot(conn) else { return };
        std::mem::swap(&mut slot.out, rope);
        self.send_out(io, conn);
        if let Some(slot) = self.slot(conn) {
            std::mem::swap(&mut slot.out, rope);
        }
    }

    /// Whether what is not safe will be, as far as is known.
    fn can_wait(&self) -> bool {
        let health = self.host.shared.journal.health();
        matches!(health, Health::Fine | Health::Rebasing)
    }

    /// Tells a client that what it did may be lost, and closes: which of its commands are safe it can't know.
    fn refuse_replies(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let failure = self.host.shared.journal.failure();
        let Some(slot) = self.slot(conn) else { return };
        let error = ReplyError::LogFailed(failure);
        let version = slot
            .session
            .as_deref()
            .map_or(Version::Resp2, |s| s.version);
        let mut reply = Rope::new();
        Reply::new(&mut reply, version).error(&error);
        slot.activity = Activity::Closing;
        self.send_now(io, conn, &mut reply);
        io.close_after_flush(conn);
    }

    /// Whether replies wait here, and nothing has become safe since it was last looked at; who wakes us is asked to.
    pub(super) fn wait_for_safety(&mut self) -> bool {
        if self.unsafe_clients.is_empty() && self.wait_until_safe.is_empty() {
            return true;
        }
        self.host.shared.journal.wait(self.number);
        !self.has_safe_news()
    }

    fn has_safe_news(&self) -> bool {
        let log = &self.engine.store.log;
        log.safe() != self.safe_before
            || (!self.unsafe_clients.is_empty() && (!self.can_wait() || !log.replies_wait()))
    }

    /// Sends what has become safe.
    #[cold]
    pub(super) fn send_safe(&mut self, io: &mut Io<'_>) {
        if !self.has_safe_news() {
            return;
        }
        let log = &self.engine.store.log;
        self.safe_before = log.safe();
        // Nothing waits where the log does not make it.
        let safe = if log.replies_wait() {
            self.safe_before
        } else {
            u64::MAX
        };
        self.safe_seen = safe;
        self.safe_since_us = Some(io.now_us());
        self.serve_safe(io);
        let can_wait = self.can_wait();
        for conn in std::mem::take(&mut self.unsafe_clients) {
            let Some(slot) = self.slot(conn) else {
                continue;
            };
            let Some(mut waiting) = slot.unsafe_replies.take() else {
                continue;
            };
            let mut ready = waiting.take_safe(safe);
            let is_through = waiting.pieces.is_empty();
            let resumes = waiting.paused && waiting.bytes <= WAITING_BYTES_MAX / 2;
            waiting.paused &= !resumes;
            let close = waiting.close && is_through;
            let is_idle = slot.is_idle();
            if !is_through && can_wait {
                slot.unsafe_replies = Some(waiting);
                self.unsafe_clients.push(conn);
            }
            self.send_now(io, conn, &mut ready);
            if !is_through && !can_wait {
                self.refuse_replies(io, conn);
            } else if close {
                io.close_after_flush(conn);
            } else if resumes && is_idle {
                io.resume_input(conn);
            }
        }
    }
}

impl UnsafeReplies {
    /// What has to be safe before what comes behind them can go.
    #[inline]
    pub(super) fn awaits(&self) -> u64 {
        self.latest
    }

    /// Takes out what waits for nothing beyond `safe`.
    fn take_safe(&mut self, safe: u64) -> Rope {
        let mut ready = Rope::new();
        let is_safe = |(awaits, _): &(u64, Rope)| *awaits <= safe;
        while self.pieces.front().is_some_and(is_safe)
            && let Some((_, mut piece)) = self.pieces.pop_front()
        {
            self.bytes -= piece.len();
            ready.append(&mut piece);
        }
        ready
    }
}
