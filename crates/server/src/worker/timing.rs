//! How long commands take, read from the clock once a run of equal commands instead of twice a command.
//!
//! The sum per command is exact: every moment of a window's execution is filed under the run it belongs to.

use super::Worker;

/// Longest run between two readings.
const RUN_COMMANDS_MAX: u32 = 16;
/// After this much time in one window the time that commands see is read anew.
const NOW_STALE_US: u64 = 100;

/// The run going on.
pub(super) struct Timing {
    since_us: u64,
    looked_up: Option<usize>,
    ran: Option<usize>,
    length: u32,
    now_read_us: u64,
}

impl Timing {
    pub(super) fn start(worker: &Worker) -> Timing {
        let since_us = worker.host.clock.monotonic_us();
        Timing {
            since_us,
            looked_up: None,
            ran: None,
            length: 0,
            now_read_us: since_us,
        }
    }

    /// A command is about to run: ends the run of another.
    #[inline]
    pub(super) fn before(&mut self, worker: &mut Worker, id: Option<usize>) {
        if id != self.looked_up {
            if self.length > 0 {
                self.settle(worker);
            }
            self.looked_up = id;
        }
    }

    /// It ran (`id` is the subcommand's where there is one; `None` if it was queued or refused).
    #[inline]
    pub(super) fn after(&mut self, worker: &mut Worker, id: Option<usize>, fast: bool) {
        self.ran = id;
        self.length += 1;
        if self.length >= RUN_COMMANDS_MAX || !fast {
            self.settle(worker);
        }
    }

    /// Files the time since the last reading.
    pub(super) fn settle(&mut self, worker: &mut Worker) {
        if self.length == 0 {
            return;
        }
        let now_us = worker.host.clock.monotonic_us();
        let counters = &worker.host.shared.workers[worker.number];
        counters.commands.add(u64::from(self.length));
        if let Some(id) = self.ran {
            let stat = &worker.engine.stats[worker.number].commands[id];
            stat.nanoseconds.add((now_us - self.since_us) * 1_000);
        }
        self.since_us = now_us;
        self.length = 0;
        if now_us - self.now_read_us > NOW_STALE_US {
            self.now_read_us = now_us;
            worker.read_wall_clock();
        }
    }
}
