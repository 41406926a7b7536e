//! Accepting, and handing accepted sockets to the least loaded loop.
//!
//! Invariant: a socket enters the backend only after its connection has a slot, and the handler sees `opened` before anything
//! else of it. No error of accept ends accepting.

use std::sync::Arc;

use super::EventLoop;
use crate::acceptor::Accepted;
use crate::backend::{Backend, Token};
use crate::conn::{Life, Peer};
use crate::handler::Handler;
use crate::io::Io;
use crate::listeners::Change;
use crate::timers::Action;

impl<B: Backend> EventLoop<B> {
    pub(super) fn accept<H: Handler>(&mut self, handler: &mut H) {
        while let Some(index) = self.acceptor.next_ready() {
            for _ in 0..self.state.limits.accepts_per_turn {
                if self.acceptor.is_limited(index) && !self.keep_rate() {
                    break;
                }
                match self.acceptor.accept(&mut self.backend, index) {
                    Accepted::Connection(socket, peer) => {
                        self.count_accept(&peer);
                        self.assign(socket, peer, handler);
                    }
                    Accepted::Failed => {}
                    Accepted::Drained => break,
                    Accepted::Exhausted { error, first } => {
                        self.pause_accepting();
                        if first {
                            let io = &mut Io::new(&mut self.state);
                            let listener = self.acceptor.number_at(index);
                            handler.accept_paused(io, listener, &error);
                        }
                        return;
                    }
                }
            }
        }
    }

    /// Adds and removes the listeners that other threads asked for.
    pub(super) fn change_listeners<H: Handler>(&mut self, handler: &mut H) {
        while let Some(change) = self.listeners.take() {
            match change {
                Change::Remove(number) => self.acceptor.remove(&mut self.backend, number),
                Change::Add(number, listener) => {
                    let added = self
                        .acceptor
                        .add(&mut self.backend, number, listener, false);
                    if let Err(error) = added {
                        // Out of kernel memory: the handler learns that nothing is accepted there.
                        let io = &mut Io::new(&mut self.state);
                        handler.accept_paused(io, number as usize, &error);
                    }
                }
            }
        }
    }

    /// Gives a socket to the loop with the fewest connections, ours if the counts are equal or the other's inbox is full.
    fn assign<H: Handler>(&mut self, socket: B::Socket, mut peer: Peer, handler: &mut H) {
        if !self.take_place(&mut peer) {
            self.state.stats.address_refusals += 1;
            return;
        }
        let ours = &self.neighbours[self.index];
        let mut best = ours;
        for neighbour in &self.neighbours {
            if neighbour.remote.load() < best.remote.load() {
                best = neighbour;
            }
        }
        best.remote.add_load();
        if best.remote.index() == self.index {
            return self.open(socket, peer, handler);
        }
        match best.inbox.put(socket, peer) {
            Ok(()) => best.remote.waker().wake(),
            Err((socket, peer)) => {
                best.remote.drop_load();
                ours.remote.add_load();
                self.open(socket, peer, handler);
            }
        }
    }

    /// Opens what other loops accepted for this one.
    pub(super) fn open_handed_over<H: Handler>(&mut self, handler: &mut H) {
        while let Some((socket, peer)) = self.neighbours[self.index].inbox.take() {
            self.open(socket, peer, handler);
        }
    }

    /// False once the rate of accepting is used up: other listeners than lanes are looked at again when it is not.
    fn keep_rate(&mut self) -> bool {
        let per_s = self.state.limits.accepts_per_s;
        if per_s == 0 {
            return true;
        }
        let Err(after_us) = self.accept_rate.may(per_s, self.state.now_us) else {
            return true;
        };
        if self.acceptor.throttle(&mut self.backend) {
            self.state.stats.accept_throttles += 1;
            let at_ms = self.state.now_ms() + after_us.div_ceil(1_000);
            self.state.timers.set(at_ms, Action::Unthrottle);
        }
        false
    }

    fn count_accept(&mut self, peer: &Peer) {
        if self.state.limits.accepts_per_s > 0 && !peer.lane {
            self.accept_rate.count();
        }
    }

    /// Counts a connection with its address. False if that has too many.
    fn take_place(&self, peer: &mut Peer) -> bool {
        let max = self.state.limits.connections_per_address;
        let Some(remote) = peer.remote.filter(|_| max < usize::MAX && !peer.lane) else {
            return true;
        };
        peer.place = self.addresses.take(remote.ip(), max).map(Arc::new);
        peer.place.is_some()
    }

    fn open<H: Handler>(&mut self, mut socket: B::Socket, mut peer: Peer, handler: &mut H) {
        let id = self.state.conns.insert();
        let index = id.index() as u32;
        let place = peer.place.take();
        let token = Token::connection(index, id.generation());
        if self.backend.attach(&mut socket, token).is_err() {
            // Out of kernel memory, or over the limit of watched descriptors: this connection cannot be served.
            self.state.conns.open -= 1;
            self.state.conns.remove(index);
            self.state.stats.accept_failures += 1;
            self.neighbours[self.index].remote.drop_load();
            return;
        }
        self.keep_socket(index, socket);
        if place.is_some() {
            self.places
                .resize_with(self.sockets.len().max(self.places.len()), || None);
            self.places[id.index()] = place;
        }
        self.state.stats.opened += 1;
        handler.opened(&mut Io::new(&mut self.state), id, &peer);
        let c = self.state.conns.at(index);
        if c.live == Life::Initial {
            c.live = Life::Open;
        }
    }

    pub(super) fn keep_socket(&mut self, index: u32, socket: B::Socket) {
        let index = index as usize;
        if self.sockets.len() <= index {
            self.sockets.resize_with(index + 1, || None);
        }
        self.sockets[index] = Some(socket);
    }

    fn pause_accepting(&mut self) {
        self.state.stats.accept_failures += 1;
        if self.acceptor.pause(&mut self.backend) {
            let at_ms = self.state.now_ms() + self.state.limits.accept_pause_ms;
            let timer = self.state.timers.set(at_ms, Action::ResumeAccepting);
            self.acceptor.resume_timer = Some(timer);
        }
    }

    /// Accepts again, if accepting was paused: time has passed or a descriptor came free.
    #[inline]
    pub(super) fn resume_accepting(&mut self) {
        if let Some(timer) = self.acceptor.resume_timer.take() {
            self.state.timers.cancel(timer);
            self.acceptor.resume(&mut self.backend);
        }
    }
}
