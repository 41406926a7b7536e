//! What a client's connection means to commands: database, protocol, transaction, watched keys.
//!
//! Nothing of the socket is here; RESET and a new connection start from [`Session::new`], so no state leaks.

use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_resp::Version;
use dunlin_store::watch::WatchFlag;
use dunlin_structures::Rope;

use crate::acl::{User, Users};
use crate::args::OwnedArgs;
use crate::command::{Command, Flags};
use crate::error::ReplyError;
use crate::pubsub::Subscriptions;
use crate::tracking::SessionTracking;

/// A command queued by MULTI.
#[derive(Debug)]
pub struct Queued {
    /// Its place in the table, for statistics.
    pub id: usize,
    /// The command.
    pub command: &'static Command,
    /// Its arguments.
    pub args: OwnedArgs,
}

/// A transaction between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Queued commands in order.
    pub queue: Vec<Queued>,
    /// A command could not be queued: EXEC will refuse.
    pub aborted: bool,
    /// EXEC itself was refused, for this reason.
    pub refused: Option<ReplyError>,
    /// Flags of all queued commands together.
    pub flags: Flags,
    /// Bytes of all queued arguments.
    pub bytes: usize,
}

impl Transaction {
    /// Queues a command.
    pub fn push(&mut self, queued: Queued) {
        self.flags = self.flags.and(queued.command.flags);
        self.bytes += queued.args.byte_len();
        self.queue.push(queued);
    }
}

/// Which replies are sent: CLIENT REPLY.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Replies {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// Not that of the command that asks for it, nor that of the next one.
    SkipNext,
    /// Not that of this command.
    Skip,
}

/// A watched key: database, key, hash.
pub type Watched = (u32, Box<[u8]>, u64);

/// Watched keys and the flag that their change raises.
#[derive(Debug, Default)]
pub struct Watches {
    /// Raised by a change of any of them.
    pub flag: Arc<WatchFlag>,
    /// The keys.
    pub keys: Vec<Watched>,
    /// Bytes that the keys take.
    pub bytes: usize,
}

impl Watches {
    /// Remembers a key.
    pub fn push(&mut self, watched: Watched) {
        self.bytes += size_of::<Watched>() + watched.1.len();
        self.keys.push(watched);
    }
}

/// Where a client's connection comes from; for CLIENT INFO and the like.
#[derive(Copy, Clone, Debug, Default)]
pub struct Peer {
    /// The client's address; `None` on a Unix socket.
    pub remote: Option<SocketAddr>,
    /// The server's address that it connected to.
    pub local: Option<SocketAddr>,
    /// Whether it came over a Unix socket.
    pub unix: bool,
    /// The socket's descriptor.
    pub descriptor: i32,
    /// When it was accepted, milliseconds since 1970.
    pub opened_ms: u64,
}

/// Where messages to a client go.
#[derive(Copy, Clone, Debug, Default)]
pub struct Place {
    /// Its worker.
    pub worker: usize,
    /// What that worker knows its connection by.
    pub token: u64,
}

/// One client's state.
#[derive(Debug)]
pub struct Session {
    /// Number of the client, unique for the life of the server.
    pub id: u64,
    /// Selected database.
    pub db: u32,
    /// Protocol version of replies.
    pub version: Version,
    /// Whether AUTH succeeded or no password is needed.
    pub authenticated: bool,
    /// Who it is; `None` may do everything: the server itself.
    pub user: Option<Arc<User>>,
    /// Its connection.
    pub peer: Peer,
    /// Name given by CLIENT SETNAME or HELLO.
    pub name: Box<[u8]>,
    /// The transaction being queued.
    pub transaction: Option<Box<Transaction>>,
    /// Watched keys.
    pub watches: Option<Box<Watches>>,
    /// Where messages to it go.
    pub place: Place,
    /// What it has subscribed to; `None` when nothing.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// What it wants to be told of the keys that it reads: CLIENT TRACKING.
    pub tracking: Option<Box<SessionTracking>>,
    /// What is sent to it though its replies are not.
    pub pushes: Option<Box<Rope>>,
    /// Which replies are sent.
    pub replies: Replies,
    /// Reads leave the access clocks of keys alone: CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// The last record of the log that it has written.
    pub wrote: u64,
    /// Its script has to hold every stripe.
    pub holds_all: bool,
    /// Its script, which is to be run again, has been shown to who monitors.
    pub is_shown: bool,
    /// A script runs a command for it.
    pub in_script: bool,
    /// Memory was short when its script began.
    pub out_of_memory: bool,
    /// Close the connection once the reply is out.
    pub close_after_reply: bool,
    /// The log is being replayed: deadlines in the past are stored, not carried out.
    pub replaying: bool,
}

impl Session {
    /// A fresh session.
    pub fn new(id: u64, authenticated: bool) -> Session {
        Session {
            id,
            db: 0,
            version: Version::Resp2,
            authenticated,
            user: None,
            peer: Peer::default(),
            name: Box::default(),
            transaction: None,
            watches: None,
            place: Place {
                worker: 0,
                token: id,
            },
            subscriptions: None,
            tracking: None,
            pushes: None,
            replies: Replies::On,
            no_touch: false,
            wrote: 0,
            holds_all: false,
            is_shown: false,
            in_script: false,
            out_of_memory: false,
            close_after_reply: false,
            replaying: false,
        }
    }

    /// A fresh session of a client that has said nothing yet.
    pub fn of_client(id: u64, users: &Users) -> Session {
        Session {
            user: Some(Arc::clone(users.default_user())),
            ..Session::new(id, !users.password_required())
        }
    }

    /// A fresh session of somebody who was let in by other means than a password, and is the default user: unless that is off, which lets
    /// nobody in.
    pub fn of_default_user(id: u64, users: &Users) -> Session {
        let user = Arc::clone(users.default_user());
        let is_enabled = user.with_rules(|rules| rules.enabled);
        Session {
            user: Some(user),
            ..Session::new(id, is_enabled)
        }
    }

    /// Whether it has subscribed to anything.
    #[inline]
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.is_some()
    }

    /// Whether it has, and speaks the protocol in which a subscriber may do little else.
    #[inline]
    pub fn only_listens(&self) -> bool {
        self.is_subscriber() && self.version == Version::Resp2
    }

    /// Whether commands are being queued.
    #[inline]
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }
}
