//! HTTP/1.1 as far as an admin port needs it: requests out of bytes, responses to bytes.
//!
//! Invariant: no I/O and no state. What two readers could understand differently (two lengths, a folded line, a bare line feed, a path
//! with a second spelling) is refused rather than interpreted, so nothing in front of this port can be led to see other requests than it.

mod decode;
mod response;

pub use decode::{
    BODY_BYTES_MAX, Decoded, HEAD_BYTES_MAX, HEADERS_MAX, Method, Refusal, Request, Waiting, decode,
};
pub use response::{Response, Sent};
