//! poll: a dense array of descriptors that the kernel walks through. See poll(2).
//!
//! Invariant: the array holds no gap, so that a wait costs what is watched and no more. A negative descriptor is taken and ignored,
//! as poll itself does it. Each wait reports from behind the last one reported, so that nobody starves behind `events_max`.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::{Interest, Poller, Readiness, check_events_max, refuse_epolls_own, timespec};

/// No place in the array.
const NOWHERE: u32 = u32::MAX;

/// A poller on poll(2).
#[derive(Default)]
pub struct PollPoller {
    watched: Vec<PollFd<'static>>,
    /// The number and the name of each of them, at the same place.
    names: Vec<(RawFd, u64)>,
    /// By descriptor: its place.
    places: Vec<u32>,
    /// Where the next report begins.
    next: usize,
}

impl fmt::Debug for PollPoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollPoller")
            .field("watched", &self.names)
            .finish_non_exhaustive()
    }
}

pub(super) fn poll_fd(fd: RawFd, flags: PollFlags) -> PollFd<'static> {
    debug_assert!(fd >= 0, "negative descriptors are left out before");
    #[allow(unsafe_code)]
    // SAFETY: it is not -1. Its user keeps it open while it is watched; poll reports a number that is not open (POLLNVAL).
    PollFd::from_borrowed_fd(unsafe { BorrowedFd::borrow_raw(fd) }, flags)
}

pub(super) fn flags(interest: Interest) -> PollFlags {
    [
        (Interest::READABLE, PollFlags::IN),
        (Interest::WRITABLE, PollFlags::OUT),
        (Interest::PEER_CLOSED, PollFlags::RDHUP),
        (Interest::PRIORITY, PollFlags::PRI),
    ]
    .into_iter()
    .filter(|(wanted, _)| interest.contains(*wanted))
    .map(|(_, flag)| flag)
    .collect()
}

impl PollPoller {
    fn place(&self, fd: RawFd) -> io::Result<usize> {
        let place = self.places.get(fd as usize).copied().unwrap_or(NOWHERE);
        if place == NOWHERE {
            return Err(Errno::NOENT.into());
        }
        Ok(place as usize)
    }
}

impl Poller for PollPoller {
    fn open() -> io::Result<PollPoller> {
        Ok(PollPoller::default())
    }

    fn add(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()> {
        refuse_epolls_own(interest, "poll")?;
        if fd < 0 {
            return Ok(());
        }
        let index = fd as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, NOWHERE);
        }
        if self.places[index] != NOWHERE {
            return Err(Errno::EXIST.into());
        }
        self.places[index] = self.watched.len() as u32;
        self.watched.push(poll_fd(fd, flags(interest)));
        self.names.push((fd, key));
        Ok(())
    }

    fn modify(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()> {
        refuse_epolls_own(interest, "poll")?;
        if fd < 0 {
            return Ok(());
        }
        let place = self.place(fd)?;
        self.watched[place] = poll_fd(fd, flags(interest));
        self.names[place].1 = key;
        Ok(())
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        if fd < 0 {
            return Ok(());
        }
        let place = self.place(fd)?;
        self.places[fd as usize] = NOWHERE;
        self.watched.swap_remove(place);
        self.names.swap_remove(place);
        if let Some((moved, _)) = self.names.get(place) {
            self.places[*moved as usize] = place as u32;
        }
        Ok(())
    }

    fn wait(
        &mut self,
        events_max: usize,
        timeout_ms: Option<u64>,
        out: &mut Vec<Readiness>,
    ) -> io::Result<usize> {
        check_events_max(events_max)?;
        let timeout = timeout_ms.map(timespec);
        let ready = match poll(&mut self.watched, timeout.as_ref()) {
            Ok(ready) => ready.min(events_max),
            Err(Errno::INTR) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        };
        let before = out.len();
        let all = self.watched.len();
        let start = if self.next < all { self.next } else { 0 };
        for place in (start..all).chain(0..start) {
            if out.len() - before == ready {
                break;
            }
            let flags = self.watched[place].revents();
            if !flags.is_empty() {
                out.push(readiness(self.names[place].1, flags));
                self.next = place + 1;
            }
        }
        Ok(out.len() - before)
    }
}

pub(super) fn readiness(key: u64, flags: PollFlags) -> Readiness {
    Readiness {
        key,
        readable: flags.contains(PollFlags::IN),
        priority: flags.contains(PollFlags::PRI),
        writable: flags.contains(PollFlags::OUT),
        peer_closed: flags.contains(PollFlags::RDHUP),
        hang_up: flags.contains(PollFlags::HUP),
        error: flags.intersects(PollFlags::ERR | PollFlags::NVAL),
    }
}
