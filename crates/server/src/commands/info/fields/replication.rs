//! Section `replication`: this server is a master without replicas.

use super::{Field, Value, field, none, text};

pub(super) const FIELDS: &[Field] = &[
    field("role", |_| text("master")),
    none("connected_slaves"),
    field("master_failover_state", |_| text("no-failover")),
    field("master_replid", |f| Value::Text(f.shared.replication_id())),
    field("master_replid2", |_| Value::Text("0".repeat(40))),
    none("master_repl_offset"),
    field("second_repl_offset", |_| Value::Signed(-1)),
    none("repl_backlog_active"),
    field("repl_backlog_size", |f| {
        Value::Number(f.shared.config().bytes("repl-backlog-size"))
    }),
    none("repl_backlog_first_byte_offset"),
    none("repl_backlog_histlen"),
];
