//! The event loop: one turn after the other, each over everything that is ready.
//!
//! A turn: wait; run posted tasks; take note of events; accept; fire timers; read every ready connection up to its budget and
//! show all inputs to the handler at once; end of turn; write every output with one call; close what is to be closed.
//!
//! Invariant: a turn's work is bounded by [`Limits`], whatever is left keeps its place in a queue and the next turn does not
//! sleep; a loop without work sleeps without any periodic timer. The hot path makes one receive call and one send call per
//! connection and turn, and allocates nothing.

mod accept;
mod close;
mod connect;
mod deadline;
mod flush;
mod input;
mod protect;
mod stop;
mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::{fmt, io};

use crate::acceptor::Acceptor;
use crate::adopt::Adopter;
use crate::backend::{Backend, Event, Token};
use crate::clock::Clock;
use crate::conn::ConnId;
use crate::handler::{Handler, Input};
use crate::io::Io;
use crate::limits::Limits;
use crate::listeners::Listeners;
use crate::protect::{AddressCounts, Place, Rate};
use crate::remote::{Inbox, Remote, Task};
use crate::state::{State, Stats};
use crate::waker::Waker;

pub(crate) use connect::Attempt;

/// How a loop ended.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Connections that were cut at the deadline with work or output left.
    pub cut: usize,
}

/// How long a loop would sleep if its next turn began now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Not at all: work is queued.
    None,
    /// Until this time, ms of its clock, unless something happens.
    Until(u64),
    /// Until something happens.
    Forever,
}

/// Another loop of the pool, as a place to hand sockets to.
pub(crate) struct Neighbour<S> {
    pub(crate) remote: Remote,
    pub(crate) inbox: Arc<Inbox<S>>,
}

impl<S> Clone for Neighbour<S> {
    fn clone(&self) -> Self {
        Neighbour {
            remote: self.remote.clone(),
            inbox: Arc::clone(&self.inbox),
        }
    }
}

/// An event loop over one backend. It lives on one thread at a time.
pub struct EventLoop<B: Backend> {
    backend: B,
    /// By slot of the connection slab.
    sockets: Vec<Option<B::Socket>>,
    state: State,
    acceptor: Acceptor<B>,
    listeners: Listeners<B::Listener>,
    descriptors: Vec<(B::Descriptor, u64)>,
    index: usize,
    waker: Waker,
    /// All loops of the pool, this one included, by index.
    neighbours: Vec<Neighbour<B::Socket>>,
    events: Vec<Event>,
    batch: Vec<Input>,
    /// Paused in this turn with the end of their stream behind unread bytes: the handler is to be told.
    paused_at_end: Vec<ConnId>,
    /// Places that connections take among those of their addresses, by slot; empty without such a limit.
    places: Vec<Option<Arc<Place>>>,
    addresses: AddressCounts,
    accept_rate: Rate,
    flushing: Vec<u32>,
    tasks: VecDeque<Task>,
    /// What the handler's last `turn_end` allowed.
    sleep_until_ms: Option<u64>,
    /// The next turn must not sleep.
    busy: bool,
    /// What it had read and written when it last let others run.
    gave_way_at: u64,
    report: StopReport,
    ended: bool,
}

impl<B: Backend> EventLoop<B> {
    /// A loop of its own.
    ///
    /// # Panics
    /// Never: one backend makes one loop.
    #[must_use]
    pub fn new(backend: B, limits: Limits) -> EventLoop<B> {
        let mut all = EventLoop::pool(vec![backend], &limits);
        all.remove(0)
    }

    /// Loops that share their connections: what any of them accepts goes to the least loaded.
    #[must_use]
    pub fn pool(backends: Vec<B>, limits: &Limits) -> Vec<EventLoop<B>> {
        let neighbours: Vec<_> = backends
            .iter()
            .enumerate()
            .map(|(index, backend)| Neighbour {
                remote: Remote::new(index, Waker::new(backend.waker()), limits.tasks_max),
                inbox: Arc::new(Inbox::new(limits.handover_max)),
            })
            .collect();
        let addresses = AddressCounts::default();
        let with_neighbours = |(index, backend): (usize, B)| EventLoop {
            state: State::new(backend.clock(), limits.clone()),
            backend,
            sockets: Vec::new(),
            acceptor: Acceptor::new(),
            listeners: Listeners::new(neighbours[index].remote.waker().clone()),
            descriptors: Vec::new(),
            index,
            waker: neighbours[index].remote.waker().clone(),
            neighbours: neighbours.clone(),
            events: Vec::new(),
            batch: Vec::new(),
            paused_at_end: Vec::new(),
            places: Vec::new(),
            addresses: addresses.clone(),
            accept_rate: Rate::default(),
            flushing: Vec::new(),
            tasks: VecDeque::new(),
            sleep_until_ms: None,
            // The first turn lets the handler look round before anything happens.
            busy: true,
            gave_way_at: 0,
            report: StopReport::default(),
            ended: false,
        };
        backends
            .into_iter()
            .enumerate()
            .map(with_neighbours)
            .collect()
    }

