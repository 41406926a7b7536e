//! The commands of the group `hyperloglog`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `hyperloglog`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait HyperloglogCommands: Commands {
    /// Adds elements to a HyperLogLog, which is made if it does not exist; returns whether its estimate may have changed.
    ///
    /// `PFADD <key> [<element> [<element> ...]]`
    ///
    /// O(1) for each element. Since 2.8.9.
    fn pfadd(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("PFADD").arg(key))
    }

    /// Estimates how many different elements were added to one or more HyperLogLogs.
    ///
    /// `PFCOUNT <key> [<key> ...]`
    ///
    /// O(1) for one key whose estimate is kept, else O(N) in the number of keys, each of 16384 registers. Since 2.8.9.
    fn pfcount(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("PFCOUNT").arg(key))
    }

    /// Shows how a HyperLogLog is kept, or makes it dense.
    ///
    /// `PFDEBUG <subcommand> <key>`
    ///
    /// O(N) in the registers. Since 2.8.9.
    fn pfdebug(self, subcommand: impl ToArg, key: impl ToArg) -> Self::Out {
        self.put(Command::new("PFDEBUG").arg(subcommand).arg(key))
    }

    /// Merges HyperLogLogs into one, which counts what was added to any of them.
    ///
    /// `PFMERGE <destkey> [<sourcekey> [<sourcekey> ...]]`
    ///
    /// O(N) in the number of keys, each of 16384 registers. Since 2.8.9.
    fn pfmerge(self, destkey: impl ToArg) -> Self::Out {
        self.put(Command::new("PFMERGE").arg(destkey))
    }

    /// Checks that HyperLogLogs work.
    ///
    /// `PFSELFTEST`
    ///
    /// a second or so. Since 2.8.9.
    fn pfselftest(self) -> Self::Out {
        self.put(Command::new("PFSELFTEST"))
    }
}

impl<C: Commands> HyperloglogCommands for C {}
