//! The client's end of a link that a loop has, since it made the connection itself: what is to be reported about it.
//!
//! Invariant: like the server's end, it hears of each change once. A connection stands as soon as it was begun; whether anybody
//! accepts it is another matter, as with a real backlog.

use super::link::{Edges, Owner};
use crate::backend::Event;

#[derive(Debug, Default)]
pub(super) struct Dialer {
    pub(super) owner: Option<Owner>,
    pub(super) edges: Edges,
    want_writable: bool,
}

impl Dialer {
    /// Begins to report: first of all that the connection stands.
    pub(super) fn attach(&mut self, owner: Owner) {
        self.owner = Some(owner);
        self.want_writable = true;
        self.edges.writable = true;
    }

    pub(super) fn want_writable(&mut self, on: bool, has_room: bool) {
        self.want_writable = on;
        self.edges.writable |= on && has_room;
    }

    /// The server has read something.
    pub(super) fn note_room(&mut self) {
        self.edges.writable |= self.want_writable;
    }

    /// The server has ended its side.
    pub(super) fn note_end(&mut self, reset: bool) {
        self.edges.readable = true;
        self.edges.peer_closed = true;
        self.edges.failed |= reset;
    }

    pub(super) fn is_of(&self, backend: usize) -> bool {
        self.owner.is_some_and(|o| o.backend == backend)
    }

    pub(super) fn has_news(&self) -> bool {
        let e = &self.edges;
        e.readable || e.writable && self.want_writable || e.peer_closed || e.failed
    }

    /// Everything that happened, as one event; forgotten afterwards.
    pub(super) fn take_event(&mut self) -> Option<Event> {
        let token = self.owner?.token;
        if !self.has_news() {
            return None;
        }
        let edges = std::mem::take(&mut self.edges);
        Some(Event {
            token,
            readable: edges.readable,
            writable: self.want_writable && edges.writable,
            peer_closed: edges.peer_closed,
            failed: edges.failed,
        })
    }
}
