//! Keys of values: how big a collection may be in its packed form, and limits of scripts.

use super::super::key::{INT_MAX, Key, integer, memory, yes_no};

/// The bound of counts and sizes in this section.
const LONG_MAX: i64 = i64::MAX;

pub(super) const KEYS: &[Key] = &[
    integer("busy-reply-threshold", "5000", 0, LONG_MAX)
        .alias("lua-time-limit")
        .doc("Milliseconds after which clients that want a key which a script holds are told so.")
        .acted(),
    integer("hash-max-listpack-entries", "512", 0, LONG_MAX)
        .alias("hash-max-ziplist-entries")
        .doc("Fields of a packed hash.")
        .acted(),
    memory("hash-max-listpack-value", "64", 0, LONG_MAX as u64)
        .alias("hash-max-ziplist-value")
        .doc("Longest field name or value in a packed hash, bytes.")
        .acted(),
    memory("hll-sparse-max-bytes", "3000", 0, LONG_MAX as u64)
        .doc("Largest sparse HyperLogLog, bytes.")
        .acted(),
    integer("list-compress-depth", "0", 0, INT_MAX)
        .doc("Nodes at each end of a list that stay uncompressed. 0 compresses none."),
    integer("list-max-listpack-size", "-2", i32::MIN as i64, INT_MAX)
        .alias("list-max-ziplist-size")
        .doc("Elements of a packed list; from -1 to -5, its bytes: 4, 8, 16, 32 or 64 KiB.")
        .acted(),
    yes_no("lua-enable-deprecated-api", "no")
        .hidden()
        .at_start()
        .doc("Whether scripts have getfenv, setfenv and newproxy. A finalizer of what newproxy makes is never called.")
        .acted(),
    integer("set-max-intset-entries", "512", 0, LONG_MAX)
        .doc("Members of a set that is packed as integers.")
        .acted(),
    integer("set-max-listpack-entries", "128", 0, LONG_MAX)
        .doc("Members of a packed set.")
        .acted(),
    integer("set-max-listpack-value", "64", 0, LONG_MAX)
        .doc("Longest member of a packed set, bytes.")
        .acted(),
    memory("stream-node-max-bytes", "4096", 0, LONG_MAX as u64)
        .doc("Bytes of one node of a stream, at most 64 KiB. 0 is no other limit.")
        .acted(),
    integer("stream-node-max-entries", "100", 0, LONG_MAX)
        .doc("Entries in one node of a stream. 0 is no limit.")
        .acted(),
    integer("zset-max-listpack-entries", "128", 0, LONG_MAX)
        .alias("zset-max-ziplist-entries")
        .doc("Members of a packed sorted set.")
        .acted(),
    memory("zset-max-listpack-value", "64", 0, LONG_MAX as u64)
        .alias("zset-max-ziplist-value")
        .doc("Longest member of a packed sorted set, bytes.")
        .acted(),
];
