//! One connection of the in-memory network: two bounded byte queues, and what each end knows of the other.
//!
//! Invariant: bytes arrive in order, and an end or a reset arrives behind all bytes sent before it, as in TCP. Each change is
//! reported to the server's side once, as an edge.

use std::collections::VecDeque;
use std::io;

use super::dial::Dialer;
use super::rng::Rng;
use crate::backend::{Event, Token};

/// One write in so many is cut short although there is room, and one delivery in so many is held back for a turn.
pub(super) const HICCUP_ONE_IN: usize = 4;

/// Who attached the server's end: which loop, and under which name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) backend: usize,
    pub(super) token: Token,
}

#[derive(Debug, Default)]
pub(super) struct Edges {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) peer_closed: bool,
    pub(super) failed: bool,
}

#[derive(Debug)]
pub(super) struct Link {
    /// Client to server: sent, on the way.
    flight: VecDeque<u8>,
    /// Client to server: arrived, unread.
    arrived: VecDeque<u8>,
    /// Server to client: sent, unread.
    down: VecDeque<u8>,
    /// Most bytes in one direction, unread ones included.
    capacity: usize,
    /// The client has shut its side down; and that has arrived.
    client_fin: bool,
    client_fin_arrived: bool,
    /// The client has reset the connection; and that has arrived; and the server was told.
    client_reset: bool,
    client_reset_arrived: bool,
    client_reset_told: bool,
    /// The server has shut its side down, or closed it.
    server_fin: bool,
    /// The server has closed it with unread input.
    server_reset: bool,
    server_open: bool,
    client_open: bool,
    pub(super) owner: Option<Owner>,
    edges: Edges,
    want_writable: bool,
    /// The client's end, if a loop has it.
    pub(super) dialer: Dialer,
}

impl Link {
    pub(super) fn new(capacity: usize) -> Link {
        Link {
            flight: VecDeque::new(),
            arrived: VecDeque::new(),
            down: VecDeque::new(),
            capacity,
            client_fin: false,
            client_fin_arrived: false,
            client_reset: false,
            client_reset_arrived: false,
            client_reset_told: false,
            server_fin: false,
            server_reset: false,
            server_open: true,
            client_open: true,
            owner: None,
            edges: Edges::default(),
            want_writable: false,
            dialer: Dialer::default(),
        }
    }

    /// True when neither end is used any more.
    pub(super) fn is_over(&self) -> bool {
        !self.server_open && !self.client_open
    }

    // The client's end.

    pub(super) fn client_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.server_reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if !self.server_open || self.client_fin {
            // A real peer would answer with a reset: the next read finds it.
            self.server_reset |= !self.server_open;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = self.capacity - self.flight.len() - self.arrived.len();
        let n = bytes.len().min(room);
        self.flight.extend(&bytes[..n]);
        Ok(n)
    }

