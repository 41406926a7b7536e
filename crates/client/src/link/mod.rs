//! The loop's side of a connection: sends what the outbox holds, matches replies in order, keeps time, and comes back after a loss.
//!
//! Invariant: replies go to requests in the order in which these were sent. A request that timed out keeps its place, so that its late
//! reply is dropped and nobody else gets it. What was given to a connection that is lost fails with [`Error::ConnectionReset`], unless it
//! may be repeated; what was not given to it stays. At most [`WINDOW_BYTES`] (or one request) are given at a time, so that little is
//! in doubt. One write a turn; the outbox is locked once a turn; nothing here waits.

mod greeting;
mod unsent;

pub(crate) use greeting::{Greeting, Progress};

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker as TaskWaker;
use std::time::{Duration, Instant};

use dunlin_reactor::{
    CloseReason, ConnId, ConnectAddress, Handler, Input, Io, Peer, Rope, TcpClient,
};
use dunlin_resp::{ReplyLimits, ReplyParser, Value, Version};

use crate::command::Command;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::outbox::{Answered, Entry, Expect, Life, Outbox, Stats};
use crate::pubsub::Hub;
use crate::relay::PATIENCE_MS;
use crate::slot::{Answer, Ticket, Wakeup};
use crate::started::Started;
use crate::yielding::Yielding;
use unsent::{Timed, Unsent};

/// Bytes given to a connection before the system has taken those from before.
const WINDOW_BYTES: usize = 256 * 1024;
/// How often the loop lets others run before it writes.
const GATHER_MAX: usize = 8;
/// Tasks that are woken in two halves, at least.
const HALVES_MIN: usize = 4;
/// The only timer of the loop, [`TcpClient`]'s.
const RETRY_TIMER: u64 = 0;

/// A unit that was sent.
#[derive(Debug)]
struct Sent {
    timed: Timed,
    /// Replies to come.
    left: u32,
    replies: Vec<Value>,
    /// Its bytes, if it may be sent again.
    copy: Option<Box<[u8]>>,
    heartbeat: bool,
}

enum Phase {
    Down,
    Greeting(ConnId, Greeting),
    Ready(ConnId),
}

/// The handler of a client's loop.
pub(crate) struct Link {
    options: Options,
    outbox: Arc<Outbox>,
    hub: Arc<Hub>,
    started: Arc<Started>,
    tcp: TcpClient,
    addresses: VecDeque<ConnectAddress>,
    phase: Phase,
    parser: ReplyParser,
    unsent: Unsent,
    sent: VecDeque<Sent>,
    answered: Answered,
    wakeups: Vec<Wakeup>,
    /// The tasks among them.
    tasks: Vec<TaskWaker>,
    /// When tasks were left to each other, as long as they are.
    relayed_ms: Option<u64>,
    /// Those who were answered last are tasks, at least some of them.
    for_tasks: bool,
    /// Run by a task, beside those that it wakes.
    driven: bool,
    /// Wakes tasks in two halves.
    in_halves: bool,
    /// Tasks that were answered last and may ask again.
    expected: usize,
    /// Empty; exchanged with the outbox's.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// No unit times out before, ms of the loop's clock.
    next_deadline_ms: u64,
    heard_ms: u64,
    heartbeat_sent: bool,
    /// When the greeting has to be over.
    greeted_by_ms: u64,
    closes_at_ms: Option<u64>,
    ending: bool,
    /// The connection is about to be lost: nothing more is given to it.
    doomed: bool,
    /// Replies were handed out in this turn.
    answers: bool,
    stats: Stats,
}

