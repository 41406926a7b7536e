//! What the server's own commands reach beyond the engine: shared state, clock, the current connection.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_engine::{Ctx, Host, Session};
use dunlin_reactor::Clock;

use crate::config::Origin;
use crate::shared::{Shared, WorkerCounters};

/// A sleep is cut into pieces of this length, so that a server that stops does not wait for its end.
const SLEEP_PIECE_US: u64 = 50_000;

/// One worker's (or the auxiliary thread's) host.
pub struct ServerHost {
    /// Shared state.
    pub shared: Arc<Shared>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Number of the worker.
    pub worker: usize,
    /// Unconsumed input of the current connection, bytes.
    pub input_len: usize,
    /// Sleeping is allowed: true on the auxiliary thread only.
    pub may_sleep: bool,
}

impl Host for ServerHost {
    fn unix_time_us(&mut self) -> u64 {
        self.clock.wall_us()
    }

    fn sleep_us(&mut self, us: u64) {
        if !self.may_sleep {
            return;
        }
        let mut left_us = us;
        while left_us > 0 && !self.shared.is_stopping() {
            let piece_us = left_us.min(SLEEP_PIECE_US);
            std::thread::sleep(Duration::from_micros(piece_us));
            left_us -= piece_us;
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl ServerHost {
    /// The counters of this worker.
    pub fn counters(&self) -> &WorkerCounters {
        &self.shared.workers[self.worker]
    }
}

/// Where the client of a session is, for what only clients of this machine may do.
pub fn origin(session: &Session) -> Origin {
    let local = match session.peer.remote {
        None => session.peer.unix,
        Some(address) => match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
            }
        },
    };
    if local { Origin::Local } else { Origin::Remote }
}

/// The server's host, from a command of this crate.
pub fn host<'c>(cx: &'c mut Ctx<'_>) -> &'c mut ServerHost {
    cx.host
        .as_any_mut()
        .downcast_mut()
        .expect("the server's commands run on the server's host")
}
