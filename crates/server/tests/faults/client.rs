//! A client of the simulated server: sends its script in pieces, checks every reply, and leaves in one of many ways.
//!
//! Invariant: a connection may end against its client's will only if the network struck it or another client asked for it; whatever came
//! before is the right beginning of what it was owed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dunlin_reactor::backend::memory;
use dunlin_resp::{ReplyLimits, ReplyParser, Value};
use dunlin_simulator::Random;

use super::expect::Expect;
use super::ledger::Ledger;
use super::script::{Requests, Script};
use super::setting::Manner;
use super::trace::Trace;

/// Virtual time after which a reply that is owed counts as lost, if nothing moved meanwhile.
const PATIENCE_US: u64 = 120_000_000;

/// The most pieces that a value takes on its way.
const MOST_PIECES: usize = 50;

/// How a client leaves.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// With QUIT.
    Quit,
    /// Says that it will send nothing more, and reads to the end.
    HalfClose,
    /// Closes at some moment, whatever is on its way.
    Drop,
    /// Resets at some moment.
    Reset,
    /// Is gone at some moment without a word.
    Vanish,
    /// Sends what is no request.
    Garbage,
    /// Stays to the end.
    Stay,
}

const ENDINGS: [Ending; 7] = [
    Ending::Quit,
    Ending::HalfClose,
    Ending::Drop,
    Ending::Reset,
    Ending::Vanish,
    Ending::Garbage,
    Ending::Stay,
];

struct Owed {
    /// Where its request ends among all bytes of the connection.
    request_end: usize,
    expect: Expect,
}

/// One connection.
pub(crate) struct Client {
    pub(crate) uid: u64,
    wire: memory::Client,
    script: Script,
    ending: Ending,
    /// Reads nothing.
    deaf: bool,
    /// Requests in all, and those not generated yet.
    left: usize,
    /// Requests that may wait for replies at once.
    depth: usize,
    /// Bytes sent or read at once.
    chunk: usize,
    outgoing: Vec<u8>,
    sent: usize,
    owed: VecDeque<Owed>,
    parser: ReplyParser,
    last_said: bool,
    shut: bool,
    /// Channels whose subscription was confirmed; the last message of each publisher in each.
    subscribed: BTreeSet<Vec<u8>>,
    heard: BTreeMap<(Vec<u8>, u64), u64>,
    moved_us: u64,
    /// The server may close it for its own reasons.
    closes: bool,
}

/// What became of a client.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It did something, or not.
    Acted(bool),
    /// It has nothing more to do, but is connected.
    Rests,
    /// Its connection is over.
    Gone,
}

/// What a client needs to act.
pub(crate) struct Stage<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) trace: &'a mut Trace,
    pub(crate) now_us: u64,
}

impl Client {
    pub(crate) fn new(wire: memory::Client, manner: Manner, stage: &mut Stage<'_>) -> Client {
        let uid = stage.ledger.next_uid();
        let random = &mut *stage.random;
        let chunk = [7, 200, 100_000][random.below(3)];
        // What takes a byte at a time should not be asked for much.
        let most = MOST_PIECES * manner.window_bytes.min(chunk);
        let value_bytes_max = [100, 3_000, 40_000][random.below(3)].min(most);
        let ending = ENDINGS[random.below(ENDINGS.len())];
        let client = Client {
            uid,
            wire,
            script: Script::new(uid, value_bytes_max, manner.pauses),
            ending,
            deaf: random.one_in(12),
            left: 1 + random.below(40),
            depth: [1, 4, 50][random.below(3)],
            chunk,
            outgoing: Vec::new(),
            sent: 0,
            owed: VecDeque::new(),
            parser: ReplyParser::new(ReplyLimits::default()),
            last_said: false,
            shut: false,
            subscribed: BTreeSet::new(),
            heard: BTreeMap::new(),
            moved_us: stage.now_us,
            closes: manner.closes,
        };
        stage.trace.line(format_args!(
            "{uid} connects, will {ending:?}{}",
            if client.deaf { ", deaf" } else { "" }
        ));
        client
    }

    /// Sends or receives a little.
    pub(crate) fn act(&mut self, stage: &mut Stage<'_>) -> Result<Fate, String> {
        let fate = self.try_act(stage);
        fate.map_err(|what| format!("client {}: {what}", self.uid))
    }

