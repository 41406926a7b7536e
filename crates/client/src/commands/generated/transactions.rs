//! The commands of the group `transactions`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `transactions`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait TransactionsCommands: Commands {
    /// Drops the queued commands and unwatches all keys.
    ///
    /// `DISCARD`
    ///
    /// O(N) in the number of queued commands and watched keys. Since 2.0.0.
    fn discard(self) -> Self::Out {
        self.put(Command::new("DISCARD"))
    }

    /// Runs the queued commands, unless a watched key has changed; undoes them all if one fails and that was asked for.
    ///
    /// `EXEC [RB | ROLLBACK]`
    ///
    /// Depends on the queued commands. Since 1.2.0.
    fn exec(self) -> Self::Out {
        self.put(Command::new("EXEC"))
    }

    /// Starts a transaction: the commands that follow are queued until EXEC.
    ///
    /// `MULTI`
    ///
    /// O(1). Since 1.2.0.
    fn multi(self) -> Self::Out {
        self.put(Command::new("MULTI"))
    }

    /// Forgets all watched keys.
    ///
    /// `UNWATCH`
    ///
    /// O(1) for each key. Since 2.2.0.
    fn unwatch(self) -> Self::Out {
        self.put(Command::new("UNWATCH"))
    }

    /// Lets the next EXEC run only if none of these keys changes before it.
    ///
    /// `WATCH <key> [<key> ...]`
    ///
    /// O(1) for each key. Since 2.2.0.
    fn watch(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("WATCH").arg(key))
    }
}

impl<C: Commands> TransactionsCommands for C {}
