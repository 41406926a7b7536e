//! Section `persistence`: what is on disk. Nothing is saved by this build.

use std::sync::atomic::Ordering;

use crate::persistence::loading::Loading;

use super::{Facts, Field, Value, field, none, text};

pub(super) const FIELDS: &[Field] = &[
    field("loading", |f| Value::Number(u64::from(is_loading(f)))),
    none("async_loading"),
    none("current_cow_peak"),
    none("current_cow_size"),
    none("current_cow_size_age"),
    field("current_fork_perc", |_| Value::Ratio(0.0)),
    none("current_save_keys_processed"),
    none("current_save_keys_total"),
    field("rdb_changes_since_last_save", |f| {
        Value::Number(f.shared.engine.store.total(|c| &c.changes))
    }),
    none("rdb_bgsave_in_progress"),
    // As in Redis: the start counts as a save, since nothing could be lost then.
    field("rdb_last_save_time", |f| {
        Value::Number(f.shared.started_ms / 1_000)
    }),
    field("rdb_last_bgsave_status", |_| text("ok")),
    never("rdb_last_bgsave_time_sec"),
    never("rdb_current_bgsave_time_sec"),
    none("rdb_saves"),
    none("rdb_last_cow_size"),
    field("rdb_last_load_keys_expired", |f| {
        Value::Number(f.shared.loading.keys_expired())
    }),
    field("rdb_last_load_keys_loaded", |f| {
        Value::Number(f.shared.loading.keys_loaded())
    }),
    none("aof_enabled"),
    none("aof_rewrite_in_progress"),
    none("aof_rewrite_scheduled"),
    never("aof_last_rewrite_time_sec"),
    never("aof_current_rewrite_time_sec"),
    field("aof_last_bgrewrite_status", |_| text("ok")),
    none("aof_rewrites"),
    none("aof_rewrites_consecutive_failures"),
    field("aof_last_write_status", |_| text("ok")),
    none("aof_last_cow_size"),
    none("module_fork_in_progress"),
    none("module_fork_last_cow_size"),
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
    facts.shared.engine.is_loading.load(Ordering::Relaxed)
}

/// How long something took that never happened.
const fn never(name: &'static str) -> Field {
    field(name, |_| Value::Signed(-1))
}
