//! Messages that go to the store together.
//!
//! Invariant: a batch owns the bytes of its messages until each has its fate, so it can be run again from the beginning. Of several
//! messages with the same token and ID one is run, and the others share its fate.

use std::ops::Range;
use std::rc::Rc;

use dunlin_frame::{AckResult, Id};
use dunlin_reactor::ConnId;

use crate::token::Token;

/// What has become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet.
    Open,
    /// This batch has appended it.
    Kept,
    /// It was in the stream already.
    Repeat,
    /// The store does not have it, or is not known to.
    Failed,
    /// Whatever becomes of that one, which came earlier.
    SameAs(u32),
    /// Its ID was noted and it was not appended: the note is to be taken back, then it has failed.
    Unnote,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Submit {
    pub(crate) conn: ConnId,
    pub(crate) id: Id,
    pub(crate) token: Option<Rc<Token>>,
    pub(crate) fate: Fate,
    start: usize,
    end: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Batches are run in this order.
    pub(crate) serial: u64,
    pub(crate) submits: Vec<Submit>,
    /// When the first message came, ms of the loop's clock.
    pub(crate) since_ms: u64,
    /// When it was last sent to the store.
    pub(crate) sent_ms: u64,
    /// It was sent to the store at least once: nothing is added to it any more.
    pub(crate) begun: bool,
    /// How often somebody was in its way.
    pub(crate) conflicts: u32,
    bytes: Vec<u8>,
    /// Messages with a token, by token and ID, without repeats; made by [`Batch::sort`].
    order: Vec<u32>,
    /// The parts of `order` that have one token.
    groups: Vec<Range<u32>>,
}

impl Batch {
    pub(crate) fn push(&mut self, conn: ConnId, id: Id, token: Option<Rc<Token>>, payload: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.submits.push(Submit {
            conn,
            id,
            token,
            fate: Fate::Open,
            start,
            end: self.bytes.len(),
        });
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn payload(&self, index: usize) -> &[u8] {
        let submit = &self.submits[index];
        &self.bytes[submit.start..submit.end]
    }

    /// Bytes of a message.
    pub(crate) fn payload_len(submit: &Submit) -> usize {
        submit.end - submit.start
    }

    /// Finds the groups of messages that have one token, and the repeats among them.
    pub(crate) fn sort(&mut self) {
        let submits = &mut self.submits;
        self.order.clear();
        self.groups.clear();
        let with_token = (0..submits.len() as u32).filter(|i| submits[*i as usize].token.is_some());
        self.order.extend(with_token);
        let key = |i: &u32| {
            let submit = &submits[*i as usize];
            let serial = submit.token.as_ref().map_or(0, |token| token.serial);
            (serial, submit.id, *i)
        };
        self.order.sort_unstable_by_key(key);
        let mut previous = None;
        self.order.retain(|i| {
            let submit = &submits[*i as usize];
            let serial = submit.token.as_ref().map_or(0, |token| token.serial);
            match previous {
                Some((first, same_serial, id)) if (same_serial, id) == (serial, submit.id) => {
                    submits[*i as usize].fate = Fate::SameAs(first);
                    false
                }
                _ => {
                    previous = Some((*i, serial, submit.id));
                    true
                }
            }
        });
        let mut start = 0;
        for end in 1..=self.order.len() {
            let serial = |at: usize| {
                let submit = &self.submits[self.order[at] as usize];
                submit.token.as_ref().map(|token| token.serial)
            };
            if end == self.order.len() || serial(end) != serial(start) {
                self.groups.push(start as u32..end as u32);
                start = end;
            }
        }
    }

    /// How many tokens there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The token of a group, and the indices of its messages, by ID and without repeats.
    pub(crate) fn group(&self, number: usize) -> (&Rc<Token>, &[u32]) {
        let range = &self.groups[number];
        let members = &self.order[range.start as usize..range.end as usize];
        // Groups are made of messages that have one.
        let token = self.submits[members[0] as usize].token.as_ref();
        (token.expect("only such are in groups"), members)
    }

    /// Gives a message of a group this fate, unless it has one.
    pub(crate) fn set_fate(&mut self, group: usize, place: usize, fate: Fate) {
        let start = self.groups[group].start as usize;
        let index = self.order[start + place] as usize;
        if self.submits[index].fate == Fate::Open {
            self.submits[index].fate = fate;
        }
    }

    /// Forgets what a check has found.
    pub(crate) fn reopen(&mut self) {
        for submit in &mut self.submits {
            submit.fate = Fate::Open;
        }
    }

    /// The first message from this one on that has no fate.
    pub(crate) fn next_open(&self, from: usize) -> Option<usize> {
        let mut rest = self.submits.iter().skip(from);
        rest.position(|submit| submit.fate == Fate::Open)
            .map(|at| from + at)
    }

    /// Whether IDs were noted in vain.
    pub(crate) fn has_notes(&self) -> bool {
        self.submits
            .iter()
            .any(|submit| submit.fate == Fate::Unnote)
    }

    /// Gives each message without a fate this one.
    pub(crate) fn settle(&mut self, fate: Fate) {
        for submit in &mut self.submits {
            if submit.fate == Fate::Open {
                submit.fate = fate;
            }
        }
    }

    /// The fate of a message, once all are known, and how its device is told.
    pub(crate) fn outcome(&self, index: usize) -> (Fate, AckResult) {
        let fate = match self.submits[index].fate {
            Fate::SameAs(first) => match self.submits[first as usize].fate {
                Fate::Kept => Fate::Repeat,
                fate => fate,
            },
            fate => fate,
        };
        match fate {
            Fate::Kept | Fate::Repeat => (fate, AckResult::Ok),
            _ => (Fate::Failed, AckResult::Error),
        }
    }

    /// Empties it for its next use. Keeps its memory, unless that is more than so many bytes.
    pub(crate) fn clear(&mut self, kept_bytes_max: usize) {
        self.submits.clear();
        self.order.clear();
        self.groups.clear();
        self.conflicts = 0;
        self.begun = false;
        self.bytes.clear();
        self.bytes.shrink_to(kept_bytes_max);
    }
}
