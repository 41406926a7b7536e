//! The commands of the group `connection`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `connection`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait ConnectionCommands: Commands {
    /// Authenticates the connection.
    ///
    /// `AUTH [<username>] <password>`
    ///
    /// O(1). Since 1.0.0.
    /// `rest` is what stands from here on: `[<username>] <password>`.
    fn auth(self, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("AUTH").arg(rest))
    }

    /// Returns the name of this connection.
    ///
    /// `CLIENT GETNAME`
    ///
    /// O(1). Since 2.6.9.
    fn client_getname(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("GETNAME"))
    }

    /// Returns the client that gets this one's invalidations; -1 when it tracks nothing.
    ///
    /// `CLIENT GETREDIR`
    ///
    /// O(1). Since 6.0.0.
    fn client_getredir(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("GETREDIR"))
    }

    /// Returns the number of this connection, which no other ever had.
    ///
    /// `CLIENT ID`
    ///
    /// O(1). Since 5.0.0.
    fn client_id(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("ID"))
    }

    /// Describes this connection in one line.
    ///
    /// `CLIENT INFO`
    ///
    /// O(1). Since 6.2.0.
    fn client_info(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("INFO"))
    }

    /// Closes connections: that of an address, or all that fit the filters.
    ///
    /// `CLIENT KILL <<old-format> | <[ID <client-id>] | [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] | [USER <username>] | [ADDR <addr>] | [LADDR <laddr>] | [SKIPME <YES | NO>] | [MAXAGE <maxage>]> [<[ID <client-id>] | [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] | [USER <username>] | [ADDR <addr>] | [LADDR <laddr>] | [SKIPME <YES | NO>] | [MAXAGE <maxage>]> ...]>`
    ///
    /// O(N) for N clients. Since 2.4.0.
    fn client_kill(self, filter: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("KILL").arg(filter))
    }

    /// Describes clients, one in a line.
    ///
    /// `CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID <client-id> [ID <client-id> ...]]`
    ///
    /// O(N) for N clients. Since 2.4.0.
    fn client_list(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("LIST"))
    }

    /// Says whether this client may be closed over maxmemory-clients.
    ///
    /// `CLIENT NO-EVICT <ON | OFF>`
    ///
    /// O(1). Since 7.0.0.
    fn client_no_evict(self, enabled: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("NO-EVICT").arg(enabled))
    }

    /// Says whether reads of this client leave the access times of keys alone.
    ///
    /// `CLIENT NO-TOUCH <ON | OFF>`
    ///
    /// O(1). Since 7.2.0.
    fn client_no_touch(self, enabled: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("NO-TOUCH").arg(enabled))
    }

    /// Lets the commands of all clients wait for so many milliseconds: all, or those that write.
    ///
    /// `CLIENT PAUSE <timeout> [WRITE | ALL]`
    ///
    /// O(1). Since 3.0.0.
    fn client_pause(self, timeout: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("PAUSE").arg(timeout))
    }

    /// Sends replies, sends none, or leaves out that of the next command.
    ///
    /// `CLIENT REPLY <ON | OFF | SKIP>`
    ///
    /// O(1). Since 3.2.0.
    fn client_reply(self, action: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("REPLY").arg(action))
    }

    /// Tells the name or version of the client library.
    ///
    /// `CLIENT SETINFO <lib-name <libname> | lib-ver <libver>>`
    ///
    /// O(1). Since 7.2.0.
    fn client_setinfo(self, attr: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("SETINFO").arg(attr))
    }

    /// Names this connection; an empty name takes the name away.
    ///
    /// `CLIENT SETNAME <connection-name>`
    ///
    /// O(1). Since 2.6.9.
    fn client_setname(self, connection_name: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("SETNAME").arg(connection_name))
    }

    /// Tells what this client tracks.
    ///
    /// `CLIENT TRACKINGINFO`
    ///
    /// O(1). Since 6.2.0.
    fn client_trackinginfo(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("TRACKINGINFO"))
    }

    /// Ends the wait of a client in a blocking command, as by its timeout or with an error.
    ///
    /// `CLIENT UNBLOCK <client-id> [TIMEOUT | ERROR]`
    ///
    /// O(log N) for N clients. Since 5.0.0.
    fn client_unblock(self, client_id: impl ToArg) -> Self::Out {
        self.put(Command::new("CLIENT").arg("UNBLOCK").arg(client_id))
    }

    /// Ends what CLIENT PAUSE began.
    ///
    /// `CLIENT UNPAUSE`
    ///
    /// O(N) for N clients that wait. Since 6.2.0.
    fn client_unpause(self) -> Self::Out {
        self.put(Command::new("CLIENT").arg("UNPAUSE"))
    }

    /// Returns its argument.
    ///
    /// `ECHO <message>`
    ///
    /// O(1). Since 1.0.0.
    fn echo(self, message: impl ToArg) -> Self::Out {
        self.put(Command::new("ECHO").arg(message))
    }

    /// Chooses the protocol version, and tells about server and connection.
    ///
    /// `HELLO [<protover> [AUTH <username> <password>] [SETNAME <clientname>]]`
    ///
    /// O(1). Since 6.0.0.
    fn hello(self) -> Self::Out {
        self.put(Command::new("HELLO"))
    }

    /// Answers PONG or its argument: the server lives.
    ///
    /// `PING [<message>]`
    ///
    /// O(1). Since 1.0.0.
    fn ping(self) -> Self::Out {
        self.put(Command::new("PING"))
    }

    /// Closes the connection.
    ///
    /// `QUIT`
    ///
    /// O(1). Since 1.0.0.
    /// Deprecated since 7.2.0: just closing the connection
    fn quit(self) -> Self::Out {
        self.put(Command::new("QUIT"))
    }

    /// Resets the connection: database, protocol, transaction, watched keys, subscriptions, name, authentication.
    ///
    /// `RESET`
    ///
    /// O(1). Since 6.2.0.
    fn reset(self) -> Self::Out {
        self.put(Command::new("RESET"))
    }

    /// Selects a database by its number.
    ///
    /// `SELECT <index>`
    ///
    /// O(1). Since 1.0.0.
    fn select(self, index: impl ToArg) -> Self::Out {
        self.put(Command::new("SELECT").arg(index))
    }
}

impl<C: Commands> ConnectionCommands for C {}
