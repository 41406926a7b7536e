//! A waker that any poller can watch: an eventfd.
//!
//! Invariant: a write never blocks and never fails in a way that loses the wake-up. The counter is never read, which
//! edge-triggered polling permits; it would take centuries to fill.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use crate::waker::Wake;

#[derive(Debug)]
pub(in crate::backend) struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    pub(in crate::backend) fn new() -> io::Result<EventFd> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(EventFd { fd })
    }

    pub(in crate::backend) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Wake for EventFd {
    fn wake(&self) {
        // EAGAIN (a full counter) means that a wake-up is pending anyway; EINTR does not occur for an eventfd that never blocks.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }
}
