//! One connection of the in-memory network: a pipe in each direction, what each end knows of the other, and what fate has in store.
//!
//! Invariant: each change is reported to an end that a loop owns once, as an edge. Fate strikes a connection at most once, at a byte or
//! at a time that was drawn when it began.

use std::io;

use super::faults::Faults;
use super::pipe::{Delivery, HICCUP_ONE_IN, Moment, Pipe, Signal};
use super::rng::Rng;
use crate::backend::{Event, Token};

/// The end that connected.
pub(super) const OPENER: usize = 0;
/// The end that was accepted.
pub(super) const ACCEPTED: usize = 1;

/// Who attached an end: which loop, and under which name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) backend: usize,
    pub(super) token: Token,
}

#[derive(Debug, Default)]
struct Edges {
    readable: bool,
    writable: bool,
    connected: bool,
    peer_closed: bool,
    failed: bool,
}

#[derive(Debug)]
struct End {
    open: bool,
    owner: Option<Owner>,
    edges: Edges,
    want_writable: bool,
    /// The attempt to connect ends at this time, with success or not.
    connecting: Option<(u64, bool)>,
    keepalive_us: Option<u64>,
    /// Since when it has sent something into a cut.
    unheard_since_us: Option<u64>,
    /// Why the connection failed; and whether that was told.
    failure: Option<io::ErrorKind>,
    told: bool,
}

impl End {
    fn new() -> End {
        End {
            open: true,
            owner: None,
            edges: Edges::default(),
            want_writable: false,
            connecting: None,
            keepalive_us: None,
            unheard_since_us: None,
            failure: None,
            told: false,
        }
    }

    fn fail(&mut self, kind: io::ErrorKind) {
        self.failure.get_or_insert(kind);
        self.edges.readable = true;
        self.edges.failed = true;
    }
}

#[derive(Copy, Clone, Debug)]
enum Blow {
    /// Both ends hear of a reset.
    Reset,
    /// Nothing arrives any more.
    Cut,
}

#[derive(Copy, Clone, Debug)]
enum When {
    Carried(u64),
    At(u64),
}

#[derive(Debug)]
pub(super) struct Link {
    /// `pipes[end]` carries what that end sends.
    pipes: [Pipe; 2],
    ends: [End; 2],
    /// When it stands in the backlog of the listener.
    pub(super) arrives_us: u64,
    fate: Option<(When, Blow)>,
    /// Bytes that both ends have sent.
    carried: u64,
    struck: bool,
    /// A reset has been made by the network: what is sent is lost.
    broken: bool,
    /// Since when nothing arrives.
    cut_us: Option<u64>,
    give_up_us: u64,
    /// Whether an end that sends into a cut hears of a reset in the end, or of nothing.
    answered: bool,
}

impl Link {
    pub(super) fn new(faults: &Faults, now_us: u64, rng: &mut Rng) -> Link {
        let capacity = rng.within(
            *faults.window_bytes.start() as u64,
            *faults.window_bytes.end() as u64,
        );
        let capacity = (capacity as usize).max(1);
        let mut pipe = |latency_us: &std::ops::RangeInclusive<u64>| {
            let latency_us = rng.within(*latency_us.start(), *latency_us.end());
            Pipe::new(capacity, latency_us, faults.jitter_us_max)
        };
        let pipes = [pipe(&faults.latency_up_us), pipe(&faults.latency_down_us)];
        let blow = if faults.reset_one_in > 0 && rng.one_in(faults.reset_one_in) {
            Some(Blow::Reset)
        } else if faults.cut_one_in > 0 && rng.one_in(faults.cut_one_in) {
            Some(Blow::Cut)
        } else {
            None
        };
        let fate = blow.map(|blow| {
            let when = if rng.one_in(2) {
                When::Carried(rng.within(1, faults.strike_bytes_max.max(1)))
            } else {
                When::At(now_us + rng.within(0, faults.strike_after_us_max))
            };
            (when, blow)
        });
        let give_up_us = rng.within(*faults.give_up_us.start(), *faults.give_up_us.end());
        Link {
            arrives_us: now_us + pipes[OPENER].latency_us(),
            pipes,
            ends: [End::new(), End::new()],
            fate,
            carried: 0,
            struck: false,
            broken: false,
            cut_us: None,
            give_up_us,
            answered: give_up_us.is_multiple_of(2),
        }
    }

