//! One direction of a connection: bytes on the way, bytes that have arrived, and what stands behind them.
//!
//! Invariant: bytes arrive in order and not before their time; the end, and a reset, arrive behind all bytes sent before them, as in TCP.

use std::collections::VecDeque;

use super::rng::Rng;

/// One write in so many is cut short although there is room, and one delivery in so many is held back for a turn.
pub(super) const HICCUP_ONE_IN: usize = 4;

/// The time of a call, and what chance has to say about it.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    pub(super) now_us: u64,
    pub(super) rng: &'a mut Rng,
    pub(super) splitting: bool,
}

/// What a delivery brought.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Delivery {
    pub(super) bytes: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
}

/// Something that was sent once.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Signal {
    #[default]
    Unsent,
    /// It arrives at this time.
    Sent(u64),
    Arrived,
}

impl Signal {
    fn due_us(self) -> Option<u64> {
        match self {
            Signal::Sent(at_us) => Some(at_us),
            Signal::Unsent | Signal::Arrived => None,
        }
    }

    /// Arrives, if it is time.
    fn arrive(&mut self, until_us: u64) -> bool {
        let due = self.due_us().is_some_and(|at_us| at_us <= until_us);
        if due {
            *self = Signal::Arrived;
        }
        due
    }
}

#[derive(Debug)]
pub(super) struct Pipe {
    flight: VecDeque<u8>,
    /// The bytes of `flight` by the time at which they arrive, which never falls.
    pieces: VecDeque<(u64, usize)>,
    arrived: VecDeque<u8>,
    capacity: usize,
    latency_us: u64,
    jitter_us_max: u64,
    /// When the last of what was sent arrives.
    last_us: u64,
    /// When the last of what has arrived did.
    arrived_us: u64,
    pub(super) fin: Signal,
    pub(super) reset: Signal,
}

impl Pipe {
    pub(super) fn new(capacity: usize, latency_us: u64, jitter_us_max: u64) -> Pipe {
        Pipe {
            flight: VecDeque::new(),
            pieces: VecDeque::new(),
            arrived: VecDeque::new(),
            capacity,
            latency_us,
            jitter_us_max,
            last_us: 0,
            arrived_us: 0,
            fin: Signal::Unsent,
            reset: Signal::Unsent,
        }
    }

    /// Bytes sent and unread.
    pub(super) fn len(&self) -> usize {
        self.flight.len() + self.arrived.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.len())
    }

    pub(super) fn is_in_flight(&self) -> bool {
        !self.flight.is_empty()
    }

    pub(super) fn latency_us(&self) -> u64 {
        self.latency_us
    }

    /// When what is sent now arrives.
    fn arrival_us(&mut self, moment: &mut Moment<'_>) -> u64 {
        let jitter_us = match self.jitter_us_max {
            0 => 0,
            max => moment.rng.within(0, max),
        };
        self.last_us = (moment.now_us + self.latency_us + jitter_us).max(self.last_us);
        self.last_us
    }

    pub(super) fn send(&mut self, bytes: &[u8], moment: &mut Moment<'_>) {
        if bytes.is_empty() {
            return;
        }
        let at_us = self.arrival_us(moment);
        self.flight.extend(bytes);
        match self.pieces.back_mut() {
            Some((last_us, len)) if *last_us == at_us => *len += bytes.len(),
            _ => self.pieces.push_back((at_us, bytes.len())),
        }
    }

    pub(super) fn send_fin(&mut self, moment: &mut Moment<'_>) {
        if self.fin == Signal::Unsent {
            self.fin = Signal::Sent(self.arrival_us(moment));
        }
    }

    pub(super) fn send_reset(&mut self, moment: &mut Moment<'_>) {
        if self.reset == Signal::Unsent {
            self.reset = Signal::Sent(self.arrival_us(moment));
        }
    }

    /// What is sent from now on never arrives.
    pub(super) fn cut(&mut self) {
        self.last_us = u64::MAX;
    }

    /// Loses what is on the way.
    pub(super) fn lose_flight(&mut self) {
        self.flight.clear();
        self.pieces.clear();
    }

    /// True when a delivery would bring something, now or after it hesitated.
    pub(super) fn is_due(&self, until_us: u64) -> bool {
        self.next_us().is_some_and(|at_us| at_us <= until_us)
    }

    /// When the next thing arrives.
    pub(super) fn next_us(&self) -> Option<u64> {
        match self.pieces.front() {
            Some((at_us, _)) => Some(*at_us),
            None => match (self.fin.due_us(), self.reset.due_us()) {
                (Some(fin), Some(reset)) => Some(fin.min(reset)),
                (fin, reset) => fin.or(reset),
            },
        }
    }

    /// Moves what is due by `until_us` on: at least one byte, unless the network hesitates.
    pub(super) fn deliver(&mut self, until_us: u64, rng: &mut Rng, splitting: bool) -> Delivery {
        let mut delivery = Delivery::default();
        let due = self.due_bytes(until_us);
        if due > 0 {
            if splitting && rng.one_in(HICCUP_ONE_IN) {
                return delivery;
            }
            let n = if splitting { 1 + rng.below(due) } else { due };
            self.move_on(n);
            delivery.bytes = true;
        }
        if self.flight.is_empty() {
            delivery.fin = self.fin.arrive(until_us);
            delivery.reset = self.reset.arrive(until_us);
        }
        delivery
    }

    fn due_bytes(&self, until_us: u64) -> usize {
        let due = self
            .pieces
            .iter()
            .take_while(|(at_us, _)| *at_us <= until_us);
        due.map(|(_, len)| len).sum()
    }

    fn move_on(&mut self, n: usize) {
        if n == self.flight.len() && self.arrived.is_empty() {
            std::mem::swap(&mut self.arrived, &mut self.flight);
        } else {
            self.arrived.extend(self.flight.drain(..n));
        }
        let mut left = n;
        while let Some((at_us, len)) = self.pieces.front_mut().filter(|_| left > 0) {
            self.arrived_us = *at_us;
            let taken = left.min(*len);
            *len -= taken;
            left -= taken;
            if *len == 0 {
                self.pieces.pop_front();
            }
        }
    }

    pub(super) fn arrived_us(&self) -> u64 {
        self.arrived_us
    }

    pub(super) fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Takes at most `max` bytes that have arrived; returns how many.
    pub(super) fn take(&mut self, max: usize, out: &mut Vec<u8>) -> usize {
        let n = self.arrived.len().min(max);
        let (front, back) = self.arrived.as_slices();
        let first = n.min(front.len());
        out.extend_from_slice(&front[..first]);
        out.extend_from_slice(&back[..n - first]);
        self.arrived.drain(..n);
        n
    }
}