impl Link {
    pub(crate) fn new(
        options: Options,
        addresses: VecDeque<ConnectAddress>,
        outbox: Arc<Outbox>,
        hub: Arc<Hub>,
        started: Arc<Started>,
        seed: u64,
    ) -> Link {
        let mut retry = options.retry.clone();
        retry.connect_ms = millis(options.connect_deadline);
        let first = addresses.front().cloned();
        let first = first.unwrap_or_else(|| ConnectAddress::Unix("".into()));
        Link {
            tcp: TcpClient::with_limits(first, RETRY_TIMER, seed, retry),
            options,
            outbox,
            hub,
            started,
            addresses,
            phase: Phase::Down,
            parser: ReplyParser::new(ReplyLimits::default()),
            unsent: Unsent::default(),
            sent: VecDeque::new(),
            answered: Answered::default(),
            wakeups: Vec::new(),
            tasks: Vec::new(),
            relayed_ms: None,
            for_tasks: false,
            driven: false,
            in_halves: false,
            expected: 0,
            bytes: Vec::new(),
            entries: Vec::new(),
            next_deadline_ms: u64::MAX,
            heard_ms: 0,
            heartbeat_sent: false,
            greeted_by_ms: u64::MAX,
            closes_at_ms: None,
            ending: false,
            doomed: false,
            answers: false,
            stats: Stats::default(),
        }
    }

    /// As [`Link::new`], for a loop that a task runs.
    pub(crate) fn driven(self) -> Link {
        Link {
            driven: true,
            ..self
        }
    }

    /// How many tasks may ask again, as they were just answered.
    pub(crate) fn expected(&self) -> usize {
        self.expected
    }

    /// Wakes tasks in two halves from now on, if `on`.
    pub(crate) fn set_in_halves(&mut self, on: bool) {
        self.in_halves = on;
    }

    /// Units that were sent and are not answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// Whether replies were handed out in the last turn. If not, nobody is expected any more.
    pub(crate) fn take_answered(&mut self) -> bool {
        let answers = std::mem::take(&mut self.answers);
        if !answers {
            self.expected = 0;
        }
        answers
    }

    fn conn(&self) -> Option<ConnId> {
        match &self.phase {
            Phase::Down => None,
            Phase::Greeting(conn, _) | Phase::Ready(conn) => Some(*conn),
        }
    }

    fn give_up(&mut self, io: &mut Io<'_>, conn: ConnId) {
        self.doomed = true;
        io.close(conn);
    }

    fn wake_all(&mut self) {
        self.wakeups.drain(..).for_each(Wakeup::wake);
    }

    /// Wakes threads, and one of the tasks, which wakes the others. To be called before the end of the turn, which asks when to look again.
    fn relay(&mut self, io: &Io<'_>) {
        if self.wakeups.is_empty() {
            return;
        }
        let tasks = self.wakeups.drain(..).filter_map(Wakeup::wake_thread);
        self.tasks.extend(tasks);
        if self.driven {
            return self.wake_some();
        }
        self.for_tasks = !self.tasks.is_empty();
        let Some(first) = self.tasks.pop() else {
            return;
        };
        if !self.tasks.is_empty() {
            self.relayed_ms.get_or_insert(io.now_ms());
            self.outbox.relay().leave(self.tasks.drain(..));
        }
        first.wake();
    }

    /// Wakes the tasks that were answered. In halves: when the server has nothing left to do, half of them at first, so that what these ask is
    /// on its way while the others run.
    fn wake_some(&mut self) {
        let all = self.tasks.len();
        let halve = self.in_halves && self.sent.is_empty() && all >= HALVES_MIN;
        let some = if halve { all / 2 } else { all };
        self.expected += some;
        self.tasks.drain(..some).for_each(TaskWaker::wake);
    }

    /// Wakes the other half, in the turn after.
    pub(crate) fn wake_others(&mut self) {
        self.answers |= !self.tasks.is_empty();
        self.expected += self.tasks.len();
        self.tasks.drain(..).for_each(TaskWaker::wake);
    }

    /// Does not leave it to tasks for ever. Returns when to look again.
    fn see_to_relay(&mut self, now_ms: u64) -> Option<u64> {
        let since_ms = self.relayed_ms?;
        let due_ms = since_ms + PATIENCE_MS;
        let relay = self.outbox.relay();
        if relay.is_pending() && now_ms < due_ms {
            return Some(due_ms);
        }
        relay.run();
        self.relayed_ms = None;
        None
    }

    /// Lets those who are about to ask do so before the batch is written: as long as more come, and they are given the time, it is shared
    /// by more of them.
    fn gather(&mut self) {
        if self.driven {
            return;
        }
        let answers = std::mem::take(&mut self.answers);
        let mut queued = self.outbox.queued();
        let times = match self.for_tasks {
            true if queued > 0 || answers => GATHER_MAX,
            // A thread that waits gives way by itself, see `Slot::wait`.
            false if answers => 1,
            _ => 0,
        };
        let mut yielding = Yielding::default();
        for _ in 0..times {
            if !yielding.give_way() {
                return;
            }
            let before = std::mem::replace(&mut queued, self.outbox.queued());
            if queued == before {
                return;
            }
        }
    }

