//! The commands of the group `string`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `string`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait StringCommands: Commands {
    /// Adds bytes at the end of a string, which is made if it does not exist.
    ///
    /// `APPEND <key> <value>`
    ///
    /// O(N) in the bytes added, amortised. Since 2.0.0.
    fn append(self, key: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("APPEND").arg(key).arg(value))
    }

    /// Takes one from an integer; a key that does not exist counts as 0.
    ///
    /// `DECR <key>`
    ///
    /// O(1). Since 1.0.0.
    fn decr(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DECR").arg(key))
    }

    /// Takes a number from an integer; a key that does not exist counts as 0.
    ///
    /// `DECRBY <key> <decrement>`
    ///
    /// O(1). Since 1.0.0.
    fn decrby(self, key: impl ToArg, decrement: impl ToArg) -> Self::Out {
        self.put(Command::new("DECRBY").arg(key).arg(decrement))
    }

    /// Returns the string stored under a key.
    ///
    /// `GET <key>`
    ///
    /// O(1). Since 1.0.0.
    fn get(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("GET").arg(key))
    }

    /// Returns the string stored under a key and removes the key.
    ///
    /// `GETDEL <key>`
    ///
    /// O(1). Since 6.2.0.
    fn getdel(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("GETDEL").arg(key))
    }

    /// Returns the string stored under a key and changes its time to live.
    ///
    /// `GETEX <key> [EX <seconds> | PX <milliseconds> | EXAT <unix-time-seconds> | PXAT <unix-time-milliseconds> | PERSIST]`
    ///
    /// O(1). Since 6.2.0.
    fn getex(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("GETEX").arg(key))
    }

    /// Returns the bytes of a string between two indices, both included.
    ///
    /// `GETRANGE <key> <start> <end>`
    ///
    /// O(N) in the bytes returned. Since 2.4.0.
    fn getrange(self, key: impl ToArg, start: impl ToArg, end: impl ToArg) -> Self::Out {
        self.put(Command::new("GETRANGE").arg(key).arg(start).arg(end))
    }

    /// Stores a string under a key and returns the one that was there.
    ///
    /// `GETSET <key> <value>`
    ///
    /// O(1). Since 1.0.0.
    /// Deprecated since 6.2.0: `SET` with `GET`
    fn getset(self, key: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("GETSET").arg(key).arg(value))
    }

    /// Adds one to an integer; a key that does not exist counts as 0.
    ///
    /// `INCR <key>`
    ///
    /// O(1). Since 1.0.0.
    fn incr(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("INCR").arg(key))
    }

    /// Adds a number to an integer; a key that does not exist counts as 0.
    ///
    /// `INCRBY <key> <increment>`
    ///
    /// O(1). Since 1.0.0.
    fn incrby(self, key: impl ToArg, increment: impl ToArg) -> Self::Out {
        self.put(Command::new("INCRBY").arg(key).arg(increment))
    }

    /// Adds to a floating-point number; a key that does not exist counts as 0.
    ///
    /// `INCRBYFLOAT <key> <increment>`
    ///
    /// O(1). Since 2.6.0.
    fn incrbyfloat(self, key: impl ToArg, increment: impl ToArg) -> Self::Out {
        self.put(Command::new("INCRBYFLOAT").arg(key).arg(increment))
    }

    /// Finds the longest sequence of bytes that two strings have in common, gaps allowed.
    ///
    /// `LCS <key1> <key2> [LEN] [IDX] [MINMATCHLEN <min-match-len>] [WITHMATCHLEN]`
    ///
    /// O(N*M) for strings of N and M bytes. Since 7.0.0.
    fn lcs(self, key1: impl ToArg, key2: impl ToArg) -> Self::Out {
        self.put(Command::new("LCS").arg(key1).arg(key2))
    }

    /// Returns the strings stored under several keys, all as of one moment.
    ///
    /// `MGET <key> [<key> ...]`
    ///
    /// O(N) in the number of keys. Since 1.0.0.
    fn mget(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("MGET").arg(key))
    }

    /// Stores strings under several keys, all at one moment.
    ///
    /// `MSET <key> <value> [<key> <value> ...]`
    ///
    /// O(N) in the number of keys. Since 1.0.1.
    fn mset(self, data: impl ToArg) -> Self::Out {
        self.put(Command::new("MSET").arg(data))
    }

    /// Stores strings under several keys, all at one moment, if none of the keys exists.
    ///
    /// `MSETNX <key> <value> [<key> <value> ...]`
    ///
    /// O(N) in the number of keys. Since 1.0.1.
    fn msetnx(self, data: impl ToArg) -> Self::Out {
        self.put(Command::new("MSETNX").arg(data))
    }

    /// Stores a string under a key for a number of milliseconds.
    ///
    /// `PSETEX <key> <milliseconds> <value>`
    ///
    /// O(1). Since 2.6.0.
    /// Deprecated since 2.6.12: `SET` with `PX`
    fn psetex(self, key: impl ToArg, milliseconds: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("PSETEX").arg(key).arg(milliseconds).arg(value))
    }

    /// Stores a string under a key, whatever type it had, and settles its time to live.
    ///
    /// `SET <key> <value> [NX | XX] [GET] [EX <seconds> | PX <milliseconds> | EXAT <unix-time-seconds> | PXAT <unix-time-milliseconds> | KEEPTTL]`
    ///
    /// O(1). Since 1.0.0.
    fn set(self, key: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("SET").arg(key).arg(value))
    }

    /// Stores a string under a key for a number of seconds.
    ///
    /// `SETEX <key> <seconds> <value>`
    ///
    /// O(1). Since 2.0.0.
    /// Deprecated since 2.6.12: `SET` with `EX`
    fn setex(self, key: impl ToArg, seconds: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("SETEX").arg(key).arg(seconds).arg(value))
    }

    /// Stores a string under a key that does not exist.
    ///
    /// `SETNX <key> <value>`
    ///
    /// O(1). Since 1.0.0.
    /// Deprecated since 2.6.12: `SET` with `NX`
    fn setnx(self, key: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("SETNX").arg(key).arg(value))
    }

    /// Writes bytes into a string from an offset on, with zeros before it where the string was shorter.
    ///
    /// `SETRANGE <key> <offset> <value>`
    ///
    /// O(N) in the bytes written. Since 2.2.0.
    fn setrange(self, key: impl ToArg, offset: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("SETRANGE").arg(key).arg(offset).arg(value))
    }

    /// Returns the length of a string in bytes.
    ///
    /// `STRLEN <key>`
    ///
    /// O(1). Since 2.2.0.
    fn strlen(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("STRLEN").arg(key))
    }

    /// Returns the bytes of a string between two indices, both included.
    ///
    /// `SUBSTR <key> <start> <end>`
    ///
    /// O(N) in the bytes returned. Since 1.0.0.
    /// Deprecated since 2.0.0: `GETRANGE`
    fn substr(self, key: impl ToArg, start: impl ToArg, end: impl ToArg) -> Self::Out {
        self.put(Command::new("SUBSTR").arg(key).arg(start).arg(end))
    }
}

impl<C: Commands> StringCommands for C {}
