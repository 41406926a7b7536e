//! A worker: one event loop's handler. Reads, parses, executes and answers; an ordinary command never leaves its thread.
//!
//! Invariant: a worker never waits. A session that would have to is suspended (see `suspended`), and the others go on.

mod backlog;
mod batch;
mod blocked;
mod busy;
mod limits;
mod messages;
mod postponed;
mod slot;
mod suspended;
mod timing;
mod tls;
mod unsafe_replies;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_engine::session::{Peer as ClientPeer, Place};
use dunlin_engine::{Engine, Session, WorkerState, pubsub};
use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Peer, Remote};
use dunlin_resp::{ProtocolError, RequestParser};
use dunlin_store::ExpireProgress;
use dunlin_store::blocked::Ticket;
use dunlin_store::eviction::Room;
use dunlin_store::stripes::{ReadyList, Waiter, Wake};
use dunlin_store::watch::WatchFlag;
use dunlin_structures::Rope;

use self::batch::Batch;
use self::blocked::BLOCKED_UNTIL;
pub(crate) use self::unsafe_replies::note_positions;

use self::slot::{Activity, Slot, Stopwatch, token_of};
use crate::admin::lane;
use crate::auxiliary::Exchange;
use crate::clients::{Client, Mark};
use crate::config::AdminLane;
use crate::host::ServerHost;
use crate::observe::hot_keys::Sampler;

/// Wheel nodes that one turn may move or fire.
const EXPIRE_WORK_PER_TURN: usize = 128;
/// Deadlines are looked after at most this often: what is due within the period goes in one pass.
const EXPIRE_PERIOD_MS: u64 = 5;
/// The same while more keys expire than there are stripes to visit: a visit costs some cache misses, whatever it finds.
const EXPIRE_BUSY_PERIOD_MS: u64 = 20;
/// Keys that one turn evicts, beside those that its commands evict.
const VICTIMS_PER_TURN: usize = 16;
/// How often clients are checked for `timeout`, while that is set.
const IDLE_CHECK_MS: u64 = 1_000;
/// When something that a busy stripe delayed is tried again.
const RETRY_MS: u64 = 1;
/// Unsent output of a client at which its further commands wait. Some clients write a whole pipeline before they read its first reply: if
/// the server stopped reading meanwhile, both would wait for ever. So it has to hold the replies of a million commands.
pub const OUTPUT_SOFT_BYTES: usize = 64 << 20;
/// What a client may send ahead of what its limit lets it keep unparsed.
const INPUT_SLACK_BYTES: usize = 64 << 10;
/// Token of the reactor timer that checks idle clients.
const IDLE_CHECK: u64 = 1;
/// Token of the reactor timer at the end of CLIENT PAUSE.
const PAUSE_OVER: u64 = 2;
/// Token of the reactor timer that checks clients over the soft limit of output.
const OUTPUT_CHECK: u64 = 3;
/// Token of the reactor timer that looks at clients held back by their output.
const HELD_BACK_CHECK: u64 = 4;
/// Token of the reactor timer that looks whether a script keeps sessions waiting.
const BUSY_CHECK: u64 = 5;

/// Wakes a worker's loop from a stripe's release.
struct WakeLoop(Remote);

impl Wake for WakeLoop {
    fn wake(&self) {
        self.0.waker().wake();
    }
}

/// A watched key of a session that is gone, to be unwatched when its stripe is free.
type Orphan = ((u32, Box<[u8]>, u64), Arc<WatchFlag>);

