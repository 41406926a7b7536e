//! The commands of the group `scripting`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `scripting`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait ScriptingCommands: Commands {
    /// Runs a Lua script.
    ///
    /// `EVAL <script> <numkeys> [<key> [<key> ...]] [<arg> [<arg> ...]]`
    ///
    /// Depends on the script. Since 2.6.0.
    fn eval(self, script: impl ToArg, numkeys: impl ToArg) -> Self::Out {
        self.put(Command::new("EVAL").arg(script).arg(numkeys))
    }

    /// Runs a Lua script that only reads.
    ///
    /// `EVAL_RO <script> <numkeys> [<key> [<key> ...]] [<arg> [<arg> ...]]`
    ///
    /// Depends on the script. Since 7.0.0.
    fn eval_ro(self, script: impl ToArg, numkeys: impl ToArg) -> Self::Out {
        self.put(Command::new("EVAL_RO").arg(script).arg(numkeys))
    }

    /// Runs a Lua script that is known by the SHA-1 of its source.
    ///
    /// `EVALSHA <sha1> <numkeys> [<key> [<key> ...]] [<arg> [<arg> ...]]`
    ///
    /// Depends on the script. Since 2.6.0.
    fn evalsha(self, sha1: impl ToArg, numkeys: impl ToArg) -> Self::Out {
        self.put(Command::new("EVALSHA").arg(sha1).arg(numkeys))
    }

    /// Runs a Lua script that is known by the SHA-1 of its source and only reads.
    ///
    /// `EVALSHA_RO <sha1> <numkeys> [<key> [<key> ...]] [<arg> [<arg> ...]]`
    ///
    /// Depends on the script. Since 7.0.0.
    fn evalsha_ro(self, sha1: impl ToArg, numkeys: impl ToArg) -> Self::Out {
        self.put(Command::new("EVALSHA_RO").arg(sha1).arg(numkeys))
    }

    /// Calls a function.
    ///
    /// `FCALL <function> <numkeys> [<key> [<key> ...]] [<arg> [<arg> ...]]`
    ///
    /// Depends on the function. Since 7.0.0.
    fn fcall(self, function: impl ToArg, numkeys: impl ToArg) -> Self::Out {
        self.put(Command::new("FCALL").arg(function).arg(numkeys))
    }

    /// Calls a function that only reads.
    ///
    /// `FCALL_RO <function> <numkeys> [<key> [<key> ...]] [<arg> [<arg> ...]]`
    ///
    /// Depends on the function. Since 7.0.0.
    fn fcall_ro(self, function: impl ToArg, numkeys: impl ToArg) -> Self::Out {
        self.put(Command::new("FCALL_RO").arg(function).arg(numkeys))
    }

    /// Removes a library with its functions.
    ///
    /// `FUNCTION DELETE <library-name>`
    ///
    /// O(1). Since 7.0.0.
    fn function_delete(self, library_name: impl ToArg) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("DELETE").arg(library_name))
    }

    /// Returns all libraries in the form that FUNCTION RESTORE takes.
    ///
    /// `FUNCTION DUMP`
    ///
    /// O(N) in the number of functions. Since 7.0.0.
    fn function_dump(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("DUMP"))
    }

    /// Removes all functions.
    ///
    /// `FUNCTION FLUSH [ASYNC | SYNC]`
    ///
    /// O(N) in the number of functions. Since 7.0.0.
    fn function_flush(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("FLUSH"))
    }

    /// Ends the function that runs; what it has done is undone.
    ///
    /// `FUNCTION KILL`
    ///
    /// O(1). Since 7.0.0.
    fn function_kill(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("KILL"))
    }

    /// Lists the function libraries.
    ///
    /// `FUNCTION LIST [LIBRARYNAME <library-name-pattern>] [WITHCODE]`
    ///
    /// O(N) in the number of functions. Since 7.0.0.
    fn function_list(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("LIST"))
    }

    /// Makes a library of its source.
    ///
    /// `FUNCTION LOAD [REPLACE] <function-code>`
    ///
    /// O(1) but for the time that compiling takes. Since 7.0.0.
    /// `rest` is what stands from here on: `[REPLACE] <function-code>`.
    fn function_load(self, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("LOAD").arg(rest))
    }

    /// Makes the libraries that FUNCTION DUMP returned.
    ///
    /// `FUNCTION RESTORE <serialized-value> [FLUSH | APPEND | REPLACE]`
    ///
    /// O(N) in the number of functions of the payload. Since 7.0.0.
    fn function_restore(self, serialized_value: impl ToArg) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("RESTORE").arg(serialized_value))
    }

    /// Tells of the function that runs, and how many there are.
    ///
    /// `FUNCTION STATS`
    ///
    /// O(1). Since 7.0.0.
    fn function_stats(self) -> Self::Out {
        self.put(Command::new("FUNCTION").arg("STATS"))
    }

    /// Accepted, and does nothing: there is no debugger of scripts.
    ///
    /// `SCRIPT DEBUG <YES | SYNC | NO>`
    ///
    /// O(1). Since 3.2.0.
    fn script_debug(self, mode: impl ToArg) -> Self::Out {
        self.put(Command::new("SCRIPT").arg("DEBUG").arg(mode))
    }

    /// Tells which scripts are known.
    ///
    /// `SCRIPT EXISTS <sha1> [<sha1> ...]`
    ///
    /// O(N) in the number of digests. Since 2.6.0.
    fn script_exists(self, sha1: impl ToArg) -> Self::Out {
        self.put(Command::new("SCRIPT").arg("EXISTS").arg(sha1))
    }

    /// Empties the cache of scripts.
    ///
    /// `SCRIPT FLUSH [ASYNC | SYNC]`
    ///
    /// O(N) in the number of scripts. Since 2.6.0.
    fn script_flush(self) -> Self::Out {
        self.put(Command::new("SCRIPT").arg("FLUSH"))
    }

    /// Ends the script that runs; what it has done is undone.
    ///
    /// `SCRIPT KILL`
    ///
    /// O(1). Since 2.6.0.
    fn script_kill(self) -> Self::Out {
        self.put(Command::new("SCRIPT").arg("KILL"))
    }

    /// Makes a script known, without running it.
    ///
    /// `SCRIPT LOAD <script>`
    ///
    /// O(N) in the length of the script. Since 2.6.0.
    fn script_load(self, script: impl ToArg) -> Self::Out {
        self.put(Command::new("SCRIPT").arg("LOAD").arg(script))
    }
}

impl<C: Commands> ScriptingCommands for C {}
