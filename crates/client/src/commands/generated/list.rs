//! The commands of the group `list`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `list`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait ListCommands: Commands {
    /// Takes an element from an end of one list, pushes it at an end of another, and returns it; waits until there is one.
    ///
    /// `BLMOVE <source> <destination> <LEFT | RIGHT> <LEFT | RIGHT> <timeout>`
    ///
    /// O(1). Since 6.2.0.
    ///
    /// It may wait: for a connection of one's own.
    fn blmove(self, source: impl ToArg, destination: impl ToArg, wherefrom: impl ToArg, whereto: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("BLMOVE").arg(source).arg(destination).arg(wherefrom).arg(whereto).arg(timeout))
    }

    /// Takes elements from an end of the first of several lists that is not empty; waits until there is one.
    ///
    /// `BLMPOP <timeout> <numkeys> <key> [<key> ...] <LEFT | RIGHT> [COUNT <count>]`
    ///
    /// O(N + M) for N keys and M elements returned. Since 7.0.0.
    ///
    /// It may wait: for a connection of one's own.
    fn blmpop(self, timeout: impl ToArg, keys: impl ToArg, where_: impl ToArg) -> Self::Out {
        self.put(Command::new("BLMPOP").arg(timeout).counted(keys).arg(where_))
    }

    /// Takes an element from the left end of the first list that has one; waits until there is one.
    ///
    /// `BLPOP <key> [<key> ...] <timeout>`
    ///
    /// O(N) in the number of keys. Since 2.0.0.
    ///
    /// It may wait: for a connection of one's own.
    fn blpop(self, key: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("BLPOP").arg(key).arg(timeout))
    }

    /// Takes an element from the right end of the first list that has one; waits until there is one.
    ///
    /// `BRPOP <key> [<key> ...] <timeout>`
    ///
    /// O(N) in the number of keys. Since 2.0.0.
    ///
    /// It may wait: for a connection of one's own.
    fn brpop(self, key: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("BRPOP").arg(key).arg(timeout))
    }

    /// Takes the last element of one list, pushes it at the left end of another, and returns it; waits until there is one.
    ///
    /// `BRPOPLPUSH <source> <destination> <timeout>`
    ///
    /// O(1). Since 2.2.0.
    /// Deprecated since 6.2.0: `BLMOVE` with `RIGHT` and `LEFT`
    ///
    /// It may wait: for a connection of one's own.
    fn brpoplpush(self, source: impl ToArg, destination: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("BRPOPLPUSH").arg(source).arg(destination).arg(timeout))
    }

    /// Returns the element of a list at an index, which counts from the end when negative.
    ///
    /// `LINDEX <key> <index>`
    ///
    /// O(log N) in the length of the list. Since 1.0.0.
    fn lindex(self, key: impl ToArg, index: impl ToArg) -> Self::Out {
        self.put(Command::new("LINDEX").arg(key).arg(index))
    }

    /// Adds an element before or after the first one that equals a pivot.
    ///
    /// `LINSERT <key> <BEFORE | AFTER> <pivot> <element>`
    ///
    /// O(N) in the number of elements up to the pivot. Since 2.2.0.
    fn linsert(self, key: impl ToArg, where_: impl ToArg, pivot: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("LINSERT").arg(key).arg(where_).arg(pivot).arg(element))
    }

    /// Returns the number of elements of a list.
    ///
    /// `LLEN <key>`
    ///
    /// O(1). Since 1.0.0.
    fn llen(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("LLEN").arg(key))
    }

    /// Takes an element from an end of one list, pushes it at an end of another, and returns it.
    ///
    /// `LMOVE <source> <destination> <LEFT | RIGHT> <LEFT | RIGHT>`
    ///
    /// O(1). Since 6.2.0.
    fn lmove(self, source: impl ToArg, destination: impl ToArg, wherefrom: impl ToArg, whereto: impl ToArg) -> Self::Out {
        self.put(Command::new("LMOVE").arg(source).arg(destination).arg(wherefrom).arg(whereto))
    }

    /// Takes elements from an end of the first of several lists that is not empty.
    ///
    /// `LMPOP <numkeys> <key> [<key> ...] <LEFT | RIGHT> [COUNT <count>]`
    ///
    /// O(N + M) for N keys and M elements returned. Since 7.0.0.
    fn lmpop(self, keys: impl ToArg, where_: impl ToArg) -> Self::Out {
        self.put(Command::new("LMPOP").counted(keys).arg(where_))
    }

    /// Takes elements from the left end of a list; the last one takes the list with it.
    ///
    /// `LPOP <key> [<count>]`
    ///
    /// O(N) in the number of elements returned. Since 1.0.0.
    fn lpop(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("LPOP").arg(key))
    }

    /// Returns the index of an element, or the indices of several that are equal.
    ///
    /// `LPOS <key> <element> [RANK <rank>] [COUNT <num-matches>] [MAXLEN <len>]`
    ///
    /// O(N) in the number of elements looked at. Since 6.0.6.
    fn lpos(self, key: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("LPOS").arg(key).arg(element))
    }

    /// Pushes elements at the left end of a list, which is made if it does not exist.
    ///
    /// `LPUSH <key> <element> [<element> ...]`
    ///
    /// O(N) in the number of elements pushed. Since 1.0.0.
    fn lpush(self, key: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("LPUSH").arg(key).arg(element))
    }

    /// Pushes elements at the left end of a list that exists.
    ///
    /// `LPUSHX <key> <element> [<element> ...]`
    ///
    /// O(N) in the number of elements pushed. Since 2.2.0.
    fn lpushx(self, key: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("LPUSHX").arg(key).arg(element))
    }

    /// Returns the elements of a list from one index to another.
    ///
    /// `LRANGE <key> <start> <stop>`
    ///
    /// O(log L + N) for N elements returned from a list of L. Since 1.0.0.
    fn lrange(self, key: impl ToArg, start: impl ToArg, stop: impl ToArg) -> Self::Out {
        self.put(Command::new("LRANGE").arg(key).arg(start).arg(stop))
    }

    /// Removes elements that equal a given one: the first so many, the last so many for a negative count, all for 0.
    ///
    /// `LREM <key> <count> <element>`
    ///
    /// O(N + M log N) for M of N elements removed. Since 1.0.0.
    fn lrem(self, key: impl ToArg, count: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("LREM").arg(key).arg(count).arg(element))
    }

    /// Replaces the element of a list at an index.
    ///
    /// `LSET <key> <index> <element>`
    ///
    /// O(log N) in the length of the list. Since 1.0.0.
    fn lset(self, key: impl ToArg, index: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("LSET").arg(key).arg(index).arg(element))
    }

    /// Removes the elements of a list outside a range of indices.
    ///
    /// `LTRIM <key> <start> <stop>`
    ///
    /// O(log N) in the length of the list; what is removed is freed in the background. Since 1.0.0.
    fn ltrim(self, key: impl ToArg, start: impl ToArg, stop: impl ToArg) -> Self::Out {
        self.put(Command::new("LTRIM").arg(key).arg(start).arg(stop))
    }

    /// Takes elements from the right end of a list; the last one takes the list with it.
    ///
    /// `RPOP <key> [<count>]`
    ///
    /// O(N) in the number of elements returned. Since 1.0.0.
    fn rpop(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("RPOP").arg(key))
    }

    /// Takes the last element of one list, pushes it at the left end of another, and returns it.
    ///
    /// `RPOPLPUSH <source> <destination>`
    ///
    /// O(1). Since 1.2.0.
    /// Deprecated since 6.2.0: `LMOVE` with `RIGHT` and `LEFT`
    fn rpoplpush(self, source: impl ToArg, destination: impl ToArg) -> Self::Out {
        self.put(Command::new("RPOPLPUSH").arg(source).arg(destination))
    }

    /// Pushes elements at the right end of a list, which is made if it does not exist.
    ///
    /// `RPUSH <key> <element> [<element> ...]`
    ///
    /// O(N) in the number of elements pushed. Since 1.0.0.
    fn rpush(self, key: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("RPUSH").arg(key).arg(element))
    }

    /// Pushes elements at the right end of a list that exists.
    ///
    /// `RPUSHX <key> <element> [<element> ...]`
    ///
    /// O(N) in the number of elements pushed. Since 2.2.0.
    fn rpushx(self, key: impl ToArg, element: impl ToArg) -> Self::Out {
        self.put(Command::new("RPUSHX").arg(key).arg(element))
    }
}

impl<C: Commands> ListCommands for C {}
