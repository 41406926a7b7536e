//! One device: what it has sent, and what was acknowledged. It does no I/O.
//!
//! Invariant: of its messages at most `pipeline` are under way. An ack counts only if a message with its ID is.

use std::collections::VecDeque;

use dunlin_frame::{Id, Packet};
use dunlin_reactor::ConnId;

use super::codename;
use super::fleet::Plan;

/// What a device is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for its connection, or for the time to try again.
    Connecting,
    /// Waiting for ConnAck.
    Introducing,
    /// Submitting.
    Submitting,
    /// It has nothing more to do, or has given up.
    Ended,
}

/// A message that is not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    message: u32,
    sent_us: u64,
    /// It is to be sent (again).
    due: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) number: usize,
    pub(crate) phase: Phase,
    pub(crate) conn: Option<ConnId>,
    waiting: VecDeque<Waiting>,
    /// Messages taken up so far.
    begun: u32,
    /// When the next message may be taken up, ms.
    pub(crate) next_at_ms: u64,
    /// When something was acknowledged last, ms.
    pub(crate) last_ack_ms: u64,
}

impl Device {
    pub(crate) fn new(number: usize, now_ms: u64) -> Device {
        Device {
            number,
            phase: Phase::Connecting,
            conn: None,
            waiting: VecDeque::new(),
            begun: 0,
            next_at_ms: now_ms,
            last_ack_ms: now_ms,
        }
    }

    /// Appends its Conn to `out`.
    pub(crate) fn introduce(&mut self, plan: &Plan, out: &mut Vec<u8>) {
        self.phase = Phase::Introducing;
        let token = plan
            .token
            .as_ref()
            .map_or_else(String::new, |token| format!("{token}-{}", self.number + 1));
        let payload = token.as_bytes();
        let conn = Packet::Conn {
            id: Id::ZERO,
            payload,
        };
        // A token that does not fit is the server's to refuse; one that does not fit into a frame is none.
        let _ = plan.codec.encode(&conn, out);
        // Of an earlier connection nobody knows what became.
        self.waiting
            .iter_mut()
            .for_each(|message| message.due = true);
    }

    /// Appends what may be sent now to `out`; how many messages are sent for the first time.
    pub(crate) fn submit(
        &mut self,
        plan: &Plan,
        (now_ms, now_us): (u64, u64),
        quit: bool,
        out: &mut Vec<u8>,
    ) -> u64 {
        let mut payload = Vec::new();
        for waiting in self.waiting.iter_mut().filter(|message| message.due) {
            (waiting.due, waiting.sent_us) = (false, now_us);
            push(plan, self.number, waiting.message, &mut payload, out);
        }
        let mut fresh = 0;
        while !quit
            && self.begun < plan.messages
            && self.waiting.len() < plan.pipeline
            && now_ms >= self.next_at_ms
        {
            self.begun += 1;
            fresh += 1;
            self.waiting.push_back(Waiting {
                message: self.begun,
                sent_us: now_us,
                due: false,
            });
            push(plan, self.number, self.begun, &mut payload, out);
            self.next_at_ms = now_ms + plan.interval_ms;
        }
        fresh
    }

    /// Whether a message waits only for its time.
    pub(crate) fn waits_for_time(&self, plan: &Plan) -> bool {
        plan.interval_ms > 0 && self.begun < plan.messages && self.waiting.len() < plan.pipeline
    }

    /// A message was acknowledged; when it was sent, if it was.
    pub(crate) fn acknowledged(&mut self, id: Id) -> Option<u64> {
        self.find(id)
            .and_then(|at| self.waiting.remove(at))
            .map(|message| message.sent_us)
    }

    /// A message was refused: it is sent again, or given up. Whether there is such a message.
    pub(crate) fn refused(&mut self, id: Id, again: bool) -> bool {
        let Some(at) = self.find(id) else {
            return false;
        };
        if again {
            self.waiting[at].due = true;
        } else {
            self.waiting.remove(at);
        }
        true
    }

    fn find(&self, id: Id) -> Option<usize> {
        self.waiting
            .iter()
            .position(|message| message.message == id.number())
    }

    /// Whether acks are to come.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether it has done all that it should.
    pub(crate) fn is_done(&self, plan: &Plan, quit: bool) -> bool {
        self.waiting.is_empty() && (quit || self.begun == plan.messages)
    }
}

fn push(plan: &Plan, device: usize, message: u32, payload: &mut Vec<u8>, out: &mut Vec<u8>) {
    payload.clear();
    codename::push(payload, device, message, plan.payload_bytes);
    let id = Id::new(message).unwrap_or(Id::ZERO);
    // The options keep both within their limits.
    let _ = plan.codec.encode(&Packet::Submit { id, payload }, out);
}