/// See the module's text.
pub struct Worker {
    /// Replies that came back from the auxiliary thread in this turn, bytes.
    arrived_bytes: i64,
    /// A timer runs that looks whether a pause is over.
    pause_timer_set: bool,
    number: usize,
    engine: Arc<Engine>,
    host: ServerHost,
    state: WorkerState,
    slots: Vec<Option<Box<Slot>>>,
    ready: Arc<ReadyList>,
    auxiliary: Arc<Exchange>,
    batch: Batch,
    /// When a command's key is looked at next.
    sampler: Sampler,
    tokens: Vec<u64>,
    stepping: VecDeque<ConnId>,
    unwatch_later: Vec<Orphan>,
    /// Tickets that are over and still in the queue of a stripe that was busy.
    forget_later: Vec<Arc<Ticket>>,
    /// Clients whose next command waits until the pause is over.
    postponed: Vec<ConnId>,
    /// Publishers whose next command waits until other workers have taken their mail.
    publishers: Vec<ConnId>,
    /// Subscribers that were just given messages.
    reached: Vec<ConnId>,
    /// Clients over the soft limit of output, and since when (the loop's clock).
    over_soft: Vec<(ConnId, u64)>,
    /// Clients that are held back by their output.
    held_back: Vec<ConnId>,
    /// Clients that are not read because a snapshot is behind.
    unread: Vec<ConnId>,
    /// Clients whose output waits until the log is safe.
    unsafe_clients: Vec<ConnId>,
    /// Sessions that wait for that and nothing else.
    wait_until_safe: Vec<ConnId>,
    /// Up to where it was when that was last looked at.
    safe_before: u64,
    /// Up to where it was safe when replies were last kept back, or sent: those beyond wait.
    safe_seen: u64,
    /// When it was seen to be, if that let replies go in this turn.
    safe_since_us: Option<u64>,
    query_bytes_max: usize,
    /// Unsent output at which the limits are looked at.
    output_watch_bytes: usize,
    /// Memory of this worker's clients, bytes.
    client_bytes: i64,
    /// Somebody monitors, or clients are paused: each command is looked at.
    watchful: bool,
    /// Wall clock of this batch, milliseconds since 1970.
    now_ms: u64,
    /// The loop's clock of this turn.
    now_mono_ms: u64,
    last_expire_ms: u64,
    expire_period_ms: u64,
    /// Keys that this worker had expired when the last pass ended.
    expired_before: u64,
    awake: bool,
    idle_check_set: bool,
    busy_check_set: bool,
    /// Nobody may wait for a key any more.
    is_stopping: bool,
}

impl Worker {
    /// Worker number `host.worker`, handler of the loop that `remote` leads to.
    pub fn new(host: ServerHost, remote: Remote, auxiliary: Arc<Exchange>, seed: u64) -> Worker {
        let engine = Arc::clone(&host.shared.engine);
        Worker {
            arrived_bytes: 0,
            pause_timer_set: false,
            number: host.worker,
            state: engine.worker(host.worker, seed),
            engine,
            host,
            slots: Vec::new(),
            ready: ReadyList::new(WakeLoop(remote)),
            auxiliary,
            batch: Batch::default(),
            sampler: Sampler::new(seed),
            tokens: Vec::new(),
            stepping: VecDeque::new(),
            unwatch_later: Vec::new(),
            forget_later: Vec::new(),
            postponed: Vec::new(),
            publishers: Vec::new(),
            reached: Vec::new(),
            over_soft: Vec::new(),
            held_back: Vec::new(),
            unread: Vec::new(),
            unsafe_clients: Vec::new(),
            wait_until_safe: Vec::new(),
            safe_before: 0,
            safe_seen: 0,
            safe_since_us: None,
            query_bytes_max: 0,
            output_watch_bytes: usize::MAX,
            client_bytes: 0,
            watchful: false,
            now_ms: 0,
            now_mono_ms: 0,
            last_expire_ms: 0,
            expire_period_ms: EXPIRE_PERIOD_MS,
            expired_before: 0,
            awake: false,
            idle_check_set: false,
            busy_check_set: false,
            is_stopping: false,
        }
    }

    /// First call of a turn: the loop has slept or passed a batch boundary.
    #[inline]
    fn begin(&mut self, io: &mut Io<'_>) {
        if self.awake {
            return;
        }
        self.awake = true;
        self.engine.store.epochs.online(self.number);
        self.engine.store.awake(self.number);
        self.now_mono_ms = io.now_ms();
        let knobs = &self.host.shared.knobs;
        self.query_bytes_max = knobs.query_bytes_max.load(Ordering::Relaxed);
        io.limits().input_bytes_max = self.query_bytes_max.saturating_add(INPUT_SLACK_BYTES);
        self.output_watch_bytes = knobs
            .output
            .least_bytes()
            .min(knobs.subscriber_output.least_bytes());
        self.host.arrived_us = io.now_us();
        self.read_wall_clock();
        if self.host.shared.observer.rates.is_due(self.now_mono_ms) {
            self.host.shared.take_sample(self.now_mono_ms);
        }
        let store = &self.engine.store;
        if store.eviction.is_on() {
            self.state.local.used_bytes = store.usage.bytes();
        } else {
            // Nothing is known when a limit comes in the middle of a turn: what is above it goes in the next.
            self.state.local.used_bytes = 0;
        }
        self.state.local.batch_bytes = 0;
        self.state.local.replies_wait = self.engine.store.log.replies_wait();
        if !self.unsafe_clients.is_empty() || !self.wait_until_safe.is_empty() {
            self.send_safe(io);
        }
        self.look_around();
        // What was answered before the input of this turn was sent comes before what that changes.
        self.deliver_messages(io);
        self.run_ready(io);
    }

