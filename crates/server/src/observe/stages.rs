//! Where the time between a request's arrival and its reply's departure goes, for each command: a histogram for each stage.
//!
//! | stage | from | to |
//! |-|-|-|
//! | queue | the bytes are there | the command begins, or goes on: other commands, a busy loop, busy stripes, the auxiliary thread's queue |
//! | execute | it begins | it ends |
//! | log wait | it ends | what its reply shows is safe (`appendfsync always`) |
//! | flush | its reply may go | the turn's output was handed to the kernel |
//!
//! Equal commands that ran in one go, with one reading of the clock, are one [`Done`]: on its way to the client it is a few words, and each stage is
//! filed once for all of them. Waiting for a key (BLPOP and its kind) is no stage: it is what was asked for.
//!
//! Invariant: counts are exact. A worker files its own histograms and nobody else writes them; no lock is taken, except for entries of the slow log.

use std::sync::OnceLock;

use super::histogram::Histogram;
use super::{Distribution, Observer};

/// More finished runs than this, in one turn or waiting for the log, are filed before their time: what they still have to wait is not counted.
const DONE_MAX: usize = 16 << 10;

/// A part of the way of a command.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// See the module's text.
    Queue,
    /// See the module's text.
    Execute,
    /// See the module's text.
    LogWait,
    /// See the module's text.
    Flush,
}

impl Stage {
    /// All, in the order of time.
    pub const ALL: [Stage; 4] = [Stage::Queue, Stage::Execute, Stage::LogWait, Stage::Flush];

    /// As metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Execute => "execute",
            Stage::LogWait => "log_wait",
            Stage::Flush => "flush",
        }
    }
}

/// Of one command on one worker: what the worker files when it hands output to the kernel.
#[derive(Debug, Default)]
pub(super) struct StageHistograms {
    queue: Histogram,
    flush: Histogram,
    total: Histogram,
    log_wait: OnceLock<Box<Histogram>>,
}

/// Commands of one kind that were executed in one go.
#[derive(Copy, Clone, Debug, Default)]
pub struct Done {
    /// Id in the command table.
    pub id: usize,
    /// How many there were.
    pub calls: u32,
    /// When their requests were there, on the loop's clock, microseconds; of one that waited for a key, when that was over.
    pub arrived_us: u64,
    /// Microseconds until they began, and between their steps.
    pub queued_us: u64,
    /// When they ended.
    pub ended_us: u64,
    /// The latest record of the log that their replies depend on.
    pub awaits: u64,
    /// Number of the slow log's entry for the last of them, if it was slow.
    pub slow: Option<u64>,
}

/// What one worker has executed and not handed to the kernel.
#[derive(Debug, Default)]
pub struct Outbound {
    done: Vec<Done>,
    /// Those whose replies wait for the log.
    waiting: Vec<Done>,
}

impl Outbound {
    /// Whether there is nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.done.is_empty() && self.waiting.is_empty()
    }

    /// The turn's output has gone, but for replies that wait for records beyond `safe`.
    #[inline]
    pub(super) fn leave(&mut self, now_us: u64, safe: u64, mut file: impl FnMut(&Done, u64, u64)) {
        for done in self.done.drain(..) {
            if done.awaits > safe && self.waiting.len() < DONE_MAX {
                self.waiting.push(done);
            } else {
                file(&done, 0, now_us.saturating_sub(done.ended_us));
            }
        }
        if !self.waiting.is_empty() && safe == u64::MAX {
            // Nobody's replies wait any more: they went with the last that did, or their connections are gone.
            self.release(now_us, now_us, safe, file);
        }
    }

    /// The log is safe up to `safe` since about `safe_us`; what waited for that has gone by `now_us`.
    pub(super) fn release(
        &mut self,
        safe_us: u64,
        now_us: u64,
        safe: u64,
        mut file: impl FnMut(&Done, u64, u64),
    ) {
        self.waiting.retain(|done| {
            let goes = done.awaits <= safe;
            if goes {
                let safe_us = safe_us.max(done.ended_us);
                file(
                    done,
                    safe_us - done.ended_us,
                    now_us.saturating_sub(safe_us),
                );
            }
            !goes
        });
    }
}

impl Observer {
    /// Takes note of commands that `worker` has executed, unless nobody wants to know.
    #[inline]
    pub fn executed(&self, outbound: &mut Outbound, worker: usize, done: Done) {
        if !self.is_tracking() && done.slow.is_none() {
            return;
        }
        if outbound.done.len() >= DONE_MAX {
            let now_us = done.ended_us;
            outbound.leave(now_us, u64::MAX, |d, log_us, flush_us| {
                self.file(worker, d, log_us, flush_us);
            });
        }
        outbound.done.push(done);
    }

