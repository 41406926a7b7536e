//! Connections that are made from here: begun at the end of a turn, ended by the socket's first event or by a timer.
//!
//! Invariant: no attempt waits in a system call. Each one is told of exactly once: `connected` when it stands, else `closed`. It
//! is over, one way or the other, at its deadline. Output of a connection that does not stand yet is kept, and nothing is read
//! from it.

use std::io;

use super::EventLoop;
use crate::backend::socket::ConnectAddress;
use crate::backend::{Backend, Event, Token};
use crate::conn::{CloseReason, ConnId, Life, Peer};
use crate::handler::Handler;
use crate::io::Io;
use crate::timers::{Action, TimerId};

/// A connection in the making.
#[derive(Debug)]
pub(crate) struct Attempt {
    address: ConnectAddress,
    deadline_ms: u64,
    /// Set once it was begun.
    pub(crate) timer: Option<TimerId>,
    peer: Peer,
}

impl Attempt {
    pub(crate) fn new(address: ConnectAddress, deadline_ms: u64) -> Attempt {
        Attempt {
            address,
            deadline_ms,
            timer: None,
            peer: Peer::default(),
        }
    }
}

impl<B: Backend> EventLoop<B> {
    /// Begins what handlers asked for.
    pub(super) fn begin_connects(&mut self) {
        // Nothing in here calls the handler, so none is added meanwhile.
        for at in 0..self.state.connects.len() {
            let id = self.state.connects[at];
            if let Err(error) = self.begin_connect(id) {
                self.state
                    .doom(id.index() as u32, CloseReason::Connect(error));
            }
        }
        self.state.connects.clear();
    }

    fn begin_connect(&mut self, id: ConnId) -> io::Result<()> {
        let index = id.index() as u32;
        let state = &mut self.state;
        let c = state.conns.live(id);
        let Some(attempt) = c.and_then(|c| c.attempt.as_mut()) else {
            // Closed again before it was begun.
            return Ok(());
        };
        let (mut socket, peer) = self.backend.connect(&attempt.address)?;
        if peer.is_itself() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let token = Token::connection(index, id.generation());
        self.backend.attach(&mut socket, token)?;
        let action = Action::GiveUpConnecting(index, id.generation());
        attempt.timer = Some(state.timers.set(attempt.deadline_ms, action));
        attempt.peer = peer;
        self.keep_socket(index, socket);
        self.neighbours[self.index].remote.add_load();
        Ok(())
    }

    /// The first event of a socket tells how its attempt ended.
    #[cold]
    pub(super) fn end_attempt<H: Handler>(&mut self, index: u32, event: &Event, handler: &mut H) {
        if event.failed {
            let socket = self.sockets[index as usize].as_mut();
            let error = socket.and_then(|s| self.backend.take_error(s));
            let error = error.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
            return self.state.doom(index, CloseReason::Connect(error));
        }
        if !event.writable {
            return;
        }
        let state = &mut self.state;
        let c = state.conns.at(index);
        let Some(attempt) = c.attempt.take() else {
            return;
        };
        c.live = Life::Open;
        c.blocked = false;
        state.connecting -= 1;
        state.stats.connected += 1;
        state.timers.cancel_some(attempt.timer);
        // What was sent, or asked for, while it was being made.
        state.mark_dirty(index);
        state.enqueue(index);
        let id = state.conns.id(index);
        handler.connected(&mut Io::new(&mut self.state), id, &attempt.peer);
    }

    pub(super) fn give_up_connecting(&mut self, index: u32, generation: u32) {
        let Some(c) = self.state.conns.of_event(index, generation) else {
            return;
        };
        if c.live == Life::Connecting {
            let error = io::ErrorKind::TimedOut.into();
            self.state.doom(index, CloseReason::Connect(error));
        }
    }
}
