//! The commands of the group `stream`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `stream`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait StreamCommands: Commands {
    /// Acknowledges entries that a group was given; returns how many were pending.
    ///
    /// `XACK <key> <group> <ID> [<ID> ...]`
    ///
    /// O(log N) for each id, with N entries pending. Since 5.0.0.
    fn xack(self, key: impl ToArg, group: impl ToArg, id: impl ToArg) -> Self::Out {
        self.put(Command::new("XACK").arg(key).arg(group).arg(id))
    }

    /// Appends an entry to a stream, which is made if the key does not exist.
    ///
    /// `XADD <key> [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] <threshold> [LIMIT <count>]] <* | <id>> <field> <value> [<field> <value> ...]`
    ///
    /// O(1), and O(N) in the number of entries that trimming removes. Since 5.0.0.
    /// `rest` is what stands from here on: `[NOMKSTREAM] [<MAXLEN | MINID> [= | ~] <threshold> [LIMIT <count>]] <* | <id>> <field> <value> [<field> <value> ...]`.
    fn xadd(self, key: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("XADD").arg(key).arg(rest))
    }

    /// Makes a consumer the one with which entries are pending that have been so for long.
    ///
    /// `XAUTOCLAIM <key> <group> <consumer> <min-idle-time> <start> [COUNT <count>] [JUSTID]`
    ///
    /// O(COUNT log N) with N entries pending. Since 6.2.0.
    fn xautoclaim(self, key: impl ToArg, group: impl ToArg, consumer: impl ToArg, min_idle_time: impl ToArg, start: impl ToArg) -> Self::Out {
        self.put(Command::new("XAUTOCLAIM").arg(key).arg(group).arg(consumer).arg(min_idle_time).arg(start))
    }

    /// Makes a consumer the one with which entries are pending.
    ///
    /// `XCLAIM <key> <group> <consumer> <min-idle-time> <ID> [<ID> ...] [IDLE <ms>] [TIME <unix-time-milliseconds>] [RETRYCOUNT <count>] [FORCE] [JUSTID] [LASTID <lastid>]`
    ///
    /// O(log N) for each id, with N entries pending. Since 5.0.0.
    fn xclaim(self, key: impl ToArg, group: impl ToArg, consumer: impl ToArg, min_idle_time: impl ToArg, id: impl ToArg) -> Self::Out {
        self.put(Command::new("XCLAIM").arg(key).arg(group).arg(consumer).arg(min_idle_time).arg(id))
    }

    /// Deletes entries from a stream; returns how many were there.
    ///
    /// `XDEL <key> <ID> [<ID> ...]`
    ///
    /// O(log N) for each id, with N entries in the stream. Since 5.0.0.
    fn xdel(self, key: impl ToArg, id: impl ToArg) -> Self::Out {
        self.put(Command::new("XDEL").arg(key).arg(id))
    }

    /// Makes a group that is given the entries behind an id.
    ///
    /// `XGROUP CREATE <key> <group> <<id> | $> [MKSTREAM] [ENTRIESREAD <entries-read>]`
    ///
    /// O(1). Since 5.0.0.
    fn xgroup_create(self, key: impl ToArg, group: impl ToArg, id_selector: impl ToArg) -> Self::Out {
        self.put(Command::new("XGROUP").arg("CREATE").arg(key).arg(group).arg(id_selector))
    }

    /// Makes a consumer of a group; returns whether there was none of this name.
    ///
    /// `XGROUP CREATECONSUMER <key> <group> <consumer>`
    ///
    /// O(1). Since 6.2.0.
    fn xgroup_createconsumer(self, key: impl ToArg, group: impl ToArg, consumer: impl ToArg) -> Self::Out {
        self.put(Command::new("XGROUP").arg("CREATECONSUMER").arg(key).arg(group).arg(consumer))
    }

    /// Removes a consumer of a group; returns how many entries were pending with it.
    ///
    /// `XGROUP DELCONSUMER <key> <group> <consumer>`
    ///
    /// O(N log M) in the number of entries pending with it, of M in all. Since 5.0.0.
    fn xgroup_delconsumer(self, key: impl ToArg, group: impl ToArg, consumer: impl ToArg) -> Self::Out {
        self.put(Command::new("XGROUP").arg("DELCONSUMER").arg(key).arg(group).arg(consumer))
    }

    /// Removes a group.
    ///
    /// `XGROUP DESTROY <key> <group>`
    ///
    /// O(1); what was pending is freed in the background. Since 5.0.0.
    fn xgroup_destroy(self, key: impl ToArg, group: impl ToArg) -> Self::Out {
        self.put(Command::new("XGROUP").arg("DESTROY").arg(key).arg(group))
    }

    /// Sets the id behind which entries are new to a group.
    ///
    /// `XGROUP SETID <key> <group> <<id> | $> [ENTRIESREAD <entriesread>]`
    ///
    /// O(1). Since 5.0.0.
    fn xgroup_setid(self, key: impl ToArg, group: impl ToArg, id_selector: impl ToArg) -> Self::Out {
        self.put(Command::new("XGROUP").arg("SETID").arg(key).arg(group).arg(id_selector))
    }

    /// Lists the consumers of a group.
    ///
    /// `XINFO CONSUMERS <key> <group>`
    ///
    /// O(N) in the number of consumers. Since 5.0.0.
    fn xinfo_consumers(self, key: impl ToArg, group: impl ToArg) -> Self::Out {
        self.put(Command::new("XINFO").arg("CONSUMERS").arg(key).arg(group))
    }

    /// Lists the groups of a stream.
    ///
    /// `XINFO GROUPS <key>`
    ///
    /// O(N) in the number of groups. Since 5.0.0.
    fn xinfo_groups(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("XINFO").arg("GROUPS").arg(key))
    }

    /// Describes a stream; with FULL also its groups, their consumers and what is pending.
    ///
    /// `XINFO STREAM <key> [FULL [COUNT <count>]]`
    ///
    /// O(1). Since 5.0.0.
    fn xinfo_stream(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("XINFO").arg("STREAM").arg(key))
    }

    /// Returns the number of entries in a stream.
    ///
    /// `XLEN <key>`
    ///
    /// O(1). Since 5.0.0.
    fn xlen(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("XLEN").arg(key))
    }

    /// Returns what a group was given and has not acknowledged.
    ///
    /// `XPENDING <key> <group> [[IDLE <min-idle-time>] <start> <end> <count> [<consumer>]]`
    ///
    /// O(N) in the number of entries looked at; in sum O(N) in the number of consumers. Since 5.0.0.
    fn xpending(self, key: impl ToArg, group: impl ToArg) -> Self::Out {
        self.put(Command::new("XPENDING").arg(key).arg(group))
    }

    /// Returns the entries of a stream between two ids.
    ///
    /// `XRANGE <key> <start> <end> [COUNT <count>]`
    ///
    /// O(log N) with N entries in the stream, and O(M) in the number of entries returned. Since 5.0.0.
    fn xrange(self, key: impl ToArg, start: impl ToArg, end: impl ToArg) -> Self::Out {
        self.put(Command::new("XRANGE").arg(key).arg(start).arg(end))
    }

    /// Returns the entries of streams with greater ids than given; waits for one if told so.
    ///
    /// `XREAD [COUNT <count>] [BLOCK <milliseconds>] STREAMS <key> [<key> ...] <ID> [<ID> ...]`
    ///
    /// O(N) in the number of entries returned. Since 5.0.0.
    /// `rest` is what stands from here on: `[COUNT <count>] [BLOCK <milliseconds>] STREAMS <key> [<key> ...] <ID> [<ID> ...]`.
    ///
    /// It may wait: for a connection of one's own.
    fn xread(self, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("XREAD").arg(rest))
    }

    /// Returns new entries of streams to a consumer of a group, or those that are pending with it; waits for new ones if told so.
    ///
    /// `XREADGROUP GROUP <group> <consumer> [COUNT <count>] [BLOCK <milliseconds>] [NOACK] STREAMS <key> [<key> ...] <ID> [<ID> ...]`
    ///
    /// O(N log M) in the number of entries returned, with M entries pending. Since 5.0.0.
    /// `rest` is what stands from here on: `[COUNT <count>] [BLOCK <milliseconds>] [NOACK] STREAMS <key> [<key> ...] <ID> [<ID> ...]`.
    ///
    /// It may wait: for a connection of one's own.
    fn xreadgroup(self, group: impl ToArg, consumer: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("XREADGROUP").arg("GROUP").arg(group).arg(consumer).arg(rest))
    }

    /// Returns the entries of a stream between two ids, the last first.
    ///
    /// `XREVRANGE <key> <end> <start> [COUNT <count>]`
    ///
    /// O(log N) with N entries in the stream, and O(M) in the number of entries returned. Since 5.0.0.
    fn xrevrange(self, key: impl ToArg, end: impl ToArg, start: impl ToArg) -> Self::Out {
        self.put(Command::new("XREVRANGE").arg(key).arg(end).arg(start))
    }

    /// Sets the last id of a stream, for replicas and files.
    ///
    /// `XSETID <key> <last-id> [ENTRIESADDED <entries-added>] [MAXDELETEDID <max-deleted-id>]`
    ///
    /// O(1). Since 5.0.0.
    fn xsetid(self, key: impl ToArg, last_id: impl ToArg) -> Self::Out {
        self.put(Command::new("XSETID").arg(key).arg(last_id))
    }

    /// Removes entries from the beginning of a stream.
    ///
    /// `XTRIM <key> <MAXLEN | MINID> [= | ~] <threshold> [LIMIT <count>]`
    ///
    /// O(N) in the number of blocks that are removed; they are freed in the background. Since 5.0.0.
    fn xtrim(self, key: impl ToArg, trim: impl ToArg) -> Self::Out {
        self.put(Command::new("XTRIM").arg(key).arg(trim))
    }
}

impl<C: Commands> StreamCommands for C {}
