//! The whole server on one thread: workers, auxiliary and reaper, stepped by the test, over the in-memory network.

#![allow(dead_code, reason = "no test uses all of it")]

use std::sync::Arc;

use dunlin_engine::Engine;
use dunlin_reactor::backend::Backend;
use dunlin_reactor::backend::memory::{Listener, Memory, Network};
use dunlin_reactor::{Clock, EventLoop, Limits, Sleep};
use dunlin_server::auxiliary::{Auxiliary, Exchange};
use dunlin_server::config::Config;
use dunlin_server::host::ServerHost;
use dunlin_server::worker::{OUTPUT_SOFT_BYTES, Worker};
use dunlin_server::{Allocator, Shared};
use dunlin_store::Settings;

/// Workers of the server.
pub(crate) const WORKERS: usize = 2;
/// Where it listens.
pub(crate) const ADDRESS: &str = "10.0.0.1:6379";

/// Settings of its store.
pub(crate) fn settings() -> Settings {
    Settings {
        workers: WORKERS,
        spin: 0,
        hash_key: [7, 9],
        ..Settings::default()
    }
}

/// Limits of its loops, as the server sets them.
pub(crate) fn limits() -> Limits {
    Limits {
        output_soft_bytes: OUTPUT_SOFT_BYTES,
        ..Limits::default()
    }
}

/// A backend over the in-memory network: that itself, or one that does something wrong with it.
pub(crate) trait InMemory: Backend<Listener = Listener> {
    /// The backend below.
    fn memory(&self) -> &Memory;
}

impl InMemory for Memory {
    fn memory(&self) -> &Memory {
        self
    }
}

/// See the module's text.
pub(crate) struct World<B: InMemory = Memory> {
    pub(crate) network: Network,
    pub(crate) engine: Arc<Engine>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) loops: Vec<EventLoop<B>>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) auxiliary: Auxiliary,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) reaper: dunlin_store::Reaper,
}

impl World {
    /// A server with the default settings but for these.
    pub(crate) fn new(seed: u64, options: &[&str]) -> World {
        World::over(
            Network::new(seed),
            limits(),
            |memory, _| memory,
            seed,
            options,
        )
    }
}

impl<B: InMemory> World<B> {
    /// The same on this network and with these limits, each worker with the backend that is made of its own.
    pub(crate) fn over(
        network: Network,
        limits: Limits,
        backend: impl Fn(Memory, usize) -> B,
        seed: u64,
        options: &[&str],
    ) -> World<B> {
        let engine = Arc::new(Engine::new(&settings(), dunlin_server::commands::FAMILIES));
        let options = [&["--workers", "2"], options].concat();
        let config = Config::load(&options).expect("valid options").config;
        let now_ms = network.clock().wall_us() / 1_000;
        let shared = Arc::new(Shared::new(
            Arc::clone(&engine),
            config,
            now_ms,
            "0".repeat(40),
            Allocator::UNKNOWN,
        ));
        let mut loops = EventLoop::pool(
            (0..WORKERS)
                .map(|worker| backend(network.backend(), worker))
                .collect(),
            &limits,
        );
        loops[0]
            .add_listener(
                network
                    .listen(ADDRESS.parse().expect("an address"))
                    .expect("free"),
            )
            .expect("listens");
        let exchange = Arc::new(Exchange::new(WORKERS));
        let remotes = loops[0].remotes();
        exchange.set_wakers(remotes.iter().map(|r| r.waker().clone()).collect());
        let woken = remotes.clone();
        shared.on_wake(Box::new(move |worker| woken[worker].waker().wake()));
        engine
            .store
            .on_wake_owner(Box::new(move |worker| remotes[worker].waker().wake()));
        let host = |worker: usize| ServerHost::new(Arc::clone(&shared), network.clock(), worker);
        let workers = loops
            .iter()
            .enumerate()
            .map(|(i, l)| Worker::new(host(i), l.remote(), Arc::clone(&exchange), seed))
            .collect();
        let auxiliary = Auxiliary::new(
            Arc::clone(&engine),
            Arc::clone(&exchange),
            host(WORKERS),
            seed,
        );
        let reaper = engine.store.reaper();
        World {
            network,
            engine,
            shared,
            loops,
            workers,
            auxiliary,
            exchange,
            reaper,
        }
    }

    /// Steps one part; false when it had nothing to do.
    pub(crate) fn step(&mut self, part: usize) -> bool {
        match part {
            0 | 1 => {
                let runnable = self.is_runnable(part);
                if runnable {
                    self.loops[part]
                        .run_once(&mut self.workers[part])
                        .expect("the in-memory backend does not fail");
                }
                runnable
            }
            2 => self.auxiliary.step(),
            _ => self.reaper.step(&self.engine.store),
        }
    }

    /// True when a turn of this worker would have something to do at the present time.
    fn is_runnable(&mut self, worker: usize) -> bool {
        let event_loop = &mut self.loops[worker];
        let due = match event_loop.sleep() {
            Sleep::None => true,
            Sleep::Forever => false,
            Sleep::Until(at_ms) => at_ms <= self.network.clock().monotonic_us() / 1_000,
        };
        !event_loop.has_ended() && (due || event_loop.backend().memory().has_news())
    }

    /// The earliest time after the present one at which something happens by itself, on the network or in a worker.
    pub(crate) fn next_us(&self) -> Option<u64> {
        let now_us = self.network.clock().monotonic_us();
        let timers = self
            .loops
            .iter()
            .filter_map(|event_loop| match event_loop.sleep() {
                Sleep::Until(at_ms) => Some(at_ms * 1_000),
                Sleep::None | Sleep::Forever => None,
            });
        timers
            .filter(|at_us| *at_us > now_us)
            .chain(self.network.next_us())
            .min()
    }
}
