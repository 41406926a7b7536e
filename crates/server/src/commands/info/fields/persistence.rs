//! Section `persistence`: what is on disk. Nothing is saved by this build, and nothing was ever loaded.

use super::{Field, Value, field, none, text};

pub(super) const FIELDS: &[Field] = &[
    none("loading"),
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

/// How long something took that never happened.
const fn never(name: &'static str) -> Field {
    field(name, |_| Value::Signed(-1))
}
