//! Everything that can be wrong with bytes from a peer, with the texts of Redis 7.2 for what a client sent.
//!
//! Invariant: after any of these the position in the stream is lost. The connection is answered (a server) and closed.

use crate::reply;

/// Why bytes from a peer are not RESP.
///
/// `Display` is the text that Redis sends, without the `ERR` code in front; [`ProtocolError::reply`] is the whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The number after `*` is no integer, or above the most arguments a request may have.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
    /// The number after `$` is no integer, negative, or above `proto-max-bulk-len`.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    /// An argument began with this byte instead of `$`.
    #[error("Protocol error: expected '$', got '{}'", .0.escape_ascii())]
    ExpectedBulk(u8),
    /// No line end within [`crate::Limits::line_bytes_max`] of an inline request.
    #[error("Protocol error: too big inline request")]
    TooBigInline,
    /// No line end within [`crate::Limits::line_bytes_max`] after `*`.
    #[error("Protocol error: too big mbulk count string")]
    TooBigMultibulkCount,
    /// No line end within [`crate::Limits::line_bytes_max`] after `$`.
    #[error("Protocol error: too big bulk count string")]
    TooBigBulkCount,
    /// An inline request has a quote that is not closed, or a closing quote with no blank behind it.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// More than 10 arguments before authentication.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// An argument above 16 KiB before authentication.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// One request is longer than a [`crate::Span`] can address. Redis has no such text.
    #[error("Protocol error: request of 4 GiB or more")]
    RequestTooBig,

    /// A reply began with a byte that is no RESP type.
    #[error("Protocol error, got \"{}\" as reply type byte", .0.escape_ascii())]
    UnknownReplyType(u8),
    /// The length of a reply is no number that fits its type, or streamed (`$?`), which Redis never sends.
    #[error("invalid length in a reply")]
    InvalidReplyLength,
    /// An integer, double, boolean, null, big number or verbatim string in a reply does not read as one.
    #[error("malformed {0} in a reply")]
    MalformedReply(&'static str),
    /// A line, or the bytes of a bulk, did not end in CR LF.
    #[error("missing CR LF in a reply")]
    MissingLineEnd,
    /// A reply nests deeper than [`crate::ReplyLimits::depth_max`].
    #[error("a reply is nested too deeply")]
    ReplyTooDeep,
    /// A reply is longer than [`crate::ReplyLimits`] allow.
    #[error("a reply is too big")]
    ReplyTooBig,
}

impl ProtocolError {
    /// Appends the error reply that Redis sends before it closes.
    ///
    /// An unexpected byte is sent as it came, but CR and LF as a space, as Redis does.
    pub fn reply(&self, out: &mut Vec<u8>) {
        if let ProtocolError::ExpectedBulk(byte) = *self {
            let mut text = *b"ERR Protocol error: expected '$', got '?'";
            let at = text.len() - 2;
            text[at] = byte;
            reply::error(out, text);
        } else {
            reply::error(out, format!("ERR {self}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(error: ProtocolError) -> Vec<u8> {
        let mut out = Vec::new();
        error.reply(&mut out);
        out
    }

    #[test]
    fn the_unexpected_byte_is_sent_raw_but_line_ends_are_not() {
        assert_eq!(
            sent(ProtocolError::ExpectedBulk(b'X')),
            b"-ERR Protocol error: expected '$', got 'X'\r\n"
        );
        assert_eq!(
            sent(ProtocolError::ExpectedBulk(0xff)),
            b"-ERR Protocol error: expected '$', got '\xff'\r\n"
        );
        for line_end in *b"\r\n" {
            assert_eq!(
                sent(ProtocolError::ExpectedBulk(line_end)),
                b"-ERR Protocol error: expected '$', got ' '\r\n"
            );
        }
        assert_eq!(
            ProtocolError::ExpectedBulk(0xff).to_string(),
            "Protocol error: expected '$', got '\\xff'"
        );
    }

    #[test]
    fn other_errors_carry_the_code() {
        assert_eq!(
            sent(ProtocolError::InvalidBulkLength),
            b"-ERR Protocol error: invalid bulk length\r\n"
        );
    }
}
