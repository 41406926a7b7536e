//! The commands of the group `hash`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `hash`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait HashCommands: Commands {
    /// Takes fields out of a hash; the key goes with the last one.
    ///
    /// `HDEL <key> <field> [<field> ...]`
    ///
    /// O(N) in the number of fields given. Since 2.0.0.
    fn hdel(self, key: impl ToArg, field: impl ToArg) -> Self::Out {
        self.put(Command::new("HDEL").arg(key).arg(field))
    }

    /// Says whether a hash has a field.
    ///
    /// `HEXISTS <key> <field>`
    ///
    /// O(1). Since 2.0.0.
    fn hexists(self, key: impl ToArg, field: impl ToArg) -> Self::Out {
        self.put(Command::new("HEXISTS").arg(key).arg(field))
    }

    /// Lets fields of a hash expire after so many seconds.
    ///
    /// `HEXPIRE <key> <seconds> [NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    /// `rest` is what stands from here on: `[NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`.
    fn hexpire(self, key: impl ToArg, seconds: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("HEXPIRE").arg(key).arg(seconds).arg(rest))
    }

    /// Lets fields of a hash expire at a time in seconds since 1970.
    ///
    /// `HEXPIREAT <key> <unix-time-seconds> [NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    /// `rest` is what stands from here on: `[NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`.
    fn hexpireat(self, key: impl ToArg, unix_time_seconds: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("HEXPIREAT").arg(key).arg(unix_time_seconds).arg(rest))
    }

    /// Returns when fields of a hash expire, in seconds since 1970.
    ///
    /// `HEXPIRETIME <key> FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    fn hexpiretime(self, key: impl ToArg, fields: impl ToArg) -> Self::Out {
        self.put(Command::new("HEXPIRETIME").arg(key).arg("FIELDS").arg(fields))
    }

    /// Returns the value of a field of a hash.
    ///
    /// `HGET <key> <field>`
    ///
    /// O(1). Since 2.0.0.
    fn hget(self, key: impl ToArg, field: impl ToArg) -> Self::Out {
        self.put(Command::new("HGET").arg(key).arg(field))
    }

    /// Returns all fields of a hash with their values.
    ///
    /// `HGETALL <key>`
    ///
    /// O(N) in the number of fields. Since 2.0.0.
    fn hgetall(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("HGETALL").arg(key))
    }

    /// Adds to the integer in a field of a hash; a field that does not exist counts as 0.
    ///
    /// `HINCRBY <key> <field> <increment>`
    ///
    /// O(1). Since 2.0.0.
    fn hincrby(self, key: impl ToArg, field: impl ToArg, increment: impl ToArg) -> Self::Out {
        self.put(Command::new("HINCRBY").arg(key).arg(field).arg(increment))
    }

    /// Adds to the floating-point number in a field of a hash; a field that does not exist counts as 0.
    ///
    /// `HINCRBYFLOAT <key> <field> <increment>`
    ///
    /// O(1). Since 2.6.0.
    fn hincrbyfloat(self, key: impl ToArg, field: impl ToArg, increment: impl ToArg) -> Self::Out {
        self.put(Command::new("HINCRBYFLOAT").arg(key).arg(field).arg(increment))
    }

    /// Returns all fields of a hash.
    ///
    /// `HKEYS <key>`
    ///
    /// O(N) in the number of fields. Since 2.0.0.
    fn hkeys(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("HKEYS").arg(key))
    }

    /// Returns the number of fields of a hash.
    ///
    /// `HLEN <key>`
    ///
    /// O(1). Since 2.0.0.
    fn hlen(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("HLEN").arg(key))
    }

    /// Returns the values of several fields of a hash.
    ///
    /// `HMGET <key> <field> [<field> ...]`
    ///
    /// O(N) in the number of fields asked for. Since 2.0.0.
    fn hmget(self, key: impl ToArg, field: impl ToArg) -> Self::Out {
        self.put(Command::new("HMGET").arg(key).arg(field))
    }

    /// Sets fields of a hash.
    ///
    /// `HMSET <key> <field> <value> [<field> <value> ...]`
    ///
    /// O(N) in the number of fields given. Since 2.0.0.
    /// Deprecated since 4.0.0: `HSET` with several fields
    fn hmset(self, key: impl ToArg, data: impl ToArg) -> Self::Out {
        self.put(Command::new("HMSET").arg(key).arg(data))
    }

    /// Takes away the deadlines of fields of a hash.
    ///
    /// `HPERSIST <key> FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    fn hpersist(self, key: impl ToArg, fields: impl ToArg) -> Self::Out {
        self.put(Command::new("HPERSIST").arg(key).arg("FIELDS").arg(fields))
    }

    /// Lets fields of a hash expire after so many milliseconds.
    ///
    /// `HPEXPIRE <key> <milliseconds> [NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    /// `rest` is what stands from here on: `[NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`.
    fn hpexpire(self, key: impl ToArg, milliseconds: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("HPEXPIRE").arg(key).arg(milliseconds).arg(rest))
    }

    /// Lets fields of a hash expire at a time in milliseconds since 1970.
    ///
    /// `HPEXPIREAT <key> <unix-time-milliseconds> [NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    /// `rest` is what stands from here on: `[NX | XX | GT | LT] FIELDS <numfields> <field> [<field> ...]`.
    fn hpexpireat(self, key: impl ToArg, unix_time_milliseconds: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("HPEXPIREAT").arg(key).arg(unix_time_milliseconds).arg(rest))
    }

    /// Returns when fields of a hash expire, in milliseconds since 1970.
    ///
    /// `HPEXPIRETIME <key> FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    fn hpexpiretime(self, key: impl ToArg, fields: impl ToArg) -> Self::Out {
        self.put(Command::new("HPEXPIRETIME").arg(key).arg("FIELDS").arg(fields))
    }

    /// Returns in how many milliseconds fields of a hash expire.
    ///
    /// `HPTTL <key> FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    fn hpttl(self, key: impl ToArg, fields: impl ToArg) -> Self::Out {
        self.put(Command::new("HPTTL").arg(key).arg("FIELDS").arg(fields))
    }

    /// Returns fields picked at random.
    ///
    /// `HRANDFIELD <key> [<count> [WITHVALUES]]`
    ///
    /// O(N) in the number of fields returned. Since 6.2.0.
    fn hrandfield(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("HRANDFIELD").arg(key))
    }

    /// Iterates over the fields of a hash and their values.
    ///
    /// `HSCAN <key> <cursor> [MATCH <pattern>] [COUNT <count>]`
    ///
    /// O(COUNT) for a call, O(N) in the number of fields for a whole iteration. Since 2.8.0.
    fn hscan(self, key: impl ToArg, cursor: impl ToArg) -> Self::Out {
        self.put(Command::new("HSCAN").arg(key).arg(cursor))
    }

    /// Sets fields of a hash; returns how many are new.
    ///
    /// `HSET <key> <field> <value> [<field> <value> ...]`
    ///
    /// O(N) in the number of fields given. Since 2.0.0.
    fn hset(self, key: impl ToArg, data: impl ToArg) -> Self::Out {
        self.put(Command::new("HSET").arg(key).arg(data))
    }

    /// Sets a field of a hash only if it does not exist.
    ///
    /// `HSETNX <key> <field> <value>`
    ///
    /// O(1). Since 2.0.0.
    fn hsetnx(self, key: impl ToArg, field: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("HSETNX").arg(key).arg(field).arg(value))
    }

    /// Returns the length of the value of a field, in bytes.
    ///
    /// `HSTRLEN <key> <field>`
    ///
    /// O(1). Since 3.2.0.
    fn hstrlen(self, key: impl ToArg, field: impl ToArg) -> Self::Out {
        self.put(Command::new("HSTRLEN").arg(key).arg(field))
    }

    /// Returns in how many seconds fields of a hash expire.
    ///
    /// `HTTL <key> FIELDS <numfields> <field> [<field> ...]`
    ///
    /// O(N log M) for N fields given out of M. Since 7.4.0.
    fn httl(self, key: impl ToArg, fields: impl ToArg) -> Self::Out {
        self.put(Command::new("HTTL").arg(key).arg("FIELDS").arg(fields))
    }

    /// Returns the values of all fields of a hash.
    ///
    /// `HVALS <key>`
    ///
    /// O(N) in the number of fields. Since 2.0.0.
    fn hvals(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("HVALS").arg(key))
    }
}

impl<C: Commands> HashCommands for C {}
