//! One descriptor: what the loop does not know yet and therefore wants to hear, and what the poller was told.
//!
//! Invariant: the two are compared before a wait only; in between they may differ in any way.

use std::io;

use crate::backend::poller::{Interest, Readiness};
use crate::backend::{Event, Received, Token};

/// What a descriptor is.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Kind {
    /// Reported at its edges.
    Socket,
    /// A socket whose first event is the end of an attempt to connect.
    Connecting,
    /// Reported until its backlog is empty.
    Listener,
    /// Reported until it is read empty.
    Descriptor,
    /// Read empty here.
    Waker,
}

#[derive(Debug)]
pub(super) struct Watched {
    token: Token,
    kind: Kind,
    wanted: Interest,
    /// What the poller was told; `None` once it was taken out.
    told: Option<Interest>,
    /// It stands in the list of changes.
    noted: bool,
    /// The loop waits for room in the socket.
    awaits_room: bool,
    /// The end of the stream, or a failure, was read.
    ended: bool,
    /// A hang-up or an error was reported, which no poller can be told not to repeat.
    gone: bool,
}

impl Watched {
    pub(super) fn new(token: Token, kind: Kind) -> Watched {
        let wanted = match kind {
            Kind::Socket => Interest::READABLE | Interest::PEER_CLOSED,
            Kind::Connecting => Interest::READABLE | Interest::PEER_CLOSED | Interest::WRITABLE,
            Kind::Listener | Kind::Descriptor | Kind::Waker => Interest::READABLE,
        };
        Watched {
            token,
            kind,
            wanted,
            told: Some(wanted),
            noted: false,
            awaits_room: kind == Kind::Connecting,
            ended: false,
            gone: false,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn wanted(&self) -> Interest {
        self.wanted
    }

    pub(super) fn is_in_poller(&self) -> bool {
        self.told.is_some()
    }

    pub(super) fn want(&mut self, interest: Interest, on: bool) {
        self.wanted = if on {
            self.wanted | interest
        } else {
            self.wanted.without(interest)
        };
    }

    /// True if this is to be added to the list of changes.
    #[inline]
    pub(super) fn note_change(&mut self) -> bool {
        let due = self.told.is_some() && (self.gone || self.told != Some(self.wanted));
        due && !std::mem::replace(&mut self.noted, true)
    }

    /// What the poller is to be told, if anything: another interest, or (`Some(None)`) that it is to forget this.
    pub(super) fn take_change(&mut self) -> Option<Option<Interest>> {
        if !std::mem::take(&mut self.noted) {
            return None;
        }
        let told = self.told?;
        if self.gone {
            self.told = None;
            return Some(None);
        }
        self.told = Some(self.wanted);
        (told != self.wanted).then_some(Some(self.wanted))
    }

    /// `receive` was called. Drained, it is asked about again.
    #[inline]
    pub(super) fn received(&mut self, got: &io::Result<Received>) {
        match got {
            Ok(got) if !got.eof => {
                if !got.more && !self.ended {
                    self.want(Interest::READABLE, true);
                }
            }
            _ => {
                self.ended = true;
                self.want(Interest::READABLE, false);
            }
        }
    }

    /// `send` found it full.
    pub(super) fn blocked(&mut self) {
        self.want(Interest::WRITABLE, self.awaits_room);
    }

    pub(super) fn watch_writable(&mut self, on: bool) {
        self.awaits_room = on;
        self.want(Interest::WRITABLE, on);
    }

    /// The event of a report; what it tells is no longer wanted.
    pub(super) fn report(&mut self, ready: &Readiness) -> Event {
        let over = ready.hang_up || ready.error;
        let repeats = !matches!(self.kind, Kind::Socket | Kind::Connecting);
        // Somebody else may read a pipe's last bytes, and a listener that was switched off is switched on again: both stay.
        let stays = repeats && (ready.readable || self.kind == Kind::Listener);
        self.gone |= over && !stays;
        let event = Event {
            token: self.token,
            readable: ready.readable || ready.priority,
            writable: self.awaits_room && (ready.writable || over),
            peer_closed: ready.peer_closed || ready.hang_up,
            failed: ready.error,
        };
        if !repeats {
            if event.readable {
                self.want(Interest::READABLE, false);
            }
            if event.peer_closed {
                self.want(Interest::PEER_CLOSED, false);
            }
            if event.writable {
                self.want(Interest::WRITABLE, false);
                // Connected: from now on there is room until `send` says otherwise.
                self.awaits_room &= self.kind != Kind::Connecting;
                self.kind = Kind::Socket;
            }
        }
        event
    }
}
