//! The JSON of `/api/stats`: what the console's charts are drawn from.
//!
//! Invariant: only numbers and a version, so that nothing has to be escaped. Counters are since the start; whoever wants rates takes differences.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::kinds::MemoryKinds;
use crate::Shared;
use crate::commands::info::facts::Facts;
use crate::logging::startup::VERSION;
use crate::observe::{Distribution, Stage};
use crate::persistence::journal::Health;
use crate::persistence::saving::Purpose;
use crate::shared::Totals;

/// Boundaries of each doubling of latency, and doublings from a microsecond on: they are boundaries of the buckets that are counted in.
const PER_DOUBLING: u64 = 4;
const DOUBLINGS: u32 = 26;
const FIRST_SHIFT: u32 = 10;

/// The boundaries of latencies, nanoseconds.
fn boundaries_ns() -> Vec<u64> {
    let steps = |doubling: u32| {
        let low = 1u64 << (FIRST_SHIFT + doubling);
        (0..PER_DOUBLING).map(move |step| low + low / PER_DOUBLING * step)
    };
    (0..DOUBLINGS).flat_map(steps).collect()
}

/// A flat JSON object, or a nested one.
struct Object<'a> {
    text: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    fn new(text: &'a mut String) -> Object<'a> {
        text.push('{');
        Object { text, first: true }
    }

    fn name(&mut self, name: &str) {
        let comma = if self.first { "" } else { "," };
        self.first = false;
        let _ = write!(self.text, "{comma}\"{name}\":");
    }

    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        let _ = write!(self.text, "{value}");
    }

    fn numbers(&mut self, name: &str, values: impl Iterator<Item = impl std::fmt::Display>) {
        self.name(name);
        self.text.push('[');
        for (i, value) in values.enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(self.text, "{comma}{value}");
        }
        self.text.push(']');
    }

    fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::new(self.text);
        fill(&mut inner);
        inner.end();
    }

    fn end(self) {
        self.text.push('}');
    }
}

/// See the module's text. `wall_us`: microseconds since 1970; `mono_ms`: the loops' clock. O(commands * workers).
pub fn stats(shared: &Arc<Shared>, wall_us: u64, mono_ms: u64) -> String {
    let facts = Facts::at(shared, wall_us, mono_ms);
    let totals = Totals::read(shared);
    let store = &shared.engine.store;
    let databases = || 0..store.databases() as u32;
    let mut text = String::with_capacity(8 << 10);
    let mut all = Object::new(&mut text);
    all.put("time_ms", facts.now_ms);
    all.put("uptime_s", facts.seconds_up());
    all.put("version", format_args!("\"{VERSION}\""));
    all.put("mode", "\"standalone\"");
    workers(&facts, &mut all);
    all.put("commands", totals.commands);
    all.put("connections", shared.open_clients());
    all.put("connections_accepted", totals.accepted);
    all.put("connections_rejected", totals.rejected);
    all.put("hits", totals.hits);
    all.put("misses", totals.misses);
    all.put("expired", totals.expired);
    all.put("expiry_lag_ms", facts.recent(|w| &w.recent_expiry_lag));
    all.put("evicted", totals.evicted);
    all.put("blocked", shared.blocked_clients());
    all.put("input_bytes", totals.input_bytes);
    all.put("output_bytes", totals.output_bytes);
    all.object("memory", |memory| {
        memory.put("used", facts.used());
        memory.put("rss", facts.resident().unwrap_or(0));
        memory.put("limit", store.eviction.limit_bytes());
        memory.put("peak", facts.peak());
        memory.object("kinds", |kinds| {
            for (kind, bytes) in MemoryKinds::of(&facts).all() {
                kinds.put(kind, bytes);
            }
        });
    });
    all.put("keys", databases().map(|db| store.len(db)).sum::<u64>());
    let deadlines = databases().map(|db| store.expires(db)).sum::<u64>();
    all.put("keys_with_ttl", deadlines);
    all.object("persistence", |p| persistence(&facts, p));
    all.object("latency", |latency| latencies(&facts, latency));
    all.end();
    text
}