    /// Begins an attempt of a loop to connect.
    pub(super) fn begin_connect(&mut self, succeeds: bool) {
        let round_us = self.pipes[OPENER].latency_us() + self.pipes[ACCEPTED].latency_us();
        let at_us = self.arrives_us - self.pipes[OPENER].latency_us() + round_us;
        self.ends[OPENER].connecting = Some((at_us, succeeds));
        self.ends[ACCEPTED].open = succeeds;
    }

    /// True when neither end is used any more.
    pub(super) fn is_over(&self) -> bool {
        !self.ends[OPENER].open && !self.ends[ACCEPTED].open
    }

    /// True when the network or the other end's vanishing broke it.
    pub(super) fn is_struck(&self) -> bool {
        self.struck
    }

    pub(super) fn owner(&self, end: usize) -> Option<Owner> {
        self.ends[end].owner
    }

    // What the network does.

    fn strike(&mut self, blow: Blow, moment: &mut Moment<'_>) {
        self.fate = None;
        self.struck = true;
        match blow {
            Blow::Reset => {
                self.broken = true;
                for pipe in &mut self.pipes {
                    if moment.rng.one_in(2) {
                        pipe.lose_flight();
                    }
                    pipe.send_reset(moment);
                }
            }
            Blow::Cut => self.cut(moment.now_us),
        }
    }

    fn cut(&mut self, now_us: u64) {
        self.struck = true;
        self.cut_us = Some(now_us);
        for (end, pipe) in self.ends.iter_mut().zip(&mut self.pipes) {
            pipe.cut();
            end.unheard_since_us = pipe.is_in_flight().then_some(now_us);
        }
    }

    /// Until when things have arrived.
    fn until_us(&self, now_us: u64) -> u64 {
        self.cut_us.map_or(now_us, |cut_us| cut_us.min(now_us))
    }

