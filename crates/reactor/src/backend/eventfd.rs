//! A waker that any poller can watch: an eventfd.
//!
//! Invariant: a write never blocks and never fails in a way that loses the wake-up. A backend that polls edge-triggered never reads
//! the counter, which would take centuries to fill; the others drain it when it is reported.

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

    /// Sets the counter back to 0. A wake-up that comes while this runs is either counted again or came before the loop looks.
    pub(in crate::backend) fn drain(&self) {
        // EAGAIN means that it is 0.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
    }
}

impl Wake for EventFd {
    fn wake(&self) {
        // EAGAIN (a full counter) means that a wake-up is pending anyway; EINTR does not occur for an eventfd that never blocks.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }
}
