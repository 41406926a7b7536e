//! Section `clients`: who is connected.

use super::{Field, Value, count, field, none};

pub(super) const FIELDS: &[Field] = &[
    field("connected_clients", |f| count(f.shared.open_clients())),
    none("cluster_connections"),
    field("maxclients", |f| {
        Value::Number(u64::from(f.shared.config().maxclients()))
    }),
    field("client_recent_max_input_buffer", |f| {
        count(f.recent(|w| &w.recent_input))
    }),
    field("client_recent_max_output_buffer", |f| {
        count(f.recent(|w| &w.recent_output))
    }),
    field("blocked_clients", |f| count(f.shared.blocked_clients())),
    field("tracking_clients", |f| {
        count(f.shared.engine.tracking.clients())
    }),
    // These three are in INFO since 7.4.
    field("watching_clients", |f| {
        count(f.shared.clients.count(crate::clients::Client::is_watching))
    }),
    field("total_watched_keys", |f| {
        count(f.shared.engine.store.watched_keys())
    }),
    field("pubsub_clients", |f| {
        count(f.shared.engine.pubsub.subscribers())
    }),
    none("clients_in_timeout_table"),
    field("total_blocking_keys", |f| {
        count(f.shared.engine.store.waited_keys().0)
    }),
    field("total_blocking_keys_on_nokey", |f| {
        count(f.shared.engine.store.waited_keys().1)
    }),
];
