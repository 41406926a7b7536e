//! Persistence: dump files, the append-only file, and what is read at start.
//!
//! Formats are `dunlin-persist`'s; here are the files, the threads and when something is saved. Everything that touches a file does it
//! through a [`disk::Disk`], so that tests can lose power at any point.

pub mod aof;
pub mod check;
pub mod disk;
pub mod journal;
pub mod load;
pub mod loading;
#[cfg(test)]
pub(crate) mod memory_disk;
pub mod saving;
pub mod stripe_lock;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use dunlin_reactor::{Clock as _, SystemClock};

use crate::auxiliary::Exchange;
use crate::process;
use crate::shared::Shared;
use journal::Writer;

/// Starts the thread that saves.
///
/// # Errors
/// When the system has no thread left.
pub fn start_saver(
    shared: &Arc<Shared>,
    exchange: &Arc<Exchange>,
) -> std::io::Result<JoinHandle<()>> {
    let (shared, exchange) = (Arc::clone(shared), Arc::clone(exchange));
    thread::Builder::new().name("saver".into()).spawn(move || {
        dunlin_reactor::fatal::prepare_thread();
        process::keep_to_savers(&shared.config());
        saving::Saver::new(shared, exchange, Arc::new(SystemClock)).run();
    })
}

/// Starts the thread that writes the log.
///
/// # Errors
/// When the system has no thread left.
pub fn start_journal(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("journal".into())
        .spawn(move || {
            dunlin_reactor::fatal::prepare_thread();
            process::keep_to_background(&shared.config());
            let wake = Box::new(|worker| shared.wake_worker(worker));
            let writer = Writer::new(&shared.journal, &shared.engine.store.log, wake);
            writer.run(
                || SystemClock.monotonic_us() / 1_000,
                || SystemClock.wall_us() / 1_000_000,
            );
        })
}
