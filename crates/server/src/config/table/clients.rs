//! Keys that limit clients, requests and replies.

use super::super::key::{INT_MAX, Key, Kind, integer, memory, special};

const MIB: u64 = 1 << 20;

pub(super) const KEYS: &[Key] = &[
    special(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
    )
    .acted()
    .doc(
        "When to cut a client that does not read its replies: class (`normal`, `replica`, `pubsub`), hard limit, soft limit, and the seconds that the soft limit may be exceeded. \
         0 is no limit. Lines for different classes add up. There are no replicas yet.",
    ),
    memory("client-query-buffer-limit", "1gb", MIB, i64::MAX as u64)
        .acted()
        .doc("Input of one client that was not executed yet. A client above it is cut."),
    integer("databases", "16", 1, INT_MAX)
        .acted()
        .at_start()
        .doc("Number of databases for SELECT."),
    integer("maxclients", "10000", 1, u32::MAX as i64)
        .acted()
        .doc("Clients served at once; the limit of open files may lower it at the start."),
    special("maxmemory-clients", Kind::MemoryOrPercent { percent_max: 100 }, "0")
        .acted()
        .doc("Memory of all client buffers together, in bytes or as a percentage of `maxmemory`, above which the greediest clients are cut. 0 is no limit."),
    memory("proto-max-bulk-len", "512mb", MIB, i64::MAX as u64)
        .acted()
        .doc("Longest argument of a request."),
    integer("timeout", "0", 0, INT_MAX)
        .acted()
        .doc("Seconds after which an idle client is closed. 0 is never."),
    integer("tracking-table-max-keys", "1000000", 0, i64::MAX)
        .doc("Keys that client-side caching may remember. 0 is no limit."),
];