    /// `None` when nothing is there yet, `Some(0)` at the end.
    pub(super) fn client_read(
        &mut self,
        out: &mut Vec<u8>,
        max: usize,
    ) -> io::Result<Option<usize>> {
        if self.server_reset {
            // The adversarial reading of TCP: a reset drops what was not read yet.
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let n = self.down.len().min(max);
        if n == 0 {
            return Ok(self.server_fin.then_some(0));
        }
        take(&mut self.down, n, out);
        if self.want_writable {
            self.edges.writable = true;
        }
        Ok(Some(n))
    }

    pub(super) fn client_shutdown(&mut self) {
        self.client_fin = true;
    }

    pub(super) fn client_close(&mut self, reset: bool) {
        self.client_open = false;
        self.client_fin = true;
        self.client_reset |= reset || !self.down.is_empty();
    }

    // The network.

    /// True when a wait would find something.
    pub(super) fn has_news(&self) -> bool {
        let e = &self.edges;
        !self.flight.is_empty()
            || self.client_fin != self.client_fin_arrived
            || self.client_reset != self.client_reset_arrived
            || e.readable
            || e.writable && self.want_writable
            || e.peer_closed
            || e.failed
    }

    /// Moves some bytes on: at least one, unless the network hesitates.
    pub(super) fn deliver(&mut self, rng: &mut Rng, splitting: bool) {
        if !self.flight.is_empty() {
            if splitting && rng.one_in(HICCUP_ONE_IN) {
                return;
            }
            let all = self.flight.len();
            let n = if splitting { 1 + rng.below(all) } else { all };
            if n == all && self.arrived.is_empty() {
                std::mem::swap(&mut self.arrived, &mut self.flight);
            } else {
                let mut moved = Vec::with_capacity(n);
                take(&mut self.flight, n, &mut moved);
                self.arrived.extend(&moved);
            }
            self.edges.readable = true;
        }
        if !self.flight.is_empty() {
            return;
        }
        if self.client_fin && !self.client_fin_arrived {
            self.client_fin_arrived = true;
            self.edges.readable = true;
            self.edges.peer_closed = true;
        }
        if self.client_reset && !self.client_reset_arrived {
            self.client_reset_arrived = true;
            self.edges.readable = true;
            self.edges.failed = true;
        }
    }

    /// Everything that happened, as one event; forgotten afterwards.
    pub(super) fn take_event(&mut self, token: Token) -> Option<Event> {
        let edges = std::mem::take(&mut self.edges);
        let event = Event {
            token,
            readable: edges.readable,
            writable: self.want_writable && (edges.writable || edges.failed),
            peer_closed: edges.peer_closed,
            failed: edges.failed,
        };
        let any = event.readable || event.writable || event.peer_closed || event.failed;
        any.then_some(event)
    }

    // The server's end.

    /// Begins to report, what is there already included.
    pub(super) fn attach(&mut self, owner: Owner) {
        self.owner = Some(owner);
        self.edges.readable = !self.arrived.is_empty() || self.client_fin_arrived;
        self.edges.peer_closed = self.client_fin_arrived;
        self.edges.failed = self.client_reset_arrived;
    }

    /// Hands out arrived bytes; `Some(0)` bytes at the end, `None` when there is nothing.
    pub(super) fn server_read(&mut self, max: usize) -> io::Result<Option<Vec<u8>>> {
        let n = self.arrived.len().min(max);
        if n > 0 {
            let mut bytes = Vec::with_capacity(n);
            take(&mut self.arrived, n, &mut bytes);
            self.dialer.note_room();
            return Ok(Some(bytes));
        }
        if self.client_reset_arrived && !std::mem::replace(&mut self.client_reset_told, true) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok((self.client_fin_arrived || self.client_reset_arrived).then(Vec::new))
    }

    pub(super) fn take_reset(&mut self) -> Option<io::Error> {
        let told = std::mem::replace(&mut self.client_reset_told, self.client_reset_arrived);
        (self.client_reset_arrived && !told).then(|| io::ErrorKind::ConnectionReset.into())
    }

    /// How many of `len` bytes may be written now.
    pub(super) fn server_room(
        &mut self,
        len: usize,
        rng: &mut Rng,
        splitting: bool,
    ) -> io::Result<usize> {
        if self.client_reset_arrived || self.server_fin {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = len.min(self.capacity - self.down.len().min(self.capacity));
        if n > 1 && splitting && rng.one_in(HICCUP_ONE_IN) {
            // Full for a moment: the rest fits at the next wait.
            self.edges.writable = true;
            return Ok(rng.below(n));
        }
        Ok(n)
    }

    pub(super) fn server_write(&mut self, bytes: &[u8]) {
        if self.client_open {
            self.down.extend(bytes);
            self.dialer.edges.readable = true;
        } else {
            // Nobody reads this: the peer's system answers with a reset.
            self.client_reset = true;
        }
    }

    pub(super) fn want_writable(&mut self, on: bool) {
        self.want_writable = on;
        self.edges.writable |= on && self.down.len() < self.capacity;
    }

    pub(super) fn server_shutdown(&mut self) {
        self.server_fin = true;
        self.dialer.note_end(false);
    }

    pub(super) fn unread_by_client(&self) -> usize {
        self.down.len()
    }

    pub(super) fn server_close(&mut self) {
        self.server_open = false;
        self.server_fin = true;
        self.server_reset = !self.flight.is_empty() || !self.arrived.is_empty();
        self.dialer.note_end(self.server_reset);
        self.owner = None;
    }

    // The client's end in the hands of a loop.

    /// Bytes on their way to the server, or not read by it.
    pub(super) fn unread_by_server(&self) -> usize {
        self.flight.len() + self.arrived.len()
    }

    /// How many of `len` bytes the client may write now.
    pub(super) fn dialer_room(
        &mut self,
        len: usize,
        rng: &mut Rng,
        splitting: bool,
    ) -> io::Result<usize> {
        // An empty write has the same errors as any.
        self.client_write(&[])?;
        let n = len.min(self.capacity - self.unread_by_server());
        if n > 1 && splitting && rng.one_in(HICCUP_ONE_IN) {
            self.dialer.edges.writable = true;
            return Ok(rng.below(n));
        }
        Ok(n)
    }

    pub(super) fn dialer_wants_writable(&mut self, on: bool) {
        let has_room = self.unread_by_server() < self.capacity;
        self.dialer.want_writable(on, has_room);
    }

    pub(super) fn dialer_error(&self) -> Option<io::Error> {
        self.server_reset
            .then(|| io::ErrorKind::ConnectionReset.into())
    }

    pub(super) fn dialer_close(&mut self) {
        self.dialer.owner = None;
        self.client_close(false);
    }
}

/// Moves the first `n` bytes of `queue` to the end of `out`.
fn take(queue: &mut VecDeque<u8>, n: usize, out: &mut Vec<u8>) {
    let (front, back) = queue.as_slices();
    let first = n.min(front.len());
    out.extend_from_slice(&front[..first]);
    out.extend_from_slice(&back[..n - first]);
    queue.drain(..n);
}
