//! What the server's own commands reach beyond the engine: shared state, clock, the current connection.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_engine::acl::{Denial, Denied, Setting};
use dunlin_engine::{Args, Command, Ctx, Host, Session, WorkerState};
use dunlin_reactor::Clock;

use crate::access::{Entry, Reason};
use crate::clients;
use crate::config::Origin;
use crate::observe::{Done, Outbound, REDACTED, Ran, secrets};
use crate::persistence::saving::Order;
use crate::shared::{Shared, WorkerCounters};

/// A sleep is cut into pieces of this length, so that a server that stops does not wait for its end.
const SLEEP_PIECE_US: u64 = 50_000;

/// Bytes of a key that a line of the log shows.
const SHOWN_KEY_BYTES: usize = 128;

/// One worker's (or the auxiliary thread's) host.
pub struct ServerHost {
    /// Shared state.
    pub shared: Arc<Shared>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Number of the worker.
    pub worker: usize,
    /// Unconsumed input of the current connection, bytes.
    pub input_len: usize,
    /// Sleeping is allowed: on the auxiliary thread, and on a worker that is the only one.
    pub may_sleep: bool,
    /// When the current request was there, on the monotonic clock, microseconds.
    pub arrived_us: u64,
    /// What was executed and has not left yet.
    pub(crate) outbound: Outbound,
    /// Monotonic clock when the current command of a transaction began.
    inner_since_us: u64,
    /// Workers that have something to see, to be woken once no stripe is held.
    pub wakes: Vec<usize>,
}

impl Host for ServerHost {
    fn unix_time_us(&mut self) -> u64 {
        self.clock.wall_us()
    }

