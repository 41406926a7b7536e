//! Sums of the workers' counters, and what CONFIG RESETSTAT subtracts from them.
//!
//! A counter has one writer, its worker, so nobody else may set it to zero: a reset keeps the sums of that moment, and
//! readers subtract them. Invariant: a difference is never negative, since counters only grow.

use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_engine::{CommandStat, Engine};
use dunlin_store::Counter;

use super::{Shared, WorkerCounters};

/// Counts of one command over all workers.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct CommandTotals {
    /// Calls that ran.
    pub calls: u64,
    /// Nanoseconds spent in them.
    pub nanoseconds: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that ran and failed.
    pub failed: u64,
}

/// All counters that CONFIG RESETSTAT resets.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused.
    pub rejected: u64,
    /// Bytes read.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
    /// Commands processed.
    pub commands: u64,
    /// Sessions that waited for a stripe.
    pub parked: u64,
    /// Turns of the loops that had input.
    pub batches: u64,
    /// Connections closed for a protocol error.
    pub protocol_errors: u64,
    /// Wrong passwords.
    pub auth_failures: u64,
    /// See [`WorkerCounters`].
    pub denied_commands: u64,
    /// See [`WorkerCounters`].
    pub denied_keys: u64,
    /// See [`WorkerCounters`].
    pub denied_channels: u64,
    /// Clients closed over `client-query-buffer-limit`.
    pub query_limit_closed: u64,
    /// Clients closed over `client-output-buffer-limit`.
    pub output_limit_closed: u64,
    /// Clients closed over `maxmemory-clients`.
    pub evicted_clients: u64,
    /// Error replies.
    pub errors: u64,
    /// Receive calls.
    pub reads: u64,
    /// Send calls.
    pub writes: u64,
    /// Microseconds spent on removing keys whose time had come.
    pub expire_us: u64,
    /// Entries freed in the background.
    pub freed: u64,
    /// Keys removed by their deadline.
    pub expired: u64,
    /// Keys removed for want of memory.
    pub evicted: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// One for each id of the command table; none before the first reset.
    pub by_command: Vec<CommandTotals>,
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Totals {
    /// The sums as of about now, since the start. O(workers * commands).
    pub fn read(shared: &Shared) -> Totals {
        let (engine, store) = (&shared.engine, &shared.engine.store);
        let sum = |counter: fn(&WorkerCounters) -> &Counter| shared.total(counter);
        Totals {
            accepted: sum(|w| &w.accepted),
            rejected: sum(|w| &w.rejected),
            input_bytes: sum(|w| &w.input_bytes),
            output_bytes: sum(|w| &w.output_bytes),
            commands: sum(|w| &w.commands),
            parked: sum(|w| &w.parked),
            batches: sum(|w| &w.batches),
            protocol_errors: sum(|w| &w.protocol_errors),
            auth_failures: sum(|w| &w.auth_failures),
            denied_commands: sum(|w| &w.denied_commands),
            denied_keys: sum(|w| &w.denied_keys),
            denied_channels: sum(|w| &w.denied_channels),
            query_limit_closed: sum(|w| &w.query_limit_closed),
            output_limit_closed: sum(|w| &w.output_limit_closed),
            evicted_clients: sum(|w| &w.evicted_clients),
            errors: engine.stats.iter().map(|s| s.errors.value()).sum(),
            reads: shared.workers.iter().map(|w| load(&w.reads)).sum(),
            writes: shared.workers.iter().map(|w| load(&w.writes)).sum(),
            expire_us: sum(|w| &w.expire_us),
            freed: store.freeing().1,
            expired: store.total(|c| &c.expired),
            evicted: store.total(|c| &c.evicted),
            hits: store.total(|c| &c.hits),
            misses: store.total(|c| &c.misses),
            by_command: (0..engine.table.len())
                .map(|id| CommandTotals::read(engine, id))
                .collect(),
        }
    }

    /// What was counted since `before`.
    #[must_use]
    pub fn since(&self, before: &Totals) -> Totals {
        let unseen = CommandTotals::default();
        let by_command = self.by_command.iter().enumerate();
        Totals {
            accepted: self.accepted.saturating_sub(before.accepted),
            rejected: self.rejected.saturating_sub(before.rejected),
            input_bytes: self.input_bytes.saturating_sub(before.input_bytes),
            output_bytes: self.output_bytes.saturating_sub(before.output_bytes),
            commands: self.commands.saturating_sub(before.commands),
            parked: self.parked.saturating_sub(before.parked),
            batches: self.batches.saturating_sub(before.batches),
            protocol_errors: self.protocol_errors.saturating_sub(before.protocol_errors),
            auth_failures: self.auth_failures.saturating_sub(before.auth_failures),
            denied_commands: self.denied_commands.saturating_sub(before.denied_commands),
            denied_keys: self.denied_keys.saturating_sub(before.denied_keys),
            denied_channels: self.denied_channels.saturating_sub(before.denied_channels),
            query_limit_closed: self
                .query_limit_closed
                .saturating_sub(before.query_limit_closed),
            output_limit_closed: self
                .output_limit_closed
                .saturating_sub(before.output_limit_closed),
            evicted_clients: self.evicted_clients.saturating_sub(before.evicted_clients),
            errors: self.errors.saturating_sub(before.errors),
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            expire_us: self.expire_us.saturating_sub(before.expire_us),
            freed: self.freed.saturating_sub(before.freed),
            expired: self.expired.saturating_sub(before.expired),
            evicted: self.evicted.saturating_sub(before.evicted),
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            by_command: by_command
                .map(|(id, now)| now.since(before.by_command.get(id).unwrap_or(&unseen)))
                .collect(),
        }
    }
}

impl CommandTotals {
    /// Adds the counts of another command.
    pub fn add(&mut self, other: CommandTotals) {
        self.calls += other.calls;
        self.nanoseconds += other.nanoseconds;
        self.rejected += other.rejected;
        self.failed += other.failed;
    }

    /// The counts of a command as of about now, since the start.
    pub fn read(engine: &Engine, id: usize) -> CommandTotals {
        let sum = |counter: fn(&CommandStat) -> &Counter| -> u64 {
            engine
                .stats
                .iter()
                .map(|worker| counter(&worker.commands[id]).value())
                .sum()
        };
        CommandTotals {
            calls: sum(|s| &s.calls),
            nanoseconds: sum(|s| &s.nanoseconds),
            rejected: sum(|s| &s.rejected),
            failed: sum(|s| &s.failed),
        }
    }

    fn since(&self, before: &CommandTotals) -> CommandTotals {
        CommandTotals {
            calls: self.calls.saturating_sub(before.calls),
            nanoseconds: self.nanoseconds.saturating_sub(before.nanoseconds),
            rejected: self.rejected.saturating_sub(before.rejected),
            failed: self.failed.saturating_sub(before.failed),
        }
    }
}