    fn fill(&mut self, mut ticket: Ticket, expect: Expect, bytes: usize, answer: Result<Answer>) {
        self.wakeups.push(ticket.fill(answer));
        self.answered.requests += expect.count() as usize;
        self.answered.bytes += bytes;
    }

    fn fail(&mut self, entry: Entry, error: Error) {
        self.fill(entry.ticket, entry.expect, entry.bytes, Err(error));
    }

    /// The connection is ready for requests.
    fn ready(&mut self, conn: ConnId, version: Version) {
        self.phase = Phase::Ready(conn);
        self.greeted_by_ms = u64::MAX;
        self.heartbeat_sent = false;
        self.stats.connections += 1;
        self.stats.connected = true;
        self.started.set(Ok(version));
    }

    /// Takes a reply. False: the stream makes no sense.
    fn reply(&mut self, io: &mut Io<'_>, value: Value) -> bool {
        let value = match value {
            Value::Attributed { value, .. } => *value,
            value => value,
        };
        if let Some(kind) = push_kind(&value, self.options.subscriber) {
            return self.push(io, kind, value);
        }
        if matches!(self.phase, Phase::Greeting(..)) {
            return self.greeting_reply(io, value);
        }
        self.stats.received += 1;
        let Some(front) = self.sent.front_mut() else {
            return false;
        };
        // A refused subscription: one error instead of all its confirmations.
        let refused = matches!(front.timed.entry.expect, Expect::Confirmations(..));
        if refused && !matches!(value, Value::Error(_) | Value::BulkError(_)) {
            return false;
        }
        front.left = if refused { 0 } else { front.left - 1 };
        if front.timed.entry.expect != Expect::Replies(1) {
            front.replies.push(value);
            if front.left == 0 {
                self.settle_front(None);
            }
        } else {
            self.settle_front(Some(value));
        }
        true
    }

    fn greeting_reply(&mut self, io: &mut Io<'_>, value: Value) -> bool {
        let Phase::Greeting(conn, greeting) = &mut self.phase else {
            return false;
        };
        let conn = *conn;
        let mut out = io.buffer();
        let channels = self.hub.channels();
        let progress = greeting.reply(value, &self.options, &channels, &mut out);
        io.send(conn, &mut rope(out));
        match progress {
            Ok(Progress::Going) => true,
            Ok(Progress::Ready(version)) => {
                self.ready(conn, version);
                true
            }
            Err(error) => {
                self.refuse(error);
                false
            }
        }
    }

    /// The server takes no requests from us: nothing that waits will be answered.
    fn refuse(&mut self, error: Error) {
        self.stats.last_failure = Some(error.to_string());
        self.started.set(Err(error.clone()));
        for timed in self.unsent.remove(|_| true) {
            self.fail(timed.entry, error.clone());
        }
    }

    fn settle_front(&mut self, value: Option<Value>) {
        let Some(front) = self.sent.pop_front() else {
            return;
        };
        self.heartbeat_sent &= !front.heartbeat;
        let answer = match value {
            Some(value) => Answer::One(value),
            None => Answer::Many(front.replies),
        };
        if !front.heartbeat {
            let entry = front.timed.entry;
            self.fill(entry.ticket, entry.expect, entry.bytes, Ok(answer));
        }
    }

    fn push(&mut self, io: &mut Io<'_>, kind: &'static str, value: Value) -> bool {
        if let Phase::Greeting(_, greeting) = &self.phase
            && greeting.awaits(kind)
        {
            return self.greeting_reply(io, value);
        }
        if let Some(front) = self.sent.front_mut()
            && matches!(front.timed.entry.expect, Expect::Confirmations(awaited, _) if awaited == kind)
        {
            front.left -= 1;
            if front.left == 0 {
                self.settle_front(None);
            }
            return true;
        }
        self.hub.deliver(value);
        true
    }

