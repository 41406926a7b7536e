//! The way to the store: batches become requests, replies become fates. It does no I/O and reads no clock.
//!
//! A batch with tokens takes two rounds. *Check*: WATCH the keys of its tokens, and look which IDs are there. *Commit*: MULTI, append
//! and note what is new, EXEC. If somebody else touched one of the keys in between nothing has happened, and the batch is run again.
//! The check of the next batch travels with the commit of this one. A batch without tokens is only appended.
//!
//! Invariants:
//! - Between a WATCH and the EXEC or UNWATCH that belongs to it no other batch sends anything.
//! - Batches commit in the order in which they came: when one has to be run again, the check behind it is void.
//! - When the connection is lost, or the store says that it cannot serve now, everything under way is run again from its beginning. What
//!   of it was done is found by the check, for messages with tokens; others may then be appended twice.

use std::collections::VecDeque;
use std::rc::Rc;

use dunlin_frame::Id;
use dunlin_reactor::{ConnId, Rope};
use dunlin_resp::{ProtocolError, ReplyLimits, ReplyParser, Value};

use crate::batch::{Batch, Fate};
use crate::settings::Settings;
use crate::token::Token;
use crate::wire;

/// Batches that are being committed at once: one, and one that only appends behind it.
const COMMITS_MAX: usize = 2;
/// Emptied batches kept for their memory.
const SPARES_MAX: usize = 4;
/// Memory that such a one keeps, bytes.
const SPARE_BYTES_MAX: usize = 256 * 1024;
/// A token's key is cut to the window again after so many more IDs of one loop; the window is at least what was asked for.
const UNCUT_MAX: u32 = 64;
/// A key's deadline is set anew when this part of its time has passed.
const DEADLINE_PARTS: u64 = 16;
/// Errors by which a store says that it cannot serve now, or not here: the connection is made anew.
const NOT_NOW: [&[u8]; 8] = [
    b"LOADING",
    b"MASTERDOWN",
    b"CLUSTERDOWN",
    b"TRYAGAIN",
    b"MOVED",
    b"READONLY",
    b"NOAUTH",
    b"BUSY",
];

/// Why what the store sent makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    /// It is no RESP.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Nothing was asked.
    #[error("a reply that nobody asked for")]
    Unasked,
}

/// What replies are awaited for, in the order in which they come.
#[derive(Debug)]
enum Flight {
    /// AUTH, SELECT, and whether the stream can be one.
    Greeting { left: usize, sent_ms: u64 },
    /// WATCH, TYPE, and a ZMSCORE for each token.
    Check {
        batch: Batch,
        replies: usize,
        /// It will be run again whatever it finds.
        void: bool,
    },
    /// MULTI, what was queued, EXEC.
    Commit {
        batch: Batch,
        left: usize,
        /// Why EXEC will refuse.
        refusal: Option<Vec<u8>>,
    },
    /// A reply for each message.
    Append { batch: Batch, next: usize },
    /// ZREM for each ID that was noted in vain.
    Unnote { batch: Batch, left: usize },
    /// Nothing hangs on these.
    Other { left: usize },
}

/// See the module's text.
pub(crate) struct Lane {
    settings: Rc<Settings>,
    /// To be run, by serial; the last one gathers.
    queue: VecDeque<Batch>,
    flights: VecDeque<Flight>,
    parser: ReplyParser,
    /// The store has greeted us.
    ready: bool,
    /// The store cannot serve now: the connection is to be closed.
    not_now: bool,
    next_serial: u64,
    last_score: u64,
    spares: Vec<Batch>,
    /// What is to be sent.
    pub(crate) out: Rope,
    /// Batches whose messages all have their fate.
    pub(crate) finished: VecDeque<Batch>,
    /// The last thing that the store refused, and how often it refused something since this was taken.
    pub(crate) complaint: Option<(Vec<u8>, u64)>,
}

impl Lane {
    pub(crate) fn new(settings: Rc<Settings>) -> Lane {
        Lane {
            settings,
            queue: VecDeque::new(),
            flights: VecDeque::new(),
            parser: ReplyParser::new(ReplyLimits::default()),
            ready: false,
            not_now: false,
            next_serial: 0,
            last_score: 0,
            spares: Vec::new(),
            out: Rope::new(),
            finished: VecDeque::new(),
            complaint: None,
        }
    }

