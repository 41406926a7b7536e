//! Section `stats`: what happened since the start or the last CONFIG RESETSTAT.

use dunlin_engine::pubsub::Kind;

use super::{Field, Value, count, field, none};

/// Bytes of a kilobyte, in the rates of the network.
const KILOBYTE: f64 = 1_024.0;

pub(super) const FIELDS: &[Field] = &[
    field("total_connections_received", |f| {
        Value::Number(f.totals().accepted)
    }),
    field("total_commands_processed", |f| {
        Value::Number(f.totals().commands)
    }),
    field("instantaneous_ops_per_sec", |f| {
        Value::Number(f.rates().0 as u64)
    }),
    field("total_net_input_bytes", |f| {
        Value::Number(f.totals().input_bytes)
    }),
    field("total_net_output_bytes", |f| {
        Value::Number(f.totals().output_bytes)
    }),
    none("total_net_repl_input_bytes"),
    none("total_net_repl_output_bytes"),
    field("instantaneous_input_kbps", |f| {
        Value::Ratio(f.rates().1 / KILOBYTE)
    }),
    field("instantaneous_output_kbps", |f| {
        Value::Ratio(f.rates().2 / KILOBYTE)
    }),
    field("instantaneous_input_repl_kbps", |_| Value::Ratio(0.0)),
    field("instantaneous_output_repl_kbps", |_| Value::Ratio(0.0)),
    field("rejected_connections", |f| {
        Value::Number(f.totals().rejected)
    }),
    none("sync_full"),
    none("sync_partial_ok"),
    none("sync_partial_err"),
    field("expired_keys", |f| Value::Number(f.totals().expired)),
    // Keys go when their time has come, so that there are no stale ones to estimate.
    field("expired_stale_perc", |_| Value::Ratio(0.0)),
    none("expired_time_cap_reached_count"),
    field("expire_cycle_cpu_milliseconds", |f| {
        Value::Number(f.totals().expire_us / 1_000)
    }),
    field("evicted_keys", |f| Value::Number(f.totals().evicted)),
    field("evicted_clients", |f| {
        Value::Number(f.totals().evicted_clients)
    }),
    none("total_eviction_exceeded_time"),
    none("current_eviction_exceeded_time"),
    field("keyspace_hits", |f| Value::Number(f.totals().hits)),
    field("keyspace_misses", |f| Value::Number(f.totals().misses)),
    field("pubsub_channels", |f| {
        count(f.shared.engine.pubsub.len(Kind::Channel))
    }),
    field("pubsub_patterns", |f| {
        count(f.shared.engine.pubsub.len(Kind::Pattern))
    }),
    field("pubsubshard_channels", |f| {
        count(f.shared.engine.pubsub.len(Kind::Shard))
    }),
    // Nothing forks: the cuts of snapshots, which come in the place of that.
    field("latest_fork_usec", |f| {
        Value::Number(f.shared.saving.figures().cut_us)
    }),
    field("total_forks", |f| {
        Value::Number(f.shared.saving.figures().cuts)
    }),
    field("migrate_cached_sockets", |f| count(f.shared.targets.len())),
    none("slave_expires_tracked_keys"),
    none("active_defrag_hits"),
    none("active_defrag_misses"),
    none("active_defrag_key_hits"),
    none("active_defrag_key_misses"),
    none("total_active_defrag_time"),
    none("current_active_defrag_time"),
    field("tracking_total_keys", |f| {
        count(f.shared.engine.tracking.keys())
    }),
    field("tracking_total_items", |f| {
        count(f.shared.engine.tracking.readers())
    }),
    field("tracking_total_prefixes", |f| {
        count(f.shared.engine.tracking.prefixes())
    }),
    none("unexpected_error_replies"),
    field("total_error_replies", |f| Value::Number(f.totals().errors)),
    none("dump_payload_sanitizations"),
    field("total_reads_processed", |f| Value::Number(f.totals().reads)),
    field("total_writes_processed", |f| {
        Value::Number(f.totals().writes)
    }),
    none("io_threaded_reads_processed"),
    none("io_threaded_writes_processed"),
    none("reply_buffer_shrinks"),
    none("reply_buffer_expands"),
    field("client_query_buffer_limit_disconnections", |f| {
        Value::Number(f.totals().query_limit_closed)
    }),
    field("client_output_buffer_limit_disconnections", |f| {
        Value::Number(f.totals().output_limit_closed)
    }),
    field("acl_access_denied_auth", |f| {
        Value::Number(f.totals().auth_failures)
    }),
    field("acl_access_denied_cmd", |f| {
        Value::Number(f.totals().denied_commands)
    }),
    field("acl_access_denied_key", |f| {
        Value::Number(f.totals().denied_keys)
    }),
    field("acl_access_denied_channel", |f| {
        Value::Number(f.totals().denied_channels)
    }),
    field("dunlin_batches", |f| Value::Number(f.totals().batches)),
    field("dunlin_parked_sessions", |f| {
        Value::Number(f.totals().parked)
    }),
    field("dunlin_protocol_errors", |f| {
        Value::Number(f.totals().protocol_errors)
    }),
];
