//! The handler of one loop: devices on one side, the lane to the store on the other.
//!
//! Invariant: of each connection's messages all that were taken are answered, each once, in the turn in which its fate is known. What
//! one device sends concerns no other, but for the limits that all share.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_frame::{AckResult, Decoded, Id, Packet};
use dunlin_reactor::{Adopter, CloseReason, ConnId, Handler, Input, Io, Peer, Rope, Socket};

use crate::batch::{Batch, Fate};
use crate::connection::{Connection, PeerName, Phase};
use crate::counters::Counters;
use crate::lane::Lane;
use crate::settings::Settings;
use crate::token::Tokens;
use crate::uplink::Uplink;

/// Timer of the lane's client.
const RECONNECT: u64 = 1;
/// Timer that looks for messages which have waited too long.
const PATIENCE: u64 = 2;
/// Timer at the deadline of a stop.
const DRAINED: u64 = 3;
/// How often messages are looked for that have waited too long, while there are any.
const PATIENCE_CHECK_MS: u64 = 250;
/// How often it is logged what the store refuses, at most.
const COMPLAINT_PERIOD_MS: u64 = 1_000;
/// How long a connection that is being closed may take to take its last acks.
const FAREWELL_MS: u64 = 1_000;
/// No stop was asked for.
const NEVER: u64 = u64::MAX;

/// What the loops of a gateway share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Arc<Counters>,
    /// Until when what is under way may take, once a stop was asked for; ms of the loops' clock.
    drain_by_ms: AtomicU64,
}

impl Shared {
    pub(crate) fn new(counters: Arc<Counters>) -> Shared {
        Shared {
            counters,
            drain_by_ms: AtomicU64::new(NEVER),
        }
    }

    /// Asks all loops to stop; they have to be woken.
    pub(crate) fn drain(&self, by_ms: u64) {
        self.drain_by_ms
            .fetch_min(by_ms.min(NEVER - 1), Ordering::SeqCst);
    }

    fn drain_by_ms(&self) -> Option<u64> {
        let at = self.drain_by_ms.load(Ordering::SeqCst);
        (at != NEVER).then_some(at)
    }
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    /// Nothing is read any more; what was taken is being answered.
    Draining,
    /// All is answered: the loop was told to end.
    Done,
}

/// The handler of one of a gateway's loops.
pub struct Gateway {
    settings: Rc<Settings>,
    shared: Arc<Shared>,
    store: Uplink,
    lane: Lane,
    connections: Vec<Option<Box<Connection>>>,
    tokens: Tokens,
    /// Connections with acks, or to be closed.
    dirty: Vec<ConnId>,
    /// Connections that are not read since all together have too much under way.
    held: Vec<ConnId>,
    pending: usize,
    pending_bytes: usize,
    started: bool,
    patience_set: bool,
    complain_at_ms: u64,
    stop: Stop,
}

impl Gateway {
    /// A gateway for one loop; `seed` spreads the times at which it tries to reach a store that is away.
    pub(crate) fn new(
        settings: Settings,
        shared: Arc<Shared>,
        adopter: Adopter<Socket>,
        seed: u64,
    ) -> Gateway {
        let settings = Rc::new(settings);
        Gateway {
            store: Uplink::new(&settings.store, adopter, RECONNECT, seed),
            lane: Lane::new(Rc::clone(&settings)),
            settings,
            shared,
            connections: Vec::new(),
            tokens: Tokens::default(),
            dirty: Vec::new(),
            held: Vec::new(),
            pending: 0,
            pending_bytes: 0,
            started: false,
            patience_set: false,
            complain_at_ms: 0,
            stop: Stop::No,
        }
    }

    fn connection(&mut self, conn: ConnId) -> Option<&mut Connection> {
        let place = self.connections.get_mut(conn.index())?;
        place.as_deref_mut().filter(|c| c.id == conn)
    }

    /// Whether all together have as much under way as they may.
    fn is_full(&self) -> bool {
        let limits = &self.settings.limits;
        self.pending >= limits.pending_max || self.pending_bytes >= limits.pending_bytes_max
    }

    /// Whether that has fallen to half.
    fn has_room_again(&self) -> bool {
        let limits = &self.settings.limits;
        self.pending <= limits.pending_max / 2 && self.pending_bytes <= limits.pending_bytes_max / 2
    }

