//! How far loading is: for INFO, for the log, and the point where it ends because the server stops.

use dunlin_reactor::Clock;

use super::{LoadError, Loader};
use crate::shared::Shared;

/// The log tells this often how far it is.
const LINE_PERIOD_US: u64 = 5_000_000;
const MIB: f64 = (1 << 20) as f64;

/// The progress of one file.
pub(super) struct Progress<'a> {
    shared: &'a Shared,
    clock: &'a dyn Clock,
    name: String,
    /// Bytes of the files before this one.
    before_bytes: u64,
    started_us: u64,
    next_line_us: u64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(loader: &'a Loader<'_>, name: String, before_bytes: u64) -> Progress<'a> {
        let started_us = loader.clock.monotonic_us();
        Progress {
            shared: loader.shared,
            clock: &**loader.clock,
            name,
            before_bytes,
            started_us,
            next_line_us: started_us + LINE_PERIOD_US,
        }
    }

    /// The file is read up to here.
    pub(super) fn reached(&mut self, offset: u64) -> Result<(), LoadError> {
        if self.shared.is_stopping() {
            return Err(LoadError::Stopped);
        }
        let loading = &self.shared.loading;
        loading.advance(self.before_bytes + offset);
        let now_us = self.clock.monotonic_us();
        if now_us >= self.next_line_us {
            self.next_line_us = now_us + LINE_PERIOD_US;
            let seconds = (now_us - self.started_us) as f64 / 1e6;
            let (done, total) = (loading.loaded_bytes() as f64, loading.total_bytes() as f64);
            let rate = offset as f64 / seconds;
            let keys: u64 = (0..self.shared.engine.store.databases() as u32)
                .map(|db| self.shared.engine.store.len(db))
                .sum();
            tracing::info!(
                "Loading {}: {keys} keys, {:.1} of {:.1} MiB ({:.0}%), {:.1} MiB/s, about {:.0} seconds left",
                self.name,
                done / MIB,
                total / MIB,
                100.0 * done / total.max(1.0),
                rate / MIB,
                (total - done).max(0.0) / rate.max(1.0),
            );
        }
        Ok(())
    }
}
