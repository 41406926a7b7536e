//! What the server's own commands reach beyond the engine: shared state, clock, the current connection.

use std::any::Any;
use std::sync::Arc;

use dunlin_engine::{Ctx, Host};
use dunlin_reactor::Clock;

use crate::shared::Shared;

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
        if self.may_sleep {
            std::thread::sleep(std::time::Duration::from_micros(us));
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The server's host, from a command of this crate.
pub fn host<'c>(cx: &'c mut Ctx<'_>) -> &'c mut ServerHost {
    cx.host.as_any_mut().downcast_mut().expect("the server's commands run on the server's host")
}