    /// Takes the frames of a device.
    fn read(&mut self, io: &mut Io<'_>, input: &mut Input) {
        let conn = input.conn();
        let codec = self.settings.codec;
        let mut at = 0;
        loop {
            let is_full = self.is_full();
            let most = self.settings.limits.pending_per_connection_max;
            let Some(connection) = self.connection(conn) else {
                at = input.bytes().len();
                break;
            };
            if connection.phase == Phase::Closing {
                at = input.bytes().len();
                break;
            }
            if is_full || connection.pending >= most {
                io.pause_input(conn);
                connection.phase = Phase::Held;
                if is_full {
                    connection.phase = Phase::HeldByAll;
                    self.held.push(conn);
                }
                break;
            }
            connection.phase = Phase::Open;
            let bytes = &input.bytes()[at..];
            match codec.decode(bytes) {
                Ok(Decoded::Packet { packet, end }) => {
                    self.take(io, conn, packet);
                    at += end;
                }
                Ok(Decoded::NeedMore { hint }) => {
                    if input.is_eof() {
                        let unfinished = bytes.len();
                        self.ended(io, conn, unfinished);
                    } else {
                        input.expect(hint);
                    }
                    break;
                }
                Err(error) => {
                    if let Some(id) = codec.overlong_submit(bytes) {
                        self.ack(
                            io,
                            conn,
                            |result| Packet::SubmitAck { id, result },
                            AckResult::Error,
                        );
                    }
                    self.malformed(io, conn, &error);
                }
            }
        }
        input.consume(at);
    }

    fn take(&mut self, io: &mut Io<'_>, conn: ConnId, packet: Packet<'_>) {
        match packet {
            Packet::Conn { id, payload } => self.introduced(io, conn, id, payload),
            Packet::Submit { id, payload } => {
                let now_ms = io.now_ms();
                let Some(connection) = self.connection(conn) else {
                    return;
                };
                connection.pending += 1;
                let (token, peer) = (connection.token.clone(), connection.name);
                tracing::trace!("{peer}: Submit {id} of {} bytes", payload.len());
                self.pending += 1;
                self.pending_bytes += payload.len();
                self.lane.push(conn, id, token, payload, now_ms);
            }
            Packet::ConnAck { .. } | Packet::SubmitAck { .. } => {
                let reason = format_args!("a {}, which devices do not send", packet.name());
                self.malformed(io, conn, &reason);
            }
        }
    }

    fn introduced(&mut self, io: &mut Io<'_>, conn: ConnId, id: Id, name: &[u8]) {
        let ack = |result| Packet::ConnAck { id, result };
        let most = self.settings.limits.token_bytes_max;
        if name.len() > most {
            self.ack(io, conn, ack, AckResult::Error);
            let reason = format_args!("a token of {} bytes, the most is {most}", name.len());
            return self.malformed(io, conn, &reason);
        }
        let token = (!name.is_empty()).then(|| self.tokens.of(name, &self.settings.names));
        if let Some(connection) = self.connection(conn) {
            connection.token = token;
        }
        self.ack(io, conn, ack, AckResult::Ok);
    }

    /// The device sends no more; of a frame it has sent so many bytes only.
    fn ended(&mut self, io: &mut Io<'_>, conn: ConnId, unfinished: usize) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let (pending, peer) = (connection.pending, connection.name);
        if pending > 0 {
            // Else the loop would close it behind the output that there is now.
            connection.phase = Phase::Ended;
            io.pause_input(conn);
        } else if unfinished > 0 {
            tracing::info!("{peer}: the connection ended within a frame");
        }
    }

    /// Closes a connection for what it sent, once what came before that is answered.
    fn malformed(&mut self, io: &mut Io<'_>, conn: ConnId, reason: &dyn fmt::Display) {
        self.shared
            .counters
            .malformed
            .fetch_add(1, Ordering::Relaxed);
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.phase = Phase::Closing;
        tracing::warn!("{}: {reason}: closing the connection", connection.name);
        io.pause_input(conn);
        self.mark(conn);
    }

