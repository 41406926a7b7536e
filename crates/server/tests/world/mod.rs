//! The whole server on one thread: workers, auxiliary and reaper, stepped by the test, over the in-memory network.

#![allow(dead_code, reason = "no test uses all of it")]

use std::sync::Arc;

use dunlin_engine::Engine;
use dunlin_reactor::backend::memory::{Memory, Network};
use dunlin_reactor::{Clock, EventLoop, Limits};
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

/// See the module's text.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) engine: Arc<Engine>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) loops: Vec<EventLoop<Memory>>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) auxiliary: Auxiliary,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) reaper: dunlin_store::Reaper,
}

impl World {
    /// A server with the default settings but for these.
    pub(crate) fn new(seed: u64, options: &[&str]) -> World {
        let network = Network::new(seed);
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
        let limits = Limits {
            output_soft_bytes: OUTPUT_SOFT_BYTES,
            ..Limits::default()
        };
        let mut loops = EventLoop::pool((0..WORKERS).map(|_| network.backend()).collect(), &limits);
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
                let runnable = self.loops[part].is_runnable();
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
}