    /// Reads the time that commands see.
    fn read_wall_clock(&mut self) {
        self.now_ms = self.host.clock.wall_us() / 1_000;
        let eviction = &self.engine.store.eviction;
        self.state.local.clock = eviction.clock(self.now_ms);
        self.state.local.counts_accesses = eviction.policy().is_lfu();
    }

    /// Whether somebody monitors, or clients are paused.
    fn look_around(&mut self) {
        self.watchful = self.host.look_around(&mut self.state, self.now_ms);
    }

    fn slot(&mut self, conn: ConnId) -> Option<&mut Slot> {
        self.slots
            .get_mut(conn.index())
            .and_then(Option::as_deref_mut)
            .filter(|s| s.conn == conn)
    }

    /// Answers input that is no RESP and closes.
    fn protocol_error(&mut self, io: &mut Io<'_>, conn: ConnId, error: &ProtocolError) {
        let number = self.number;
        let Some(slot) = self.slot(conn) else { return };
        error.reply(slot.out.tail());
        self.host.shared.workers[number].protocol_errors.add(1);
        self.close_after_reply(io, conn);
    }

    /// Sends what is there, then closes.
    fn close_after_reply(&mut self, io: &mut Io<'_>, conn: ConnId) {
        if let Some(slot) = self.slot(conn) {
            slot.activity = Activity::Closing;
        }
        self.flush(io, conn);
        if !self.close_when_safe(conn) {
            io.close_after_flush(conn);
        }
    }

    /// Whether this client may connect at all; else it has been told why not.
    fn admit(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) -> bool {
        let shared = &self.host.shared;
        let max = shared.knobs.clients_max.load(Ordering::Relaxed);
        let reserved = match shared.admin_lane {
            AdminLane::Unix if peer.unix => LANE_CLIENTS,
            AdminLane::Loopback if is_local(peer) => LANE_CLIENTS,
            _ => 0,
        };
        let refusal = if shared.open_clients() >= max.saturating_add(reserved) {
            shared.workers[self.number].rejected.add(1);
            "-ERR max number of clients reached\r\n"
        } else if shared.knobs.protected.load(Ordering::Relaxed)
            && !shared.engine.users.password_required()
            && !is_local(peer)
        {
            shared.workers[self.number].rejected.add(1);
            PROTECTED
        } else {
            return true;
        };
        let mut rope = Rope::with_buffer(io.buffer());
        rope.tail().extend_from_slice(refusal.as_bytes());
        io.send(conn, &mut rope);
        io.close_after_flush(conn);
        false
    }

    /// Removes keys whose time has come; until when (wall clock) nothing of the sort is needed.
    fn look_after_deadlines(&mut self) -> Option<u64> {
        let due = self.engine.store.next_due(self.number)?;
        if self.engine.is_loading.load(Ordering::Relaxed) {
            return None;
        }
        if self.state.local.is_paused
            && let Some((_, end_ms)) = self.host.shared.clients.pause.at(self.now_ms)
        {
            return Some(end_ms);
        }
        let next_pass = self.last_expire_ms + self.expire_period_ms;
        if due > self.now_ms || (next_pass > self.now_ms && due != 0) {
            return Some(due.max(next_pass));
        }
        let started_us = self.host.clock.monotonic_us();
        let progress =
            self.engine
                .store
                .expire_some(&mut self.state.local, self.now_ms, EXPIRE_WORK_PER_TURN);
        let elapsed_us = self.host.clock.monotonic_us() - started_us;
        self.host.counters().expire_us.add(elapsed_us);
        let monitor = &self.host.shared.observer.latency;
        monitor.sample("expire-cycle", elapsed_us / 1_000, self.now_ms / 1_000);
        match progress {
            ExpireProgress::More => Some(self.now_ms),
            ExpireProgress::Until(due) => {
                self.last_expire_ms = self.now_ms;
                let store = &self.engine.store;
                let expired = store.counters(self.number).expired.value();
                let fired = expired - std::mem::replace(&mut self.expired_before, expired);
                let visits = (store.stripe_count() / store.workers()) as u64;
                self.expire_period_ms = if fired >= visits / 2 {
                    EXPIRE_BUSY_PERIOD_MS
                } else {
                    EXPIRE_PERIOD_MS
                };
                due.map(|due| due.max(self.now_ms + self.expire_period_ms))
            }
        }
    }