    fn try_act(&mut self, stage: &mut Stage<'_>) -> Result<Fate, String> {
        let leaves = matches!(self.ending, Ending::Drop | Ending::Reset | Ending::Vanish);
        if self.left == 0 && (leaves || self.deaf) && stage.random.one_in(6) {
            return Ok(Fate::Gone);
        }
        self.plan(stage);
        let wrote = self.write(stage);
        let (read, over) = if self.deaf {
            (false, false)
        } else {
            self.read(stage)?
        };
        if over {
            return Ok(Fate::Gone);
        }
        if wrote || read {
            self.moved_us = stage.now_us;
            return Ok(Fate::Acted(true));
        }
        let waits = !self.owed.is_empty() || self.sent < self.outgoing.len() || self.awaits_end();
        if self.left > 0 || self.deaf || leaves {
            return self.wait(stage);
        }
        if waits {
            return self.wait(stage);
        }
        Ok(Fate::Rests)
    }

    /// Nothing moved: the end of patience is near.
    fn wait(&mut self, stage: &mut Stage<'_>) -> Result<Fate, String> {
        if stage.now_us < self.moved_us + PATIENCE_US {
            return Ok(Fate::Acted(false));
        }
        if self.may_end(stage.ledger) || self.deaf {
            stage.trace.line(format_args!("{} gives up", self.uid));
            return Ok(Fate::Gone);
        }
        Err(match self.owed.front() {
            Some(owed) => format!("{:?} was never answered", owed.expect),
            None if self.sent < self.outgoing.len() => "what it sends is never read".to_owned(),
            None => "it was never closed".to_owned(),
        })
    }

    /// Whether the connection may end by itself.
    fn may_end(&self, ledger: &Ledger) -> bool {
        let asked = ledger.stops_by_us.is_some() || ledger.killed.contains(&self.uid);
        asked || self.closes || self.wire.is_struck()
    }

    /// As in Redis, what waits for the end of a pause is not executed for a client that sends no more, and the connection is closed at once.
    fn leaves_amid_a_pause(&self) -> bool {
        self.shut && self.script.pauses
    }

    fn awaits_end(&self) -> bool {
        self.last_said && matches!(self.ending, Ending::Quit | Ending::Garbage) || self.shut
    }

    /// Thinks up more requests, if few enough wait.
    fn plan(&mut self, stage: &mut Stage<'_>) {
        if self.owed.len() >= self.depth && !self.deaf {
            return;
        }
        if self.left > 0 {
            self.left -= 1;
            let requests = self.script.next(stage.random, stage.ledger);
            self.take(requests);
        } else if !std::mem::replace(&mut self.last_said, true) {
            let last = match self.ending {
                Ending::Quit => self.script.quit(),
                Ending::Garbage => self.script.garbage(stage.random),
                _ => Requests::default(),
            };
            self.take(last);
        }
    }

    fn take(&mut self, requests: Requests) {
        self.outgoing.extend_from_slice(&requests.bytes);
        // Of requests that belong together only the last can leave something behind.
        let request_end = self.outgoing.len();
        let owed = requests.expected.into_iter();
        self.owed.extend(owed.map(|expect| Owed {
            request_end,
            expect,
        }));
    }

    fn write(&mut self, stage: &mut Stage<'_>) -> bool {
        let left = self.outgoing.len() - self.sent;
        if left == 0 {
            // The server takes the end for a reason not to wait any longer.
            let blocks = |o: &Owed| matches!(o.expect, Expect::Popped { .. } | Expect::Moved);
            let may_shut = !self.owed.iter().any(blocks);
            if self.last_said && self.ending == Ending::HalfClose && !self.shut && may_shut {
                self.shut = true;
                self.wire.shutdown();
                stage.trace.line(format_args!("{} shuts down", self.uid));
                return true;
            }
            return false;
        }
        let len = 1 + stage.random.below(left.min(self.chunk));
        let part = &self.outgoing[self.sent..self.sent + len];
        // A failure is found by the next read.
        let n = self.wire.write(part).unwrap_or(0);
        if n > 0 {
            let text = part[..n].escape_ascii();
            stage.trace.line(format_args!("{} > {text}", self.uid));
        }
        self.sent += n;
        n > 0
    }

    /// Whether something came, and whether the connection ended in order.
    fn read(&mut self, stage: &mut Stage<'_>) -> Result<(bool, bool), String> {
        let mut bytes = Vec::new();
        let max = 1 + stage.random.below(self.chunk);
        match self.wire.read(&mut bytes, max) {
            Ok(None) => Ok((false, false)),
            Ok(Some(0)) => {
                stage.trace.line(format_args!("{} reads the end", self.uid));
                self.whole(stage)?;
                self.ended(false, stage.ledger)?;
                Ok((false, true))
            }
            Ok(Some(n)) => {
                let text = bytes.escape_ascii();
                stage.trace.line(format_args!("{} < {text}", self.uid));
                stage.ledger.counts.bytes += n as u64;
                self.parse(&bytes, stage)?;
                Ok((true, false))
            }
            Err(error) => {
                let kind = error.kind();
                stage.trace.line(format_args!("{} fails: {kind}", self.uid));
                self.ended(true, stage.ledger)?;
                Ok((false, true))
            }
        }
    }

