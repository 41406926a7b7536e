//! The commands, a trait for each group.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

#[rustfmt::skip]
mod bitmap;
#[rustfmt::skip]
mod cluster;
#[rustfmt::skip]
mod connection;
#[rustfmt::skip]
mod generic;
#[rustfmt::skip]
mod geo;
#[rustfmt::skip]
mod hash;
#[rustfmt::skip]
mod hyperloglog;
#[rustfmt::skip]
mod list;
#[rustfmt::skip]
mod pubsub;
#[rustfmt::skip]
mod scripting;
#[rustfmt::skip]
mod server;
#[rustfmt::skip]
mod set;
#[rustfmt::skip]
mod sorted_set;
#[rustfmt::skip]
mod stream;
#[rustfmt::skip]
mod string;
#[rustfmt::skip]
mod transactions;
#[rustfmt::skip]
pub(crate) mod keys;

pub use bitmap::BitmapCommands;
pub use cluster::ClusterCommands;
pub use connection::ConnectionCommands;
pub use generic::GenericCommands;
pub use geo::GeoCommands;
pub use hash::HashCommands;
pub use hyperloglog::HyperloglogCommands;
pub use list::ListCommands;
pub use pubsub::PubsubCommands;
pub use scripting::ScriptingCommands;
pub use server::ServerCommands;
pub use set::SetCommands;
pub use sorted_set::SortedSetCommands;
pub use stream::StreamCommands;
pub use string::StringCommands;
pub use transactions::TransactionsCommands;
