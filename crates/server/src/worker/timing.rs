//! How long commands take, read from the clock once a run of equal brief commands instead of twice a command.
//!
//! The sum per command is exact: every moment of a window's execution is filed under the run it belongs to. What may be slow
//! ends its run, so that a run's time is its last command's, up to what the small ones before it took: some microseconds.

use dunlin_engine::{Args, Session};

use super::Worker;
use crate::host::ServerHost;
use crate::observe::Done;

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
    /// When the request of the last command that ran was there.
    arrived_us: u64,
    /// The latest record of the log that a reply of the run depends on.
    awaits: u64,
    now_read_us: u64,
    /// Every command is a run of its own.
    exact: bool,
}

/// A command that ran.
pub(super) struct RanNow<'a> {
    /// Its id, the subcommand's where there is one.
    pub(super) id: usize,
    pub(super) args: Args<'a>,
    pub(super) session: &'a Session,
    /// The latest record of the log that its reply depends on.
    pub(super) awaits: u64,
}

impl Timing {
    pub(super) fn start(worker: &Worker) -> Timing {
        let since_us = worker.host.clock.monotonic_us();
        Timing {
            since_us,
            length: 0,
            ran: 0,
            id: 0,
            arrived_us: 0,
            awaits: 0,
            now_read_us: since_us,
            exact: worker.host.shared.observer.is_exact(),
        }
    }

    /// A command was executed, whose request arrived at the host's time. `ran`: `None` if it was queued, refused or suspended. With `last` it ends its
    /// run. Microseconds of the run, if it has ended.
    #[inline(always)]
    pub(super) fn after(
        &mut self,
        host: &mut ServerHost,
        ran: Option<RanNow<'_>>,
        last: bool,
    ) -> Option<u64> {
        self.length += 1;
        if let Some(ran) = &ran {
            self.ran += 1;
            self.id = ran.id;
            self.awaits = self.awaits.max(ran.awaits);
            self.arrived_us = host.arrived_us;
        }
        if !last && !self.exact && self.length < RUN_COMMANDS_MAX {
            return None;
        }
        Some(self.end_run(host, ran))
    }

    /// Ends the run with the command that was executed last; what it took.
    #[inline(never)]
    fn end_run(&mut self, host: &mut ServerHost, ran: Option<RanNow<'_>>) -> u64 {
        let Some(RanNow {
            id, args, session, ..
        }) = ran
        else {
            return self.settle(host);
        };
        let done = self.end(host);
        let elapsed_us = done.ended_us - self.began_us(&done);
        let slow = host.ran(id, args, session, elapsed_us, done.calls);
        host.executed(Done { slow, ..done });
        elapsed_us
    }

    /// When a run that has ended began.
    #[inline]
    fn began_us(&self, done: &Done) -> u64 {
        done.arrived_us + done.queued_us
    }

    /// Ends the run.
    fn end(&mut self, host: &ServerHost) -> Done {
        let now_us = host.clock.monotonic_us();
        let counters = &host.shared.workers[host.worker];
        counters.commands.add(u64::from(self.length));
        // It can't have come after it began.
        let arrived_us = self.arrived_us.min(self.since_us);
        let done = Done {
            id: self.id,
            calls: self.ran,
            arrived_us,
            queued_us: self.since_us - arrived_us,
            ended_us: now_us,
            awaits: self.awaits,
            slow: None,
        };
        self.since_us = now_us;
        (self.length, self.ran, self.awaits) = (0, 0, 0);
        self.exact = host.shared.observer.is_exact();
        done
    }

    /// Ends a run whose last command did not run, or of which nothing more comes; what it took.
    pub(super) fn settle(&mut self, host: &mut ServerHost) -> u64 {
        if self.length == 0 {
            return 0;
        }
        let done = self.end(host);
        let elapsed_us = done.ended_us - self.began_us(&done);
        if done.calls > 0 {
            host.measured(done.id, elapsed_us, done.calls);
            host.executed(done);
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
