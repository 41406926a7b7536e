//! The metrics: one row each.
//!
//! Invariant: names follow Prometheus's rules (base units, the unit last), stand once, and are sorted by group; a label's values come out of a table.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::kinds::MemoryKinds;
use super::text::Samples;
use crate::commands::info::facts::Facts;
use crate::logging::startup::VERSION;
use crate::observe::{Distribution, Stage};
use crate::persistence::journal::Health;
use crate::persistence::saving::Purpose;
use crate::shared::{CommandTotals, Totals};

/// What kind of numbers a metric has.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// A sum and a count, whose quotient is a mean.
    Summary,
    /// Facts in labels; the number is 1.
    Info,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
            Kind::Info => "info",
        }
    }
}

/// A metric.
pub(super) struct Family {
    /// Without the prefix, the unit, and a counter's suffix.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// `seconds`, `bytes` or nothing.
    pub(super) unit: &'static str,
    /// Names of its labels, for the page.
    pub(super) labels: &'static str,
    pub(super) help: &'static str,
    pub(super) samples: fn(&Facts, &mut Samples),
}

impl Family {
    /// As it is written, without a counter's suffix.
    pub(super) fn full_name(&self) -> String {
        let line = if self.unit.is_empty() { "" } else { "_" };
        format!("dunlin_{}{line}{}", self.name, self.unit)
    }
}

const SECONDS: &str = "seconds";
const BYTES: &str = "bytes";

const fn family(
    kind: Kind,
    name: &'static str,
    unit: &'static str,
    labels: &'static str,
    help: &'static str,
    samples: fn(&Facts, &mut Samples),
) -> Family {
    Family {
        name,
        kind,
        unit,
        labels,
        help,
        samples,
    }
}

/// A number without labels.
macro_rules! plain {
    ($kind:ident $name:literal $unit:expr, $help:literal, $value:expr) => {
        family(Kind::$kind, $name, $unit, "", $help, |facts, samples| {
            let value: fn(&Facts) -> u64 = $value;
            samples.number(&[], value(facts));
        })
    };
}

/// The same in seconds, of microseconds.
macro_rules! plain_us {
    ($kind:ident $name:literal, $help:literal, $value:expr) => {
        family(Kind::$kind, $name, SECONDS, "", $help, |facts, samples| {
            let value: fn(&Facts) -> u64 = $value;
            samples.real(&[], value(facts) as f64 / 1e6);
        })
    };
}