    /// Takes a message.
    pub(crate) fn push(
        &mut self,
        conn: ConnId,
        id: Id,
        token: Option<Rc<Token>>,
        payload: &[u8],
        now_ms: u64,
    ) {
        let limits = &self.settings.limits;
        let has_room = |batch: &Batch| {
            !batch.begun
                && batch.submits.len() < limits.batch_submits_max
                && batch.bytes() + payload.len() <= limits.batch_bytes_max
        };
        if !self.queue.back().is_some_and(has_room) {
            let mut batch = self.spares.pop().unwrap_or_default();
            self.next_serial += 1;
            (batch.serial, batch.since_ms) = (self.next_serial, now_ms);
            self.queue.push_back(batch);
        }
        let batch = self.queue.back_mut().expect("it was just made sure");
        batch.push(conn, id, token, payload);
    }

    /// The connection stands: greets the store.
    pub(crate) fn connected(&mut self, sent_ms: u64) {
        self.parser = ReplyParser::new(ReplyLimits::default());
        self.not_now = false;
        let out = self.out.tail();
        let left = 1 + wire::login(out, &self.settings.login);
        wire::type_of(out, self.settings.stream());
        self.flights.push_back(Flight::Greeting { left, sent_ms });
    }

    /// The connection is gone: what was under way waits to be run again.
    pub(crate) fn lost(&mut self) {
        self.ready = false;
        self.out.clear();
        for flight in std::mem::take(&mut self.flights) {
            match flight {
                Flight::Commit { batch, .. } => {
                    forget_tending(&batch);
                    self.run_again(batch);
                }
                Flight::Check { batch, .. }
                | Flight::Append { batch, .. }
                | Flight::Unnote { batch, .. } => self.run_again(batch),
                Flight::Greeting { .. } | Flight::Other { .. } => {}
            }
        }
    }

    /// Whether the connection is to be closed, since the store cannot serve now.
    pub(crate) fn must_reconnect(&self) -> bool {
        self.not_now
    }

    /// Since when the store has owed an answer for longest, if it owes any.
    pub(crate) fn waits_since_ms(&self) -> Option<u64> {
        let of_flight = |flight: &Flight| match flight {
            Flight::Check { batch, .. }
            | Flight::Commit { batch, .. }
            | Flight::Append { batch, .. }
            | Flight::Unnote { batch, .. } => Some(batch.sent_ms),
            Flight::Greeting { sent_ms, .. } => Some(*sent_ms),
            Flight::Other { .. } => None,
        };
        self.flights.iter().filter_map(of_flight).min()
    }

    /// Gives up messages that came before this time and are not under way.
    pub(crate) fn give_up_before(&mut self, ms: u64) {
        // What has to be taken back is not given up: its IDs would be taken for kept.
        let is_late = |batch: &Batch| batch.since_ms < ms && !batch.has_notes();
        while let Some(at) = self.queue.iter().position(is_late) {
            if let Some(mut batch) = self.queue.remove(at) {
                batch.settle(Fate::Failed);
                self.complain(b"the store did not answer in time");
                self.finished.push_back(batch);
            }
        }
    }

    /// Gives up everything, whatever has become of it.
    pub(crate) fn abandon(&mut self) {
        self.lost();
        for mut batch in std::mem::take(&mut self.queue) {
            batch.settle(Fate::Failed);
            self.finished.push_back(batch);
        }
    }

    /// Sends what can be sent now.
    pub(crate) fn pump(&mut self, now_ms: u64) {
        while self.ready && !self.not_now && self.has_room() {
            let Some(mut batch) = self.queue.pop_front() else {
                break;
            };
            (batch.begun, batch.sent_ms) = (true, now_ms);
            self.begin(batch);
        }
    }

    fn has_room(&self) -> bool {
        let is_check = |flight: &Flight| matches!(flight, Flight::Check { .. });
        self.flights.len() <= COMMITS_MAX && !self.flights.iter().any(is_check)
    }

