//! The RESP2 and RESP3 protocols: bytes to requests, values to bytes, bytes to values.
//!
//! - [`RequestParser`] finds requests in a connection's input. It copies no argument: what it yields are [`Span`]s into the
//!   input. It remembers how far it came, so that no byte of a request that arrives in pieces is looked at twice.
//! - [`reply`] writes replies to the end of a `Vec<u8>`, in the dialect ([`Version`]) that the client asked for.
//! - [`Value`] and [`ReplyParser`] are the other side, for clients and tests: any reply as a value.
//!
//! **Invariant.** Nothing here does I/O, reads a clock, or allocates memory because a peer announced a length: memory grows with
//! the bytes that arrived. How these bytes are split on their way changes nothing.
//!
//! What it does not do: it does not know commands, and it does not bound the input buffer (`client-query-buffer-limit` is the
//! caller's).

mod decode;
mod double;
mod error;
mod inline;
pub mod reply;
pub mod request;
mod value;

pub use decode::{Decoded, ReplyLimits, ReplyParser};
pub use double::{push_double, push_shortest};
pub use error::ProtocolError;
pub use inline::split_words;
pub use request::{Limits, Outcome, RequestParser, Span};
pub use value::Value;

/// The dialect a connection speaks: RESP2 until `HELLO 3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// The protocol of Redis 1.2 to 5: five types; maps, sets and pushes travel as arrays.
    #[default]
    Resp2,
    /// The protocol of Redis 6 and later: doubles, booleans, maps, sets, pushes and more have types of their own.
    Resp3,
}
