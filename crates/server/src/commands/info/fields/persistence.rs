//! Section `persistence`: what is on disk, and what is being saved. Nothing was ever loaded.

use crate::persistence::saving::Purpose;

use super::{Facts, Field, Value, field, none, text};

pub(super) const FIELDS: &[Field] = &[
    none("loading"),
    none("async_loading"),
    // What commands have copied for the snapshot before they changed it: here that only grows.
    field("current_cow_peak", |f| copied_bytes(f)),
    field("current_cow_size", |f| copied_bytes(f)),
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
    none("rdb_last_load_keys_expired"),
    none("rdb_last_load_keys_loaded"),
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
];

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

/// How long something took that never happened.
const fn never(name: &'static str) -> Field {
    field(name, |_| Value::Signed(-1))
}
