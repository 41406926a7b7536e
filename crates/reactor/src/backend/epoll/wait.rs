//! epoll_wait: what became ready, as events of the loop.
//!
//! Invariant: being interrupted by a signal is an early return, not an error. It allocates only when more sockets became ready
//! at once than ever before.

use std::io;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};
use rustix::io::Errno;

use crate::backend::{Event, SLEEP_MS_MAX, Token};

/// Events asked for at first.
pub(super) const EVENTS_MIN: usize = 128;

/// Events asked for at most; more are reported by the next wait.
const EVENTS_MAX: usize = 4_096;

#[inline]
pub(super) fn wait(
    epoll: &OwnedFd,
    ready: &mut Vec<epoll::Event>,
    timeout_ms: Option<u64>,
    out: &mut Vec<Event>,
) -> io::Result<()> {
    let timeout = timeout_ms.map(|ms| {
        let ms = ms.min(SLEEP_MS_MAX);
        Timespec {
            tv_sec: (ms / 1_000) as i64,
            tv_nsec: (ms % 1_000 * 1_000_000) as i64,
        }
    });
    ready.clear();
    match epoll::wait(epoll, spare_capacity(ready), timeout.as_ref()) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    out.extend(ready.iter().map(|event| {
        let (flags, data) = (event.flags, event.data);
        Event {
            token: Token(data.u64()),
            readable: flags.intersects(EventFlags::IN | EventFlags::PRI),
            writable: flags.contains(EventFlags::OUT),
            peer_closed: flags.intersects(EventFlags::RDHUP | EventFlags::HUP),
            failed: flags.contains(EventFlags::ERR),
        }
    }));
    if ready.len() == ready.capacity() && ready.len() < EVENTS_MAX {
        ready.reserve(ready.len() * 2);
    }
    Ok(())
}