    /// Sends what waits, as far as the window allows.
    fn send(&mut self, io: &mut Io<'_>, conn: ConnId) {
        if self.doomed || self.unsent.is_empty() || io.output_len(conn) > 0 {
            return;
        }
        let mut out = io.buffer();
        while out.len() < WINDOW_BYTES {
            let before = out.len();
            let Some(timed) = self.unsent.pop(&mut out) else {
                break;
            };
            let copy = timed
                .entry
                .idempotent
                .then(|| Box::<[u8]>::from(&out[before..]));
            self.note_sent(timed, copy);
        }
        self.write(io, conn, out);
    }

    fn note_sent(&mut self, timed: Timed, copy: Option<Box<[u8]>>) {
        let left = timed.entry.expect.count();
        self.stats.sent += u64::from(left);
        self.sent.push_back(Sent {
            left,
            timed,
            replies: Vec::new(),
            copy,
            heartbeat: false,
        });
    }

    fn write(&mut self, io: &mut Io<'_>, conn: ConnId, out: Vec<u8>) {
        if out.is_empty() {
            return io.recycle(out);
        }
        self.stats.batches += 1;
        io.send(conn, &mut rope(out));
    }

    /// Takes what the threads have put into the outbox. In the usual case all of it is sent as it is, nothing copied.
    fn exchange(&mut self, io: &mut Io<'_>) -> Life {
        let life = self.outbox.exchange(
            &mut self.answered,
            &mut self.bytes,
            &mut self.entries,
            |published| self.stats.publish(published),
        );
        if self.entries.is_empty() {
            return life;
        }
        let now_ms = io.now_ms();
        let mut entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            let deadline_ms = now_ms + millis(entry.deadline);
            self.next_deadline_ms = self.next_deadline_ms.min(deadline_ms);
        }
        let timed = |entry: Entry| Timed {
            deadline_ms: now_ms + millis(entry.deadline),
            entry,
        };
        let direct = match self.phase {
            Phase::Ready(conn) if self.unsent.is_empty() && !self.doomed => {
                Some(conn).filter(|_| io.output_len(conn) == 0)
            }
            _ => None,
        };
        match direct.filter(|_| self.bytes.len() <= WINDOW_BYTES) {
            Some(conn) => {
                let mut at = 0;
                for entry in entries.drain(..) {
                    let end = at + entry.bytes;
                    let copy = entry
                        .idempotent
                        .then(|| Box::<[u8]>::from(&self.bytes[at..end]));
                    at = end;
                    self.note_sent(timed(entry), copy);
                }
                let out = std::mem::replace(&mut self.bytes, io.buffer());
                self.write(io, conn, out);
            }
            None => {
                self.unsent.push(&self.bytes, entries.drain(..).map(timed));
                self.bytes.clear();
                self.bytes.shrink_to(WINDOW_BYTES);
            }
        }
        self.entries = entries;
        life
    }

    /// Gives up what is late.
    fn expire(&mut self, now_ms: u64) {
        if now_ms < self.next_deadline_ms {
            return;
        }
        for timed in self.unsent.remove(|timed| timed.deadline_ms <= now_ms) {
            self.stats.time_outs += 1;
            self.fail(timed.entry, Error::TimeOut);
        }
        let mut next = u64::MAX;
        for timed in &self.unsent.entries {
            next = next.min(timed.deadline_ms);
        }
        for sent in &mut self.sent {
            let ticket = &mut sent.timed.entry.ticket;
            if ticket.is_filled() {
                continue;
            }
            if sent.timed.deadline_ms <= now_ms {
                self.stats.time_outs += 1;
                self.wakeups.push(ticket.fill(Err(Error::TimeOut)));
                sent.copy = None;
            } else {
                next = next.min(sent.timed.deadline_ms);
            }
        }
        self.next_deadline_ms = next;
    }

    /// Asks a silent connection for a sign of life. Returns when to look again; closes one that gave none.
    fn keep_alive(&mut self, io: &mut Io<'_>) -> Option<u64> {
        if self.doomed {
            return None;
        }
        let now_ms = io.now_ms();
        if let Phase::Greeting(conn, _) = self.phase {
            if now_ms >= self.greeted_by_ms {
                self.stats.last_failure = Some("no answer to the greeting".into());
                self.give_up(io, conn);
            }
            return Some(self.greeted_by_ms);
        }
        let Phase::Ready(conn) = self.phase else {
            return None;
        };
        if self.heartbeat_sent {
            let beat = self.sent.iter().find(|sent| sent.heartbeat);
            let due_ms = beat.map_or(u64::MAX, |beat| beat.timed.deadline_ms);
            if now_ms >= due_ms {
                self.stats.last_failure = Some("no answer to a heartbeat".into());
                self.give_up(io, conn);
                return None;
            }
            return Some(due_ms);
        }
        let every_ms = millis(self.options.heartbeat);
        if every_ms == 0 {
            return None;
        }
        let due_ms = self.heard_ms + every_ms;
        if now_ms < due_ms {
            return Some(due_ms);
        }
        self.beat(io, conn);
        self.sent.back().map(|beat| beat.timed.deadline_ms)
    }

    fn beat(&mut self, io: &mut Io<'_>, conn: ConnId) {
        // It is answered behind what was sent before: whoever may take longer is waited for.
        let ahead_ms = self.sent.iter().map(|sent| sent.timed.deadline_ms).max();
        let deadline_ms = io.now_ms() + millis(self.options.deadline);
        let mut out = io.buffer();
        Command::new("PING").encode(&mut out);
        let entry = Entry {
            ticket: Ticket::nobody(),
            bytes: 0,
            expect: Expect::Replies(1),
            deadline: Duration::ZERO,
            idempotent: false,
            unlimited: false,
        };
        self.heartbeat_sent = true;
        self.sent.push_back(Sent {
            timed: Timed {
                entry,
                deadline_ms: deadline_ms.max(ahead_ms.unwrap_or(0)),
            },
            left: 1,
            replies: Vec::new(),
            copy: None,
            heartbeat: true,
        });
        io.send(conn, &mut rope(out));
    }

    /// The connection is gone: what was sent over it is in doubt.
    fn lose(&mut self, io: &mut Io<'_>) {
        self.phase = Phase::Down;
        self.doomed = false;
        self.parser = ReplyParser::new(ReplyLimits::default());
        self.heartbeat_sent = false;
        self.greeted_by_ms = u64::MAX;
        self.stats.connected = false;
        self.stats.failures += 1;
        let now_ms = io.now_ms();
        let mut again = Vec::new();
        for sent in std::mem::take(&mut self.sent) {
            let Sent {
                timed,
                copy,
                heartbeat,
                ..
            } = sent;
            match copy {
                Some(copy) if timed.deadline_ms > now_ms && !self.ending => {
                    again.push((timed, copy));
                }
                // Not counted when it was sent either.
                _ if heartbeat => {}
                _ => self.fail(timed.entry, Error::ConnectionReset),
            }
        }
        self.unsent.push_front(again);
    }

    /// Ends when all is answered, or when it is time.
    fn close_down(&mut self, io: &mut Io<'_>, until: Option<Instant>) {
        let now_ms = io.now_ms();
        let at_ms = match until {
            // The instant is on the same clock, but counted from elsewhere.
            Some(until) => now_ms + millis(until.saturating_duration_since(Instant::now())),
            None => now_ms + millis(self.options.deadline),
        };
        let closes_at_ms = self.closes_at_ms.map_or(at_ms, |ms| ms.min(at_ms));
        self.closes_at_ms = Some(closes_at_ms);
        let done = self.unsent.is_empty() && self.sent.iter().all(|sent| sent.heartbeat);
        if self.ending || (!done && now_ms < closes_at_ms) {
            return;
        }
        self.ending = true;
        for timed in self.unsent.remove(|_| true) {
            self.fail(timed.entry, Error::Closed);
        }
        for sent in std::mem::take(&mut self.sent) {
            if !sent.heartbeat {
                self.fail(sent.timed.entry, Error::ConnectionReset);
            }
        }
        self.tcp.stop(io);
        self.outbox.end();
        io.stop(0);
    }
}

