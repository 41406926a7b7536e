//! A gateway on threads of its own: started, and stopped in order.
//!
//! Invariant: a stop accepts and reads nothing more, answers what was taken, and then closes; at its deadline what is left is answered
//! with an error.

use std::sync::Arc;

use dunlin_reactor::{
    Error, EventLoop, EventLoopPool, ListenAddress, Listener, Listeners, Remote, StopReport,
    SystemBackend, TcpServer,
};

use crate::counters::Counters;
use crate::gateway::{Gateway, Shared};
use crate::settings::Settings;

/// A running gateway.
#[derive(Debug)]
pub struct Service {
    pool: EventLoopPool,
    addresses: Vec<ListenAddress>,
    stopper: Stopper,
}

/// Stops a gateway, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    shared: Arc<Shared>,
    remotes: Vec<Remote>,
    listeners: Listeners<Listener>,
    numbers: Vec<usize>,
}

impl Service {
    /// Serves what these listeners accept on `threads` threads (at least one) named `name-<index>`. `seed` spreads the times at which
    /// they try to reach a store that is away.
    ///
    /// # Errors
    /// When the system is out of descriptors or threads.
    pub fn start<B: SystemBackend>(
        listeners: Vec<Listener>,
        threads: usize,
        name: &str,
        settings: Settings,
        seed: u64,
    ) -> Result<Service, Error>
    where
        EventLoop<B>: Send,
    {
        let mut loops = TcpServer::new().into_loops::<B>(threads, &settings.loop_limits())?;
        let addresses = listeners.iter().map(|l| l.address().clone()).collect();
        let numbers: Result<Vec<usize>, _> = listeners
            .into_iter()
            .map(|listener| loops[0].add_listener(listener))
            .collect();
        let shared = Arc::new(Shared::new(Arc::default()));
        let stopper = Stopper {
            shared: Arc::clone(&shared),
            remotes: loops[0].remotes(),
            listeners: loops[0].listeners(),
            numbers: numbers.map_err(Error::Poller)?,
        };
        let make = move |event_loop: &mut EventLoop<B>| {
            let seed = seed.wrapping_add(event_loop.index() as u64);
            Gateway::new(
                settings.clone(),
                Arc::clone(&shared),
                event_loop.adopter(),
                seed,
            )
        };
        Ok(Service {
            pool: EventLoopPool::start(loops, name, make)?,
            addresses,
            stopper,
        })
    }

    /// Where it listens, with the ports that were chosen for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// A handle that stops it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.stopper.shared.counters
    }

    /// Waits until it was stopped.
    ///
    /// # Errors
    /// The first failure of a thread.
    pub fn join(self) -> Result<StopReport, Error> {
        self.pool.join()
    }
}

impl Stopper {
    /// Stops in order: what is under way may take until `by_ms` (of the system's monotonic clock).
    pub fn drain(&self, by_ms: u64) {
        // A loop that is stopping already has closed its listeners.
        let _ = self.listeners.change(Vec::new(), &self.numbers);
        self.shared.drain(by_ms);
        self.remotes.iter().for_each(|remote| remote.waker().wake());
    }

    /// Stops at once.
    pub fn cut(&self) {
        self.remotes.iter().for_each(|remote| remote.stop(0));
    }
}