pub(super) const FAMILIES: &[Family] = &[
    family(
        Kind::Info,
        "build",
        "",
        "version, io_backend",
        "What runs.",
        build,
    ),
    plain_us!(Gauge "start_time", "When the server started, since 1970.", |f| f.shared.started_ms * 1_000),
    plain!(Gauge "uptime" SECONDS, "Time since then.", |f| f.seconds_up()),
    family(
        Kind::Counter,
        "cpu",
        SECONDS,
        "mode",
        "Processor time of the process.",
        cpu,
    ),
    // Workers.
    family(
        Kind::Counter,
        "worker_commands",
        "",
        "worker",
        "Commands that each worker has processed, queued and refused ones included.",
        |f, s| {
            per_worker(f, |n, number| {
                s.number(&[("worker", number)], f.shared.workers[n].commands.value())
            });
        },
    ),
    family(
        Kind::Counter,
        "worker_busy",
        SECONDS,
        "worker",
        "Time that each worker's loop did not wait for events.",
        |f, s| {
            per_worker(f, |n, number| {
                let busy_us = f.shared.workers[n].busy_us.load(Ordering::Relaxed);
                s.real(&[("worker", number)], busy_us as f64 / 1e6);
            });
        },
    ),
    family(
        Kind::Gauge,
        "worker_clients",
        "",
        "worker",
        "Clients of each worker.",
        |f, s| {
            let clients = f.shared.clients.by_worker(f.shared.workers.len() - 1);
            per_worker(f, |n, number| {
                s.number(&[("worker", number)], clients[n] as u64)
            });
        },
    ),
    plain!(Counter "batches" "", "Turns of the workers' loops that had input.", |f| of(f, |t| t.batches)),
    plain!(Counter "socket_reads" "", "Receive calls.", |f| of(f, |t| t.reads)),
    plain!(Counter "socket_writes" "", "Send calls.", |f| of(f, |t| t.writes)),
    plain!(Counter "parked_sessions" "", "Commands that had to wait for a busy stripe.", |f| of(f, |t| t.parked)),
    // Commands.
    plain!(Counter "commands_processed" "", "Commands of clients, queued and refused ones included.", |f| of(f, |t| t.commands)),
    family(
        Kind::Counter,
        "command_calls",
        "",
        "cmd",
        "Calls that ran, those inside of transactions and scripts included.",
        |f, s| {
            by_command(f, |c| c.calls, s);
        },
    ),
    family(
        Kind::Counter,
        "command_failures",
        "",
        "cmd",
        "Of them, those that were answered with an error.",
        |f, s| {
            by_command(f, |c| c.failed, s);
        },
    ),
    family(
        Kind::Counter,
        "command_rejections",
        "",
        "cmd",
        "Calls that were refused before they ran.",
        |f, s| {
            by_command(f, |c| c.rejected, s);
        },
    ),
    family(
        Kind::Histogram,
        "command_duration",
        SECONDS,
        "cmd",
        "From the arrival of the request until its reply was handed to the kernel.",
        |f, s| {
            for (name, distribution) in distributions(f, |id| f.shared.observer.total(id)) {
                s.histogram(&[("cmd", name)], distribution);
            }
        },
    ),
    family(
        Kind::Histogram,
        "command_stage",
        SECONDS,
        "cmd, stage",
        "The parts of that: queue (other commands, a busy loop, busy keys), execute, log_wait (appendfsync always), flush. \
        What runs inside of transactions and scripts has only the second.",
        stages,
    ),
    family(
        Kind::Counter,
        "error_replies",
        "",
        "code",
        "Error replies by their first word, since the start or CONFIG RESETSTAT.",
        |f, s| {
            for (code, count) in f.shared.engine.error_codes().counts {
                s.number(&[("code", &code)], count);
            }
        },
    ),
    plain!(Gauge "slowlog_entries" "", "Entries of the slow log.", |f| f.shared.observer.slowlog.len() as u64),
    // Clients.
    plain!(Gauge "clients" "", "Connected clients.", |f| f.shared.open_clients() as u64),
    plain!(Gauge "clients_max" "", "How many may be connected.", |f| u64::from(f.shared.config().maxclients())),
    plain!(Gauge "blocked_clients" "", "Clients that wait for a key, or for the end of a pause.", |f| f.shared.blocked_clients() as u64),
    plain!(Gauge "pubsub_clients" "", "Clients that subscribe to channels.", |f| f.shared.engine.pubsub.subscribers() as u64),
    plain!(Gauge "tracking_clients" "", "Clients that are told what they cached.", |f| f.shared.engine.tracking.clients() as u64),
    plain!(Counter "connections_accepted" "", "Connections that were accepted.", |f| of(f, |t| t.accepted)),
    plain!(Counter "connections_rejected" "", "Connections that were refused.", |f| of(f, |t| t.rejected)),
    plain!(Counter "protocol_errors" "", "Connections closed since what came was no request.", |f| of(f, |t| t.protocol_errors)),
    family(
        Kind::Counter,
        "client_limit_disconnections",
        "",
        "limit",
        "Clients closed over a limit of memory.",
        |f, s| {
            let totals = Totals::read(&f.shared);
            s.number(&[("limit", "query_buffer")], totals.query_limit_closed);
            s.number(&[("limit", "output_buffer")], totals.output_limit_closed);
            s.number(&[("limit", "all_clients")], totals.evicted_clients);
        },
    ),
    family(
        Kind::Counter,
        "access_denied",
        "",
        "reason",
        "What users were denied.",
        |f, s| {
            let totals = Totals::read(&f.shared);
            s.number(&[("reason", "auth")], totals.auth_failures);
            s.number(&[("reason", "command")], totals.denied_commands);
            s.number(&[("reason", "key")], totals.denied_keys);
            s.number(&[("reason", "channel")], totals.denied_channels);
        },
    ),
    plain!(Counter "network_input" BYTES, "Bytes received from clients.", |f| of(f, |t| t.input_bytes)),
    plain!(Counter "network_output" BYTES, "Bytes sent to clients.", |f| of(f, |t| t.output_bytes)),
    // Keys.
    family(
        Kind::Gauge,
        "keys",
        "",
        "db",
        "Keys of each database that has any.",
        |f, s| {
            per_database(f, |db, number| {
                s.number(&[("db", number)], f.shared.engine.store.len(db))
            });
        },
    ),
    family(
        Kind::Gauge,
        "keys_with_deadline",
        "",
        "db",
        "Of them, those with a deadline.",
        |f, s| {
            per_database(f, |db, number| {
                s.number(&[("db", number)], f.shared.engine.store.expires(db))
            });
        },
    ),
    plain!(Counter "keyspace_hits" "", "Reads that found their key.", |f| of(f, |t| t.hits)),
    plain!(Counter "keyspace_misses" "", "Reads that did not.", |f| of(f, |t| t.misses)),
    plain!(Counter "expired_keys" "", "Keys removed since their time had come.", |f| of(f, |t| t.expired)),
    family(
        Kind::Summary,
        "expiry_lag",
        SECONDS,
        "",
        "By how much the deadlines of expired keys had passed when they were removed.",
        |f, s| {
            let store = &f.shared.engine.store;
            let sum_ms = store.total(|c| &c.expiry_lag_ms);
            s.summary(&[], sum_ms as f64 / 1e3, store.total(|c| &c.expired));
        },
    ),
    family(
        Kind::Gauge,
        "expiry_lag_max",
        SECONDS,
        "",
        "The longest of the last eight seconds.",
        |f, s| {
            s.real(&[], f.recent(|w| &w.recent_expiry_lag) as f64 / 1e3);
        },
    ),
    plain_us!(Counter "expiry_work", "Time spent on removing expired keys.", |f| of(f, |t| t.expire_us)),
    plain!(Counter "evicted_keys" "", "Keys removed for want of memory.", |f| of(f, |t| t.evicted)),
    plain!(Counter "freed_values" "", "Values freed in the background.", |f| of(f, |t| t.freed)),
    // Memory.
    family(
        Kind::Gauge,
        "memory_kind",
        BYTES,
        "kind",
        "Memory by what it is for; all kinds but fragmentation are what is allocated.",
        |f, s| {
            for (kind, bytes) in MemoryKinds::of(f).all() {
                s.number(&[("kind", kind)], bytes);
            }
        },
    ),
    plain!(Gauge "memory_used" BYTES, "What maxmemory bounds: allocated memory without the buffers of clients.", |f| f.used()),
    plain!(Gauge "memory_allocated" BYTES, "Memory that the program has asked for.", |f| f.memory().allocated),
    plain!(Gauge "memory_peak" BYTES, "The most that was allocated.", |f| f.peak()),
    plain!(Gauge "memory_resident" BYTES, "Memory of the process that lies in RAM.", |f| f.resident().unwrap_or(0)),
    plain!(Gauge "memory_limit" BYTES, "maxmemory; 0 for none.", |f| f.shared.engine.store.eviction.limit_bytes()),
    // Persistence.
    family(
        Kind::Gauge,
        "loading",
        "",
        "",
        "Whether data is being loaded.",
        |f, s| s.yes_no(&[], f.shared.is_loading()),
    ),
    plain!(Gauge "loading_done" BYTES, "Bytes of files that were loaded, now or last.", |f| f.shared.loading.loaded_bytes()),
    plain!(Gauge "loading_files" BYTES, "Length of these files.", |f| f.shared.loading.total_bytes()),
    family(
        Kind::Gauge,
        "snapshot_running",
        "",
        "",
        "Whether a dump is being written.",
        |f, s| {
            let running = f.shared.saving.running();
            s.yes_no(
                &[],
                running.is_some_and(|(purpose, _)| purpose == Purpose::Dump),
            );
        },
    ),
    plain!(Gauge "snapshot_keys" "", "Keys of the snapshot that is being written.", |f| f.shared.saving.progress(&f.shared).keys),
    plain!(Gauge "snapshot_keys_done" "", "Of them, those that are written.", |f| f.shared.saving.progress(&f.shared).taken),
    plain!(Counter "snapshots" "", "Dumps that were begun.", |f| f.shared.saving.figures().saves),
    family(
        Kind::Gauge,
        "snapshot_last_ok",
        "",
        "",
        "Whether the last dump succeeded.",
        |f, s| {
            s.yes_no(&[], f.shared.saving.figures().last.is_fine);
        },
    ),
    plain!(Gauge "snapshot_last_time" SECONDS, "When the last good dump was made, since 1970.", |f| f.shared.saving.figures().last.saved_s),
    family(
        Kind::Gauge,
        "snapshot_last_duration",
        SECONDS,
        "",
        "How long the last dump took, if there was one.",
        |f, s| {
            if let Some(took_s) = f.shared.saving.figures().last.took_s {
                s.number(&[], took_s);
            }
        },
    ),
    plain!(Gauge "unsaved_changes" "", "Changes since the last dump.", |f| f.shared.saving.unsaved_changes(&f.shared)),
    family(
        Kind::Gauge,
        "aof_enabled",
        "",
        "",
        "Whether there is an append-only file.",
        |f, s| s.yes_no(&[], f.shared.aof.is_wanted()),
    ),
    family(
        Kind::Gauge,
        "aof_ok",
        "",
        "",
        "Whether it can be written.",
        |f, s| {
            s.yes_no(&[], f.shared.journal.health() == Health::Fine);
        },
    ),
    plain!(Gauge "aof_size" BYTES, "Bytes of its files.", |f| f.shared.aof.figures(&f.shared).bytes),
    plain!(Gauge "aof_base_size" BYTES, "The same after the last rewrite.", |f| f.shared.aof.figures(&f.shared).rewritten_bytes),
    plain!(Gauge "aof_buffer" BYTES, "Records that are not written yet.", |f| f.log_bytes()),
    plain!(Counter "aof_delayed_flushes" "", "Flushes that a slow disk put off.", |f| f.shared.journal.delayed_flushes.load(Ordering::Relaxed)),
    family(
        Kind::Gauge,
        "aof_rewrite_running",
        "",
        "",
        "Whether it is being rewritten.",
        |f, s| {
            s.yes_no(&[], f.shared.aof.figures(&f.shared).is_running);
        },
    ),
    plain!(Counter "aof_rewrites" "", "Rewrites that were begun.", |f| f.shared.aof.figures(&f.shared).rewrites),
];

