//! send and sendmsg: a rope's first bytes to a socket.
//!
//! Invariant: one system call, no SIGPIPE. A rope that is one buffer goes out with a plain send. A short write means that the
//! socket is full.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use dunlin_structures::Rope;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, send as send_bytes, sendmsg};

use crate::backend::Sent;

/// Slices in one call. 64 chunks of 64 KiB are more than any turn's budget.
pub(in crate::backend) const SLICES_MAX: usize = 64;

#[inline]
pub(in crate::backend) fn send(
    fd: &OwnedFd,
    rope: &mut Rope,
    bytes_max: usize,
    recycle: &mut dyn FnMut(Vec<u8>),
) -> io::Result<Sent> {
    let (asked, result) = if rope.is_contiguous() {
        let first = rope.first();
        let bytes = &first[..first.len().min(bytes_max)];
        (
            bytes.len(),
            retry(|| send_bytes(fd, bytes, SendFlags::NOSIGNAL)),
        )
    } else {
        send_slices(fd, rope, bytes_max)
    };
    let bytes = match result {
        Ok(bytes) => bytes,
        Err(Errno::AGAIN) => 0,
        Err(errno) => return Err(errno.into()),
    };
    rope.advance_recycling(bytes, recycle);
    Ok(Sent {
        bytes,
        blocked: bytes < asked,
    })
}

fn send_slices(fd: &OwnedFd, rope: &Rope, bytes_max: usize) -> (usize, Result<usize, Errno>) {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let used = rope.slices_within(bytes_max, &mut slices);
    let asked = slices[..used].iter().map(|s| s.len()).sum();
    let mut control = SendAncillaryBuffer::default();
    let result = retry(|| sendmsg(fd, &slices[..used], &mut control, SendFlags::NOSIGNAL));
    (asked, result)
}

fn retry(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
