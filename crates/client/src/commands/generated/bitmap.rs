//! The commands of the group `bitmap`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `bitmap`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait BitmapCommands: Commands {
    /// Counts the bits that are set in a string.
    ///
    /// `BITCOUNT <key> [<start> <end> [BYTE | BIT]]`
    ///
    /// O(N) in the bytes looked at. Since 2.6.0.
    fn bitcount(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("BITCOUNT").arg(key))
    }

    /// Reads, sets and increments integers of any width inside a string.
    ///
    /// `BITFIELD <key> [GET <encoding> <offset> | [OVERFLOW <WRAP | SAT | FAIL>] <SET <encoding> <offset> <value> | INCRBY <encoding> <offset> <increment>> [GET <encoding> <offset> | [OVERFLOW <WRAP | SAT | FAIL>] <SET <encoding> <offset> <value> | INCRBY <encoding> <offset> <increment>> ...]]`
    ///
    /// O(1) for each operation. Since 3.2.0.
    fn bitfield(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("BITFIELD").arg(key))
    }

    /// Reads integers of any width inside a string.
    ///
    /// `BITFIELD_RO <key> [GET <encoding> <offset> [GET <encoding> <offset> ...]]`
    ///
    /// O(1) for each operation. Since 6.0.0.
    fn bitfield_ro(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("BITFIELD_RO").arg(key))
    }

    /// Combines strings bit by bit and stores the result.
    ///
    /// `BITOP <AND | OR | XOR | NOT> <destkey> <key> [<key> ...]`
    ///
    /// O(N) in the bytes of all strings. Since 2.6.0.
    fn bitop(self, operation: impl ToArg, destkey: impl ToArg, key: impl ToArg) -> Self::Out {
        self.put(Command::new("BITOP").arg(operation).arg(destkey).arg(key))
    }

    /// Finds the first bit of a string that is set, or that is clear.
    ///
    /// `BITPOS <key> <bit> [<start> [<end> [BYTE | BIT]]]`
    ///
    /// O(N) in the bytes looked at. Since 2.8.7.
    fn bitpos(self, key: impl ToArg, bit: impl ToArg) -> Self::Out {
        self.put(Command::new("BITPOS").arg(key).arg(bit))
    }

    /// Returns a bit of a string.
    ///
    /// `GETBIT <key> <offset>`
    ///
    /// O(1). Since 2.2.0.
    fn getbit(self, key: impl ToArg, offset: impl ToArg) -> Self::Out {
        self.put(Command::new("GETBIT").arg(key).arg(offset))
    }

    /// Sets or clears a bit of a string, which becomes as long as that takes; returns what the bit was.
    ///
    /// `SETBIT <key> <offset> <value>`
    ///
    /// O(1). Since 2.2.0.
    fn setbit(self, key: impl ToArg, offset: impl ToArg, value: impl ToArg) -> Self::Out {
        self.put(Command::new("SETBIT").arg(key).arg(offset).arg(value))
    }
}

impl<C: Commands> BitmapCommands for C {}