    /// Which loop of its pool this is.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// A handle on this loop for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.neighbours[self.index].remote.clone()
    }

    /// Handles on all loops of the pool, by index.
    #[must_use]
    pub fn remotes(&self) -> Vec<Remote> {
        let neighbours = self.neighbours.iter();
        neighbours.map(|n| n.remote.clone()).collect()
    }

    /// A handle that gives this loop connected sockets.
    #[must_use]
    pub fn adopter(&self) -> Adopter<B::Socket> {
        let Neighbour { remote, inbox } = self.neighbours[self.index].clone();
        Adopter { remote, inbox }
    }

    /// The loop's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.backend.clock()
    }

    /// What the loop has done so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.state.stats
    }

    /// Open connections of this loop.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.conns.open
    }

    /// The backend.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// What a handler can do, for use outside of a turn (setting timers before the first one).
    pub fn io(&mut self) -> Io<'_> {
        Io::new(&mut self.state)
    }

    /// Accepts connections from `listener` from now on; returns its number, as found in [`crate::Peer::listener`].
    ///
    /// # Errors
    /// When the backend cannot watch it.
    pub fn add_listener(&mut self, listener: B::Listener) -> io::Result<usize> {
        let number = self.listeners.next_number();
        self.acceptor
            .add(&mut self.backend, number, listener, false)?;
        Ok(number as usize)
    }

    /// Like [`EventLoop::add_listener`], for those who have to get in when nobody else does: the rate of accepting and the limit of
    /// connections per address do not hold here, and [`crate::Peer::lane`] tells the handler.
    ///
    /// # Errors
    /// When the backend cannot watch it.
    pub fn add_lane(&mut self, listener: B::Listener) -> io::Result<usize> {
        let number = self.listeners.next_number();
        self.acceptor
            .add(&mut self.backend, number, listener, true)?;
        Ok(number as usize)
    }

    /// A handle that adds and removes listeners while the loop runs, from any thread.
    #[must_use]
    pub fn listeners(&self) -> Listeners<B::Listener> {
        self.listeners.clone()
    }

    /// Calls [`Handler::fd_ready`] with `token` whenever the descriptor is readable, such as a pipe that signals are written
    /// to. The loop owns it from now on.
    ///
    /// # Errors
    /// When the backend cannot watch it.
    pub fn watch_fd(&mut self, descriptor: B::Descriptor, token: u64) -> io::Result<()> {
        let index = self.descriptors.len() as u32;
        let event_token = Token::descriptor(index);
        self.backend.watch(&descriptor, event_token)?;
        self.descriptors.push((descriptor, token));
        Ok(())
    }

    /// Runs turns until a stop has completed.
    ///
    /// # Errors
    /// When the backend can no longer wait.
    pub fn run<H: Handler>(&mut self, handler: &mut H) -> io::Result<StopReport> {
        while !self.ended {
            self.run_once(handler)?;
        }
        Ok(self.report)
    }

    /// Runs one turn, sleeping before it if there is nothing to do. Does nothing once the loop has ended.
    ///
    /// # Errors
    /// When the backend can no longer wait.
    pub fn run_once<H: Handler>(&mut self, handler: &mut H) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.wait()?;
        self.turn(handler)
    }

    /// Runs one turn and does not sleep, for who waits elsewhere: for the backend's descriptor to become readable, at most as long as
    /// [`EventLoop::sleep`] says afterwards. `look`: the descriptor may have become readable since the last turn.
    ///
    /// # Errors
    /// When the backend can no longer be asked.
    pub fn run_ready<H: Handler>(&mut self, handler: &mut H, look: bool) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.look(look)?;
        self.turn(handler)?;
        // Whoever wakes the loop from now on makes the descriptor readable.
        self.busy |= !self.waker.fall_asleep();
        Ok(())
    }

    fn turn<H: Handler>(&mut self, handler: &mut H) -> io::Result<()> {
        self.state.stats.turns += 1;
        self.run_woken(handler);
        self.dispatch(handler);
        self.accept(handler);
        self.fire_timers(handler);
        self.read_inputs(handler);
        self.sleep_until_ms = handler.turn_end(&mut Io::new(&mut self.state));
        self.keep_below_ceiling();
        self.settle(handler);
        let mut ended_us = self.backend.monotonic_us();
        handler.settled(&mut Io::new(&mut self.state), ended_us);
        if handler.has_background(&mut Io::new(&mut self.state)) {
            self.backend.submit()?;
            handler.background(&mut Io::new(&mut self.state));
            self.busy = true;
            ended_us = self.backend.monotonic_us();
        }
        self.state.stats.busy_us += self.state.arrivals.end(ended_us);
        self.advance_stop(handler);
        Ok(())
    }

    /// True once a stop has completed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How the loop ended (so far).
    #[must_use]
    pub fn report(&self) -> StopReport {
        self.report
    }
}

impl<B: Backend> fmt::Debug for EventLoop<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("index", &self.index)
            .field("connections", &self.state.conns.open)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