    fn begin(&mut self, mut batch: Batch) {
        if batch.has_notes() {
            return self.unnote(batch);
        }
        batch.sort();
        if batch.groups() == 0 {
            let mut from = 0;
            while let Some(index) = batch.next_open(from) {
                self.append(&batch, index);
                from = index + 1;
            }
            let next = batch.next_open(0).unwrap_or(0);
            self.flights.push_back(Flight::Append { batch, next });
            return;
        }
        let out = self.out.tail();
        let keys = (0..batch.groups()).map(|number| &*batch.group(number).0.key);
        wire::watch(out, keys);
        wire::type_of(out, self.settings.stream());
        for number in 0..batch.groups() {
            let (token, members) = batch.group(number);
            let ids = members.iter().map(|i| batch.submits[*i as usize].id);
            wire::scores(out, &token.key, ids);
        }
        self.flights.push_back(Flight::Check {
            batch,
            replies: 0,
            void: false,
        });
    }

    fn append(&mut self, batch: &Batch, index: usize) {
        let submit = &batch.submits[index];
        let token = submit.token.as_ref().map(|token| &*token.name);
        let out = self.out.tail();
        wire::append(
            out,
            self.settings.stream(),
            submit.id,
            token,
            batch.payload(index),
        );
        // A batch of long messages in one piece would be copied over and over while it grows.
        self.out.cut();
    }

