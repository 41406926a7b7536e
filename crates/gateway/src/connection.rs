//! A device's connection.
//!
//! Invariant: it is closed only when each of its messages is answered, unless the device or the network closes it.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use dunlin_reactor::{ConnId, Peer, Rope};

use crate::token::Token;

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is read.
    Open,
    /// It is not read until more of its messages are answered.
    Held,
    /// It is not read until more messages of all connections are answered.
    HeldByAll,
    /// The device sends no more: it is looked at again when its messages are answered.
    Ended,
    /// It is closed when its messages are answered.
    Closing,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) phase: Phase,
    /// Messages that are not answered.
    pub(crate) pending: usize,
    pub(crate) token: Option<Rc<Token>>,
    /// Acks of this turn.
    pub(crate) acks: Rope,
    /// It stands in the list of connections with acks, or to be closed.
    pub(crate) dirty: bool,
    pub(crate) name: PeerName,
}

impl Connection {
    pub(crate) fn new(id: ConnId, peer: &Peer) -> Connection {
        Connection {
            id,
            phase: Phase::Open,
            pending: 0,
            token: None,
            acks: Rope::new(),
            dirty: false,
            name: PeerName(peer.remote),
        }
    }
}

/// Who is at the other end, for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerName(pub(crate) Option<SocketAddr>);

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unix socket"),
        }
    }
}