    fn mark(&mut self, conn: ConnId) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        if !std::mem::replace(&mut connection.dirty, true) {
            self.dirty.push(conn);
        }
    }

    /// Answers a request of a connection, if that is still there.
    fn ack<'a>(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        packet: impl Fn(AckResult) -> Packet<'a>,
        result: AckResult,
    ) {
        let codec = self.settings.codec;
        let Some(connection) = self.connection(conn) else {
            return;
        };
        if connection.acks.is_empty() {
            connection.acks = Rope::with_buffer(io.buffer());
        }
        // An ack is shorter than the shortest limit that makes any sense.
        let _ = codec.encode(&packet(result), connection.acks.tail());
        self.mark(conn);
    }

    /// Takes what the store answers.
    fn hear(&mut self, io: &mut Io<'_>, input: &mut Input) {
        let (wall_us, now_ms) = (io.clock().wall_us(), io.now_ms());
        let heard = self.lane.feed(input.bytes(), wall_us, now_ms);
        input.consume(input.bytes().len());
        if let Err(error) = heard {
            tracing::warn!("The store sends what is no reply: {error}");
            io.close(input.conn());
        } else if self.lane.must_reconnect() {
            io.close(input.conn());
        }
    }

    /// Answers the messages whose fate is known.
    fn answer(&mut self, io: &mut Io<'_>) {
        let (mut kept, mut repeats, mut failed, mut batches) = (0, 0, 0, 0);
        while let Some(batch) = self.lane.finished.pop_front() {
            batches += 1;
            for (index, submit) in batch.submits.iter().enumerate() {
                let (fate, result) = batch.outcome(index);
                match fate {
                    Fate::Kept => kept += 1,
                    Fate::Repeat => repeats += 1,
                    _ => failed += 1,
                }
                self.pending -= 1;
                self.pending_bytes -= Batch::payload_len(submit);
                let id = submit.id;
                self.ack(
                    io,
                    submit.conn,
                    |result| Packet::SubmitAck { id, result },
                    result,
                );
                self.go_on(io, submit.conn);
            }
            self.lane.recycle(batch);
        }
        if batches > 0 {
            let counters = &self.shared.counters;
            counters.kept.fetch_add(kept, Ordering::Relaxed);
            counters.repeats.fetch_add(repeats, Ordering::Relaxed);
            counters.failed.fetch_add(failed, Ordering::Relaxed);
            counters.batches.fetch_add(batches, Ordering::Relaxed);
        }
    }

    /// One message of a connection is answered: reads it again, if it was waited for.
    fn go_on(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let (is_full, is_stopping) = (self.is_full(), self.stop != Stop::No);
        let most = self.settings.limits.pending_per_connection_max;
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.pending -= 1;
        match connection.phase {
            _ if is_stopping => {}
            Phase::Held if connection.pending <= most / 2 => {
                if is_full {
                    connection.phase = Phase::HeldByAll;
                    self.held.push(conn);
                } else {
                    connection.phase = Phase::Open;
                    io.resume_input(conn);
                }
            }
            Phase::Ended if connection.pending == 0 => io.resume_input(conn),
            _ => {}
        }
    }

    /// Reads everybody again who waited until all together have less under way.
    fn release_held(&mut self, io: &mut Io<'_>) {
        if self.held.is_empty() || !self.has_room_again() || self.stop != Stop::No {
            return;
        }
        for conn in std::mem::take(&mut self.held) {
            if let Some(connection) = self.connection(conn)
                && connection.phase == Phase::HeldByAll
            {
                connection.phase = Phase::Open;
                io.resume_input(conn);
            }
        }
    }

    /// Sends the acks of this turn, and closes who is to be closed.
    fn flush(&mut self, io: &mut Io<'_>) {
        while let Some(conn) = self.dirty.pop() {
            let Some(connection) = self.connection(conn) else {
                continue;
            };
            connection.dirty = false;
            if !connection.acks.is_empty() {
                let acks = &mut connection.acks;
                io.send(conn, acks);
                io.recycle(acks.take_tail());
            }
            if connection.phase == Phase::Closing && connection.pending == 0 {
                io.close_after_flush(conn);
            }
        }
    }

    /// Gives the lane's requests to the loop.
    fn send(&mut self, io: &mut Io<'_>) {
        self.lane.pump(io.now_ms());
        if let Some(conn) = self.store.connection()
            && !self.lane.out.is_empty()
        {
            io.send(conn, &mut self.lane.out);
            if self.lane.out.tail().capacity() == 0 {
                self.lane.out = Rope::with_buffer(io.buffer());
            }
        }
    }

    /// Looks for messages that have waited too long.
    fn check_patience(&mut self, io: &mut Io<'_>) {
        let before_ms = io.now_ms().saturating_sub(self.settings.limits.patience_ms);
        self.lane.give_up_before(before_ms);
        let is_late = self.lane.waits_since_ms().is_some_and(|at| at < before_ms);
        if let Some(conn) = self.store.connection().filter(|_| is_late) {
            let patience_ms = self.settings.limits.patience_ms;
            tracing::warn!("The store has not answered for {patience_ms} ms: connecting anew");
            io.close(conn);
        }
    }

    fn complain(&mut self, now_ms: u64) {
        if now_ms < self.complain_at_ms {
            return;
        }
        if let Some((text, times)) = self.lane.complaint.take() {
            self.complain_at_ms = now_ms + COMPLAINT_PERIOD_MS;
            let text = text.escape_ascii();
            tracing::warn!("Refused by the store ({times} times since this was last said): {text}");
        }
    }

    fn begin_drain(&mut self, io: &mut Io<'_>, by_ms: u64) {
        self.stop = Stop::Draining;
        for connection in self.connections.iter().flatten() {
            io.pause_input(connection.id);
        }
        io.set_timer(by_ms, DRAINED);
    }

    fn end_drain(&mut self, io: &mut Io<'_>) {
        self.stop = Stop::Done;
        for connection in self.connections.iter().flatten() {
            io.close_after_flush(connection.id);
        }
        self.store.stop(io);
        io.stop(io.now_ms() + FAREWELL_MS);
    }
}

