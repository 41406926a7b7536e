//! Section `persistence`: what is on disk, and what is being saved. What is being loaded, or was.

use std::sync::atomic::Ordering;

use crate::persistence::aof;
use crate::persistence::journal::Health;
use crate::persistence::loading::Loading;
use crate::persistence::saving::Purpose;

use super::{Facts, Field, Value, field, none, text};

pub(super) const FIELDS: &[Field] = &[
    field("loading", |f| Value::Number(u64::from(is_loading(f)))),
    none("async_loading"),
    // What commands have copied for the snapshot before they changed it: here that only grows.
    field("current_cow_peak", copied_bytes),
    field("current_cow_size", copied_bytes),
    none("current_cow_size_age"),
    field("current_fork_perc", |f| {
        let progress = f.shared.saving.progress(&f.shared);
        Value::Ratio(progress.taken as f64 * 100.0 / progress.keys.max(1) as f64)
    }),
    field("current_save_keys_processed", |f| {
        Value::Number(f.shared.saving.progress(&f.shared).taken)
    }),
    field("current_save_keys_total", |f| {
        Value::Number(f.shared.saving.progress(&f.shared).keys)
    }),
    field("rdb_changes_since_last_save", |f| {
        Value::Number(f.shared.saving.unsaved_changes(&f.shared))
    }),
    field("rdb_bgsave_in_progress", |f| {
        Value::Number(running_since(f, Purpose::Dump).map_or(0, |_| 1))
    }),
    field("rdb_last_save_time", |f| {
        Value::Number(f.shared.saving.figures().last.saved_s)
    }),
    field("rdb_last_bgsave_status", |f| {
        let is_fine = f.shared.saving.figures().last.is_fine;
        text(if is_fine { "ok" } else { "err" })
    }),
    field("rdb_last_bgsave_time_sec", |f| {
        seconds(f.shared.saving.figures().last.took_s)
    }),
    field("rdb_current_bgsave_time_sec", |f| {
        let since = running_since(f, Purpose::Dump);
        seconds(since.map(|since_s| (f.now_ms / 1_000).saturating_sub(since_s)))
    }),
    field("rdb_saves", |f| {
        Value::Number(f.shared.saving.figures().saves)
    }),
    field("rdb_last_cow_size", |f| {
        Value::Number(f.shared.saving.figures().last.copied_bytes)
    }),
    field("rdb_last_load_keys_expired", |f| {
        Value::Number(f.shared.loading.keys_expired())
    }),
    field("rdb_last_load_keys_loaded", |f| {
        Value::Number(f.shared.loading.keys_loaded())
    }),
    field("aof_enabled", |f| {
        Value::Number(u64::from(f.shared.aof.is_wanted()))
    }),
    field("aof_rewrite_in_progress", |f| {
        Value::Number(u64::from(rewrites(f).is_running))
    }),
    field("aof_rewrite_scheduled", |f| {
        Value::Number(u64::from(rewrites(f).scheduled))
    }),
    field("aof_last_rewrite_time_sec", |f| seconds(rewrites(f).took_s)),
    field("aof_current_rewrite_time_sec", |f| {
        let since = rewrites(f).running_since_s;
        seconds(since.map(|since_s| (f.now_ms / 1_000).saturating_sub(since_s)))
    }),
    field("aof_last_bgrewrite_status", |f| {
        text(if rewrites(f).last_fine { "ok" } else { "err" })
    }),
    field("aof_rewrites", |f| Value::Number(rewrites(f).rewrites)),
    field("aof_rewrites_consecutive_failures", |f| {
        Value::Number(rewrites(f).failures.into())
    }),
    field("aof_last_write_status", |f| {
        let is_fine = f.shared.journal.health() == Health::Fine;
        text(if is_fine { "ok" } else { "err" })
    }),
    field("aof_last_cow_size", |f| {
        Value::Number(f.shared.saving.figures().base_copied_bytes)
    }),
    none("module_fork_in_progress"),
    none("module_fork_last_cow_size"),
    field("aof_current_size", |f| logged(f, rewrites(f).bytes)),
    field("aof_base_size", |f| logged(f, rewrites(f).rewritten_bytes)),
    field("aof_pending_rewrite", |f| logged(f, 0)),
    field("aof_buffer_length", |f| logged(f, f.log_bytes())),
    field("aof_pending_bio_fsync", |f| {
        let since_ms = f.shared.journal.busy_since_ms.load(Ordering::Relaxed);
        logged(f, u64::from(since_ms > 0))
    }),
    field("aof_delayed_fsync", |f| {
        logged(f, f.shared.journal.delayed_flushes.load(Ordering::Relaxed))
    }),
    field("loading_start_time", |f| {
        of_load(f, |loading| Value::Number(loading.started_s()))
    }),
    field("loading_total_bytes", |f| {
        of_load(f, |loading| Value::Number(loading.total_bytes()))
    }),
    field("loading_rdb_used_mem", |f| {
        of_load(f, |loading| Value::Number(loading.used_bytes()))
    }),
    field("loading_loaded_bytes", |f| {
        of_load(f, |loading| Value::Number(loading.loaded_bytes()))
    }),
    field("loading_loaded_perc", |f| {
        of_load(f, |loading| {
            let total = loading.total_bytes().max(1) as f64;
            Value::Ratio(loading.loaded_bytes() as f64 / total * 100.0)
        })
    }),
    field("loading_eta_seconds", |f| {
        of_load(f, |loading| Value::Number(seconds_left(loading, f.now_ms)))
    }),
];

/// What is shown only while data is being loaded.
fn of_load(facts: &Facts, value: impl FnOnce(&Loading) -> Value) -> Value {
    if is_loading(facts) {
        value(&facts.shared.loading)
    } else {
        Value::Unknown
    }
}

/// Left out unless there is an append-only file.
fn logged(facts: &Facts, number: u64) -> Value {
    if facts.shared.aof.is_wanted() {
        Value::Number(number)
    } else {
        Value::Unknown
    }
}

fn seconds_left(loading: &Loading, now_ms: u64) -> u64 {
    let loaded = loading.loaded_bytes();
    let left = loading.total_bytes().saturating_sub(loaded);
    match (now_ms / 1_000).saturating_sub(loading.started_s()) {
        // Too early to say.
        0 => 1,
        elapsed_s => elapsed_s * left / (loaded + 1),
    }
}

fn is_loading(facts: &Facts) -> bool {
    facts.shared.is_loading()
}

fn rewrites(facts: &Facts) -> aof::Figures {
    facts.shared.aof.figures(&facts.shared)
}

fn copied_bytes(facts: &Facts) -> Value {
    Value::Number(facts.shared.saving.progress(&facts.shared).handed_bytes)
}

/// Since when a snapshot of this purpose runs, in seconds since 1970.
fn running_since(facts: &Facts, purpose: Purpose) -> Option<u64> {
    let (running, since_s) = facts.shared.saving.running()?;
    (running == purpose).then_some(since_s)
}

/// -1 for never.
fn seconds(seconds: Option<u64>) -> Value {
    Value::Signed(seconds.map_or(-1, |s| i64::try_from(s).unwrap_or(i64::MAX)))
}
