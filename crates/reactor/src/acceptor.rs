//! The listening sockets of a loop.
//!
//! Invariant: no error of accept ends accepting. A connection that died in the backlog is skipped; when descriptors or memory
//! run out all listeners pause (the loop resumes them after a while, or when a connection closes), so a full process neither
//! spins nor exits. A listener keeps its number for ever, and no number is used twice, so what comes late for one that was
//! removed concerns nobody.

use std::io;

use rustix::io::Errno;

use crate::backend::{Backend, Token};
use crate::conn::Peer;
use crate::timers::TimerId;

struct Slot<L> {
    number: u32,
    listener: L,
    ready: bool,
    /// Nothing but a lack of descriptors holds it back.
    lane: bool,
}

/// What one accept call brought.
pub(crate) enum Accepted<S> {
    /// A connection.
    Connection(S, Peer),
    /// A connection that failed before it was accepted: try the next.
    Failed,
    /// The backlog is empty.
    Drained,
    /// Descriptors or memory are used up. `first`: for the first time since a connection was accepted.
    Exhausted { error: io::Error, first: bool },
}

pub(crate) struct Acceptor<B: Backend> {
    slots: Vec<Slot<B::Listener>>,
    /// Running while accepting is paused.
    pub(crate) resume_timer: Option<TimerId>,
    told: bool,
    /// Listeners that are no lane are not watched, to keep the rate.
    throttled: bool,
}

impl<B: Backend> Acceptor<B> {
    pub(crate) fn new() -> Acceptor<B> {
        Acceptor {
            slots: Vec::new(),
            resume_timer: None,
            told: false,
            throttled: false,
        }
    }

    /// Watches a listener; while accepting is paused, from its end on.
    pub(crate) fn add(
        &mut self,
        backend: &mut B,
        number: u32,
        mut listener: B::Listener,
        lane: bool,
    ) -> io::Result<()> {
        let on = self.resume_timer.is_none() && (lane || !self.throttled);
        backend.set_accepting(&mut listener, Token::listener(number), on)?;
        self.slots.push(Slot {
            number,
            listener,
            ready: false,
            lane,
        });
        Ok(())
    }

    /// Closes a listener, if it is there.
    pub(crate) fn remove(&mut self, backend: &mut B, number: u32) {
        if let Some(at) = self.slots.iter().position(|slot| slot.number == number) {
            backend.close_listener(self.slots.remove(at).listener);
        }
    }

    pub(crate) fn mark_ready(&mut self, number: u32) {
        if let Some(slot) = self.slots.iter_mut().find(|s| s.number == number) {
            slot.ready = true;
        }
    }

    /// The place of a listener with something to accept; each is named once per turn, since the backend repeats its event.
    #[inline]
    pub(crate) fn next_ready(&mut self) -> Option<usize> {
        let index = self.slots.iter().position(|s| s.ready)?;
        self.slots[index].ready = false;
        Some(index)
    }

    pub(crate) fn accept(&mut self, backend: &mut B, index: usize) -> Accepted<B::Socket> {
        let slot = &mut self.slots[index];
        match backend.accept(&mut slot.listener) {
            Ok(Some((socket, mut peer))) => {
                peer.listener = slot.number as usize;
                peer.lane = slot.lane;
                self.told = false;
                Accepted::Connection(socket, peer)
            }
            Ok(None) => Accepted::Drained,
            Err(error) if concerns_one_connection(&error) => Accepted::Failed,
            Err(error) => Accepted::Exhausted {
                error,
                first: !std::mem::replace(&mut self.told, true),
            },
        }
    }

    /// Stops watching the listeners. False if they are not being watched.
    pub(crate) fn pause(&mut self, backend: &mut B) -> bool {
        if self.resume_timer.is_some() {
            return false;
        }
        self.set_accepting(backend, false);
        true
    }

    /// Watches the listeners again.
    pub(crate) fn resume(&mut self, backend: &mut B) {
        self.set_accepting(backend, true);
    }

    /// True if its connections are counted by rate and address.
    pub(crate) fn is_limited(&self, index: usize) -> bool {
        !self.slots[index].lane
    }

    /// Stops watching the listeners that are no lane. False if they are not being watched.
    pub(crate) fn throttle(&mut self, backend: &mut B) -> bool {
        let new = !std::mem::replace(&mut self.throttled, true);
        if new && self.resume_timer.is_none() {
            self.set_accepting(backend, true);
        }
        new
    }

    /// Watches them again.
    pub(crate) fn unthrottle(&mut self, backend: &mut B) {
        self.throttled = false;
        if self.resume_timer.is_none() {
            self.set_accepting(backend, true);
        }
    }

    /// Which listener is at this place.
    pub(crate) fn number_at(&self, index: usize) -> usize {
        self.slots[index].number as usize
    }

    /// Closes the listeners.
    pub(crate) fn close(&mut self, backend: &mut B) {
        for slot in self.slots.drain(..) {
            backend.close_listener(slot.listener);
        }
    }

    fn set_accepting(&mut self, backend: &mut B, on: bool) {
        for slot in &mut self.slots {
            let on = on && (slot.lane || !self.throttled);
            slot.ready &= on;
            let token = Token::listener(slot.number);
            // Cannot fail for a descriptor that was added once: no memory is needed.
            let changed = backend.set_accepting(&mut slot.listener, token, on);
            debug_assert!(changed.is_ok(), "{changed:?}");
        }
    }
}

/// Errors that accept(2) passes on from the connection it was about to return, and interruptions: the next one may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else {
        return false;
    };
    matches!(
        errno,
        Errno::CONNABORTED
            | Errno::INTR
            | Errno::PROTO
            | Errno::PERM
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NONET
            | Errno::OPNOTSUPP
            | Errno::TIMEDOUT
    )
}
