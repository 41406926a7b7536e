//! The in-memory network as a test sees it: virtual time, listeners, clients.
//!
//! Invariant: everything that happens follows from the seed and from the order of the calls. No thread and no real clock is
//! involved, so any number of loops can be stepped on one thread in any order.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::faults::Faults;
use super::link::Link;
use super::pipe::Moment;
use super::rng::Rng;
use super::{Client, Listener, Memory};
use crate::backend::Token;
use crate::clock::{Clock, VirtualClock};

/// Where clients come from.
const CLIENT_PORT_MIN: u16 = 40_000;

pub(super) struct Port {
    pub(super) address: SocketAddr,
    pub(super) open: bool,
    /// Links that wait to be accepted.
    pub(super) backlog: VecDeque<usize>,
    /// The loop that accepts, and its name for the listener.
    pub(super) acceptor: Option<(usize, Token)>,
    /// What the next accept calls fail with.
    pub(super) failures: VecDeque<i32>,
}

pub(super) struct Inner {
    pub(super) rng: Rng,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) faults: Faults,
    pub(super) ports: Vec<Port>,
    pub(super) links: Vec<Option<Link>>,
    free_links: Vec<usize>,
    /// By backend: someone woke it.
    pub(super) woken: Vec<bool>,
    connects: u64,
}

impl Inner {
    pub(super) fn link(&mut self, index: usize) -> &mut Link {
        // An end that exists keeps its link.
        self.links[index].as_mut().expect("the link of a live end")
    }

    /// A link, and what a call at this time needs to know.
    pub(super) fn at(&mut self, index: usize) -> (&mut Link, Moment<'_>) {
        let moment = Moment {
            now_us: self.clock.monotonic_us(),
            rng: &mut self.rng,
            splitting: self.faults.splitting,
        };
        let link = self.links[index].as_mut();
        (link.expect("the link of a live end"), moment)
    }

    /// A link between nobody yet.
    pub(super) fn add_link(&mut self) -> usize {
        let link = Link::new(&self.faults, self.clock.monotonic_us(), &mut self.rng);
        self.connects += 1;
        match self.free_links.pop() {
            Some(index) => {
                self.links[index] = Some(link);
                index
            }
            None => {
                self.links.push(Some(link));
                self.links.len() - 1
            }
        }
    }

    /// The port that listens there.
    pub(super) fn port(&mut self, address: SocketAddr) -> Option<&mut Port> {
        let mut ports = self.ports.iter_mut();
        ports.find(|p| p.open && p.address == address)
    }

    /// The place in its backlog of a port's first connection that has come all the way.
    pub(super) fn first_arrived(&self, port: &Port, now_us: u64) -> Option<usize> {
        port.backlog.iter().position(|link| {
            let link = self.links[*link].as_ref();
            link.is_some_and(|link| link.arrives_us <= now_us)
        })
    }

    /// What an accept call fails with, if it does.
    pub(super) fn accept_failure(&mut self, port: usize) -> Option<i32> {
        let planned = self.ports[port].failures.pop_front();
        let one_in = self.faults.accept_failure_one_in;
        if planned.is_some() || one_in == 0 || !self.rng.one_in(one_in) {
            return planned;
        }
        let errnos = [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::MFILE,
            Errno::NOBUFS,
        ];
        Some(errnos[self.rng.below(errnos.len())].raw_os_error())
    }

    /// Closes an end.
    pub(super) fn close(&mut self, index: usize, end: usize, reset: bool) {
        let (link, mut moment) = self.at(index);
        link.close(end, reset, &mut moment);
        self.release(index);
    }

    /// Frees a link when its second end is gone.
    pub(super) fn release(&mut self, index: usize) {
        if self.link(index).is_over() {
            self.links[index] = None;
            self.free_links.push(index);
        }
    }
}

/// A network with virtual time. Cheap to clone; all clones are the same network.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<VirtualClock>,
}

impl Network {
    /// A network whose behaviour follows from `seed`: how sent bytes are split and delayed on their way, which writes are cut
    /// short, and in which order events are reported.
    #[must_use]
    pub fn new(seed: u64) -> Network {
        Network::with_faults(seed, Faults::default())
    }

    /// The same, with faults of one's own choice.
    #[must_use]
    pub fn with_faults(seed: u64, faults: Faults) -> Network {
        let clock = Arc::new(VirtualClock::default());
        Network {
            inner: Arc::new(Mutex::new(Inner {
                rng: Rng::new(seed),
                clock: Arc::clone(&clock),
                faults,
                ports: Vec::new(),
                links: Vec::new(),
                free_links: Vec::new(),
                woken: Vec::new(),
                connects: 0,
            })),
            clock,
        }
    }

    /// The clock of all loops on this network.
    #[must_use]
    pub fn clock(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.clock)
    }

    /// Moves time on.
    pub fn advance_ms(&self, ms: u64) {
        self.clock.advance_us(ms * 1_000);
    }

    /// The earliest time after the present one at which something happens by itself: bytes arrive, a connection fails or is struck.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        let inner = self.lock();
        let now_us = self.clock.monotonic_us();
        let links = inner.links.iter().flatten();
        links.filter_map(|link| link.next_us(now_us)).min()
    }

    /// Changes what happens to connections made from now on, and how bytes are split from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// With false: bytes arrive whole and at once, writes are cut only by full buffers.
    pub fn set_splitting(&self, on: bool) {
        self.lock().faults.splitting = on;
    }

    /// Bytes that fit into one direction of connections made from now on (at least 1).
    pub fn set_capacity_bytes(&self, bytes: usize) {
        self.lock().faults.window_bytes = bytes.max(1)..=bytes.max(1);
    }

    /// A backend for one loop.
    #[must_use]
    pub fn backend(&self) -> Memory {
        let mut inner = self.lock();
        inner.woken.push(false);
        Memory::new(self.clone(), inner.woken.len() - 1)
    }

    /// A listener, to be added to a loop.
    ///
    /// # Errors
    /// When the address is listened on already.
    pub fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        let mut inner = self.lock();
        if inner.ports.iter().any(|p| p.open && p.address == address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        inner.ports.push(Port {
            address,
            open: true,
            backlog: VecDeque::new(),
            acceptor: None,
            failures: VecDeque::new(),
        });
        Ok(Listener::new(self.clone(), inner.ports.len() - 1))
    }

    /// Connects to a listener. The connection waits in its backlog until it is accepted; bytes can be written at once.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Client> {
        let mut inner = self.lock();
        if inner.port(address).is_none() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let link = inner.add_link();
        if let Some(port) = inner.port(address) {
            port.backlog.push_back(link);
        }
        Ok(Client::new(self.clone(), link))
    }

    /// Makes the next `times` accept calls on `address` fail with this errno.
    pub fn fail_accepts(&self, address: SocketAddr, errno: Errno, times: usize) {
        let mut inner = self.lock();
        let ports = inner.ports.iter_mut();
        for port in ports.filter(|p| p.address == address) {
            let failures = std::iter::repeat_n(errno.raw_os_error(), times);
            port.failures.extend(failures);
        }
    }

    /// Connections whose ends are not both gone.
    #[must_use]
    pub fn links(&self) -> usize {
        self.lock().links.iter().flatten().count()
    }

    pub(super) fn client_address(link: usize) -> SocketAddr {
        let span = usize::from(u16::MAX - CLIENT_PORT_MIN);
        let port = CLIENT_PORT_MIN + (link % span) as u16;
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A failed assertion in a test says more than a poisoned lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Network")
            .field("connects", &inner.connects)
            .finish_non_exhaustive()
    }
}
