//! What a client's buffers may take: noted after each batch, and what is done about too much.
//!
//! Invariant: output counts once the system did not take it, but for the hard limit, which counts what is to be sent now: as
//! in Redis, a reply over it is not sent in part. A client that is closed is out of the registry at once.

use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_engine::{Args, Session};
use dunlin_reactor::{ConnId, Input, Io};
use dunlin_store::stripes::Waiter;
use dunlin_structures::Rope;

use super::slot::{Activity, Slot, token_of};
use super::{HELD_BACK_CHECK, OUTPUT_CHECK, OUTPUT_SOFT_BYTES, Worker};
use crate::clients::{Buffered, Client, MONITOR_BYTES_MAX, Mark};

/// What a connection takes beside its buffers.
const CONNECTION_BYTES: usize =
    size_of::<Slot>() + size_of::<Session>() + size_of::<Client>() + size_of::<Waiter>();
/// Beginning of the input that is shown of a client closed over `client-query-buffer-limit`.
const SHOWN_BYTES: usize = 64;
/// How often a suspected attack is logged, at most.
const ATTACK_LOG_PERIOD_MS: u64 = 60_000;
/// Unsent output of a client that owes its password, as in Redis: it may not make us keep what it does not read.
const STRANGER_BYTES_MAX: usize = 1024;
/// Output above which a client is held back until it has taken it: half of what holds it back first.
const HELD_BACK_BYTES: usize = OUTPUT_SOFT_BYTES / 2;
/// How much further such a client may go on.
const OVERLOOKED_BYTES: usize = 1 << 20;
/// How long a client takes nothing until it may go on all the same.
const HELD_BACK_CHECK_MS: u64 = 50;
/// How often clients over the soft limit of output are looked at.
const OUTPUT_CHECK_MS: u64 = 100;

/// What a session takes, transaction aside.
pub(super) fn fixed_bytes(session: &Session) -> usize {
    let watched = session.watches.as_ref().map_or(0, |w| w.bytes);
    let subscribed = session.subscriptions.as_ref().map_or(0, |s| s.bytes);
    let tracked = session.tracking.as_ref().map_or(0, |t| t.bytes());
    CONNECTION_BYTES + watched + subscribed + tracked + session.name.len()
}

/// Whether these are the first words of an HTTP request, or its `Host:` line: a web page made somebody's browser talk to us, and further
/// lines may be commands.
#[cold]
pub(super) fn is_from_browser(args: Args<'_>) -> bool {
    args.is(0, "post") || args.is(0, "host:")
}