    /// The turn's output was handed to the kernel; replies that depend on records beyond `safe` were not.
    #[inline]
    pub fn left(&self, outbound: &mut Outbound, worker: usize, now_us: u64, safe: u64) {
        outbound.leave(now_us, safe, |done, log_us, flush_us| {
            self.file(worker, done, log_us, flush_us);
        });
    }

    /// The log has become safe up to `safe` at about `safe_us`: the replies that waited for that have gone by `now_us`.
    pub fn released(
        &self,
        outbound: &mut Outbound,
        worker: usize,
        (safe_us, now_us): (u64, u64),
        safe: u64,
    ) {
        outbound.release(safe_us, now_us, safe, |done, log_us, flush_us| {
            self.file(worker, done, log_us, flush_us);
        });
    }

    #[inline]
    fn file(&self, worker: usize, done: &Done, log_us: u64, flush_us: u64) {
        if let Some(id) = done.slow {
            self.slowlog.add_stages(id, log_us, flush_us);
        }
        if !self.is_tracking() {
            return;
        }
        let calls = u64::from(done.calls);
        let stages = self.stages[worker][done.id].get_or_init(Box::default);
        stages.queue.record(done.queued_us * 1_000, calls);
        stages.flush.record(flush_us * 1_000, calls);
        let total_us = done.ended_us.saturating_sub(done.arrived_us) + log_us + flush_us;
        stages.total.record(total_us * 1_000, calls);
        if log_us > 0 {
            let log_wait = stages.log_wait.get_or_init(Box::default);
            log_wait.record(log_us * 1_000, calls);
        }
    }

    /// How long the calls of a command spent in a stage, since the start; `None` before the first.
    pub fn stage(&self, id: usize, stage: Stage) -> Option<Distribution> {
        if stage == Stage::Execute {
            return self.since_start(id);
        }
        self.sum(id, |stages| match stage {
            Stage::Queue => Some(&stages.queue),
            Stage::Flush => Some(&stages.flush),
            Stage::LogWait => stages.log_wait.get().map(|log_wait| &**log_wait),
            Stage::Execute => None,
        })
    }

    /// How long the calls of a command took from their arrival until their replies had gone, since the start.
    pub fn total(&self, id: usize) -> Option<Distribution> {
        self.sum(id, |stages| Some(&stages.total))
    }

    fn sum(
        &self,
        id: usize,
        of: impl Fn(&StageHistograms) -> Option<&Histogram>,
    ) -> Option<Distribution> {
        let mut sum = None;
        for histogram in self.stages.iter().filter_map(|w| of(w[id].get()?)) {
            sum.get_or_insert_with(Distribution::default).add(histogram);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(ended_us: u64, awaits: u64) -> Done {
        Done {
            calls: 1,
            ended_us,
            awaits,
            ..Done::default()
        }
    }

    /// What was filed: when it ended, how long it waited for the log and for the flush.
    fn filed(act: impl FnOnce(&mut Vec<(u64, u64, u64)>)) -> Vec<(u64, u64, u64)> {
        let mut all = Vec::new();
        act(&mut all);
        all
    }

    #[test]
    fn replies_that_need_no_record_leave_with_the_turn() {
        let mut outbound = Outbound::default();
        outbound.done.extend([done(100, 0), done(140, 7)]);
        let first = filed(|all| {
            outbound.leave(150, 6, |d, log, flush| all.push((d.ended_us, log, flush)));
        });
        assert_eq!(first, [(100, 0, 50)]);
        assert!(!outbound.is_empty());
        let too_early = filed(|all| {
            outbound.release(160, 170, 6, |d, log, flush| {
                all.push((d.ended_us, log, flush))
            });
        });
        assert_eq!(too_early, []);
        let safe = filed(|all| {
            outbound.release(180, 190, 7, |d, log, flush| {
                all.push((d.ended_us, log, flush))
            });
        });
        assert_eq!(safe, [(140, 40, 10)]);
        assert!(outbound.is_empty());
    }

    #[test]
    fn nothing_waits_when_nobody_does() {
        let mut outbound = Outbound::default();
        outbound.done.push(done(100, 9));
        outbound.leave(110, 8, |_, _, _| panic!("it is not safe"));
        let all = filed(|all| {
            outbound.leave(130, u64::MAX, |d, log, flush| {
                all.push((d.ended_us, log, flush))
            });
        });
        assert_eq!(all, [(100, 30, 0)]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut outbound = Outbound::default();
        let mut filed = 0;
        for ended_us in 0..2 * DONE_MAX as u64 {
            outbound.done.push(done(ended_us, 1));
            outbound.leave(ended_us, 0, |_, _, _| filed += 1);
        }
        assert_eq!((outbound.waiting.len(), filed), (DONE_MAX, DONE_MAX));
    }
}
