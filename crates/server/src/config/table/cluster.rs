//! Keys of the cluster.

use super::super::key::{INT_MAX, Key, checked_text, choice, integer, memory, text, yes_no};
use super::super::special::{announced_host, announced_node};

pub(super) const KEYS: &[Key] = &[
    yes_no("cluster-allow-pubsubshard-when-down", "yes").doc("Serve sharded channels while the cluster is down."),
    yes_no("cluster-allow-reads-when-down", "no").doc("Serve reads while the cluster is down."),
    yes_no("cluster-allow-replica-migration", "yes").doc("Let replicas move to masters that have none."),
    integer("cluster-announce-bus-port", "0", 0, 65535)
        .doc("Bus port that other nodes are told. 0 is the real one."),
    checked_text("cluster-announce-hostname", "", announced_host)
        .doc("Host name that clients and nodes are told."),
    checked_text("cluster-announce-human-nodename", "", announced_node)
        .doc("Name of the node in logs."),
    text("cluster-announce-ip", "").doc("Address that other nodes are told."),
    integer("cluster-announce-port", "0", 0, 65535)
        .doc("Port that other nodes are told. 0 is the real one."),
    integer("cluster-announce-tls-port", "0", 0, 65535)
        .doc("TLS port that other nodes are told. 0 is the real one."),
    text("cluster-config-file", "nodes.conf").at_start().doc("File in which a node keeps the state of the cluster."),
    yes_no("cluster-enabled", "no")
        .at_start()
        .idle("no")
        .missing("the cluster is not built yet: the server runs alone and serves all slots")
        .doc("Run as a node of a cluster."),
    memory("cluster-link-sendbuf-limit", "0", 0, u64::MAX)
        .doc("Bytes that may wait to be sent to another node. 0 is no limit."),
    integer("cluster-migration-barrier", "1", 0, INT_MAX)
        .doc("Replicas that a master keeps before one may move to another master."),
    integer("cluster-node-timeout", "15000", 0, i64::MAX)
        .doc("Milliseconds of silence after which a node is taken for failing."),
    integer("cluster-ping-interval", "0", 0, i64::MAX)
        .hidden()
        .doc("A test hook of Redis: milliseconds between pings of nodes."),
    integer("cluster-port", "0", 0, 65535)
        .at_start()
        .doc("Port of the cluster bus. 0 is `port` + 10000."),
    choice("cluster-preferred-endpoint-type", "ip", &["ip", "hostname", "unknown-endpoint"])
        .doc("What redirections name: address, host name, or nothing."),
    yes_no("cluster-replica-no-failover", "no")
        .alias("cluster-slave-no-failover")
        .doc("Never promote this replica by itself."),
    integer("cluster-replica-validity-factor", "10", 0, INT_MAX)
        .alias("cluster-slave-validity-factor")
        .doc("A replica that was away for more than this many node timeouts is not promoted. 0 is no limit."),
    yes_no("cluster-require-full-coverage", "yes")
        .doc("Serve nothing while a slot has no node."),
];
