//! What an increment may be filled with behind its last batch, so that writing there changes no length.

/// What padding is made of. redis-server takes a line that begins with it for a remark, and so each piece of a long one.
pub(super) const PADDING_BYTE: u8 = b'#';

/// Padding of so many bytes: one line, so that what another program may append begins one.
///
/// # Panics
/// If there are fewer than two.
pub fn padding(bytes: usize) -> Vec<u8> {
    assert!(bytes >= PADDING_BYTES_MIN, "a line that is no end alone");
    let mut padding = vec![PADDING_BYTE; bytes];
    padding[bytes - 1] = b'\n';
    padding
}

/// Fewer bytes than this are no padding: what is left of one that is written over has as many, or it is made anew.
pub const PADDING_BYTES_MIN: usize = 2;