    /// The connection was closed in order: if that is since the server stops, and has time left, no reply may be cut.
    fn whole(&self, stage: &Stage<'_>) -> Result<(), String> {
        let has_time = stage.ledger.stops_by_us.is_some_and(|by| stage.now_us < by);
        let otherwise =
            self.closes || self.leaves_amid_a_pause() || stage.ledger.killed.contains(&self.uid);
        if has_time && !otherwise && !self.wire.is_struck() && self.parser.is_partial() {
            return Err("closed amid a reply by a server that stops".to_owned());
        }
        Ok(())
    }

    /// The connection ended: may it?
    fn ended(&self, failed: bool, ledger: &Ledger) -> Result<(), String> {
        if self.may_end(ledger) {
            return Ok(());
        }
        // What stands behind garbage is not read to the end.
        let asked = self.sent == self.outgoing.len() || self.ending == Ending::Garbage;
        if self.awaits_end() && asked && self.owed.is_empty() && !self.parser.is_partial() {
            return Ok(());
        }
        if self.leaves_amid_a_pause() {
            return Ok(());
        }
        let owed = self.owed.len();
        let how = if failed { "reset" } else { "closed" };
        Err(format!("{how} by the server, which owes {owed} replies"))
    }

    fn parse(&mut self, bytes: &[u8], stage: &mut Stage<'_>) -> Result<(), String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let decoded = self
                .parser
                .feed(rest)
                .map_err(|e| format!("reads no reply: {e}"))?;
            rest = &rest[decoded.consumed..];
            if let Some(value) = decoded.value {
                self.take_value(&value, stage)?;
            }
        }
        Ok(())
    }

    fn take_value(&mut self, value: &Value, stage: &mut Stage<'_>) -> Result<(), String> {
        if let Value::Array(parts) | Value::Push(parts) = value
            && let [
                Value::Bulk(kind),
                Value::Bulk(channel),
                Value::Bulk(message),
            ] = &parts[..]
            && kind == b"message"
        {
            stage.ledger.counts.messages += 1;
            return self.hear(channel, message);
        }
        let refused = b"ERR max number of clients reached";
        if self.closes && *value == Value::Error(refused.to_vec()) {
            // The end follows.
            return Ok(());
        }
        let Some(owed) = self.owed.pop_front() else {
            return Err(format!("{value:?} answers nothing"));
        };
        stage.ledger.counts.replies += 1;
        owed.expect.meet(value, self.uid, stage.ledger)?;
        if let Expect::Confirmed { verb, channel, .. } = owed.expect {
            if verb == "subscribe" {
                self.subscribed.insert(channel);
            } else {
                self.subscribed.remove(&channel);
                self.heard.retain(|(heard, _), _| *heard != channel);
            }
        }
        Ok(())
    }

    fn hear(&mut self, channel: &[u8], message: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(message);
        let what = || format!("{text} in {}", channel.escape_ascii());
        let numbers: Vec<u64> = text.split(':').filter_map(|n| n.parse().ok()).collect();
        let [number, publisher, sequence] = numbers[..] else {
            return Err(format!("{}: nobody publishes that", what()));
        };
        if !self.subscribed.contains(channel) || channel != format!("channel{number}").as_bytes() {
            return Err(format!("{}: not subscribed", what()));
        }
        let last = self.heard.insert((channel.to_vec(), publisher), sequence);
        if last.is_some_and(|last| last + 1 != sequence) {
            return Err(format!("{}: the last one was {last:?}", what()));
        }
        Ok(())
    }

    /// Lets go of the connection in the client's own way.
    pub(crate) fn leave(self, stage: &mut Stage<'_>) {
        for owed in self.owed.iter().filter(|o| o.request_end <= self.sent) {
            owed.expect.lose(stage.ledger);
        }
        let counts = &mut stage.ledger.counts;
        counts.struck += u64::from(self.wire.is_struck());
        let how = match self.ending {
            Ending::Reset => {
                counts.reset += 1;
                self.wire.reset();
                "resets"
            }
            Ending::Vanish => {
                counts.vanished += 1;
                self.wire.vanish();
                "vanishes"
            }
            _ => {
                drop(self.wire);
                "closes"
            }
        };
        stage.trace.line(format_args!("{} {how}", self.uid));
    }
}