    fn monotonic_us(&mut self) -> u64 {
        self.clock.monotonic_us()
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    fn slow_script_us(&self) -> Option<u64> {
        let threshold_ms = self.shared.config().integer("busy-reply-threshold");
        let threshold_ms = u64::try_from(threshold_ms).ok()?;
        (threshold_ms > 0).then(|| threshold_ms.saturating_mul(1_000))
    }

    fn script_logs(&mut self, level: u8, line: &str) {
        match level {
            0 => tracing::trace!("{line}"),
            1 => tracing::debug!("{line}"),
            2 => tracing::info!("{line}"),
            _ => tracing::warn!("{line}"),
        }
    }

    fn sleep_us(&mut self, us: u64) {
        if !self.may_sleep {
            return;
        }
        let mut left_us = us;
        while left_us > 0 && !self.shared.is_stopping() {
            let piece_us = left_us.min(SLEEP_PIECE_US);
            std::thread::sleep(Duration::from_micros(piece_us));
            left_us -= piece_us;
        }
    }

    fn refused_value(&mut self, key: &[u8], why: &dyn std::error::Error) {
        // A name of any length is no reason for a line of any length.
        let shown = key[..key.len().min(SHOWN_KEY_BYTES)].escape_ascii();
        tracing::warn!("RESTORE of '{shown}' refused: {why} of the payload");
    }

    fn inner_starts(&mut self) {
        self.inner_since_us = self.clock.monotonic_us();
    }

    fn inner_ran(&mut self, id: usize, args: Args<'_>, session: &Session) {
        let now_us = self.clock.monotonic_us();
        let duration_us = now_us - self.inner_since_us;
        self.inner_since_us = now_us;
        self.ran(id, args, session, duration_us, 1);
    }

    fn executed(&mut self, command: &'static Command, session: &Session, args: Args<'_>) {
        let address = match session.peer.remote {
            _ if session.in_script => "lua".to_owned(),
            Some(address) => address.to_string(),
            None if session.peer.unix => format!("unix:{}", self.shared.socket_path()),
            None => "?:0".to_owned(),
        };
        let secrets = secrets(command, args);
        let args = args.iter().enumerate().map(
            |(i, arg)| {
                if secrets.contains(&i) { REDACTED } else { arg }
            },
        );
        let line = clients::monitor_line(self.clock.wall_us(), session.db, &address, args);
        let wakes = &mut self.wakes;
        self.shared.clients.monitors.feed(&line, |worker| {
            if !wakes.contains(&worker) {
                wakes.push(worker);
            }
        });
    }

    fn flushed_all(&mut self, may_wait: bool) -> Option<Box<dyn Any + Send>> {
        let saves = self.shared.saving.flushed_all(&self.shared);
        if saves && may_wait {
            return Some(Box::new(Order::SaveFlushed));
        }
        if saves {
            self.shared.saving.schedule();
        }
        None
    }

    fn denied(&mut self, session: &Session, denied: &Denied<'_>) {
        let counters = self.counters();
        let (reason, counter) = match denied.denial {
            Denial::Command => (Reason::Command, &counters.denied_commands),
            Denial::Key(_) => (Reason::Key, &counters.denied_keys),
            Denial::Channel(_) => (Reason::Channel, &counters.denied_channels),
        };
        counter.add(1);
        let user = session.user.as_ref().map_or(&[][..], |user| user.name());
        let id = self
            .shared
            .engine
            .table
            .id_in_redis(denied.command.full_name.as_bytes());
        self.note_denied(session, id, user, reason, denied.setting, denied.object);
    }

    fn subscribed(&mut self, session: &Session) {
        if let Some(client) = self.shared.clients.find(session.id) {
            client.publish_subscriptions(session);
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl ServerHost {
    /// The host of this worker.
    pub fn new(shared: Arc<Shared>, clock: Arc<dyn Clock>, worker: usize) -> ServerHost {
        ServerHost {
            shared,
            clock,
            worker,
            input_len: 0,
            may_sleep: false,
            arrived_us: 0,
            outbound: Outbound::default(),
            inner_since_us: 0,
            wakes: Vec::new(),
        }
    }

    /// Files the time of `calls` equal commands; the arguments and the session are the last one's. The number of the slow log's entry for
    /// that one, if it was slow.
    #[inline]
    pub fn ran(
        &self,
        id: usize,
        args: Args<'_>,
        session: &Session,
        duration_us: u64,
        calls: u32,
    ) -> Option<u64> {
        self.measured(id, duration_us, calls);
        let observer = &self.shared.observer;
        if !observer.is_slow(duration_us) {
            return None;
        }
        let since_us = self.clock.monotonic_us().saturating_sub(self.arrived_us);
        observer.ran(&Ran {
            command: self.shared.engine.table.at(id),
            args,
            session,
            duration_us,
            queued_us: since_us.saturating_sub(duration_us),
            now_us: self.clock.wall_us(),
        })
    }

    /// Takes note of commands that were executed and whose replies leave with this turn.
    #[inline]
    pub(crate) fn executed(&mut self, done: Done) {
        let observer = &self.shared.observer;
        observer.executed(&mut self.outbound, self.worker, done);
    }

    /// Files the time of `calls` equal commands that can't have been slow.
    #[inline]
    pub fn measured(&self, id: usize, duration_us: u64, calls: u32) {
        let shared = &self.shared;
        shared
            .observer
            .measured(&shared.engine, self.worker, id, duration_us, calls);
    }

    /// Files a command that was suspended and is done now. `arrived_us` and `ran_us`: see the worker's stopwatch. `awaits`: the latest record of
    /// the log that its reply depends on.
    pub(crate) fn suspended_ran(
        &mut self,
        id: Option<usize>,
        args: Args<'_>,
        session: &Session,
        (arrived_us, ran_us): (u64, u64),
        awaits: u64,
    ) {
        let Some(id) = id else { return };
        let of_turn = std::mem::replace(&mut self.arrived_us, arrived_us);
        let slow = self.ran(id, args, session, ran_us, 1);
        self.arrived_us = of_turn;
        let ended_us = self.clock.monotonic_us();
        let since_us = ended_us.saturating_sub(arrived_us);
        self.executed(Done {
            id,
            calls: 1,
            arrived_us,
            queued_us: since_us.saturating_sub(ran_us),
            ended_us,
            awaits,
            slow,
        });
    }

    /// Puts what was denied to a user into the log. `id` is of the command that the client called.
    pub fn note_denied(
        &self,
        session: &Session,
        id: Option<usize>,
        user: &[u8],
        reason: Reason,
        setting: Setting,
        object: &[u8],
    ) {
        let shared = &self.shared;
        let (now_ms, now_mono_ms) = (
            self.clock.wall_us() / 1_000,
            self.clock.monotonic_us() / 1_000,
        );
        let client = shared.clients.find(session.id).map(|client| {
            // The line says what it is just doing.
            client.publish_session(session, id);
            shared.client_line(&client, now_ms, now_mono_ms)
        });
        shared.access_log.add(Entry {
            count: 0,
            reason,
            setting,
            object: object.to_vec(),
            user: user.to_vec(),
            client: client.unwrap_or_default(),
            id: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
        });
    }

    /// Wakes the workers that have something to see. To be called without a stripe.
    #[inline]
    pub fn wake_others(&mut self) {
        for worker in self.wakes.drain(..).filter(|w| *w != self.worker) {
            self.shared.wake_worker(worker);
        }
    }

    /// Wakes the workers that have messages of this one. To be called without a stripe.
    #[inline]
    pub fn wake(&self, state: &mut WorkerState) {
        let me = self.worker;
        for worker in state.local.wakes.drain(..).filter(|w| *w != me) {
            self.shared.wake_worker(worker);
        }
    }

    /// What the state of a worker says about who looks on, as of now.
    #[inline]
    pub fn look_around(&self, state: &mut WorkerState, now_ms: u64) -> bool {
        let clients = &self.shared.clients;
        let watchful = clients.is_watchful();
        state.observed = watchful && !clients.monitors.is_empty();
        state.local.is_paused = watchful && clients.pause.at(now_ms).is_some();
        let log = &self.shared.engine.store.log;
        watchful || self.shared.journal.is_congested(log, self.worker)
    }

    /// The counters of this worker.
    pub fn counters(&self) -> &WorkerCounters {
        &self.shared.workers[self.worker]
    }
}

/// Where the client of a session is, for what only clients of this machine may do.
pub fn origin(session: &Session) -> Origin {
    let local = match session.peer.remote {
        None => session.peer.unix,
        Some(address) => match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
            }
        },
    };
    if local { Origin::Local } else { Origin::Remote }
}

/// The server's host, from a command of this crate.
pub fn host<'c>(cx: &'c mut Ctx<'_>) -> &'c mut ServerHost {
    cx.host
        .as_any_mut()
        .downcast_mut()
        .expect("the server's commands run on the server's host")
}