impl Handler for Gateway {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) {
        if peer.adopted && self.store.opened(io, conn) {
            return self.lane.connected(io.now_ms());
        }
        let counters = &self.shared.counters;
        let most = self.settings.limits.connections_max;
        if counters.open.fetch_add(1, Ordering::Relaxed) >= most {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            let peer = PeerName(peer.remote);
            tracing::warn!("{peer}: there are {most} connections: closing the connection");
            return io.close(conn);
        }
        counters.connections.fetch_add(1, Ordering::Relaxed);
        let index = conn.index();
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        self.connections[index] = Some(Box::new(Connection::new(conn, peer)));
        if self.stop != Stop::No {
            io.close(conn);
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            if self.store.connection() == Some(input.conn()) {
                self.hear(io, input);
            } else {
                self.read(io, input);
            }
        }
    }

    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        if self.store.connected(io, conn) {
            tracing::info!("Connected to the store");
            self.lane.connected(io.now_ms());
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        if self.store.closed(io, conn) {
            let failures = self.store.failures();
            // Why the store cannot serve now is complained of by itself.
            let is_told = self.stop == Stop::Done || self.lane.must_reconnect();
            if !is_told && failures.is_power_of_two() {
                let why = reason(&why);
                tracing::warn!("No connection to the store, {failures} times in a row: {why}");
            }
            return self.lane.lost();
        }
        self.shared.counters.open.fetch_sub(1, Ordering::Relaxed);
        let place = self.connections.get_mut(conn.index());
        let Some(connection) = place.and_then(|place| place.take_if(|c| c.id == conn)) else {
            return;
        };
        match why {
            CloseReason::SlowRequest | CloseReason::Deadline => {
                tracing::warn!("{}: {}: connection closed", connection.name, reason(&why));
            }
            _ => tracing::debug!("{}: {}: connection closed", connection.name, reason(&why)),
        }
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        match token {
            PATIENCE => {
                self.patience_set = false;
                self.check_patience(io);
            }
            DRAINED if self.stop == Stop::Draining => {
                tracing::warn!(
                    "{} messages are not answered by the store in time",
                    self.pending
                );
                self.lane.abandon();
            }
            DRAINED => {}
            _ => self.store.timer(io, token),
        }
    }

    fn woken(&mut self, io: &mut Io<'_>) {
        if let Some(by_ms) = self.shared.drain_by_ms()
            && self.stop == Stop::No
        {
            self.begin_drain(io, by_ms);
        }
    }

    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        if !self.started {
            self.started = true;
            self.store.start(io);
        }
        self.answer(io);
        self.send(io);
        self.release_held(io);
        self.flush(io);
        self.complain(io.now_ms());
        if self.stop == Stop::Draining && self.pending == 0 {
            self.end_drain(io);
        }
        if self.pending > 0 && !self.patience_set {
            self.patience_set = true;
            io.set_timer(io.now_ms() + PATIENCE_CHECK_MS, PATIENCE);
        }
        None
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("pending", &self.pending)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

/// As the log has it.
fn reason(why: &CloseReason) -> String {
    match why {
        CloseReason::Eof => "the other side closed it".to_owned(),
        CloseReason::Reset(error) | CloseReason::Connect(error) | CloseReason::Layer(error) => {
            error.to_string()
        }
        CloseReason::Local => "closed by the gateway".to_owned(),
        CloseReason::OutputLimit => "it does not take its acks".to_owned(),
        CloseReason::SlowRequest => "a frame was begun and did not go on".to_owned(),
        CloseReason::BufferCeiling => "all buffers together are too big".to_owned(),
        CloseReason::Deadline => "it was busy at the deadline of the stop".to_owned(),
    }
}