/// A counter since the start.
fn of(facts: &Facts, pick: fn(&Totals) -> u64) -> u64 {
    pick(&Totals::read(&facts.shared))
}

fn build(facts: &Facts, samples: &mut Samples) {
    let backend = facts.shared.io_backend.get().copied();
    let labels = [
        ("version", VERSION),
        ("io_backend", backend.unwrap_or("memory")),
    ];
    samples.number(&labels, 1);
}

fn cpu(facts: &Facts, samples: &mut Samples) {
    if let Some(cpu) = facts.cpu() {
        samples.real(&[("mode", "user")], cpu.user_us as f64 / 1e6);
        samples.real(&[("mode", "system")], cpu.system_us as f64 / 1e6);
    }
}

fn per_worker(facts: &Facts, mut put: impl FnMut(usize, &str)) {
    // The last set of counters is the auxiliary thread's.
    (0..facts.shared.workers.len() - 1).for_each(|n| put(n, &n.to_string()));
}

fn per_database(facts: &Facts, mut put: impl FnMut(u32, &str)) {
    let store = &facts.shared.engine.store;
    let used = (0..store.databases() as u32).filter(|db| *db == 0 || store.len(*db) > 0);
    used.for_each(|db| put(db, &db.to_string()));
}

/// Commands of the same full name are told as one.
fn by_command(facts: &Facts, pick: fn(&CommandTotals) -> u64, samples: &mut Samples) {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    let engine = &facts.shared.engine;
    for (id, command) in engine.table.iter_all() {
        let totals = CommandTotals::read(engine, id);
        if totals.calls + totals.rejected > 0 {
            *sums.entry(command.full_name).or_default() += pick(&totals);
        }
    }
    for (name, count) in sums {
        samples.number(&[("cmd", name)], count);
    }
}

fn distributions(
    facts: &Facts,
    of: impl Fn(usize) -> Option<Distribution>,
) -> BTreeMap<&'static str, Distribution> {
    let mut sums: BTreeMap<&str, Distribution> = BTreeMap::new();
    for (id, command) in facts.shared.engine.table.iter_all() {
        if let Some(one) = of(id) {
            sums.entry(command.full_name).or_default().merge(&one);
        }
    }
    sums
}

fn stages(facts: &Facts, samples: &mut Samples) {
    for stage in Stage::ALL {
        let of = |id| facts.shared.observer.stage(id, stage);
        for (name, distribution) in distributions(facts, of) {
            samples.histogram(&[("cmd", name), ("stage", stage.name())], distribution);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let mut names: Vec<_> = FAMILIES.iter().map(Family::full_name).collect();
        for (family, name) in FAMILIES.iter().zip(&names) {
            let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(name.chars().all(ok), "{name}");
            assert!(
                family.help.ends_with('.') && !family.help.contains('\n'),
                "{name}"
            );
            for suffix in ["_total", "_info", "_sum", "_count", "_bucket"] {
                assert!(!name.ends_with(suffix), "{name}");
            }
            assert!(["", SECONDS, BYTES].contains(&family.unit), "{name}");
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
