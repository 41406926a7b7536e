//! Keys of persistence: snapshots and the append-only file.

use super::super::key::{
    INT_MAX, Key, Kind, checked_text, choice, integer, memory, special, yes_no,
};
use super::super::special::{append_directory, append_name, dump_name};

pub(super) const KEYS: &[Key] = &[
    yes_no("aof-checksums", "yes")
        .ours()
        .acted()
        .doc("Write a checksum before each batch of the append-only file, as a comment, which redis-server and redis-check-aof pass over: damage is told from a torn end. Programs that take the file apart and know no comments need `no`."),
    yes_no("aof-disable-auto-gc", "no")
        .acted()
        .hidden()
        .doc("A test hook of Redis: keep old append-only files."),
    yes_no("aof-load-truncated", "yes").acted().doc("Start with an append-only file whose end is missing."),
    yes_no("aof-rewrite-incremental-fsync", "yes").doc("Flush a rewritten append-only file piece by piece."),
    yes_no("aof-timestamp-enabled", "no").acted().doc("Write times into the append-only file."),
    yes_no("aof-use-rdb-preamble", "yes")
        .acted()
        .doc("Write the base of the append-only file as a snapshot; `no`: as commands."),
    checked_text("appenddirname", "appendonlydir", append_directory)
        .acted()
        .at_start()
        .doc("Directory of the append-only files, inside `dir`."),
    checked_text("appendfilename", "appendonly.aof", append_name)
        .acted()
        .at_start()
        .doc("Beginning of the names of the append-only files."),
    choice("appendfsync", "everysec", &["everysec", "always", "no"])
        .acted()
        .doc("When to flush the append-only file to the disk."),
    yes_no("appendonly", "no").acted().doc("Log every change to a file."),
    memory("auto-aof-rewrite-min-size", "64mb", 0, i64::MAX as u64)
        .acted()
        .doc("Smallest append-only file that is rewritten by itself."),
    integer("auto-aof-rewrite-percentage", "100", 0, INT_MAX)
        .acted()
        .doc("Growth, in percent, after which the append-only file is rewritten. 0 is never."),
    checked_text("dbfilename", "dump.rdb", dump_name)
        .acted()
        .protected()
        .doc("Name of the snapshot file, inside `dir`."),
    integer("key-load-delay", "0", i32::MIN as i64, INT_MAX)
        .acted()
        .hidden()
        .doc("A test hook of Redis: microseconds to wait at each key that is loaded."),
    integer("loading-process-events-interval-bytes", "2097152", 1024, INT_MAX)
        .acted()
        .hidden()
        .doc("A test hook of Redis: how often clients are served while data is loaded."),
    yes_no("no-appendfsync-on-rewrite", "no").doc("Do not flush the append-only file while it is rewritten."),
    yes_no("rdb-del-sync-files", "no").doc("Delete snapshots that were made for replication."),
    integer("rdb-key-save-delay", "0", i32::MIN as i64, INT_MAX)
        .acted()
        .hidden()
        .doc("A test hook of Redis: microseconds to wait at each key that is saved."),
    yes_no("rdb-save-incremental-fsync", "yes").acted().doc("Send a snapshot to the device piece by piece while it is written."),
    integer("rdb-version", "11", 10, 12)
        .ours()
        .acted()
        .doc("Version of the format of snapshots and of DUMP: 10 is read by Redis 7.0 and later, 11 by Redis 7.2 and Valkey 8, 12 by Redis 7.4. Deadlines of a hash's fields need 12: while there are some, saving in another version fails."),
    yes_no("rdbchecksum", "yes").acted().at_start().doc("Put a checksum at the end of a snapshot."),
    yes_no("rdbcompression", "yes").acted().doc("Compress strings in a snapshot."),
    choice("sanitize-dump-payload", "no", &["no", "yes", "clients"])
        .moot()
        .doc("Loaded and restored values are checked all through, whatever this says."),
    special("save", Kind::Save, "3600 1 300 100 60 10000")
        .acted()
        .doc("Pairs of seconds and changes: write a snapshot after so many seconds if so many keys changed. Lines add up; an empty value turns snapshots off."),
    yes_no("stop-writes-on-bgsave-error", "yes").acted().doc("Refuse writes while snapshots fail."),
];
