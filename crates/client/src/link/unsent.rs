//! Requests that no connection was given yet.
//!
//! Invariant: the bytes from `start` on are those of the entries, in order. What timed out here is never sent.

use std::collections::VecDeque;

use crate::outbox::Entry;

/// A unit with the time at which it is given up.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) entry: Entry,
    /// ms of the loop's clock.
    pub(crate) deadline_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    start: usize,
    pub(crate) entries: VecDeque<Timed>,
}

impl Unsent {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends entries with their bytes.
    pub(crate) fn push(&mut self, bytes: &[u8], entries: impl Iterator<Item = Timed>) {
        self.bytes.extend_from_slice(bytes);
        self.entries.extend(entries);
    }

    /// Puts what is to be sent again before all others.
    pub(crate) fn push_front(&mut self, again: Vec<(Timed, Box<[u8]>)>) {
        if again.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for (_, copy) in &again {
            bytes.extend_from_slice(copy);
        }
        bytes.extend_from_slice(&self.bytes[self.start..]);
        self.bytes = bytes;
        self.start = 0;
        for (timed, _) in again.into_iter().rev() {
            self.entries.push_front(timed);
        }
    }

    /// Takes the first unit and appends its bytes to `out`.
    pub(crate) fn pop(&mut self, out: &mut Vec<u8>) -> Option<Timed> {
        let timed = self.entries.pop_front()?;
        let end = self.start + timed.entry.bytes;
        out.extend_from_slice(&self.bytes[self.start..end]);
        self.advance(end);
        Some(timed)
    }

    fn advance(&mut self, end: usize) {
        self.start = end;
        if self.entries.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Takes out the units for which `gone` is true, with their bytes.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Timed) -> bool) -> Vec<Timed> {
        if !self.entries.iter().any(&gone) {
            return Vec::new();
        }
        let mut kept = Vec::new();
        let mut removed = Vec::new();
        let mut at = self.start;
        for timed in std::mem::take(&mut self.entries) {
            let end = at + timed.entry.bytes;
            if gone(&timed) {
                removed.push(timed);
            } else {
                kept.extend_from_slice(&self.bytes[at..end]);
                self.entries.push_back(timed);
            }
            at = end;
        }
        self.bytes = kept;
        self.start = 0;
        removed
    }
}
