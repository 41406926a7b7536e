//! A server on the system's sockets: listeners, and a pool of loops that share what is accepted.
//!
//! Invariant: all addresses are bound before the first thread starts, so a port in use is an error before anything is served.
//! One loop accepts; each connection goes to the loop with the fewest.

use crate::backend::SystemBackend;
use crate::backend::epoll::Epoll;
use crate::backend::socket::{ListenAddress, ListenOptions, Listener};
use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::handler::Handler;
use crate::limits::Limits;
use crate::pool::EventLoopPool;

/// Listeners that wait for loops to serve them.
#[derive(Debug, Default)]
pub struct TcpServer {
    options: ListenOptions,
    listeners: Vec<Listener>,
    lanes: Vec<Listener>,
}

impl TcpServer {
    /// A server with the default [`ListenOptions`].
    #[must_use]
    pub fn new() -> TcpServer {
        TcpServer::default()
    }

    /// A server whose listeners get the given options.
    #[must_use]
    pub fn with_options(options: ListenOptions) -> TcpServer {
        TcpServer {
            options,
            listeners: Vec::new(),
            lanes: Vec::new(),
        }
    }

    /// Binds an address and listens; returns the address with the port that was chosen for port 0.
    ///
    /// # Errors
    /// When the address is in use or not ours.
    pub fn listen(&mut self, address: &ListenAddress) -> Result<ListenAddress, Error> {
        let listener = self.bind(address)?;
        let bound = listener.address().clone();
        self.listeners.push(listener);
        Ok(bound)
    }

    /// Like [`TcpServer::listen`], for a lane, see [`EventLoop::add_lane`].
    ///
    /// # Errors
    /// When the address is in use or not ours.
    pub fn listen_lane(&mut self, address: &ListenAddress) -> Result<ListenAddress, Error> {
        let listener = self.bind(address)?;
        let bound = listener.address().clone();
        self.lanes.push(listener);
        Ok(bound)
    }

    fn bind(&self, address: &ListenAddress) -> Result<Listener, Error> {
        Listener::bind(address, &self.options).map_err(|source| Error::Listen {
            address: address.to_string(),
            source,
        })
    }

    /// Makes the loops without running them; the first one accepts.
    ///
    /// # Errors
    /// When the system is out of descriptors, or lacks the backend.
    pub fn into_loops<B: SystemBackend>(
        self,
        loops: usize,
        limits: &Limits,
    ) -> Result<Vec<EventLoop<B>>, Error> {
        let backends: Result<Vec<B>, _> = (0..loops.max(1)).map(|_| B::open()).collect();
        let mut loops = EventLoop::pool(backends.map_err(Error::Poller)?, limits);
        for listener in self.listeners {
            loops[0].add_listener(listener).map_err(Error::Poller)?;
        }
        for listener in self.lanes {
            loops[0].add_lane(listener).map_err(Error::Poller)?;
        }
        Ok(loops)
    }

    /// Serves by epoll on `loops` threads (at least one) named `name-<index>`; `make` makes each thread's handler, on that thread.
    ///
    /// # Errors
    /// When the system is out of descriptors or threads.
    pub fn start<H, F>(
        self,
        loops: usize,
        name: &str,
        limits: &Limits,
        make: F,
    ) -> Result<EventLoopPool, Error>
    where
        H: Handler,
        F: Fn(&mut EventLoop<Epoll>) -> H + Send + Sync + 'static,
    {
        EventLoopPool::start(self.into_loops(loops, limits)?, name, make)
    }
}
