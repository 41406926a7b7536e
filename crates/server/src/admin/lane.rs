//! The way of a command: a pair of sockets, one end with us, the other with a worker, which serves it as it does any client's.
//!
//! So a command goes through ordinary dispatch with all that it may need (parking, steps, the auxiliary thread, ACL of the default
//! user), and nobody waits for it but the HTTP connection that asked. A lane belongs to one HTTP connection, is made for its first
//! command, and ends with it: what a command leaves behind in its session is seen by nobody else.
//!
//! Invariant: a lane has one request under way at most, so the reply that comes is that of the last request.

use std::io;

use dunlin_reactor::{AdoptError, Adopter, ConnId, Socket};
use dunlin_resp::{ReplyLimits, ReplyParser, reply};

/// By this the worker knows whose end it is given, see [`Adopter::adopt_as`].
pub(crate) const TAG: u32 = 1;
/// How long a command may take, ms.
pub(super) const CALL_MS: u64 = 30_000;
/// Longest reply, bytes on the lane.
const REPLY_BYTES_MAX: usize = 8 << 20;

/// Makes lanes.
pub(super) struct Dialer {
    /// Of our own loop.
    own: Adopter<Socket>,
    workers: Vec<Adopter<Socket>>,
    /// Lanes on their way to our loop: their tags, and for whom they are.
    opening: Vec<(u32, ConnId)>,
    next: u32,
}

impl Dialer {
    pub(super) fn new(own: Adopter<Socket>, workers: Vec<Adopter<Socket>>) -> Dialer {
        Dialer {
            own,
            workers,
            opening: Vec::new(),
            next: 0,
        }
    }

    /// Begins a lane for this connection.
    pub(super) fn dial(&mut self, owner: ConnId) -> io::Result<()> {
        let (ours, theirs) = Socket::pair()?;
        let idlest = self.workers.iter().min_by_key(|worker| worker.load());
        let worker = idlest.ok_or(io::ErrorKind::NotConnected)?;
        let refused = |_: AdoptError<Socket>| io::Error::from(io::ErrorKind::ConnectionRefused);
        worker.adopt_as(theirs, TAG).map_err(refused)?;
        self.next = self.next.wrapping_add(1);
        self.own.adopt_as(ours, self.next).map_err(refused)?;
        self.opening.push((self.next, owner));
        Ok(())
    }

    /// For whom the lane is that our loop was given with this tag; nobody if he has gone.
    pub(super) fn opened(&mut self, tag: u32) -> Option<ConnId> {
        let at = self.opening.iter().position(|(known, _)| *known == tag)?;
        Some(self.opening.swap_remove(at).1)
    }

    /// He has gone.
    pub(super) fn forget(&mut self, owner: ConnId) {
        self.opening.retain(|(_, waiting)| *waiting != owner);
    }
}

/// What the reply is to that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// HELLO.
    Greeting,
    /// SELECT.
    Selecting,
    /// The command.
    Running,
    /// Nothing.
    Idle,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: ConnId,
    pub(super) owner: ConnId,
    pub(super) step: Step,
    pub(super) parser: ReplyParser,
}

impl Lane {
    /// A lane that has said nothing yet.
    pub(super) fn new(id: ConnId, owner: ConnId) -> Lane {
        let limits = ReplyLimits {
            reply_bytes_max: REPLY_BYTES_MAX,
            bulk_bytes_max: REPLY_BYTES_MAX,
            ..ReplyLimits::default()
        };
        Lane {
            id,
            owner,
            step: Step::Greeting,
            parser: ReplyParser::new(limits),
        }
    }
}

/// What a lane says first: RESP3, so that replies come with their types, and a name for CLIENT LIST.
pub(super) fn greet(out: &mut Vec<u8>) {
    reply::request(out, &["HELLO", "3", "SETNAME", "admin-port"]);
}

/// SELECT.
pub(super) fn select(out: &mut Vec<u8>, db: u32) {
    reply::request(out, &["SELECT", &db.to_string()]);
}
