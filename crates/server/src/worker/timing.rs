//! How long commands take, read from the clock once a run of equal brief commands instead of twice a command.
//!
//! The sum per command is exact: every moment of a window's execution is filed under the run it belongs to. What may be slow
//! ends its run, so that a run's time is its last command's, up to what the small ones before it took: some microseconds.

use dunlin_engine::{Args, Session};

use super::Worker;
use crate::host::ServerHost;

/// Longest run between two readings.
const RUN_COMMANDS_MAX: u32 = 16;
/// A request or reply longer than this ends a run.
pub(super) const SMALL_BYTES: usize = 1_024;
/// After this much time in one window the time that commands see is read anew.
const NOW_STALE_US: u64 = 100;

/// The run going on.
pub(super) struct Timing {
    since_us: u64,
    /// Commands of the run.
    length: u32,
    /// Of them, those that ran: the others were queued or refused.
    ran: u32,
    /// The command that ran.
    id: usize,
    now_read_us: u64,
    /// Every command is a run of its own.
    exact: bool,
}

impl Timing {
    pub(super) fn start(worker: &Worker) -> Timing {
        let since_us = worker.host.clock.monotonic_us();
        Timing {
            since_us,
            length: 0,
            ran: 0,
            id: 0,
            now_read_us: since_us,
            exact: worker.host.shared.observer.is_exact(),
        }
    }

    /// A command was executed. `ran`: its id (the subcommand's where there is one), arguments and session, or `None` if it was
    /// queued, refused or suspended. With `last` it ends its run. Microseconds of the run, if it has ended.
    #[inline]
    pub(super) fn after(
        &mut self,
        host: &ServerHost,
        ran: Option<(usize, Args<'_>, &Session)>,
        last: bool,
    ) -> Option<u64> {
        self.length += 1;
        if let Some((id, ..)) = ran {
            self.ran += 1;
            self.id = id;
        }
        if !last && !self.exact && self.length < RUN_COMMANDS_MAX {
            return None;
        }
        let calls = self.ran;
        if let Some((id, args, session)) = ran {
            let elapsed_us = self.end(host);
            host.ran(id, args, session, elapsed_us, calls);
            return Some(elapsed_us);
        }
        Some(self.settle(host))
    }

    /// Ends the run; what it took.
    fn end(&mut self, host: &ServerHost) -> u64 {
        let now_us = host.clock.monotonic_us();
        let elapsed_us = now_us - self.since_us;
        let counters = &host.shared.workers[host.worker];
        counters.commands.add(u64::from(self.length));
        self.since_us = now_us;
        (self.length, self.ran) = (0, 0);
        self.exact = host.shared.observer.is_exact();
        elapsed_us
    }

    /// Ends a run whose last command did not run, or of which nothing more comes; what it took.
    pub(super) fn settle(&mut self, host: &ServerHost) -> u64 {
        let (id, calls) = (self.id, self.ran);
        if self.length == 0 {
            return 0;
        }
        let elapsed_us = self.end(host);
        if calls > 0 {
            host.measured(id, elapsed_us, calls);
        }
        elapsed_us
    }

    /// Whether so much time has passed that the commands' time should be read anew.
    #[inline]
    pub(super) fn is_stale(&mut self) -> bool {
        let stale = self.since_us - self.now_read_us > NOW_STALE_US;
        if stale {
            self.now_read_us = self.since_us;
        }
        stale
    }
}
