//! Keys of replication.

use super::super::key::{INT_MAX, Key, Kind, choice, integer, memory, special, text, yes_no};

pub(super) const KEYS: &[Key] = &[
    text("masterauth", "")
        .secret()
        .doc("Password for the master."),
    text("masteruser", "")
        .secret()
        .doc("User name for the master."),
    integer("min-replicas-max-lag", "10", 0, INT_MAX)
        .alias("min-slaves-max-lag")
        .doc("Seconds that a replica may lag and still count for `min-replicas-to-write`."),
    integer("min-replicas-to-write", "0", 0, INT_MAX)
        .alias("min-slaves-to-write")
        .idle("0")
        .missing("replication is not built yet: writes are accepted without replicas")
        .doc("Refuse writes with fewer replicas than this. 0 is off."),
    choice(
        "propagation-error-behavior",
        "ignore",
        &["ignore", "panic", "panic-on-replicas"],
    )
    .doc("What to do when a replicated command fails."),
    memory("repl-backlog-size", "1mb", 1, i64::MAX as u64)
        .doc("Bytes of the newest changes kept for replicas that were away."),
    integer("repl-backlog-ttl", "3600", 0, i64::MAX)
        .doc("Seconds without replicas after which the backlog is freed. 0 is never."),
    yes_no("repl-disable-tcp-nodelay", "no")
        .doc("Let the kernel gather small packets to replicas."),
    choice(
        "repl-diskless-load",
        "disabled",
        &["disabled", "on-empty-db", "swapdb"],
    )
    .doc("Whether a replica loads its first copy without a file."),
    yes_no("repl-diskless-sync", "yes").doc("Send the first copy to replicas without a file."),
    integer("repl-diskless-sync-delay", "5", 0, INT_MAX)
        .doc("Seconds to wait for more replicas before a copy is sent."),
    integer("repl-diskless-sync-max-replicas", "0", 0, INT_MAX)
        .doc("Send the copy at once when so many replicas wait. 0 is off."),
    integer("repl-ping-replica-period", "10", 1, INT_MAX)
        .alias("repl-ping-slave-period")
        .doc("Seconds between pings to replicas."),
    integer("repl-timeout", "60", 1, INT_MAX)
        .doc("Seconds of silence after which the other side is taken for gone."),
    text("replica-announce-ip", "")
        .alias("slave-announce-ip")
        .doc("Address that a replica gives to its master."),
    integer("replica-announce-port", "0", 0, 65535)
        .alias("slave-announce-port")
        .doc("Port that a replica gives to its master. 0 is the real one."),
    yes_no("replica-announced", "yes").doc("Whether Sentinel shows this replica."),
    yes_no("replica-ignore-disk-write-errors", "no")
        .doc("A replica goes on when it cannot write to its disk."),
    yes_no("replica-ignore-maxmemory", "yes")
        .alias("slave-ignore-maxmemory")
        .doc("A replica leaves eviction to its master."),
    yes_no("replica-lazy-flush", "no")
        .alias("slave-lazy-flush")
        .doc("A replica empties itself in the background before it loads a copy."),
    integer("replica-priority", "100", 0, INT_MAX)
        .alias("slave-priority")
        .doc("Sentinel promotes the replica with the lowest. 0 is never."),
    yes_no("replica-read-only", "yes")
        .alias("slave-read-only")
        .doc("A replica refuses writes of clients."),
    yes_no("replica-serve-stale-data", "yes")
        .alias("slave-serve-stale-data")
        .doc("A replica answers while it has lost its master."),
    special("replicaof", Kind::ReplicaOf, "no one")
        .alias("slaveof")
        .at_start()
        .idle("")
        .missing("replication is not built yet: the server starts empty, as a master")
        .doc("Host and port of the master; `no one` is none."),
];
