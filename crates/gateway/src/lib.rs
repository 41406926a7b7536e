//! The gateway: devices submit messages over the Frame protocol, and each is acknowledged once a Redis-compatible store has it.
//!
//! - [`Gateway`] is the handler of one event loop. It serves connections of devices, and has one pipelined connection to the store,
//!   its *lane*.
//! - [`Service`] runs several of them, one thread each, and stops them in order.
//! - [`Settings`] and [`Limits`] say how.
//!
//! A message becomes an entry of a stream. Messages are taken to the store in batches: while one is under way the next one gathers, so
//! the more there is to do the less each message costs. Who introduced himself with a token has each message kept once, however often
//! it is submitted, see [`Window`].
//!
//! **Invariant.** A SubmitAck with result 0 is sent only when the store has acknowledged the message, as an entry that it has added or
//! as one that was there. Nothing is kept here that has to survive: a gateway that dies and comes back, and several at the same stream,
//! give the same guarantee.
//!
//! What it does not do: it does not read the stream.

mod batch;
mod connection;
mod counters;
mod gateway;
mod lane;
mod names;
mod service;
mod settings;
mod token;
mod uplink;
mod wire;

pub use counters::Counters;
pub use gateway::Gateway;
pub use names::{NameError, check_stream};
pub use service::{Service, Stopper};
pub use settings::{Dial, Limits, Login, Settings, Store, Window};
