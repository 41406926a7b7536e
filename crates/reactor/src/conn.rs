//! Connections as the loop keeps them: a dense slab of small records, named to handlers by [`ConnId`].
//!
//! Invariant: a `ConnId` names one connection for ever; once it is closed, every call with it does nothing. A record owns no
//! buffer unless it has unconsumed input or unsent output. Sockets are not here (the loop keeps them beside, by index), so
//! everything that handlers can do works without knowing the backend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_structures::{Rope, SegmentedVec};

use crate::backend::Token;
use crate::buffer::Buffer;
use crate::event_loop::Attempt;
use crate::protect::Place;

/// Names a connection of one loop. `index` is dense and reused, so handlers keep a `Vec` by index; the generation tells the
/// uses apart.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub struct ConnId {
    index: u32,
    generation: u32,
}

impl ConnId {
    pub(crate) fn new(index: u32, generation: u32) -> ConnId {
        ConnId { index, generation }
    }

    /// The place in a dense table: below the most connections that were ever open at once.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// Which use of that place this is.
    #[must_use]
    #[inline]
    pub fn generation(self) -> u32 {
        self.generation
    }
}

/// Who is at the other end.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The other end's address; `None` for a Unix socket.
    pub remote: Option<SocketAddr>,
    /// Our end's address; `None` for a Unix socket.
    pub local: Option<SocketAddr>,
    /// True for a Unix socket.
    pub unix: bool,
    /// Which listener accepted it, in the order in which they were added. 0 for a connection that was made from here.
    pub listener: usize,
    /// What the options of its listener said, see [`crate::ListenOptions::tag`], or [`crate::Adopter::adopt_as`]; 0 in the in-memory backend.
    pub tag: u32,
    /// The descriptor, for listings; -1 in the in-memory backend.
    pub descriptor: i32,
    /// It came through the lane, see [`crate::EventLoop::add_lane`].
    pub lane: bool,
    /// Nobody accepted it: it was given to the loop by an [`crate::Adopter`].
    pub adopted: bool,
    /// Its place among the connections of its address, until the loop has it.
    pub(crate) place: Option<Arc<Place>>,
}

impl Peer {
    /// True when both ends of a connection are one socket. The system may choose the very port that the client wants to reach;
    /// if nobody listens there, TCP's simultaneous open then connects the socket to itself.
    pub(crate) fn is_itself(&self) -> bool {
        let (Some(local), Some(remote)) = (self.local, self.remote) else {
            return false;
        };
        // The unspecified address means this machine.
        let same_machine = local.ip() == remote.ip() || remote.ip().is_unspecified();
        same_machine && local.port() == remote.port()
    }
}

/// The life of a connection.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum ConnState {
    /// Accepted, [`crate::Handler::opened`] has not returned yet.
    Initial,
    /// Begun with [`crate::Io::connect`]; it does not stand yet.
    Connecting,
    /// Both directions are open.
    Connected,
    /// One direction is shut: the peer's (its end was read) or ours.
    HalfClose,
    /// Closed; its last bytes may still be on their way.
    Disconnected,
}

/// Why a connection is gone.
#[derive(Debug)]
pub enum CloseReason {
    /// The peer closed its side, and what it sent was answered.
    Eof,
    /// The transport failed.
    Reset(io::Error),
    /// The connection that [`crate::Io::connect`] began never stood: refused, unreachable, or not there by its deadline
    /// ([`io::ErrorKind::TimedOut`]).
    Connect(io::Error),
    /// The handler closed it, or the loop did in an orderly stop.
    Local,
    /// Its [`crate::Layer`] could make nothing of what came, or was not established within [`crate::Limits::handshake_ms`]
    /// ([`io::ErrorKind::TimedOut`]).
    Layer(io::Error),
    /// More output piled up than [`crate::Limits::output_hard_bytes`] allows.
    OutputLimit,
    /// It began a request and sent less than [`crate::Limits::request_pace_bytes`] in [`crate::Limits::request_pace_ms`].
    SlowRequest,
    /// The buffers of the loop exceeded [`crate::Limits::buffer_memory_bytes_max`], and its own were the biggest.
    BufferCeiling,
    /// It was cut at the deadline of a stop.
    Deadline,
}

