//! One connection of a worker: its session, its half-parsed request, its output of this turn, and what it waits for.

use std::sync::Arc;

use dunlin_engine::{Continuation, OwnedArgs, Session};
use dunlin_reactor::ConnId;
use dunlin_resp::RequestParser;
use dunlin_store::stripes::Waiter;
use dunlin_structures::Rope;

use super::blocked::Waiting;
use super::unsafe_replies::UnsafeReplies;
use crate::clients::Client;

/// What a connection is doing.
pub(super) enum Activity {
    /// Ready for its next command.
    Idle,
    /// A command waits for a stripe.
    Parked { id: usize, args: OwnedArgs },
    /// A command waits for a key.
    Blocked(Box<Waiting>),
    /// Its reply waits until others are served.
    Settling,
    /// A command goes on in steps. `parked`: its next step waits for a stripe.
    Stepping {
        continuation: Box<dyn Continuation>,
        parked: bool,
        args: OwnedArgs,
    },
    /// A command runs on the auxiliary thread, which has the session.
    Away,
    /// Its next command waits until the pause is over; it is still among the input.
    Postponed,
    /// Closing: nothing more is executed.
    Closing,
}

/// See the module's text.
pub(super) struct Slot {
    pub(super) conn: ConnId,
    /// `None` while it is away.
    pub(super) session: Option<Box<Session>>,
    pub(super) parser: RequestParser,
    pub(super) waiter: Arc<Waiter>,
    pub(super) out: Rope,
    pub(super) activity: Activity,
    /// Of a command that is suspended.
    pub(super) suspended: Stopwatch,
    /// What others know of it.
    pub(super) client: Arc<Client>,
    /// Id of its last command.
    pub(super) last: Option<u16>,
    /// The reply of the command that it waits for is not sent (CLIENT REPLY).
    pub(super) muted: bool,
    /// It stands among those that are held back by their output.
    pub(super) held_back: bool,
    /// Messages that wait for the end of a reply which is written in steps.
    pub(super) pushes: Option<Box<Rope>>,
    /// The latest record of the log that its output depends on.
    pub(super) awaits: u64,
    /// Output that waits for such records to be safe.
    pub(super) unsafe_replies: Option<Box<UnsafeReplies>>,
}

/// How long a suspended command has run so far.
#[derive(Copy, Clone, Default)]
pub(super) struct Stopwatch {
    /// When its request was there, on the monotonic clock; of one that waited for a key, when that was over.
    pub(super) arrived_us: u64,
    /// Microseconds.
    pub(super) ran_us: u64,
}

impl Stopwatch {
    /// When it arrived, and how long it has run.
    pub(super) fn times(self) -> (u64, u64) {
        (self.arrived_us, self.ran_us)
    }
}

impl Slot {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.activity, Activity::Idle)
    }
}

/// The token by which ready lists and the auxiliary thread name a connection.
pub(super) fn token_of(conn: ConnId) -> u64 {
    (u64::from(conn.generation()) << 32) | conn.index() as u64
}
