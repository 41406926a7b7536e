//! The commands of the group `set`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `set`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait SetCommands: Commands {
    /// Adds members to a set, which is made if it does not exist.
    ///
    /// `SADD <key> <member> [<member> ...]`
    ///
    /// O(1) for each member. Since 1.0.0.
    fn sadd(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("SADD").arg(key).arg(member))
    }

    /// Returns the number of members of a set.
    ///
    /// `SCARD <key>`
    ///
    /// O(1). Since 1.0.0.
    fn scard(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SCARD").arg(key))
    }

    /// Returns the members of a set that are in none of several others.
    ///
    /// `SDIFF <key> [<key> ...]`
    ///
    /// O(N) in the members of all sets. Since 1.0.0.
    fn sdiff(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SDIFF").arg(key))
    }

    /// Stores the members of a set that are in none of several others.
    ///
    /// `SDIFFSTORE <destination> <key> [<key> ...]`
    ///
    /// O(N) in the members of all sets. Since 1.0.0.
    fn sdiffstore(self, destination: impl ToArg, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SDIFFSTORE").arg(destination).arg(key))
    }

    /// Returns the members that several sets have in common.
    ///
    /// `SINTER <key> [<key> ...]`
    ///
    /// O(N*M), N members of the smallest set and M sets. Since 1.0.0.
    fn sinter(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SINTER").arg(key))
    }

    /// Counts the members that several sets have in common.
    ///
    /// `SINTERCARD <numkeys> <key> [<key> ...] [LIMIT <limit>]`
    ///
    /// O(N*M), N members of the smallest set and M sets. Since 7.0.0.
    fn sintercard(self, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("SINTERCARD").counted(keys))
    }

    /// Stores the members that several sets have in common.
    ///
    /// `SINTERSTORE <destination> <key> [<key> ...]`
    ///
    /// O(N*M), N members of the smallest set and M sets. Since 1.0.0.
    fn sinterstore(self, destination: impl ToArg, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SINTERSTORE").arg(destination).arg(key))
    }

    /// Tells whether a set has a member.
    ///
    /// `SISMEMBER <key> <member>`
    ///
    /// O(1). Since 1.0.0.
    fn sismember(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("SISMEMBER").arg(key).arg(member))
    }

    /// Returns all members of a set.
    ///
    /// `SMEMBERS <key>`
    ///
    /// O(N) in the number of members. Since 1.0.0.
    fn smembers(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SMEMBERS").arg(key))
    }

    /// Tells of several members whether a set has them.
    ///
    /// `SMISMEMBER <key> <member> [<member> ...]`
    ///
    /// O(1) for each member. Since 6.2.0.
    fn smismember(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("SMISMEMBER").arg(key).arg(member))
    }

    /// Moves a member from one set to another.
    ///
    /// `SMOVE <source> <destination> <member>`
    ///
    /// O(1). Since 1.0.0.
    fn smove(self, source: impl ToArg, destination: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("SMOVE").arg(source).arg(destination).arg(member))
    }

    /// Takes members out of a set at random and returns them.
    ///
    /// `SPOP <key> [<count>]`
    ///
    /// O(1) for one member, O(N) in the count. Since 1.0.0.
    fn spop(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SPOP").arg(key))
    }

    /// Returns members of a set at random.
    ///
    /// `SRANDMEMBER <key> [<count>]`
    ///
    /// O(1) for one member, O(N) in the count. Since 1.0.0.
    fn srandmember(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SRANDMEMBER").arg(key))
    }

    /// Takes members out of a set, which goes with its last one.
    ///
    /// `SREM <key> <member> [<member> ...]`
    ///
    /// O(1) for each member. Since 1.0.0.
    fn srem(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("SREM").arg(key).arg(member))
    }

    /// Iterates over the members of a set.
    ///
    /// `SSCAN <key> <cursor> [MATCH <pattern>] [COUNT <count>]`
    ///
    /// O(COUNT) for a call, O(N) in the number of members for a whole iteration. Since 2.8.0.
    fn sscan(self, key: impl ToArg, cursor: impl ToArg) -> Self::Out {
        self.put(Command::new("SSCAN").arg(key).arg(cursor))
    }

    /// Returns the members that are in at least one of several sets.
    ///
    /// `SUNION <key> [<key> ...]`
    ///
    /// O(N) in the members of all sets. Since 1.0.0.
    fn sunion(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SUNION").arg(key))
    }

    /// Stores the members that are in at least one of several sets.
    ///
    /// `SUNIONSTORE <destination> <key> [<key> ...]`
    ///
    /// O(N) in the members of all sets. Since 1.0.0.
    fn sunionstore(self, destination: impl ToArg, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SUNIONSTORE").arg(destination).arg(key))
    }
}

impl<C: Commands> SetCommands for C {}
