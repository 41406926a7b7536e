//! The commands of the group `scripting`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::Command;

/// The commands of the group `scripting`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait ScriptingCommands: Commands {
    /// Removes all functions.
    ///
    /// `FUNCTION FLUSH [ASYNC | SYNC]`
    ///
    /// O(N) in the number of functions. Since 7.0.0.
    fn function_flush(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("FLUSH"))
    }

    /// Lists the function libraries.
    ///
    /// `FUNCTION LIST [LIBRARYNAME <library-name-pattern>] [WITHCODE]`
    ///
    /// O(N) in the number of functions. Since 7.0.0.
    fn function_list(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("LIST"))
    }

    /// Empties the cache of scripts.
    ///
    /// `SCRIPT FLUSH [ASYNC | SYNC]`
    ///
    /// O(N) in the number of scripts. Since 2.6.0.
    fn script_flush(self) -> Self::Out {
        self.put(Command::new("SCRIPT").arg("FLUSH"))
    }
}

impl<C: Commands> ScriptingCommands for C {}