    /// Evicts a slice of what is above the limit of memory, which commands left or CONFIG SET made so; whether there is more to do.
    fn evict_some(&mut self) -> Room {
        let store = &self.engine.store;
        if !store.eviction.is_on() || self.engine.is_loading.load(Ordering::Relaxed) {
            return Room::Enough;
        }
        let monitor = &self.host.shared.observer.latency;
        let started_us = monitor.is_on().then(|| self.host.clock.monotonic_us());
        let room = store.make_room(&mut self.state.local, self.now_ms, VICTIMS_PER_TURN);
        if let Some(started_us) = started_us {
            let elapsed_us = self.host.clock.monotonic_us() - started_us;
            monitor.sample("eviction-cycle", elapsed_us / 1_000, self.now_ms / 1_000);
        }
        room
    }

    /// Shows the loop's own counts to INFO, and its memory to who keeps the limit.
    fn publish(&mut self, io: &Io<'_>) {
        let counters = self.host.counters();
        let stats = io.stats();
        let memory_bytes = io.buffer_memory_bytes();
        let usage = &self.engine.store.usage;
        usage.publish(self.number, memory_bytes);
        // Only now are they among this worker's buffers for everybody, or missing in its own figure.
        let arrived = std::mem::take(&mut self.arrived_bytes) + pubsub::take_freed_bytes();
        if arrived != 0 {
            usage.in_transit(-arrived);
        }
        counters.reads.store(stats.reads, Ordering::Relaxed);
        counters.busy_us.store(stats.busy_us, Ordering::Relaxed);
        counters.writes.store(stats.writes, Ordering::Relaxed);
        let (buffers, pool) = (io.buffered_bytes(), io.pooled_bytes());
        counters.buffer_bytes.store(buffers, Ordering::Relaxed);
        counters.pool_bytes.store(pool, Ordering::Relaxed);
    }

    fn close_idle(&mut self, io: &mut Io<'_>) {
        let timeout_ms =
            u64::from(self.host.shared.knobs.timeout_s.load(Ordering::Relaxed)) * 1_000;
        self.idle_check_set = timeout_ms > 0;
        if timeout_ms == 0 {
            return;
        }
        let now = io.now_ms();
        for slot in self.slots.iter().flatten().filter(|s| s.is_idle()) {
            let idle_ms = now.saturating_sub(slot.client.active_ms());
            let only_listens = slot.client.is(Mark::MONITOR) || slot.client.is(Mark::SUBSCRIBER);
            if idle_ms > timeout_ms && !only_listens {
                tracing::debug!("Closing idle client id={}", slot.client.id);
                io.close(slot.conn);
            }
        }
        io.set_timer(now + IDLE_CHECK_MS, IDLE_CHECK);
    }
}