fn workers(facts: &Facts, all: &mut Object<'_>) {
    let shared = &facts.shared;
    // The last set of counters is the auxiliary thread's.
    let count = shared.workers.len() - 1;
    let clients = shared.clients.by_worker(count);
    all.name("workers");
    all.text.push('[');
    for (number, clients) in clients.iter().enumerate() {
        let counters = &shared.workers[number];
        if number > 0 {
            all.text.push(',');
        }
        let mut worker = Object::new(all.text);
        worker.put("commands", counters.commands.value());
        worker.put("busy_us", counters.busy_us.load(Ordering::Relaxed));
        worker.put("clients", clients);
        worker.end();
    }
    all.text.push(']');
}

fn persistence(facts: &Facts, p: &mut Object<'_>) {
    let shared = &facts.shared;
    let (saving, aof) = (&shared.saving, shared.aof.figures(shared));
    let (figures, progress) = (saving.figures(), saving.progress(shared));
    let dumps = saving
        .running()
        .is_some_and(|(purpose, _)| purpose == Purpose::Dump);
    p.put("loading", shared.is_loading());
    p.put("loaded_bytes", shared.loading.loaded_bytes());
    p.put("loading_bytes", shared.loading.total_bytes());
    p.put("snapshot_running", dumps);
    p.put("snapshot_keys", progress.keys);
    p.put("snapshot_keys_done", progress.taken);
    p.put("snapshots", figures.saves);
    p.put("last_snapshot_s", figures.last.saved_s);
    p.put("last_snapshot_ok", figures.last.is_fine);
    p.put("unsaved_changes", saving.unsaved_changes(shared));
    p.put("aof", shared.aof.is_wanted());
    p.put("aof_ok", shared.journal.health() == Health::Fine);
    p.put("aof_bytes", aof.bytes);
    p.put("aof_base_bytes", aof.rewritten_bytes);
    p.put("aof_buffer_bytes", facts.log_bytes());
    p.put("aof_rewriting", aof.is_running);
    p.put("aof_rewrites", aof.rewrites);
}

fn latencies(facts: &Facts, latency: &mut Object<'_>) {
    let observer = &facts.shared.observer;
    let ids = || 0..facts.shared.engine.table.len();
    let boundaries = boundaries_ns();
    latency.numbers("bounds_us", boundaries.iter().map(|ns| *ns as f64 / 1e3));
    let mut put = |name: &str, of: &dyn Fn(usize) -> Option<Distribution>| {
        let mut sum = Distribution::default();
        ids().filter_map(of).for_each(|one| sum.merge(&one));
        let mut below = 0;
        let counts = sum.up_to_ns(&boundaries);
        let counts = counts
            .iter()
            .map(|up_to| up_to - std::mem::replace(&mut below, *up_to));
        latency.numbers(name, counts);
    };
    put("total", &|id| observer.total(id));
    for stage in Stage::ALL {
        put(stage.name(), &|id| observer.stage(id, stage));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::testing::Console;

    #[test]
    fn boundaries_are_those_of_buckets() {
        let all = boundaries_ns();
        assert_eq!(
            (all.len(), all[0], all[1], all[4]),
            (104, 1_024, 1_280, 2_048)
        );
        assert!(all.is_sorted());
    }

    #[test]
    fn numbers_of_a_workload() {
        let mut console = Console::default();
        console.run("SET k v; SET e v PX 100000; GET k; GET nokey");
        let text = stats(&console.shared, 1_767_225_600_000_000, 5_000);
        for part in [
            "{\"time_ms\":1767225600000,",
            "\"hits\":1,\"misses\":1,",
            "\"keys\":2,\"keys_with_ttl\":1,",
            "\"workers\":[{\"commands\":",
            "\"kinds\":{\"keys\":",
            "\"latency\":{\"bounds_us\":[1.024,1.28,",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let balanced =
            |open: char, close: char| text.matches(open).count() == text.matches(close).count();
        assert!(balanced('{', '}') && balanced('[', ']'), "{text}");
    }
}