impl Worker {
    /// Closes a connection that speaks HTTP, without an answer, as Redis does.
    #[cold]
    pub(super) fn close_browser(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let now_ms = self.now_ms;
        let Some(slot) = self.slot(conn) else { return };
        if slot.is_idle() {
            slot.activity = Activity::Closing;
        }
        let client = slot.client.clone();
        let shared = &self.host.shared;
        static LAST_MS: AtomicU64 = AtomicU64::new(0);
        let last = LAST_MS.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last) >= ATTACK_LOG_PERIOD_MS {
            LAST_MS.store(now_ms, Ordering::Relaxed);
            let from = shared.client_address(&client);
            tracing::warn!(
                "Possible SECURITY ATTACK: {from} sent POST or Host:, as a browser does that a web page misuses. Its connection is closed. \
                 Further ones are logged once a minute at most."
            );
        }
        shared.clients.remove(&client);
        io.close(conn);
    }

    /// Lets others know what a batch has left of a client, whose request lacks so many bytes, if it has a long argument.
    #[inline]
    pub(super) fn publish_client(&mut self, input: &Input, expected: usize) {
        let Some(slot) = self
            .slots
            .get_mut(input.conn().index())
            .and_then(Option::as_deref_mut)
            .filter(|slot| slot.conn == input.conn())
        else {
            return;
        };
        let understood = slot.parser.understood();
        slot.client.set_buffered(Buffered {
            input: input.bytes().len().saturating_sub(understood),
            argv: understood,
            // What a client has announced counts before it has come: it is to be closed for it while that is cheap.
            room: input.capacity().max(input.bytes().len() + expected),
        });
        let Some(session) = slot.session.as_deref() else {
            return;
        };
        slot.client
            .publish_session(session, slot.last.map(usize::from));
        let change = slot.client.weigh(fixed_bytes(session));
        if change != 0 {
            self.add_client_bytes(change);
        }
    }

    pub(super) fn add_client_bytes(&mut self, change: i64) {
        self.client_bytes += change;
        self.host.shared.workers[self.number]
            .client_bytes
            .store(self.client_bytes.max(0) as u64, Ordering::Relaxed);
    }

    /// Closes the greediest clients, of all workers, if all together take too much.
    #[inline]
    pub(super) fn evict_clients(&self) {
        let shared = &self.host.shared;
        if shared.knobs.clients_bytes_max.load(Ordering::Relaxed) > 0 {
            shared.evict_clients(self.host.counters(), self.now_ms, self.now_mono_ms);
        }
    }

    /// The system did not take all output of a client, or has done so at last.
    pub(super) fn note_backlog(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let unsent = io.output_len(conn);
        let Some(slot) = self.slot(conn) else { return };
        let change = slot.client.set_output(unsent);
        let is_stranger = slot.session.as_deref().is_some_and(|s| !s.authenticated);
        self.add_client_bytes(change);
        if is_stranger && unsent > STRANGER_BYTES_MAX && self.engine.users.password_required() {
            return self.close_over_output(io, conn, unsent);
        }
        if unsent >= self.output_watch_bytes {
            self.check_output(io, conn, unsent);
        } else {
            self.over_soft.retain(|(other, _)| *other != conn);
        }
        self.evict_clients();
        if unsent > HELD_BACK_BYTES
            && let Some(slot) = self.slot(conn)
            && !std::mem::replace(&mut slot.held_back, true)
        {
            if self.held_back.is_empty() {
                io.set_timer(io.now_ms() + HELD_BACK_CHECK_MS, HELD_BACK_CHECK);
            }
            self.held_back.push(conn);
        }
    }

    /// Lets clients go on that are held back by their output and take nothing of it, a while further: there are some that read only when
    /// they have sent all, and they would wait for ever.
    #[cold]
    pub(super) fn check_held_back(&mut self, io: &mut Io<'_>) {
        let mut held_back = std::mem::take(&mut self.held_back);
        held_back.retain(|&conn| {
            let is_held = io.output_len(conn) > HELD_BACK_BYTES;
            let took_some = io.took_output(conn);
            let Some(slot) = self.slot(conn) else {
                return false;
            };
            slot.held_back = is_held;
            if is_held && !took_some {
                io.overlook_output(conn, OVERLOOKED_BYTES);
                if slot.is_idle() {
                    io.resume_input(conn);
                }
            }
            is_held
        });
        if !held_back.is_empty() {
            io.set_timer(io.now_ms() + HELD_BACK_CHECK_MS, HELD_BACK_CHECK);
        }
        self.held_back = held_back;
    }

    /// Closes a client that has so much unsent output that a limit is exceeded.
    #[cold]
    pub(super) fn check_output(&mut self, io: &mut Io<'_>, conn: ConnId, unsent: usize) {
        let Some(slot) = self.slot(conn) else { return };
        let is_subscriber = slot.client.is(Mark::SUBSCRIBER);
        let (hard_bytes, soft_bytes, soft_ms) = self.output_limits(is_subscriber);
        if unsent >= hard_bytes {
            return self.close_over_output(io, conn, unsent);
        }
        if unsent < soft_bytes {
            return;
        }
        let now_ms = io.now_ms();
        match self.over_soft.iter().find(|(other, _)| *other == conn) {
            Some((_, since_ms)) if now_ms - since_ms > soft_ms => {
                self.close_over_output(io, conn, unsent)
            }
            Some(_) => {}
            None => {
                if self.over_soft.is_empty() {
                    io.set_timer(now_ms + OUTPUT_CHECK_MS, OUTPUT_CHECK);
                }
                self.over_soft.push((conn, now_ms));
            }
        }
    }

    /// Looks at the clients that are over the soft limit of output, whether or not anything happens to them.
    pub(super) fn check_over_soft(&mut self, io: &mut Io<'_>) {
        let mut over = std::mem::take(&mut self.over_soft);
        over.retain(|(conn, _)| {
            let is_subscriber = |slot: &mut Slot| slot.client.is(Mark::SUBSCRIBER);
            let is_subscriber = self.slot(*conn).is_some_and(is_subscriber);
            let (_, soft_bytes, _) = self.output_limits(is_subscriber);
            io.output_len(*conn) >= soft_bytes
        });
        self.over_soft = over;
        for (conn, _) in self.over_soft.clone() {
            let unsent = io.output_len(conn);
            self.check_output(io, conn, unsent);
        }
        if !self.over_soft.is_empty() {
            io.set_timer(io.now_ms() + OUTPUT_CHECK_MS, OUTPUT_CHECK);
        }
    }

    fn close_over_output(&mut self, io: &mut Io<'_>, conn: ConnId, unsent: usize) {
        self.over_soft.retain(|(other, _)| *other != conn);
        let (now_ms, now_mono_ms) = (self.now_ms, self.now_mono_ms);
        let Some(slot) = self.slot(conn) else { return };
        // What waits goes on waiting until `closed` gives it up.
        if slot.is_idle() {
            slot.activity = Activity::Closing;
        }
        let client = slot.client.clone();
        let change = client.set_output(unsent);
        self.add_client_bytes(change);
        let shared = &self.host.shared;
        let line = shared.client_line(&client, now_ms, now_mono_ms);
        tracing::warn!(
            "Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."
        );
        self.host.counters().output_limit_closed.add(1);
        shared.clients.remove(&client);
        io.close(conn);
    }

    /// Closes a client that sent more than it may without a complete request; `bytes` are what it sent.
    #[cold]
    pub(super) fn close_over_query(&mut self, io: &mut Io<'_>, conn: ConnId, bytes: &[u8]) {
        let (now_ms, now_mono_ms) = (self.now_ms, self.now_mono_ms);
        let Some(slot) = self.slot(conn) else { return };
        let client = slot.client.clone();
        let line = self.host.shared.client_line(&client, now_ms, now_mono_ms);
        let shown = bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii();
        tracing::warn!(
            "Closing client that reached max query buffer length: {line} (qbuf initial bytes: \"{shown}\")"
        );
        self.host.counters().query_limit_closed.add(1);
        self.host.shared.clients.remove(&client);
        self.close_after_reply(io, conn);
    }

    /// Sends the monitors of this worker what has run meanwhile.
    #[cold]
    pub(super) fn deliver_to_monitors(&mut self, io: &mut Io<'_>) {
        let number = self.number;
        for monitor in self.host.shared.clients.monitors.list().iter() {
            if monitor.client.worker() != number {
                continue;
            }
            let index = (monitor.client.token & u64::from(u32::MAX)) as usize;
            let Some(slot) = self.slots.get(index).and_then(Option::as_deref) else {
                continue;
            };
            let conn = slot.conn;
            if token_of(conn) != monitor.client.token || monitor.client.is(Mark::KILLED) {
                continue;
            }
            let Some(lines) = monitor.take() else {
                let unsent = io.output_len(conn);
                self.close_over_output(io, conn, unsent);
                continue;
            };
            if lines.is_empty() {
                continue;
            }
            self.host.counters().output_bytes.add(lines.len() as u64);
            let mut rope = Rope::new();
            rope.push_owned(lines);
            let unsent = io.send(conn, &mut rope);
            if unsent > MONITOR_BYTES_MAX {
                self.close_over_output(io, conn, unsent);
            } else if unsent >= self.output_watch_bytes {
                self.check_output(io, conn, unsent);
            }
        }
    }
}
