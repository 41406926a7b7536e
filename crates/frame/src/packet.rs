//! What a frame says: a request of a device, or the ack that answers it.
//!
//! Invariant: the codes of acks depend on the base alone; requests have one code each.

use crate::id::Id;

pub(crate) const CONN: u8 = 0x01;
pub(crate) const SUBMIT: u8 = 0x02;

/// The codes of acks: ConnAck has the base, SubmitAck one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckBase {
    /// ConnAck 0x81 and SubmitAck 0x82: requests with their high bit set.
    #[default]
    X81,
    /// ConnAck 0x80 and SubmitAck 0x81, as the first server of this protocol sent.
    X80,
}

impl AckBase {
    /// The code of ConnAck.
    #[must_use]
    pub fn conn_ack(self) -> u8 {
        match self {
            AckBase::X81 => 0x81,
            AckBase::X80 => 0x80,
        }
    }

    /// The code of SubmitAck.
    #[must_use]
    pub fn submit_ack(self) -> u8 {
        self.conn_ack() + 1
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckResult {
    /// 0: it was done.
    Ok,
    /// 1: it is not known to be done.
    Error,
}

impl AckResult {
    /// As on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            AckResult::Ok => 0,
            AckResult::Error => 1,
        }
    }

    pub(crate) fn of(code: u8) -> Option<AckResult> {
        match code {
            0 => Some(AckResult::Ok),
            1 => Some(AckResult::Error),
            _ => None,
        }
    }
}

/// What one frame says. Payloads are borrowed from the bytes that it was decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A device introduces itself.
    Conn {
        /// Chosen by the device.
        id: Id,
        /// Who it is; empty for none.
        payload: &'a [u8],
    },
    /// A device hands a message over.
    Submit {
        /// Chosen by the device: one more than that of the message before.
        id: Id,
        /// The message.
        payload: &'a [u8],
    },
    /// Answers a Conn.
    ConnAck {
        /// The Conn's.
        id: Id,
        /// Whether the device may go on.
        result: AckResult,
    },
    /// Answers a Submit.
    SubmitAck {
        /// The Submit's.
        id: Id,
        /// Whether the message is kept.
        result: AckResult,
    },
}

impl Packet<'_> {
    /// The request's ID.
    #[must_use]
    pub fn id(&self) -> Id {
        match *self {
            Packet::Conn { id, .. }
            | Packet::Submit { id, .. }
            | Packet::ConnAck { id, .. }
            | Packet::SubmitAck { id, .. } => id,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Packet::Conn { .. } => "Conn",
            Packet::Submit { .. } => "Submit",
            Packet::ConnAck { .. } => "ConnAck",
            Packet::SubmitAck { .. } => "SubmitAck",
        }
    }
}
