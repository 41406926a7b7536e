//! Why bytes are no frame. A stream cannot be continued behind any of these.

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Less than the length itself and a command take.
    #[error(
        "a frame of {length} bytes is announced, the least is {}",
        crate::FRAME_BYTES_MIN
    )]
    TooShort {
        /// What was announced.
        length: u32,
    },
    /// More than is allowed.
    #[error("a frame of {length} bytes is announced, the most is {limit}")]
    TooLong {
        /// What was announced, or what encoding would take (at most `u32::MAX`).
        length: u32,
        /// What is allowed.
        limit: u32,
    },
    /// No command has this code.
    #[error("unknown command 0x{code:02x}")]
    UnknownCommand {
        /// The code.
        code: u8,
    },
    /// The frame ends before its ID does.
    #[error("a {packet} without its ID: the frame ends after {length} bytes")]
    NoId {
        /// The packet's name.
        packet: &'static str,
        /// What was announced.
        length: u32,
    },
    /// The ID is not eight digits.
    #[error("the ID of a {packet} is not eight digits: \"{}\"", bytes.escape_ascii())]
    BadId {
        /// The packet's name.
        packet: &'static str,
        /// What stands in its place.
        bytes: [u8; crate::ID_BYTES],
    },
    /// Behind the ID of an ack stands one byte.
    #[error("a {packet} of {length} bytes has not one byte of result")]
    BadAckLength {
        /// The packet's name.
        packet: &'static str,
        /// What was announced.
        length: u32,
    },
    /// A result is 0 or 1.
    #[error("a {packet} with the result {code}, which is neither 0 nor 1")]
    BadResult {
        /// The packet's name.
        packet: &'static str,
        /// What stands there.
        code: u8,
    },
}