    /// Takes replies; `wall_us` and `now_ms` are the time.
    ///
    /// # Errors
    /// When these are no replies, or nobody asked for them. The connection cannot be continued then.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        wall_us: u64,
        now_ms: u64,
    ) -> Result<(), LaneError> {
        while !input.is_empty() && !self.not_now {
            if self.skip_queued(&mut input) {
                continue;
            }
            let decoded = self.parser.feed(input)?;
            input = &input[decoded.consumed..];
            if let Some(value) = decoded.value {
                self.take(value, wall_us, now_ms)?;
            }
        }
        Ok(())
    }

    /// The commonest replies of all tell nothing: they are not even made values.
    fn skip_queued(&mut self, input: &mut &[u8]) -> bool {
        const QUEUED: &[u8] = b"+QUEUED\r\n";
        let Some(Flight::Commit { left, .. }) = self.flights.front_mut() else {
            return false;
        };
        if *left < 2 || self.parser.is_partial() || !input.starts_with(QUEUED) {
            return false;
        }
        *left -= 1;
        *input = &input[QUEUED.len()..];
        true
    }

    fn take(&mut self, value: Value, wall_us: u64, now_ms: u64) -> Result<(), LaneError> {
        if let Value::Error(text) = &value
            && NOT_NOW.contains(&code(text))
        {
            // Which goes by, and every server does it that has data.
            if code(text) != b"LOADING" {
                self.complain(text);
            }
            self.not_now = true;
            return Ok(());
        }
        let Some(flight) = self.flights.pop_front() else {
            return Err(LaneError::Unasked);
        };
        match flight {
            Flight::Greeting { left, sent_ms } => self.greeted(left - 1, sent_ms, &value),
            Flight::Other { left } => self.other(left - 1, &value),
            Flight::Append { batch, next } => self.appended(batch, next, &value),
            Flight::Check {
                batch,
                replies,
                void,
            } => self.checked(batch, replies, void, &value, (wall_us, now_ms)),
            Flight::Commit {
                batch,
                left,
                refusal,
            } => self.committed(batch, left - 1, refusal, value),
            Flight::Unnote { batch, left } => self.unnoted(batch, left - 1, &value),
        }
        Ok(())
    }

    fn greeted(&mut self, left: usize, sent_ms: u64, value: &Value) {
        if let Value::Error(text) = value {
            // A password that is not accepted, for example. It may be by and by.
            self.complain(text);
            self.not_now = true;
        } else if left > 0 {
            self.flights.push_front(Flight::Greeting { left, sent_ms });
        } else {
            self.ready = true;
        }
    }

    fn other(&mut self, left: usize, value: &Value) {
        if let Value::Error(text) = value {
            self.complain(text);
        }
        if left > 0 {
            self.flights.push_front(Flight::Other { left });
        }
    }

    fn appended(&mut self, mut batch: Batch, next: usize, value: &Value) {
        batch.submits[next].fate = match value {
            Value::Error(text) => {
                self.complain(text);
                Fate::Failed
            }
            _ => Fate::Kept,
        };
        if let Some(next) = batch.next_open(next + 1) {
            self.flights.push_front(Flight::Append { batch, next });
        } else {
            self.finished.push_back(batch);
        }
    }

    /// One reply of a check: of WATCH, of TYPE, or the scores of a token's IDs.
    fn checked(
        &mut self,
        mut batch: Batch,
        replies: usize,
        void: bool,
        value: &Value,
        now: (u64, u64),
    ) {
        match (replies, value) {
            (0 | 1, Value::Error(text)) => {
                self.complain(text);
                batch.settle(Fate::Failed);
            }
            (0, _) => {}
            (1, Value::Simple(kind)) if kind == b"stream" || kind == b"none" => {}
            (1, other) => {
                let kind = match other {
                    Value::Simple(kind) => String::from_utf8_lossy(kind),
                    _ => "no type".into(),
                };
                self.complain(format!("the key of the stream holds a {kind}").as_bytes());
                batch.settle(Fate::Failed);
            }
            _ => self.scored(&mut batch, replies - 2, value),
        }
        let replies = replies + 1;
        if replies < 2 + batch.groups() {
            self.flights.push_front(Flight::Check {
                batch,
                replies,
                void,
            });
        } else if void {
            self.unwatch();
            self.run_again(batch);
        } else {
            self.commit(batch, now);
        }
    }

    fn scored(&mut self, batch: &mut Batch, group: usize, value: &Value) {
        let len = batch.group(group).1.len();
        match value {
            Value::Array(scores) if scores.len() == len => {
                let there = scores.iter().enumerate();
                for (place, _) in there.filter(|(_, score)| **score != Value::Null) {
                    batch.set_fate(group, place, Fate::Repeat);
                }
            }
            other => {
                self.complain(match other {
                    Value::Error(text) => text,
                    _ => b"the store does not know ZMSCORE",
                });
                (0..len).for_each(|place| batch.set_fate(group, place, Fate::Failed));
            }
        }
    }

    /// Sends the second round of a batch, if anything in it is new.
    fn commit(&mut self, batch: Batch, (wall_us, now_ms): (u64, u64)) {
        let new = |submit: &crate::batch::Submit| submit.fate == Fate::Open;
        let count = batch.submits.iter().filter(|submit| new(submit)).count();
        if count == 0 {
            self.unwatch();
            self.finished.push_back(batch);
            return;
        }
        wire::multi(self.out.tail());
        for index in 0..batch.submits.len() {
            if new(&batch.submits[index]) {
                self.append(&batch, index);
            }
        }
        let mut queued = count;
        for number in 0..batch.groups() {
            let (token, members) = batch.group(number);
            let is_new = |i: &&u32| new(&batch.submits[**i as usize]);
            let count = members.iter().filter(is_new).count() as u32;
            if count == 0 {
                continue;
            }
            // Above every earlier one of this loop, whatever the clock does.
            let score = wall_us.max(self.last_score + 1);
            self.last_score = score + u64::from(count);
            let ids = members.iter().filter(is_new);
            let ids = ids.map(|i| batch.submits[*i as usize].id);
            wire::note(self.out.tail(), &token.key, score, count as usize, ids);
            queued += 1 + self.tend(token, count, now_ms);
        }
        wire::exec(self.out.tail());
        self.flights.push_back(Flight::Commit {
            batch,
            left: 2 + queued,
            refusal: None,
        });
    }

    /// Keeps a token's key within its window and its deadline ahead, from time to time; how many commands that took.
    fn tend(&mut self, token: &Token, added: u32, now_ms: u64) -> usize {
        let window = self.settings.window;
        let mut commands = 0;
        let uncut = token.uncut.get().saturating_add(added);
        if uncut > UNCUT_MAX {
            wire::cut(self.out.tail(), &token.key, window.entries);
            token.uncut.set(0);
            commands += 1;
        } else {
            token.uncut.set(uncut);
        }
        let stays_ms = u64::from(window.idle_s) * 1_000 / DEADLINE_PARTS;
        let set_ms = token.deadline_set_ms.get();
        if set_ms.is_none_or(|at| now_ms.saturating_sub(at) >= stays_ms) {
            wire::expire(self.out.tail(), &token.key, window.idle_s);
            token.deadline_set_ms.set(Some(now_ms));
            commands += 1;
        }
        commands
    }

    fn committed(
        &mut self,
        mut batch: Batch,
        left: usize,
        mut refusal: Option<Vec<u8>>,
        value: Value,
    ) {
        if left > 0 {
            if let (Value::Error(text), None) = (value, &refusal) {
                refusal = Some(text);
            }
            self.flights.push_front(Flight::Commit {
                batch,
                left,
                refusal,
            });
            return;
        }
        match value {
            Value::Array(replies) => self.executed(batch, &replies),
            Value::Null | Value::NullArray => self.conflicted(batch),
            other => {
                let text = match other {
                    Value::Error(text) => refusal.unwrap_or(text),
                    _ => b"the store does not know EXEC".to_vec(),
                };
                self.complain(&text);
                forget_tending(&batch);
                batch.settle(Fate::Failed);
                self.finished.push_back(batch);
            }
        }
    }

    /// The transaction ran. Its first replies are those of the messages.
    fn executed(&mut self, mut batch: Batch, replies: &[Value]) {
        let mut replies = replies.iter();
        let mut in_vain = false;
        for submit in &mut batch.submits {
            if submit.fate != Fate::Open {
                continue;
            }
            submit.fate = match replies.next() {
                Some(Value::Error(text)) => {
                    let text = text.clone();
                    complain(&mut self.complaint, &text);
                    in_vain |= submit.token.is_some();
                    match submit.token {
                        Some(_) => Fate::Unnote,
                        None => Fate::Failed,
                    }
                }
                Some(_) => Fate::Kept,
                None => Fate::Failed,
            };
        }
        for reply in replies {
            if let Value::Error(text) = reply {
                complain(&mut self.complaint, text);
            }
        }
        if in_vain {
            self.void_check();
            self.unnote(batch);
        } else {
            self.finished.push_back(batch);
        }
    }

    /// Somebody else has touched a key of the batch: nothing has happened.
    fn conflicted(&mut self, mut batch: Batch) {
        forget_tending(&batch);
        batch.conflicts += 1;
        if batch.conflicts > self.settings.limits.conflicts_max {
            self.complain(b"another gateway kept writing the same tokens");
            batch.settle(Fate::Failed);
            self.finished.push_back(batch);
            return;
        }
        self.void_check();
        self.run_again(batch);
    }

    /// What was not appended must not stay noted, or a repeat would be taken for kept.
    fn unnote(&mut self, batch: Batch) {
        let mut left = 0;
        for submit in &batch.submits {
            if let (Fate::Unnote, Some(token)) = (submit.fate, &submit.token) {
                wire::unnote(self.out.tail(), &token.key, submit.id);
                left += 1;
            }
        }
        self.flights.push_back(Flight::Unnote { batch, left });
    }

    fn unnoted(&mut self, batch: Batch, left: usize, value: &Value) {
        if let Value::Error(text) = value {
            self.complain(text);
        }
        if left > 0 {
            self.flights.push_front(Flight::Unnote { batch, left });
        } else {
            // Told as failed, which they are.
            self.finished.push_back(batch);
        }
    }

    fn unwatch(&mut self) {
        wire::unwatch(self.out.tail());
        self.flights.push_back(Flight::Other { left: 1 });
    }

    fn void_check(&mut self) {
        for flight in &mut self.flights {
            if let Flight::Check { void, .. } = flight {
                *void = true;
            }
        }
    }

    fn run_again(&mut self, mut batch: Batch) {
        // What was only appended stays as far as it has come, and what is to be taken back is to be.
        if batch.groups() > 0 && !batch.has_notes() {
            batch.reopen();
        }
        let at = self
            .queue
            .partition_point(|waiting| waiting.serial < batch.serial);
        self.queue.insert(at, batch);
    }

    fn complain(&mut self, text: &[u8]) {
        complain(&mut self.complaint, text);
    }

    /// Takes an emptied batch back.
    pub(crate) fn recycle(&mut self, mut batch: Batch) {
        if self.spares.len() < SPARES_MAX {
            batch.clear(SPARE_BYTES_MAX);
            self.spares.push(batch);
        }
    }
}

/// What a transaction would have tended to was not done.
fn forget_tending(batch: &Batch) {
    for number in 0..batch.groups() {
        let token = batch.group(number).0;
        token.uncut.set(u32::MAX);
        token.deadline_set_ms.set(None);
    }
}

fn complain(complaint: &mut Option<(Vec<u8>, u64)>, text: &[u8]) {
    let times = complaint.as_ref().map_or(0, |(_, times)| *times);
    *complaint = Some((text.to_vec(), times + 1));
}

/// The first word of an error.
fn code(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b' ').next().unwrap_or_default()
}

#[cfg(test)]
#[path = "lane_test.rs"]
mod tests;