/// One slot of the slab. Flags first, in the order of their use in a turn.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) generation: u32,
    pub(crate) live: Life,
    /// The socket may hold unread bytes, its end, or an error.
    pub(crate) readable: bool,
    /// The slot stands in the queue of connections to be read or shown.
    pub(crate) queued: bool,
    /// Show what is unconsumed even if nothing new came.
    pub(crate) show: bool,
    /// The handler paused input.
    pub(crate) paused: bool,
    /// The time until which it may be read has passed.
    pub(crate) read_expired: bool,
    /// Received bytes are counted, for a deadline.
    pub(crate) read_timed: bool,
    /// The last read filled an ordinary buffer: lend a wide one.
    pub(crate) wide: bool,
    /// The end of the peer's stream, or a failure, stands behind the unread bytes: a short read is not the last one.
    pub(crate) end_ahead: bool,
    /// The peer's end of stream was read.
    pub(crate) eof: bool,
    /// The handler was told that the peer is gone while input was paused.
    pub(crate) told_peer_closed: bool,
    /// Output stands in the list to be flushed.
    pub(crate) dirty: bool,
    /// The socket is full.
    pub(crate) blocked: bool,
    /// The time until which it may be written to has passed.
    pub(crate) write_expired: bool,
    /// Sent bytes are counted, for a deadline.
    pub(crate) write_timed: bool,
    /// The backend was asked to say when the socket takes more.
    pub(crate) armed: bool,
    /// The last write left something, of which the handler was told.
    pub(crate) backlog: bool,
    /// Output rose above the soft limit and has not fallen below it yet.
    pub(crate) over_soft: bool,
    /// The peer has taken some output since it was asked last, see [`crate::Io::took_output`].
    pub(crate) taken: bool,
    /// Close once the output is flushed.
    pub(crate) closing: bool,
    /// Shut our side down once the output is flushed.
    pub(crate) shutdown: bool,
    /// Our side is shut down.
    pub(crate) shut: bool,
    /// The handler closed it, perhaps amid the peer's sending: linger even if nothing seems to be on its way.
    pub(crate) courteous: bool,
    /// After closing, wait for the peer to read what was sent.
    pub(crate) linger: bool,
    /// Its bytes go through a layer.
    pub(crate) layered: bool,
    /// That layer is not established yet.
    pub(crate) handshaking: bool,
    /// That layer cannot go on.
    pub(crate) refused: bool,
    /// Turns in which it was read since a stop began.
    pub(crate) stop_reads: u8,
    /// A timer watches that what it began to send goes on.
    pub(crate) paced: bool,
    /// Bytes received since that timer was set.
    pub(crate) pace_bytes: u32,
    /// Bytes that the request in the input lacks, if the handler knows.
    pub(crate) expected: u32,
    /// It is read in spite of its output up to so many unsent bytes, see [`crate::Io::overlook_output`].
    pub(crate) overlooked: usize,
    /// Bytes that its layer made and that were not sent.
    pub(crate) wire_bytes: u32,
    pub(crate) reason: Option<CloseReason>,
    /// While it is being made from here.
    pub(crate) attempt: Option<Box<Attempt>>,
    pub(crate) input: Buffer,
    pub(crate) output: Rope,
}

/// What a slot is used for.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub(crate) enum Life {
    /// Nothing: it is in the free list.
    #[default]
    Free,
    Initial,
    /// Being made from here: output is kept, nothing is read.
    Connecting,
    Open,
    /// To be closed in this turn; handlers can do nothing with it any more.
    Doomed,
    /// The handler was told that it is closed; the peer may still be reading.
    Lingering,
}