impl Handler for Link {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        if !self.tcp.connected(io, conn) {
            return;
        }
        self.heard_ms = io.now_ms();
        self.greeted_by_ms = io.now_ms() + millis(self.options.connect_deadline);
        if let Some(tls) = &self.options.tls {
            match tls.layer(self.options.address.host()) {
                Ok(layer) => io.add_layer(conn, layer),
                Err(error) => {
                    self.refuse(error.into());
                    return self.give_up(io, conn);
                }
            }
        }
        let mut out = io.buffer();
        let channels = self.hub.channels();
        let (greeting, progress) = Greeting::begin(&self.options, &channels, &mut out);
        self.phase = Phase::Greeting(conn, greeting);
        if let Progress::Ready(version) = progress {
            self.ready(conn, version);
        }
        io.send(conn, &mut rope(out));
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let conn = input.conn();
            let mut at = 0;
            while self.conn() == Some(conn) && at < input.bytes().len() {
                self.heard_ms = io.now_ms();
                let sound = match self.parser.feed(&input.bytes()[at..]) {
                    Ok(decoded) => {
                        at += decoded.consumed;
                        decoded.value.is_none_or(|value| self.reply(io, value))
                    }
                    Err(error) => {
                        self.stats.last_failure = Some(Error::Protocol(error).to_string());
                        false
                    }
                };
                if !sound {
                    let unknown = || "a reply that nobody asked for".into();
                    self.stats.last_failure.get_or_insert_with(unknown);
                    self.give_up(io, conn);
                    break;
                }
            }
            self.doomed |= input.is_eof() && self.conn() == Some(conn);
            let all = input.bytes().len();
            input.consume(all);
        }
        self.answers = !self.wakeups.is_empty();
        self.relay(io);
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        let stood = self.tcp.connection() == Some(conn);
        if !self.tcp.closed(io, conn) {
            return;
        }
        let address = &self.options.address;
        let error = match why {
            CloseReason::Connect(source) | CloseReason::Layer(source) => Error::Connect {
                address: address.to_string(),
                source: Arc::new(source),
            },
            _ => Error::ConnectionReset,
        };
        if !stood {
            // An attempt that failed: the next one goes to the next address of the name.
            self.addresses.rotate_left(1);
            if let Some(next) = self.addresses.front().cloned() {
                self.tcp.set_address(next);
            }
        }
        let text = || error.to_string();
        self.stats.last_failure.get_or_insert_with(text);
        self.lose(io);
        self.started.fail(error, self.addresses.len());
        self.wake_all();
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        self.tcp.timer(io, token);
    }

    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        if !self.tcp.is_started() && !self.ending {
            self.tcp.start(io);
        }
        self.gather();
        let life = self.exchange(io);
        if let Phase::Ready(conn) = self.phase {
            self.send(io, conn);
        }
        let now_ms = io.now_ms();
        self.expire(now_ms);
        let look_again_ms = self.keep_alive(io);
        if let Life::Closing(until) = life {
            self.close_down(io, until);
        }
        if self.driven && !self.answers {
            self.wake_others();
        }
        self.relay(io);
        let relay_ms = self.see_to_relay(now_ms);
        if self.answered.requests > 0 {
            // Threads that wait for room hear of it only now.
            io.refresh_now();
            return Some(io.now_ms());
        }
        let deadline_ms = Some(self.next_deadline_ms).filter(|ms| *ms != u64::MAX);
        let closes_at_ms = self.closes_at_ms.filter(|_| !self.ending);
        [look_again_ms, deadline_ms, closes_at_ms, relay_ms]
            .into_iter()
            .flatten()
            .min()
    }
}

/// The kind of an out-of-band message; in RESP2, which has none, of an array on a connection that is for subscriptions alone.
pub(crate) fn push_kind(value: &Value, subscriber: bool) -> Option<&'static str> {
    const KINDS: [&str; 9] = [
        "message",
        "pmessage",
        "smessage",
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
    ];
    let (items, other) = match value {
        Value::Push(items) => (items, Some("")),
        Value::Array(items) if subscriber => (items, None),
        _ => return None,
    };
    let Some(Value::Bulk(name)) = items.first() else {
        return other;
    };
    let kind = KINDS.into_iter().find(|kind| kind.as_bytes() == name);
    kind.or(other)
}

fn rope(bytes: Vec<u8>) -> Rope {
    let mut rope = Rope::new();
    *rope.tail() = bytes;
    rope
}

fn millis(time: Duration) -> u64 {
    // Rounded up: never early.
    u64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX / 4)
}
