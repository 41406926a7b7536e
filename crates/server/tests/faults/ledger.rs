//! What all clients together know: what was acknowledged, and what may have happened besides.
//!
//! Invariant: a request whose reply never came counts as perhaps executed, and nothing else is left open.

use std::collections::BTreeSet;

/// Counters that everybody increments.
pub(crate) const COUNTERS: usize = 3;

/// One of them.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    acknowledged: BTreeSet<i64>,
    /// Increments without a reply.
    pub(crate) unknown: u64,
}

impl Counter {
    /// The highest value that somebody got.
    pub(crate) fn floor(&self) -> i64 {
        self.acknowledged.last().copied().unwrap_or(0)
    }
}

/// How much happened: what a run without any of it would not show.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) replies: u64,
    pub(crate) messages: u64,
    pub(crate) popped: u64,
    pub(crate) incremented: u64,
    pub(crate) struck: u64,
    pub(crate) vanished: u64,
    pub(crate) reset: u64,
    pub(crate) bytes: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Counts) {
        self.connections += other.connections;
        self.replies += other.replies;
        self.messages += other.messages;
        self.popped += other.popped;
        self.incremented += other.incremented;
        self.struck += other.struck;
        self.vanished += other.vanished;
        self.reset += other.reset;
        self.bytes += other.bytes;
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) counters: [Counter; COUNTERS],
    /// Elements of lists: those that were sent, those whose push was acknowledged, those that somebody got.
    sent: BTreeSet<Vec<u8>>,
    pushed: BTreeSet<Vec<u8>>,
    popped: BTreeSet<Vec<u8>>,
    /// Pops without a reply.
    pub(crate) unknown_pops: usize,
    /// The server's numbers of our clients.
    pub(crate) ids: Vec<(u64, i64)>,
    /// Those whom somebody asked the server to close.
    pub(crate) killed: BTreeSet<u64>,
    /// The server was told to stop by this time.
    pub(crate) stops_by_us: Option<u64>,
    pub(crate) counts: Counts,
    next_uid: u64,
}

impl Ledger {
    /// A number for a connection.
    pub(crate) fn next_uid(&mut self) -> u64 {
        self.next_uid += 1;
        self.counts.connections += 1;
        self.next_uid
    }

    /// An element is about to be pushed.
    pub(crate) fn will_push(&mut self, token: &[u8]) {
        self.sent.insert(token.to_vec());
    }

    pub(crate) fn pushed(&mut self, token: &[u8]) {
        self.pushed.insert(token.to_vec());
    }

    pub(crate) fn knows(&self, token: &[u8]) -> bool {
        self.sent.contains(token)
    }

    pub(crate) fn popped(&mut self, token: &[u8]) -> Result<(), String> {
        self.counts.popped += 1;
        if !self.knows(token) {
            return Err(format!(
                "popped {}, which nobody pushed",
                token.escape_ascii()
            ));
        }
        if !self.popped.insert(token.to_vec()) {
            return Err(format!("{} was popped twice", token.escape_ascii()));
        }
        Ok(())
    }

    pub(crate) fn counted(&mut self, which: usize, floor: i64, value: i64) -> Result<(), String> {
        self.counts.incremented += 1;
        let counter = &mut self.counters[which];
        if value <= floor {
            return Err(format!(
                "counter {which} became {value} after somebody had got {floor}"
            ));
        }
        if !counter.acknowledged.insert(value) {
            return Err(format!("counter {which} became {value} twice"));
        }
        Ok(())
    }

    /// Compares a counter at the end.
    pub(crate) fn check_counter(&self, which: usize, value: i64) -> Result<(), String> {
        let counter = &self.counters[which];
        let least = (counter.acknowledged.len() as i64).max(counter.floor());
        let most = counter.acknowledged.len() as i64 + counter.unknown as i64;
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(format!(
            "counter {which} ended as {value}: {} were acknowledged up to {}, {} have no reply",
            counter.acknowledged.len(),
            counter.floor(),
            counter.unknown
        ))
    }

    /// Compares what the lists hold at the end.
    pub(crate) fn check_queues(&self, left: &[Vec<u8>]) -> Result<(), String> {
        let mut seen = self.popped.clone();
        for token in left {
            if !self.knows(token) || !seen.insert(token.clone()) {
                return Err(format!(
                    "{} is in a list, and was popped or never pushed",
                    token.escape_ascii()
                ));
            }
        }
        let lost = self.pushed.difference(&seen).count();
        if lost > self.unknown_pops {
            return Err(format!(
                "{lost} acknowledged elements are gone, but only {} pops have no reply",
                self.unknown_pops
            ));
        }
        Ok(())
    }
}
