//! The commands of the group `sorted-set`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `sorted-set`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait SortedSetCommands: Commands {
    /// Takes the members with the lowest or highest scores out of the first sorted set that is not empty; waits until there is one.
    ///
    /// `BZMPOP <timeout> <numkeys> <key> [<key> ...] <MIN | MAX> [COUNT <count>]`
    ///
    /// O(K + M log N) for K keys and M members out of N. Since 7.0.0.
    ///
    /// It may wait: for a connection of one's own.
    fn bzmpop(self, timeout: impl ToArg, keys: impl ToArg, where_: impl ToArg) -> Self::Out {
        self.put(Command::new("BZMPOP").arg(timeout).counted(keys).arg(where_))
    }

    /// Takes the member with the highest score out of the first sorted set that has one; waits until there is one.
    ///
    /// `BZPOPMAX <key> [<key> ...] <timeout>`
    ///
    /// O(log N) in the number of members. Since 5.0.0.
    ///
    /// It may wait: for a connection of one's own.
    fn bzpopmax(self, key: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("BZPOPMAX").arg(key).arg(timeout))
    }

    /// Takes the member with the lowest score out of the first sorted set that has one; waits until there is one.
    ///
    /// `BZPOPMIN <key> [<key> ...] <timeout>`
    ///
    /// O(log N) in the number of members. Since 5.0.0.
    ///
    /// It may wait: for a connection of one's own.
    fn bzpopmin(self, key: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("BZPOPMIN").arg(key).arg(timeout))
    }

    /// Adds members to a sorted set, or changes their scores; makes the key if there is none.
    ///
    /// `ZADD <key> [NX | XX] [GT | LT] [CH] [INCR] <score> <member> [<score> <member> ...]`
    ///
    /// O(log N) for each member, with N members in the sorted set. Since 1.2.0.
    /// `rest` is what stands from here on: `[NX | XX] [GT | LT] [CH] [INCR] <score> <member> [<score> <member> ...]`.
    fn zadd(self, key: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("ZADD").arg(key).arg(rest))
    }

    /// Counts the members of a sorted set.
    ///
    /// `ZCARD <key>`
    ///
    /// O(1). Since 1.2.0.
    fn zcard(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("ZCARD").arg(key))
    }

    /// Counts the members of a sorted set whose scores lie in a range.
    ///
    /// `ZCOUNT <key> <min> <max>`
    ///
    /// O(log N) with N members in the sorted set. Since 2.0.0.
    fn zcount(self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZCOUNT").arg(key).arg(min).arg(max))
    }

    /// Returns the members of a sorted set that stand in none of others.
    ///
    /// `ZDIFF <numkeys> <key> [<key> ...] [WITHSCORES]`
    ///
    /// O(N log N) for N members in all sources together. Since 6.2.0.
    fn zdiff(self, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZDIFF").counted(keys))
    }

    /// Stores the members of a sorted set that stand in none of others under a key.
    ///
    /// `ZDIFFSTORE <destination> <numkeys> <key> [<key> ...]`
    ///
    /// O(N log N) for N members in all sources together. Since 6.2.0.
    fn zdiffstore(self, destination: impl ToArg, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZDIFFSTORE").arg(destination).counted(keys))
    }

    /// Adds to the score of a member of a sorted set; one that is not there counts as 0.
    ///
    /// `ZINCRBY <key> <increment> <member>`
    ///
    /// O(log N) with N members in the sorted set. Since 1.2.0.
    fn zincrby(self, key: impl ToArg, increment: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("ZINCRBY").arg(key).arg(increment).arg(member))
    }

    /// Returns the members that stand in all of several sorted sets.
    ///
    /// `ZINTER <numkeys> <key> [<key> ...] [WEIGHTS <weight> [WEIGHTS <weight> ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]`
    ///
    /// O(N K log M + R log R) for K sources, of which the smallest has N and the largest M members, and R results. Since 6.2.0.
    fn zinter(self, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZINTER").counted(keys))
    }

    /// Counts the members that stand in all of several sorted sets.
    ///
    /// `ZINTERCARD <numkeys> <key> [<key> ...] [LIMIT <limit>]`
    ///
    /// O(N K log M) for K sources, of which the smallest has N and the largest M members. Since 7.0.0.
    fn zintercard(self, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZINTERCARD").counted(keys))
    }

    /// Stores the members that stand in all of several sorted sets under a key.
    ///
    /// `ZINTERSTORE <destination> <numkeys> <key> [<key> ...] [WEIGHTS <weight> [WEIGHTS <weight> ...]] [AGGREGATE <SUM | MIN | MAX>]`
    ///
    /// O(N K log M + R log R) for K sources, of which the smallest has N and the largest M members, and R results. Since 2.0.0.
    fn zinterstore(self, destination: impl ToArg, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZINTERSTORE").arg(destination).counted(keys))
    }

    /// Counts the members of a sorted set that lie in a range by their bytes.
    ///
    /// `ZLEXCOUNT <key> <min> <max>`
    ///
    /// O(log N) with N members in the sorted set. Since 2.8.9.
    fn zlexcount(self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZLEXCOUNT").arg(key).arg(min).arg(max))
    }

    /// Takes the members with the lowest or highest scores out of the first sorted set that is not empty.
    ///
    /// `ZMPOP <numkeys> <key> [<key> ...] <MIN | MAX> [COUNT <count>]`
    ///
    /// O(K + M log N) for K keys and M members out of N. Since 7.0.0.
    fn zmpop(self, keys: impl ToArg, where_: impl ToArg) -> Self::Out {
        self.put(Command::new("ZMPOP").counted(keys).arg(where_))
    }

    /// Returns the scores of several members of a sorted set.
    ///
    /// `ZMSCORE <key> <member> [<member> ...]`
    ///
    /// O(M log N) for M members out of N. Since 6.2.0.
    fn zmscore(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("ZMSCORE").arg(key).arg(member))
    }

    /// Takes the members with the highest scores out of a sorted set and returns them.
    ///
    /// `ZPOPMAX <key> [<count>]`
    ///
    /// O(M log N) for M members out of N. Since 5.0.0.
    fn zpopmax(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("ZPOPMAX").arg(key))
    }

    /// Takes the members with the lowest scores out of a sorted set and returns them.
    ///
    /// `ZPOPMIN <key> [<count>]`
    ///
    /// O(M log N) for M members out of N. Since 5.0.0.
    fn zpopmin(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("ZPOPMIN").arg(key))
    }

    /// Returns random members of a sorted set: different ones, or with a negative count perhaps the same ones again.
    ///
    /// `ZRANDMEMBER <key> [<count> [WITHSCORES]]`
    ///
    /// O(M log N) for M members out of N. Since 6.2.0.
    fn zrandmember(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("ZRANDMEMBER").arg(key))
    }

    /// Returns the members of a sorted set in a range of ranks, of scores or of bytes.
    ///
    /// `ZRANGE <key> <start> <stop> [BYSCORE | BYLEX] [REV] [LIMIT <offset> <count>] [WITHSCORES]`
    ///
    /// O(log N + M) for M members out of N. Since 1.2.0.
    fn zrange(self, key: impl ToArg, start: impl ToArg, stop: impl ToArg) -> Self::Out {
        self.put(Command::new("ZRANGE").arg(key).arg(start).arg(stop))
    }

    /// Returns the members of a sorted set in a range by their bytes.
    ///
    /// `ZRANGEBYLEX <key> <min> <max> [LIMIT <offset> <count>]`
    ///
    /// O(log N + M) for M members out of N. Since 2.8.9.
    /// Deprecated since 6.2.0: `ZRANGE` with the `BYLEX` argument
    fn zrangebylex(self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZRANGEBYLEX").arg(key).arg(min).arg(max))
    }

    /// Returns the members of a sorted set in a range of scores.
    ///
    /// `ZRANGEBYSCORE <key> <min> <max> [WITHSCORES] [LIMIT <offset> <count>]`
    ///
    /// O(log N + M) for M members out of N. Since 1.0.5.
    /// Deprecated since 6.2.0: `ZRANGE` with the `BYSCORE` argument
    fn zrangebyscore(self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZRANGEBYSCORE").arg(key).arg(min).arg(max))
    }

    /// Stores the members of a range of a sorted set under a key.
    ///
    /// `ZRANGESTORE <dst> <src> <min> <max> [BYSCORE | BYLEX] [REV] [LIMIT <offset> <count>]`
    ///
    /// O(log N + M) for M members out of N. Since 6.2.0.
    fn zrangestore(self, dst: impl ToArg, src: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZRANGESTORE").arg(dst).arg(src).arg(min).arg(max))
    }

    /// Tells how many members of a sorted set stand before a member, in ascending order.
    ///
    /// `ZRANK <key> <member> [WITHSCORE]`
    ///
    /// O(log N) with N members in the sorted set. Since 2.0.0.
    fn zrank(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("ZRANK").arg(key).arg(member))
    }

    /// Takes members out of a sorted set; the key goes with the last one.
    ///
    /// `ZREM <key> <member> [<member> ...]`
    ///
    /// O(M log N) for M members out of N. Since 1.2.0.
    fn zrem(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREM").arg(key).arg(member))
    }

    /// Takes the members of a range by their bytes out of a sorted set.
    ///
    /// `ZREMRANGEBYLEX <key> <min> <max>`
    ///
    /// O(M log N) for M members out of N. Since 2.8.9.
    fn zremrangebylex(self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREMRANGEBYLEX").arg(key).arg(min).arg(max))
    }

    /// Takes the members of a range of ranks out of a sorted set.
    ///
    /// `ZREMRANGEBYRANK <key> <start> <stop>`
    ///
    /// O(M log N) for M members out of N. Since 2.0.0.
    fn zremrangebyrank(self, key: impl ToArg, start: impl ToArg, stop: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREMRANGEBYRANK").arg(key).arg(start).arg(stop))
    }

    /// Takes the members of a range of scores out of a sorted set.
    ///
    /// `ZREMRANGEBYSCORE <key> <min> <max>`
    ///
    /// O(M log N) for M members out of N. Since 1.2.0.
    fn zremrangebyscore(self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREMRANGEBYSCORE").arg(key).arg(min).arg(max))
    }

    /// Returns the members of a sorted set in a range of ranks, from the highest score down.
    ///
    /// `ZREVRANGE <key> <start> <stop> [WITHSCORES]`
    ///
    /// O(log N + M) for M members out of N. Since 1.2.0.
    /// Deprecated since 6.2.0: `ZRANGE` with the `REV` argument
    fn zrevrange(self, key: impl ToArg, start: impl ToArg, stop: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREVRANGE").arg(key).arg(start).arg(stop))
    }

    /// Returns the members of a sorted set in a range by their bytes, from the last to the first.
    ///
    /// `ZREVRANGEBYLEX <key> <max> <min> [LIMIT <offset> <count>]`
    ///
    /// O(log N + M) for M members out of N. Since 2.8.9.
    /// Deprecated since 6.2.0: `ZRANGE` with the `REV` and `BYLEX` arguments
    fn zrevrangebylex(self, key: impl ToArg, max: impl ToArg, min: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREVRANGEBYLEX").arg(key).arg(max).arg(min))
    }

    /// Returns the members of a sorted set in a range of scores, from the highest down.
    ///
    /// `ZREVRANGEBYSCORE <key> <max> <min> [WITHSCORES] [LIMIT <offset> <count>]`
    ///
    /// O(log N + M) for M members out of N. Since 2.2.0.
    /// Deprecated since 6.2.0: `ZRANGE` with the `REV` and `BYSCORE` arguments
    fn zrevrangebyscore(self, key: impl ToArg, max: impl ToArg, min: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREVRANGEBYSCORE").arg(key).arg(max).arg(min))
    }

    /// Tells how many members of a sorted set stand before a member, in descending order.
    ///
    /// `ZREVRANK <key> <member> [WITHSCORE]`
    ///
    /// O(log N) with N members in the sorted set. Since 2.0.0.
    fn zrevrank(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("ZREVRANK").arg(key).arg(member))
    }

    /// Iterates over the members of a sorted set and their scores.
    ///
    /// `ZSCAN <key> <cursor> [MATCH <pattern>] [COUNT <count>]`
    ///
    /// O(COUNT + log N) for a call, O(N) in the number of members for a whole iteration. Since 2.8.0.
    fn zscan(self, key: impl ToArg, cursor: impl ToArg) -> Self::Out {
        self.put(Command::new("ZSCAN").arg(key).arg(cursor))
    }

    /// Returns the score of a member of a sorted set.
    ///
    /// `ZSCORE <key> <member>`
    ///
    /// O(log N) with N members in the sorted set. Since 1.2.0.
    fn zscore(self, key: impl ToArg, member: impl ToArg) -> Self::Out {
        self.put(Command::new("ZSCORE").arg(key).arg(member))
    }

    /// Returns the members that stand in any of several sorted sets.
    ///
    /// `ZUNION <numkeys> <key> [<key> ...] [WEIGHTS <weight> [WEIGHTS <weight> ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]`
    ///
    /// O(N log N) for N members in all sources together. Since 6.2.0.
    fn zunion(self, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZUNION").counted(keys))
    }

    /// Stores the members that stand in any of several sorted sets under a key.
    ///
    /// `ZUNIONSTORE <destination> <numkeys> <key> [<key> ...] [WEIGHTS <weight> [WEIGHTS <weight> ...]] [AGGREGATE <SUM | MIN | MAX>]`
    ///
    /// O(N log N) for N members in all sources together. Since 2.0.0.
    fn zunionstore(self, destination: impl ToArg, keys: impl ToArg) -> Self::Out {
        self.put(Command::new("ZUNIONSTORE").arg(destination).counted(keys))
    }
}

impl<C: Commands> SortedSetCommands for C {}
