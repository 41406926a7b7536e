//! recv: received bytes into a buffer.
//!
//! Invariant: one system call. A short read means drained: what arrives later is a new edge.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::backend::Received;
use crate::buffer::Buffer;

#[inline]
pub(in crate::backend) fn receive(
    fd: &OwnedFd,
    buffer: &mut Buffer,
    bytes_max: usize,
) -> io::Result<Received> {
    loop {
        let room = buffer.room(bytes_max);
        let asked = room.len();
        debug_assert!(asked > 0, "no room to receive into");
        let bytes = match recv(fd, room, RecvFlags::empty()) {
            Ok((received, _)) => received.0.len(),
            Err(Errno::AGAIN) => return Ok(Received::default()),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        #[allow(unsafe_code)]
        // SAFETY: the kernel initialized the first `bytes` bytes of the room.
        unsafe {
            buffer.commit(bytes);
        }
        return Ok(Received {
            bytes,
            more: bytes == asked,
            eof: bytes == 0,
        });
    }
}
