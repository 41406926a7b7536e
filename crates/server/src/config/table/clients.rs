//! Keys that limit clients, requests and replies.

use super::super::key::{INT_MAX, Key, Kind, choice, integer, memory, special};

const MIB: u64 = 1 << 20;

pub(super) const KEYS: &[Key] = &[
    integer("accept-rate", "0", 0, u32::MAX as i64)
        .acted()
        .at_start()
        .ours()
        .doc("New connections accepted in a second; more wait in the backlog (`tcp-backlog`). Those of the Unix socket are not counted. 0 is no limit. Not in Redis."),
    choice("admin-lane", "unix", &["no", "unix", "loopback"])
        .acted()
        .at_start()
        .ours()
        .doc(
            "For whom there is room (16 clients) beyond `maxclients`, so that one can get in and see what is going on when everybody connects at once: clients of the Unix socket, or all of this machine. Not in Redis.",
        ),
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
    integer("maxclients-per-address", "0", 0, u32::MAX as i64)
        .acted()
        .at_start()
        .ours()
        .doc("Connections that one address may have; more are closed as they come. 0 is no limit. Not in Redis."),
    special("maxmemory-clients", Kind::MemoryOrPercent { percent_max: 100 }, "0")
        .acted()
        .doc("Memory of all client buffers together, in bytes or as a percentage of `maxmemory`, above which the greediest clients are cut. 0 is no limit."),
    memory("proto-max-bulk-len", "512mb", MIB, i64::MAX as u64)
        .acted()
        .doc("Longest argument of a request."),
    integer("request-timeout", "0", 0, 1_000_000)
        .acted()
        .at_start()
        .ours()
        .doc("Seconds in which a client that began a request has to send at least 1 KiB of it, again and again until it is complete, or it is cut. 0 is no limit. Not in Redis."),
    integer("timeout", "0", 0, INT_MAX)
        .acted()
        .doc("Seconds after which an idle client is closed. 0 is never."),
    integer("tracking-table-max-keys", "1000000", 0, i64::MAX)
        .acted()
        .doc("Keys that client-side caching may remember. 0 is no limit."),
];
