//! One HTTP connection, as far as it goes beyond its bytes.
//!
//! Invariant: a connection is in one phase, and each phase has a deadline: for the next request, for its head, for its body, for the
//! reply to its command, for the answer to be taken.

use dunlin_reactor::ConnId;

use super::call::Call;

/// How long a connection may stand idle between requests, ms.
pub(super) const IDLE_MS: u64 = 60_000;
/// How long a head may take from its first byte on (and the first head from the connection on), ms.
pub(super) const HEAD_MS: u64 = 10_000;
/// How long a body may take behind its head, ms.
pub(super) const BODY_MS: u64 = 20_000;
/// How long an answer may take to be taken, ms.
pub(super) const WRITE_MS: u64 = 30_000;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// The reply to a command.
    Calling,
    /// The end: nothing that comes is looked at.
    Closing,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) phase: Phase,
    /// `100 Continue` was sent for the request that is being received.
    pub(super) continued: bool,
    /// Its way to a worker.
    pub(super) lane: Link,
    /// The command whose reply it waits for.
    pub(super) pending: Option<Pending>,
}

/// Whether a connection has a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    None,
    Opening,
    Open(ConnId),
}

/// A command that was given.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) call: Call,
    /// Whether the connection goes on behind its answer.
    pub(super) keep_alive: bool,
}

impl Connection {
    pub(super) fn new(id: ConnId) -> Connection {
        Connection {
            id,
            phase: Phase::Idle,
            continued: false,
            lane: Link::None,
            pending: None,
        }
    }
}
