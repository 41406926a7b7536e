//! Frames out of bytes and bytes out of packets.
//!
//! Invariant: an error is told as soon as the bytes that show it are there, and only bytes up to those decide, so it is the same
//! however the stream was cut. What is decoded borrows from the input; what is encoded is appended in one piece, or not at all.

use crate::error::FrameError;
use crate::id::{ID_BYTES, Id};
use crate::packet::{AckBase, AckResult, CONN, Packet, SUBMIT};

/// Bytes of the length that begins a frame.
pub const LENGTH_BYTES: usize = 4;

/// The shortest frame: its length and a command.
pub const FRAME_BYTES_MIN: u32 = 5;

/// The longest frame when nothing else is said.
pub const FRAME_BYTES_MAX_DEFAULT: u32 = 1 << 20;

/// Where the ID begins.
const ID_AT: usize = LENGTH_BYTES + 1;

/// Where payload or result begin.
const REST_AT: usize = ID_AT + ID_BYTES;

/// What [`Codec::decode`] found at the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole packet.
    Packet {
        /// What it says.
        packet: Packet<'a>,
        /// Bytes of the frame: the next one begins there.
        end: usize,
    },
    /// The beginning of a frame, or nothing.
    NeedMore {
        /// Bytes that are lacking at least.
        hint: usize,
    },
}

/// The rules of one side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The longest frame, its length included. At least [`FRAME_BYTES_MIN`] to be of any use.
    pub frame_bytes_max: u32,
    /// The codes of acks.
    pub ack_base: AckBase,
}

impl Default for Codec {
    fn default() -> Codec {
        Codec {
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            ack_base: AckBase::default(),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Conn,
    Submit,
    ConnAck,
    SubmitAck,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Conn => "Conn",
            Kind::Submit => "Submit",
            Kind::ConnAck => "ConnAck",
            Kind::SubmitAck => "SubmitAck",
        }
    }
}

impl Codec {
    /// Reads the frame at the front of `input`. O(1): the payload is not looked at.
    ///
    /// # Errors
    /// When no frame begins like this.
    pub fn decode<'a>(&self, input: &'a [u8]) -> Result<Decoded<'a>, FrameError> {
        let Some(head) = input.first_chunk::<LENGTH_BYTES>() else {
            let hint = FRAME_BYTES_MIN as usize - input.len();
            return Ok(Decoded::NeedMore { hint });
        };
        let length = u32::from_be_bytes(*head);
        if length < FRAME_BYTES_MIN {
            return Err(FrameError::TooShort { length });
        }
        if length > self.frame_bytes_max {
            let limit = self.frame_bytes_max;
            return Err(FrameError::TooLong { length, limit });
        }
        let total = length as usize;
        let need_more = Ok(Decoded::NeedMore {
            hint: total.saturating_sub(input.len()),
        });
        let Some(&code) = input.get(LENGTH_BYTES) else {
            return need_more;
        };
        let kind = self.kind(code)?;
        let packet = kind.name();
        if total < REST_AT {
            return Err(FrameError::NoId { packet, length });
        }
        if matches!(kind, Kind::ConnAck | Kind::SubmitAck) && total != REST_AT + 1 {
            return Err(FrameError::BadAckLength { packet, length });
        }
        let Some(bytes) = input[ID_AT..].first_chunk::<ID_BYTES>() else {
            return need_more;
        };
        let Some(id) = Id::from_bytes(bytes) else {
            let bytes = *bytes;
            return Err(FrameError::BadId { packet, bytes });
        };
        let Some(rest) = input.get(REST_AT..total) else {
            return need_more;
        };
        let packet = match kind {
            Kind::Conn => Packet::Conn { id, payload: rest },
            Kind::Submit => Packet::Submit { id, payload: rest },
            Kind::ConnAck => Packet::ConnAck {
                id,
                result: result(packet, rest)?,
            },
            Kind::SubmitAck => Packet::SubmitAck {
                id,
                result: result(packet, rest)?,
            },
        };
        Ok(Decoded::Packet { packet, end: total })
    }

    /// The Submit whose frame is longer than allowed, if `input` begins with one and has its ID: a server can refuse it before it
    /// closes. `None` for anything else, and as long as the ID is not there.
    #[must_use]
    pub fn overlong_submit(&self, input: &[u8]) -> Option<Id> {
        let length = u32::from_be_bytes(*input.first_chunk::<LENGTH_BYTES>()?);
        let is_submit = input.get(LENGTH_BYTES) == Some(&SUBMIT);
        (length > self.frame_bytes_max && is_submit)
            .then(|| Id::from_bytes(input.get(ID_AT..REST_AT)?))
            .flatten()
    }

    /// Appends the packet's frame to `out`.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when the payload does not fit; nothing is appended then.
    pub fn encode(&self, packet: &Packet<'_>, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let result;
        let (code, rest) = match *packet {
            Packet::Conn { payload, .. } => (CONN, payload),
            Packet::Submit { payload, .. } => (SUBMIT, payload),
            Packet::ConnAck { result: r, .. } => {
                result = [r.code()];
                (self.ack_base.conn_ack(), &result[..])
            }
            Packet::SubmitAck { result: r, .. } => {
                result = [r.code()];
                (self.ack_base.submit_ack(), &result[..])
            }
        };
        let limit = self.frame_bytes_max;
        let length = u32::try_from(REST_AT + rest.len()).unwrap_or(u32::MAX);
        if length > limit || (length as usize) < rest.len() {
            return Err(FrameError::TooLong { length, limit });
        }
        out.reserve(length as usize);
        out.extend_from_slice(&length.to_be_bytes());
        out.push(code);
        out.extend_from_slice(packet.id().as_bytes());
        out.extend_from_slice(rest);
        Ok(())
    }

    fn kind(&self, code: u8) -> Result<Kind, FrameError> {
        match code {
            CONN => Ok(Kind::Conn),
            SUBMIT => Ok(Kind::Submit),
            _ if code == self.ack_base.conn_ack() => Ok(Kind::ConnAck),
            _ if code == self.ack_base.submit_ack() => Ok(Kind::SubmitAck),
            _ => Err(FrameError::UnknownCommand { code }),
        }
    }
}

fn result(packet: &'static str, rest: &[u8]) -> Result<AckResult, FrameError> {
    let code = rest.first().copied().unwrap_or(u8::MAX);
    AckResult::of(code).ok_or(FrameError::BadResult { packet, code })
}