impl Handler for Worker {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) {
        self.begin(io);
        // What we have made ourselves, the gateway's or the admin port's, is nobody who has to be let in.
        let admitted =
            peer.adopted || (self.begin_tls(io, conn, peer) && self.admit(io, conn, peer));
        let shared = &self.host.shared;
        let counters = &shared.workers[self.number];
        let keepalive_s = shared.knobs.keepalive_s.load(Ordering::Relaxed);
        if !peer.unix {
            io.set_keepalive(
                conn,
                (keepalive_s > 0).then(|| Duration::from_secs(u64::from(keepalive_s))),
            );
        }
        let id = shared.clients.next_id();
        let mut session = match peer.adopted {
            true if peer.tag == lane::TAG => Session::of_default_user(id, &self.engine.users),
            // Of no user: nothing is forbidden to it.
            true => Session::new(id, true),
            false => Session::of_client(id, &self.engine.users),
        };
        session.peer = ClientPeer {
            remote: peer.remote,
            local: peer.local,
            unix: peer.unix,
            descriptor: peer.descriptor,
            opened_ms: self.now_ms,
        };
        session.place = Place {
            worker: self.number,
            token: token_of(conn),
        };
        let client = Arc::new(Client::new(
            session.id,
            session.peer,
            self.number,
            token_of(conn),
            self.now_mono_ms,
        ));
        let fixed = client.weigh(limits::fixed_bytes(&session));
        tracing::debug!(
            "Accepted {} as id={}",
            shared.client_address(&client),
            client.id
        );
        if admitted {
            counters.accepted.add(1);
            shared.clients.insert(Arc::clone(&client));
        }
        self.add_client_bytes(fixed);
        if self.slots.len() <= conn.index() {
            self.slots.resize_with(conn.index() + 1, || None);
        }
        self.slots[conn.index()] = Some(Box::new(Slot {
            conn,
            session: Some(Box::new(session)),
            parser: RequestParser::new(),
            waiter: Waiter::new(Arc::clone(&self.ready), token_of(conn)),
            out: Rope::new(),
            activity: if admitted {
                Activity::Idle
            } else {
                Activity::Closing
            },
            suspended: Stopwatch::default(),
            client,
            last: None,
            muted: false,
            held_back: false,
            pushes: None,
            awaits: 0,
            unsafe_replies: None,
        }));
        if !self.idle_check_set {
            self.close_idle(io);
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, inputs: &mut [Input]) {
        self.begin(io);
        if self.leave_unread(io, inputs) {
            return;
        }
        let counters = &self.host.shared.workers[self.number];
        counters.batches.add(1);
        let (mut sum, mut largest) = (0, 0);
        for len in inputs.iter().map(|i| i.bytes().len()) {
            sum += len;
            largest = largest.max(len);
        }
        counters.input_bytes.add(sum as u64);
        counters.recent_input.note(self.now_mono_ms, largest);
        self.run_batch(io, inputs);
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        self.begin(io);
        let Some(mut slot) = self.slots.get_mut(conn.index()).and_then(Option::take) else {
            return;
        };
        self.abandon_wait(io, &mut slot);
        if let CloseReason::Layer(error) = &why {
            self.log_tls_failure(&slot.client, error);
        }
        tracing::debug!(
            "Client closed connection {}",
            self.host
                .shared
                .client_line(&slot.client, self.now_ms, self.now_mono_ms)
        );
        self.host.shared.clients.remove(&slot.client);
        let engine = &self.engine;
        engine.tracking.forget(&engine.store, slot.client.id);
        self.add_client_bytes(-(slot.client.memory() as i64));
        if slot.client.mark(Mark::POSTPONED, false) {
            self.count_postponed(-1);
        }
        // Asked of the waiter itself: whatever the connection has come to, a stripe that is granted to nobody is lost.
        if slot.waiter.is_waiting() {
            self.engine.store.abandon_stripes(&slot.waiter);
        }
        if let Some(session) = slot.session {
            self.forget(*session);
        }
    }

    fn drained(&mut self, io: &mut Io<'_>, conn: ConnId) {
        self.begin(io);
        // It was paused with commands left, for the sake of the output; a suspended session goes on by itself.
        if self.slot(conn).is_some_and(|slot| slot.is_idle()) {
            io.resume_input(conn);
        }
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        self.begin(io);
        match token {
            PAUSE_OVER => {
                self.pause_timer_set = false;
                self.release_postponed(io);
            }
            OUTPUT_CHECK => self.check_over_soft(io),
            BUSY_CHECK => self.check_busy(io),
            HELD_BACK_CHECK => self.check_held_back(io),
            token if token & BLOCKED_UNTIL != 0 => self.blocked_until(io, token),
            _ => self.close_idle(io),
        }
    }

    fn backlog(&mut self, io: &mut Io<'_>, conn: ConnId) {
        self.begin(io);
        self.note_backlog(io, conn);
    }

    fn stopping(&mut self, io: &mut Io<'_>) {
        self.begin(io);
        self.stop_waiting(io);
        self.hold_all_open(io);
    }

    fn peer_closed(&mut self, io: &mut Io<'_>, conn: ConnId) {
        // As in Redis, what waits for a key or for the end of the pause is not executed for a client that is gone.
        let waits =
            |slot: &mut Slot| matches!(slot.activity, Activity::Postponed | Activity::Blocked(_));
        if self.slot(conn).is_some_and(waits) {
            io.close(conn);
        }
    }