impl Connection {
    /// True when handlers may act on it.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.live, Life::Initial | Life::Connecting | Life::Open)
    }

    /// True when its socket should be read now, or its input shown.
    #[inline]
    pub(crate) fn wants_turn(&self) -> bool {
        match self.live {
            Life::Open => {
                let holds_back = self.over_soft && self.unsent() > self.overlooked;
                let held = self.paused || self.read_expired || holds_back || self.closing;
                (self.readable || self.show) && !held
            }
            Life::Lingering => self.readable,
            _ => false,
        }
    }

    /// Output that the system has not taken, bytes: what is not coded yet, and what is.
    #[inline]
    pub(crate) fn unsent(&self) -> usize {
        self.output.len() + self.wire_bytes as usize
    }

    pub(crate) fn state(&self) -> ConnState {
        match self.live {
            Life::Initial => ConnState::Initial,
            Life::Connecting => ConnState::Connecting,
            Life::Open if self.eof || self.shut || self.shutdown => ConnState::HalfClose,
            Life::Open => ConnState::Connected,
            Life::Free | Life::Doomed | Life::Lingering => ConnState::Disconnected,
        }
    }
}

/// The slab.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: SegmentedVec<Connection>,
    free: Vec<u32>,
    /// Live connections (not those that linger).
    pub(crate) open: usize,
    /// Connections that linger.
    pub(crate) lingering: usize,
}

impl Connections {
    /// Takes a slot for a new connection.
    pub(crate) fn insert(&mut self) -> ConnId {
        let index = self.free.pop().unwrap_or_else(|| {
            assert!(self.slots.len() < Token::CONNECTIONS_MAX, "slab is full");
            self.slots.push(Connection::default()) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.live = Life::Initial;
        self.open += 1;
        ConnId::new(index, slot.generation)
    }

    /// Frees a slot; ids and tokens of this use become stale.
    pub(crate) fn remove(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        assert!(slot.live != Life::Free, "a connection is freed once");
        let generation = slot.generation.wrapping_add(1);
        *slot = Connection {
            generation,
            ..Connection::default()
        };
        self.free.push(index);
    }

    pub(crate) fn id(&self, index: u32) -> ConnId {
        ConnId::new(index, self.slots[index as usize].generation)
    }

    #[inline]
    pub(crate) fn at(&mut self, index: u32) -> &mut Connection {
        &mut self.slots[index as usize]
    }

    /// The connection if the handler may still act on it.
    #[inline]
    pub(crate) fn live(&mut self, id: ConnId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(id.index as usize)?;
        (slot.generation == id.generation && slot.is_live()).then_some(slot)
    }

    /// The connection that an event names, unless it is gone.
    #[inline]
    pub(crate) fn of_event(&mut self, index: u32, generation: u32) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(index as usize)?;
        (slot.generation == generation && slot.live != Life::Free).then_some(slot)
    }

    /// How many slots there are, free ones included.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_id_stays_closed() {
        let mut all = Connections::default();
        let a = all.insert();
        assert!(all.live(a).is_some());
        all.remove(0);
        assert!(all.live(a).is_none());
        let b = all.insert();
        assert_eq!(b.index(), a.index());
        assert!(all.live(a).is_none() && all.live(b).is_some());
        assert!(all.of_event(0, a.generation()).is_none());
    }

    #[test]
    fn a_socket_knows_itself() {
        let is_itself = |local: &str, remote: &str| {
            let peer = Peer {
                local: Some(local.parse().unwrap()),
                remote: Some(remote.parse().unwrap()),
                ..Peer::default()
            };
            peer.is_itself()
        };
        assert!(is_itself("127.0.0.1:40000", "127.0.0.1:40000"));
        assert!(is_itself("127.0.0.1:40000", "0.0.0.0:40000"));
        assert!(is_itself("[::1]:40000", "[::1]:40000"));
        assert!(!is_itself("127.0.0.1:40000", "127.0.0.1:40001"));
        assert!(!is_itself("127.0.0.1:40000", "127.0.0.2:40000"));
        assert!(!Peer::default().is_itself());
    }

    #[test]
    fn an_idle_connection_is_small() {
        let bytes = size_of::<Connection>();
        assert!(bytes <= 192, "{bytes}");
        let idle = Connection::default();
        assert_eq!(idle.input.capacity() + idle.output.owned_bytes(), 0);
    }
}
