//! The Frame protocol: length-prefixed packets by which devices submit messages; bytes to packets and back.
//!
//! ```text
//! frame   = length (4 bytes, unsigned, big-endian, its own 4 bytes counted) packet
//! packet  = command (1 byte) ID (8 ASCII digits) rest
//! rest    = payload (Conn 0x01, Submit 0x02: any bytes)
//!         | result  (ConnAck 0x81, SubmitAck 0x82: one byte, 0 ok, 1 error)
//! ```
//!
//! IDs step by 1 and wrap at 99,999,999; an ack echoes the ID of its request.
//!
//! ```
//! use dunlin_frame::{Codec, Decoded, Id, Packet};
//!
//! let codec = Codec::default();
//! let mut wire = Vec::new();
//! let id = Id::new(7).expect("it has eight digits at most");
//! codec.encode(&Packet::Submit { id, payload: b"hello" }, &mut wire)?;
//! assert_eq!(wire, b"\0\0\0\x12\x0200000007hello");
//!
//! // Half of it is not enough yet; the whole is a packet whose payload lies in the input.
//! assert_eq!(codec.decode(&wire[..9])?, Decoded::NeedMore { hint: 9 });
//! let expected = Packet::Submit { id, payload: b"hello" };
//! assert_eq!(codec.decode(&wire)?, Decoded::Packet { packet: expected, end: wire.len() });
//! # Ok::<(), dunlin_frame::FrameError>(())
//! ```
//!
//! **Invariant.** Nothing here panics, does I/O, or allocates on the word of a peer, and how the bytes are split on their way changes
//! neither the packets nor the error behind them.
//!
//! What it does not do: it keeps no bytes. Who decodes shows a frame from its first byte on until it is whole.

mod codec;
mod error;
mod id;
mod packet;

pub use codec::{Codec, Decoded, FRAME_BYTES_MAX_DEFAULT, FRAME_BYTES_MIN, LENGTH_BYTES};
pub use error::FrameError;
pub use id::{ID_BYTES, ID_MAX, Id};
pub use packet::{AckBase, AckResult, Packet};