    /// When an end learns of a cut.
    fn silence_us(&self, end: usize) -> Option<u64> {
        let cut_us = self.cut_us?;
        let end = &self.ends[end];
        if end.failure.is_some() || !end.open {
            return None;
        }
        let unheard = end.unheard_since_us.map(|since| since + self.give_up_us);
        // The idle time, and about as much again for the probes.
        let probed = end.keepalive_us.map(|idle_us| cut_us + 2 * idle_us);
        match (unheard, probed) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn fate_us(&self) -> Option<u64> {
        match self.fate {
            Some((When::At(at_us), _)) => Some(at_us),
            _ => None,
        }
    }

    /// Lets happen what time brings.
    fn pass(&mut self, moment: &mut Moment<'_>) {
        if let Some((When::At(at_us), blow)) = self.fate
            && at_us <= moment.now_us
        {
            self.strike(blow, moment);
        }
        for end in [OPENER, ACCEPTED] {
            if self.silence_us(end).is_some_and(|at| at <= moment.now_us) {
                self.ends[end].fail(if self.answered {
                    io::ErrorKind::ConnectionReset
                } else {
                    io::ErrorKind::TimedOut
                });
            }
        }
        let opener = &mut self.ends[OPENER];
        if let Some((at_us, succeeds)) = opener.connecting
            && at_us <= moment.now_us
        {
            opener.connecting = None;
            if succeeds {
                opener.edges.connected = true;
                opener.want_writable = true;
            } else {
                opener.fail(io::ErrorKind::ConnectionRefused);
            }
        }
    }

    /// When the last of the bytes came that have arrived at an end.
    pub(super) fn last_arrival_us(&self, end: usize) -> u64 {
        self.pipes[1 - end].arrived_us()
    }

    /// The next time after `now_us` at which something happens by itself.
    pub(super) fn next_us(&self, now_us: u64) -> Option<u64> {
        let arrivals = self.pipes.iter().map(Pipe::next_us);
        let arrivals = arrivals.map(|at| at.filter(|_| self.cut_us.is_none()));
        let ends = [OPENER, ACCEPTED].map(|end| self.silence_us(end));
        let connecting = self.ends[OPENER].connecting.map(|(at_us, _)| at_us);
        arrivals
            .chain(ends)
            .chain([self.fate_us(), connecting, Some(self.arrives_us)])
            .flatten()
            .filter(|at_us| *at_us > now_us)
            .min()
    }

    /// True when a wait would find something for this end.
    pub(super) fn has_news(&self, end: usize, now_us: u64) -> bool {
        let e = &self.ends[end].edges;
        let due = |at_us: Option<u64>| at_us.is_some_and(|at_us| at_us <= now_us);
        self.pipes[1 - end].is_due(self.until_us(now_us))
            || e.readable
            || e.writable && self.ends[end].want_writable
            || e.connected
            || e.peer_closed
            || e.failed
            || due(self.fate_us())
            || due(self.silence_us(end))
            || end == OPENER && due(self.ends[end].connecting.map(|(at_us, _)| at_us))
    }

    /// Moves what was sent to `end` on.
    pub(super) fn deliver(&mut self, end: usize, moment: &mut Moment<'_>) {
        self.pass(moment);
        let until_us = self.until_us(moment.now_us);
        let delivery = self.pipes[1 - end].deliver(until_us, moment.rng, moment.splitting);
        self.note(end, delivery);
    }

    fn note(&mut self, end: usize, delivery: Delivery) {
        let edges = &mut self.ends[end].edges;
        edges.readable |= delivery.bytes || delivery.fin;
        edges.peer_closed |= delivery.fin;
        if delivery.reset {
            self.ends[end].fail(io::ErrorKind::ConnectionReset);
        }
    }

    /// Everything that happened, as one event; forgotten afterwards.
    pub(super) fn take_event(&mut self, end: usize, token: Token) -> Option<Event> {
        let end = &mut self.ends[end];
        let edges = std::mem::take(&mut end.edges);
        let event = Event {
            token,
            readable: edges.readable,
            writable: edges.connected || end.want_writable && (edges.writable || edges.failed),
            peer_closed: edges.peer_closed,
            failed: edges.failed,
        };
        let any = event.readable || event.writable || event.peer_closed || event.failed;
        any.then_some(event)
    }

    // What an end does.

    /// Begins to report, what is there already included.
    pub(super) fn attach(&mut self, end: usize, owner: Owner) {
        let inbound = &self.pipes[1 - end];
        let ended = inbound.fin == Signal::Arrived;
        let end = &mut self.ends[end];
        end.owner = Some(owner);
        end.edges.failed = end.failure.is_some();
        end.edges.readable = inbound.has_arrived() || ended || end.edges.failed;
        end.edges.peer_closed = ended;
    }

    /// Appends arrived bytes: `Some(0)` at the end, `None` when there is nothing.
    pub(super) fn read(
        &mut self,
        end: usize,
        max: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<usize>> {
        let n = self.pipes[1 - end].take(max, out);
        if n > 0 {
            let writer = &mut self.ends[1 - end];
            writer.edges.writable |= writer.want_writable;
            return Ok(Some(n));
        }
        if let Some(error) = self.take_failure(end) {
            return Err(error);
        }
        let over = self.pipes[1 - end].fin == Signal::Arrived || self.ends[end].failure.is_some();
        Ok(over.then_some(0))
    }

    /// The same for an end without a loop: what has arrived by now, all of it. The adversarial reading of TCP: a failure drops what was not
    /// read yet.
    pub(super) fn read_now(
        &mut self,
        end: usize,
        max: usize,
        out: &mut Vec<u8>,
        moment: &mut Moment<'_>,
    ) -> io::Result<Option<usize>> {
        self.pass(moment);
        let until_us = self.until_us(moment.now_us);
        let delivery = self.pipes[1 - end].deliver(until_us, moment.rng, false);
        self.note(end, delivery);
        if let Some(kind) = self.ends[end].failure {
            return Err(kind.into());
        }
        self.read(end, max, out)
    }

    pub(super) fn take_failure(&mut self, end: usize) -> Option<io::Error> {
        let end = &mut self.ends[end];
        let kind = end.failure?;
        (!std::mem::replace(&mut end.told, true)).then(|| kind.into())
    }

    /// How many of `len` bytes an end may send now.
    pub(super) fn room(
        &mut self,
        end: usize,
        len: usize,
        moment: &mut Moment<'_>,
    ) -> io::Result<usize> {
        let sender = &mut self.ends[end];
        if sender.failure.is_some() || self.pipes[end].fin != Signal::Unsent {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if sender.connecting.is_some() {
            return Ok(0);
        }
        let n = len.min(self.pipes[end].room());
        if sender.owner.is_some() && n > 1 && moment.splitting && moment.rng.one_in(HICCUP_ONE_IN) {
            // Full for a moment: the rest fits at the next wait.
            sender.edges.writable = true;
            return Ok(moment.rng.below(n));
        }
        Ok(n)
    }

    /// Sends bytes for which there is room.
    pub(super) fn send(&mut self, end: usize, bytes: &[u8], moment: &mut Moment<'_>) {
        if self.broken || bytes.is_empty() {
            return;
        }
        if !self.ends[1 - end].open && self.cut_us.is_none() {
            // Nobody reads this: the peer's system answers with a reset.
            self.pipes[1 - end].send_reset(moment);
            return;
        }
        let mut passing = bytes;
        let mut blow = None;
        if let Some((When::Carried(at), what)) = self.fate
            && at <= self.carried + bytes.len() as u64
        {
            passing = &bytes[..(at - self.carried.min(at)) as usize];
            blow = Some(what);
        }
        self.carried += bytes.len() as u64;
        self.pipes[end].send(passing, moment);
        if let Some(blow) = blow {
            self.strike(blow, moment);
        }
        if self.cut_us.is_some() {
            let since = &mut self.ends[end].unheard_since_us;
            since.get_or_insert(moment.now_us);
        }
    }

    pub(super) fn want_writable(&mut self, end: usize, on: bool) {
        let room = self.pipes[end].room() > 0;
        let end = &mut self.ends[end];
        end.want_writable = on;
        end.edges.writable |= on && room && end.connecting.is_none();
    }

    pub(super) fn set_keepalive(&mut self, end: usize, idle_us: Option<u64>) {
        self.ends[end].keepalive_us = idle_us;
    }

    pub(super) fn shut_down(&mut self, end: usize, moment: &mut Moment<'_>) {
        self.pipes[end].send_fin(moment);
        if self.cut_us.is_some() {
            let since = &mut self.ends[end].unheard_since_us;
            since.get_or_insert(moment.now_us);
        }
    }

    /// Bytes that an end sent and the other has not read.
    pub(super) fn unread(&self, end: usize) -> usize {
        self.pipes[end].len()
    }

    pub(super) fn close(&mut self, end: usize, reset: bool, moment: &mut Moment<'_>) {
        self.ends[end].open = false;
        self.ends[end].owner = None;
        let unread = !self.pipes[1 - end].is_empty();
        self.pipes[end].send_fin(moment);
        if reset || unread {
            self.pipes[end].send_reset(moment);
        }
    }

    /// The end's machine is gone: the other is told nothing.
    pub(super) fn vanish(&mut self, end: usize, now_us: u64) {
        if self.cut_us.is_none() {
            self.cut(now_us);
        }
        self.ends[end].open = false;
        self.ends[end].owner = None;
    }
}
