//! Keys of the network: where the server listens, and how it talks to the kernel.

use super::super::key::{INT_MAX, Key, Kind, checked_text, choice, integer, special, text, yes_no};
use super::super::special::stream_name;
use super::super::value::WORKERS_MAX;

pub(super) const KEYS: &[Key] = &[
    special("admin-bind", Kind::Bind, "127.0.0.1 -::1")
        .acted()
        .at_start()
        .ours()
        .doc("Addresses of `admin-port`, written as those of `bind`. One that is not of the loopback needs `admin-token`. Not in Redis."),
    integer("admin-port", "0", 0, 65535)
        .acted()
        .at_start()
        .ours()
        .doc("TCP port of the admin pages, over HTTP/1.1: docs/admin.md. 0 is none. Not in Redis."),
    special("bind", Kind::Bind, "127.0.0.1 -::1").acted().doc(
        "Addresses to listen on, up to 16. `*` is every IPv4 address, `::*` every IPv6 address; an address after `-` is skipped where the machine lacks it. An empty value means no TCP. \
         Differs from Redis, whose default is every address: here one has to ask for it.",
    ),
    text("bind-source-addr", "").doc("Local address of outgoing connections (replication, cluster)."),
    integer("frame-port", "0", 0, 65535)
        .acted()
        .at_start()
        .ours()
        .doc("TCP port, on the addresses of `bind`, where devices submit messages over the Frame protocol: docs/gateway.md. They need no password. 0 is none. Not in Redis."),
    checked_text("frame-stream", "submissions", stream_name)
        .acted()
        .at_start()
        .ours()
        .doc("Stream of database 0 that those messages are appended to. Not in Redis."),
    choice("io-backend", "auto", &["auto", "epoll", "io_uring", "poll"])
        .acted()
        .at_start()
        .ours()
        .doc("The kernel interface of the event loops. `auto` takes the best that works on this machine, and the log says which; many containers forbid io_uring, which needs Linux 6.1. `poll` is there for comparison: its cost grows with the number of connections. Not in Redis."),
    integer("io-threads", "1", 1, 128)
        .moot()
        .at_start()
        .idle("1")
        .doc("Redis's helper threads for reading and writing. Here every worker does its own input and output: see `workers`."),
    yes_no("io-threads-do-reads", "no")
        .moot()
        .at_start()
        .idle("no")
        .doc("Whether those threads read, too. See `workers`."),
    integer("port", "6379", 0, 65535)
        .acted()
        .doc("TCP port. 0 means no TCP."),
    yes_no("protected-mode", "yes").acted().doc(
        "While there is no password, refuse commands of clients that do not come from this machine.",
    ),
    integer("socket-mark-id", "0", 0, u32::MAX as i64)
        .acted()
        .at_start()
        .doc("Mark that the kernel puts on the listening TCP sockets and what they accept, for routing and filters; it takes the right to administer networks, without which a warning is logged. 0 is none."),
    integer("tcp-backlog", "511", 0, INT_MAX)
        .acted()
        .at_start()
        .doc("Connections that may wait to be accepted. The kernel cuts it to net.core.somaxconn."),
    integer("tcp-keepalive", "300", 0, INT_MAX)
        .acted()
        .doc("Seconds of silence after which the kernel probes whether a client is still there. 0 turns the probes off."),
    text("unixsocket", "")
        .acted()
        .at_start()
        .doc("Path of a Unix socket to listen on as well. Empty is none."),
    special("unixsocketperm", Kind::Octal { max: 0o777 }, "0")
        .acted()
        .at_start()
        .doc("Mode of the Unix socket, in octal. 0 leaves what the umask gives."),
    special("workers", Kind::Workers, "auto").acted().at_start().ours().doc(
        "Worker threads, 1 to 512; `auto` is one for each core that the process may use. Each serves its own connections. Not in Redis."
    ),
];

const _: () = assert!(
    WORKERS_MAX == 512,
    "the documentation of 'workers' names the bound"
);
