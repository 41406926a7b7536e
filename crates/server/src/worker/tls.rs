//! Connections to `tls-port`: their layer, and what the log says of those that could not be understood.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_reactor::{ConnId, Io, Peer};

use super::Worker;
use crate::clients::Client;
use crate::tls;

/// How often failures are logged, at most: whoever scans ports makes many.
const LOG_PERIOD_MS: u64 = 1_000;

/// When one was logged last, milliseconds since 1970, and how many were not since.
static LAST_MS: AtomicU64 = AtomicU64::new(0);
static UNTOLD: AtomicU64 = AtomicU64::new(0);

impl Worker {
    /// Gives a connection its layer if it came to a listener of TLS. False if there is none to give: it is being closed.
    pub(super) fn begin_tls(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) -> bool {
        if peer.tag != tls::TAG {
            return true;
        }
        match self.host.shared.tls.layer() {
            Ok(layer) => {
                io.add_layer(conn, layer);
                true
            }
            Err(reason) => {
                tracing::warn!("A client of tls-port is refused: {reason}");
                io.close(conn);
                false
            }
        }
    }

    /// The log of a connection that was closed since its layer could make nothing of it, once in a while.
    #[cold]
    pub(super) fn log_tls_failure(&self, client: &Client, error: &io::Error) {
        let last_ms = LAST_MS.load(Ordering::Relaxed);
        let may_log = self.now_ms.saturating_sub(last_ms) >= LOG_PERIOD_MS
            && LAST_MS
                .compare_exchange(last_ms, self.now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !may_log {
            UNTOLD.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let from = self.host.shared.client_address(client);
        match UNTOLD.swap(0, Ordering::Relaxed) {
            0 => tracing::info!("TLS with {from} failed: {error}"),
            untold => tracing::info!(
                "TLS with {from} failed: {error} ({untold} more such failures were not logged)"
            ),
        }
    }
}
