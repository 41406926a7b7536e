//! Keys of what the server tells about itself.

use super::super::key::{Key, Kind, integer, special, yes_no};

pub(super) const KEYS: &[Key] = &[
    integer("hot-keys-sample-every", "128", 0, 1_000_000)
        .acted()
        .doc("HOTKEYS looks at one command in so many. 0 is off."),
    integer("latency-monitor-threshold", "0", 0, i64::MAX)
        .acted()
        .doc("Milliseconds from which an event is kept by the latency monitor. 0 is off."),
    yes_no("latency-tracking", "yes")
        .acted()
        .doc("Keep a histogram of latencies for each command."),
    special("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9")
        .acted()
        .doc("Percentiles that INFO shows of them."),
    special("notify-keyspace-events", Kind::Events, "")
        .acted()
        .doc("Classes of events to publish: `K` and `E` choose the channels, `g$lshzxetdnm` the events, `A` all but `n` and `m`."),
    integer("slowlog-log-slower-than", "10000", -1, i64::MAX)
        .acted()
        .doc("Microseconds from which a command is logged as slow. 0 logs all, -1 none."),
    integer("slowlog-max-len", "128", 0, i64::MAX)
        .acted()
        .doc("Entries of the slow log."),
];
