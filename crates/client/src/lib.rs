//! A client for Dunlin, Redis and Valkey: one connection for all threads of a program, futures without a runtime.
//!
#![doc = include_str!("front_page.md")]
//!
//! # What becomes of a request
//!
//! | what happens | what its caller gets |
//! |-|-|
//! | the reply comes | it, as the type that was asked for; an error reply as [`Error::Server`] |
//! | no reply within the deadline (3 s; [`Command::deadline`]) | "time out". The late reply is dropped, others keep theirs |
//! | the connection is lost after it was sent | "connection reset; outcome unknown"; never sent again, unless it is [`Command::idempotent`] |
//! | the connection is lost before it was sent | it goes out on the next one, within its deadline |
//! | as much as [`Limits`] allow is under way | it waits for room within its deadline; [`Client::try_send`] says [`Error::Full`] |
//! | the client is closed | what is under way is answered first; later ones get "client closed" |
//!
//! A lost connection is tried again at once, three times, then after growing waits ([`RetryLimits`]). A silent one is asked for a sign of
//! life each second. A new one is told protocol, login, name, database and subscriptions before any request.
//!
//! Invariant: this crate has no opinion on how a program runs: it brings no runtime, its futures work on any executor, and what waits may
//! be a thread just as well.

mod arg;
mod blocking;
mod client;
mod clients;
mod cluster;
mod command;
pub mod commands;
mod connection;
mod driver;
mod error;
mod future;
mod link;
mod options;
mod outbox;
mod pipeline;
mod pool;
mod pubsub;
mod relay;
mod reply;
mod scan;
mod script;
mod slot;
mod started;
mod tls;
mod url;
mod yielding;

pub use arg::{Arguments, ToArg};
pub use client::{Client, Request};
pub use clients::{Clients, SPILL};
pub use cluster::{Cluster, ClusterRequest, SLOTS, slot_of};
pub use command::Command;
pub use connection::{Connection, ConnectionRequest};
pub use driver::{Driver, Next};
pub use dunlin_reactor::RetryLimits;
pub use dunlin_resp::Value;
pub use error::{Error, Result, ServerError};
pub use future::Reply;
pub use options::{
    Address, CLOSE_DEADLINE, DEADLINE, HEARTBEAT, MESSAGES_MAX, Options, PORT, Protocol,
};
pub use outbox::{Limits, Stats};
pub use pipeline::Pipeline;
pub use pool::{Connections, Manage, Pool, PoolOptions, PoolStats, Pooled};
pub use pubsub::{Kind, Message, Subscription};
pub use reply::FromReply;
pub use scan::Scan;
pub use script::Script;
pub use tls::{ClientSettings, ClientTls};
