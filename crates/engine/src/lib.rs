//! Commands and transactions over the store.
//!
//! The engine takes a session, the arguments of one command and a time, locks the stripes of the command's keys, runs
//! its handler and appends the reply. No I/O and no clock: what a command needs of the world it asks of its [`Host`].
//!
//! Invariants: a command is described once, by its [`Command`] constant; the order of checks before a handler runs stands
//! in `admission`; a handler takes no lock and does no I/O.

pub mod acl;
mod admission;
pub mod args;
pub mod blocking;
pub mod command;
pub mod commands;
pub mod context;
pub mod digest;
mod disk_trouble;
pub mod dispatch;
pub mod encodings;
pub mod engine;
pub mod error;
pub mod expiry;
pub mod glob;
mod inner;
pub mod number;
mod payloads;
pub mod pubsub;
pub mod replay;
pub mod reply;
pub mod sample;
pub mod scripting;
pub mod session;
pub mod table;
pub mod testing;
pub mod tracking;

/// The version of Redis that we tell clients and scripts to be compatible with.
pub const REDIS_VERSION: &str = "7.2.4";
/// The same as scripts compare it: a byte for each part.
pub const REDIS_VERSION_NUMBER: u32 = 0x0007_0204;

pub use args::{Args, OwnedArgs};
pub use command::{Command, Flags};
pub use context::{Block, Continuation, Ctx, Flow, Host, Outcome, Progress, UntilSafe};
pub use disk_trouble::DiskTrouble;
pub use dispatch::{Blocked, Call, Executed, Heavy};
pub use engine::{CommandStat, Engine, WorkerState};
pub use error::ReplyError;
pub use reply::Reply;
pub use session::{Replies, Session, Transaction};
pub use table::Table;
