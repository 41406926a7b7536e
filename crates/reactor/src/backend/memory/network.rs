//! The in-memory network as a test sees it: virtual time, listeners, clients.
//!
//! Invariant: everything that happens follows from the seed and from the order of the calls. No thread and no real clock is
//! involved, so any number of loops can be stepped on one thread in any order.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::link::Link;
use super::rng::Rng;
use super::{Client, Listener, Memory};
use crate::backend::Token;
use crate::clock::VirtualClock;

/// Bytes that fit into one direction of a connection, unless the test says otherwise.
const CAPACITY_BYTES: usize = 64 * 1024;

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
    pub(super) splitting: bool,
    pub(super) capacity: usize,
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
        Network {
            inner: Arc::new(Mutex::new(Inner {
                rng: Rng::new(seed),
                splitting: true,
                capacity: CAPACITY_BYTES,
                ports: Vec::new(),
                links: Vec::new(),
                free_links: Vec::new(),
                woken: Vec::new(),
                connects: 0,
            })),
            clock: Arc::new(VirtualClock::default()),
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

    /// With false: bytes arrive whole and at once, writes are cut only by full buffers.
    pub fn set_splitting(&self, on: bool) {
        self.lock().splitting = on;
    }

    /// Bytes that fit into one direction of connections made from now on (at least 1).
    pub fn set_capacity_bytes(&self, bytes: usize) {
        self.lock().capacity = bytes.max(1);
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
        let link = self.dial(address)?;
        Ok(Client::new(self.clone(), link))
    }

    /// Puts a link into a listener's backlog.
    pub(super) fn dial(&self, address: SocketAddr) -> io::Result<usize> {
        let mut inner = self.lock();
        let Some(port) = inner
            .ports
            .iter()
            .position(|p| p.open && p.address == address)
        else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let link = Link::new(inner.capacity);
        let index = match inner.free_links.pop() {
            Some(index) => {
                inner.links[index] = Some(link);
                index
            }
            None => {
                inner.links.push(Some(link));
                inner.links.len() - 1
            }
        };
        inner.ports[port].backlog.push_back(index);
        inner.connects += 1;
        Ok(index)
    }

    /// Makes the next `times` accept calls on `address` fail with this errno.
    pub fn fail_accepts(&self, address: SocketAddr, errno: rustix::io::Errno, times: usize) {
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
