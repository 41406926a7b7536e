//! The commands of the group `generic`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `generic`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait GenericCommands: Commands {
    /// Copies the value of a key, and its time to live, to another key.
    ///
    /// `COPY <source> <destination> [DB <destination-db>] [REPLACE]`
    ///
    /// O(1): big values are shared until one of the two changes. Since 6.2.0.
    fn copy(self, source: impl ToArg, destination: impl ToArg) -> Self::Out {
        self.put(Command::new("COPY").arg(source).arg(destination))
    }

    /// Removes keys.
    ///
    /// `DEL <key> [<key> ...]`
    ///
    /// O(N) in the number of keys; values are freed in the background. Since 1.0.0.
    fn del(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DEL").arg(key))
    }

    /// Returns the value of a key as bytes from which RESTORE makes it again.
    ///
    /// `DUMP <key>`
    ///
    /// O(bytes of the value). Since 2.6.0.
    fn dump(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DUMP").arg(key))
    }

    /// Counts which of the keys exist; a key named twice counts twice.
    ///
    /// `EXISTS <key> [<key> ...]`
    ///
    /// O(N) in the number of keys. Since 1.0.0.
    fn exists(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("EXISTS").arg(key))
    }

    /// Gives a key so many seconds to live.
    ///
    /// `EXPIRE <key> <seconds> [NX | XX | GT | LT]`
    ///
    /// O(1). Since 1.0.0.
    fn expire(self, key: impl ToArg, seconds: impl ToArg) -> Self::Out {
        self.put(Command::new("EXPIRE").arg(key).arg(seconds))
    }

    /// Lets a key expire at a time in seconds since 1970.
    ///
    /// `EXPIREAT <key> <unix-time-seconds> [NX | XX | GT | LT]`
    ///
    /// O(1). Since 1.2.0.
    fn expireat(self, key: impl ToArg, unix_time_seconds: impl ToArg) -> Self::Out {
        self.put(Command::new("EXPIREAT").arg(key).arg(unix_time_seconds))
    }

    /// Returns when a key expires, in seconds since 1970.
    ///
    /// `EXPIRETIME <key>`
    ///
    /// O(1). Since 7.0.0.
    fn expiretime(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("EXPIRETIME").arg(key))
    }

    /// Returns the names of all keys that match a pattern.
    ///
    /// `KEYS <pattern>`
    ///
    /// O(N) in the number of keys, in steps that let other clients through. Since 1.0.0.
    fn keys(self, pattern: impl ToArg) -> Self::Out {
        self.put(Command::new("KEYS").arg(pattern))
    }

    /// Moves keys, or copies of them, to another server.
    ///
    /// `MIGRATE <host> <port> <<key> | ""> <destination-db> <timeout> [COPY] [REPLACE] [AUTH <auth> | AUTH2 <username> <password>] [KEYS <keys> [KEYS <keys> ...]]`
    ///
    /// O(bytes of the values), here and at the target. Since 2.6.0.
    fn migrate(self, host: impl ToArg, port: impl ToArg, key_selector: impl ToArg, destination_db: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("MIGRATE").arg(host).arg(port).arg(key_selector).arg(destination_db).arg(timeout))
    }

    /// Moves a key to another database, unless it exists there.
    ///
    /// `MOVE <key> <db>`
    ///
    /// O(1). Since 1.0.0.
    fn move_(self, key: impl ToArg, db: impl ToArg) -> Self::Out {
        self.put(Command::new("MOVE").arg(key).arg(db))
    }

    /// Names the encoding of a value.
    ///
    /// `OBJECT ENCODING <key>`
    ///
    /// O(1). Since 2.2.3.
    fn object_encoding(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("OBJECT").arg("ENCODING").arg(key))
    }

    /// Returns the logarithmic counter of accesses that an LFU policy keeps.
    ///
    /// `OBJECT FREQ <key>`
    ///
    /// O(1). Since 4.0.0.
    fn object_freq(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("OBJECT").arg("FREQ").arg(key))
    }

    /// Returns the seconds since a key was last accessed.
    ///
    /// `OBJECT IDLETIME <key>`
    ///
    /// O(1). Since 2.2.3.
    fn object_idletime(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("OBJECT").arg("IDLETIME").arg(key))
    }

    /// Returns how often a value is referenced.
    ///
    /// `OBJECT REFCOUNT <key>`
    ///
    /// O(1). Since 2.2.3.
    fn object_refcount(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("OBJECT").arg("REFCOUNT").arg(key))
    }

    /// Takes the time to live of a key away.
    ///
    /// `PERSIST <key>`
    ///
    /// O(1). Since 2.2.0.
    fn persist(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("PERSIST").arg(key))
    }

    /// Gives a key so many milliseconds to live.
    ///
    /// `PEXPIRE <key> <milliseconds> [NX | XX | GT | LT]`
    ///
    /// O(1). Since 2.6.0.
    fn pexpire(self, key: impl ToArg, milliseconds: impl ToArg) -> Self::Out {
        self.put(Command::new("PEXPIRE").arg(key).arg(milliseconds))
    }

    /// Lets a key expire at a time in milliseconds since 1970.
    ///
    /// `PEXPIREAT <key> <unix-time-milliseconds> [NX | XX | GT | LT]`
    ///
    /// O(1). Since 2.6.0.
    fn pexpireat(self, key: impl ToArg, unix_time_milliseconds: impl ToArg) -> Self::Out {
        self.put(Command::new("PEXPIREAT").arg(key).arg(unix_time_milliseconds))
    }

    /// Returns when a key expires, in milliseconds since 1970.
    ///
    /// `PEXPIRETIME <key>`
    ///
    /// O(1). Since 7.0.0.
    fn pexpiretime(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("PEXPIRETIME").arg(key))
    }

    /// Returns the milliseconds that a key has left to live.
    ///
    /// `PTTL <key>`
    ///
    /// O(1). Since 2.6.0.
    fn pttl(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("PTTL").arg(key))
    }

    /// Returns the name of a random key.
    ///
    /// `RANDOMKEY`
    ///
    /// O(1). Since 1.0.0.
    fn randomkey(self) -> Self::Out {
        self.put(Command::new("RANDOMKEY"))
    }

    /// Renames a key, over one of the new name if there is one.
    ///
    /// `RENAME <key> <newkey>`
    ///
    /// O(1). Since 1.0.0.
    fn rename(self, key: impl ToArg, newkey: impl ToArg) -> Self::Out {
        self.put(Command::new("RENAME").arg(key).arg(newkey))
    }

    /// Renames a key, unless one of the new name exists.
    ///
    /// `RENAMENX <key> <newkey>`
    ///
    /// O(1). Since 1.0.0.
    fn renamenx(self, key: impl ToArg, newkey: impl ToArg) -> Self::Out {
        self.put(Command::new("RENAMENX").arg(key).arg(newkey))
    }

    /// Makes a key of the bytes that DUMP gave for its value.
    ///
    /// `RESTORE <key> <ttl> <serialized-value> [REPLACE] [ABSTTL] [IDLETIME <seconds>] [FREQ <frequency>]`
    ///
    /// O(bytes of the value), and O(n log n) for the members of a big collection. Since 2.6.0.
    fn restore(self, key: impl ToArg, ttl: impl ToArg, serialized_value: impl ToArg) -> Self::Out {
        self.put(Command::new("RESTORE").arg(key).arg(ttl).arg(serialized_value))
    }

    /// Iterates over the names of the keys in the database.
    ///
    /// `SCAN <cursor> [MATCH <pattern>] [COUNT <count>] [TYPE <type>]`
    ///
    /// O(COUNT) for a call, O(N) in the number of keys for a whole iteration. Since 2.8.0.
    fn scan(self, cursor: impl ToArg) -> Self::Out {
        self.put(Command::new("SCAN").arg(cursor))
    }

    /// Returns or stores the elements of a list, set or sorted set in order.
    ///
    /// `SORT <key> [BY <by-pattern>] [LIMIT <offset> <count>] [GET <get-pattern> [GET <get-pattern> ...]] [ASC | DESC] [ALPHA] [STORE <destination>]`
    ///
    /// O(N log N + M) for N elements, of which M are returned. Since 1.0.0.
    fn sort(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SORT").arg(key))
    }

    /// Returns the elements of a list, set or sorted set in order.
    ///
    /// `SORT_RO <key> [BY <by-pattern>] [LIMIT <offset> <count>] [GET <get-pattern> [GET <get-pattern> ...]] [ASC | DESC] [ALPHA]`
    ///
    /// O(N log N + M) for N elements, of which M are returned. Since 7.0.0.
    fn sort_ro(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("SORT_RO").arg(key))
    }

    /// Marks keys as just accessed and counts those that exist.
    ///
    /// `TOUCH <key> [<key> ...]`
    ///
    /// O(N) in the number of keys. Since 3.2.1.
    fn touch(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("TOUCH").arg(key))
    }

    /// Returns the seconds that a key has left to live.
    ///
    /// `TTL <key>`
    ///
    /// O(1). Since 1.0.0.
    fn ttl(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("TTL").arg(key))
    }

    /// Names the type of the value under a key, or `none`.
    ///
    /// `TYPE <key>`
    ///
    /// O(1). Since 1.0.0.
    fn type_(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("TYPE").arg(key))
    }

    /// Removes keys.
    ///
    /// `UNLINK <key> [<key> ...]`
    ///
    /// O(N) in the number of keys; values are freed in the background. Since 4.0.0.
    fn unlink(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("UNLINK").arg(key))
    }

    /// Waits until so many replicas have what this connection has written, and returns how many have.
    ///
    /// `WAIT <numreplicas> <timeout>`
    ///
    /// O(1). Since 3.0.0.
    fn wait(self, numreplicas: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("WAIT").arg(numreplicas).arg(timeout))
    }

    /// Waits until the logs on the disks of this server and of so many replicas have what this connection has written.
    ///
    /// `WAITAOF <numlocal> <numreplicas> <timeout>`
    ///
    /// O(1). Since 7.2.0.
    fn waitaof(self, numlocal: impl ToArg, numreplicas: impl ToArg, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("WAITAOF").arg(numlocal).arg(numreplicas).arg(timeout))
    }
}

impl<C: Commands> GenericCommands for C {}