    fn woken(&mut self, io: &mut Io<'_>) {
        self.begin(io);
        self.run_ready(io);
        self.run_finished(io);
        self.read_mail(io);
        self.release_postponed(io);
        if !self.idle_check_set {
            self.close_idle(io);
        }
    }

    fn accept_paused(&mut self, _io: &mut Io<'_>, _listener: usize, error: &std::io::Error) {
        tracing::warn!(
            "Accepting client connections pauses: {error}. Raise the limit of open files, or lower maxclients."
        );
    }

    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        self.begin(io);
        self.run_ready(io);
        self.host.wake_others();
        if self.state.observed {
            self.deliver_to_monitors(io);
        }
        self.evict_clients();
        let mut retry = self.run_unwatch() | self.run_forget();
        let pass_ms = self.look_after_deadlines();
        let seen_ms = self.engine.store.next_due(self.number).unwrap_or(u64::MAX);
        let room = self.evict_some();
        // Keys that expired or were evicted may have been told of, too.
        self.deliver_messages(io);
        self.host.wake(&mut self.state);
        retry |= self.release_publishers(io) | self.release_unread(io);
        let lag_ms = std::mem::take(&mut self.state.local.expiry_lag_ms_max);
        if lag_ms > 0 {
            let recent = &self.host.counters().recent_expiry_lag;
            recent.note(self.now_mono_ms, lag_ms as usize);
        }
        // What expired is nobody's command.
        (self.state.local.wrote, self.state.local.awaits) = (0, 0);
        let log = &self.engine.store.log;
        if log.is_active() && log.waiting_bytes(self.number) > 0 {
            self.host.shared.journal.signal();
        }
        self.awake = false;
        self.state.local.batch_boundary(&self.engine.store.epochs);
        self.publish(io);
        let now_mono_ms = io.now_ms();
        let mut until = pass_ms.map(|pass| now_mono_ms + pass.saturating_sub(self.now_ms));
        if retry || room == Room::Busy {
            until = Some(until.unwrap_or(u64::MAX).min(now_mono_ms + RETRY_MS));
        }
        if room == Room::More
            || self.can_step(io)
            || until.is_some_and(|until| until <= now_mono_ms)
        {
            return Some(now_mono_ms);
        }
        // From here on a deadline or a hand-over that concerns this worker wakes it.
        let sleep_until_ms = pass_ms.unwrap_or(u64::MAX);
        if !self
            .engine
            .store
            .sleep_until(self.number, sleep_until_ms, seen_ms)
            || !self.ready.prepare_sleep()
            || !self.wait_for_safety()
        {
            return Some(now_mono_ms);
        }
        self.engine.store.epochs.offline(self.number);
        until
    }

    fn settled(&mut self, _io: &mut Io<'_>, now_us: u64) {
        if self.host.outbound.is_empty() {
            return;
        }
        let observer = &self.host.shared.observer;
        if let Some(safe_us) = self.safe_since_us.take() {
            let (times, outbound) = ((safe_us, now_us), &mut self.host.outbound);
            observer.released(outbound, self.number, times, self.safe_seen);
        }
        let safe = if self.unsafe_clients.is_empty() {
            u64::MAX
        } else {
            self.safe_seen
        };
        observer.left(&mut self.host.outbound, self.number, now_us, safe);
    }

    fn has_background(&mut self, io: &mut Io<'_>) -> bool {
        self.can_step(io)
    }

    fn background(&mut self, io: &mut Io<'_>) {
        self.begin(io);
        self.run_steps(io);
        // Who goes through a million keys would else use up its time slice, of milliseconds, while others wait for the core.
        std::thread::yield_now();
    }
}

/// Whether the peer is on this machine.
fn is_local(peer: &Peer) -> bool {
    peer.unix
        || peer.remote.is_some_and(|address| match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
            }
        })
}

/// Clients for whom there is room beyond `maxclients`, see `admin-lane`.
const LANE_CLIENTS: usize = 16;

const PROTECTED: &str = "-DENIED Dunlin is running in protected mode because protected mode is enabled and no password is \
set for the default user. In this mode connections are only accepted from the loopback interface. To accept others: \
set a password (requirepass), or bind to chosen addresses and turn protected-mode off, in the configuration file or by \
CONFIG SET from this machine.\r\n";
