//! epoll: the kernel keeps the table, and a wait costs only what is ready. See epoll(7).
//!
//! Invariant: it allocates only when more is asked for at once than ever before.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::{Interest, Poller, Readiness, check_events_max, timespec};

/// A poller on one epoll instance. The only one with [`Interest::EDGE`] and [`Interest::EXCLUSIVE`].
pub struct EpollPoller {
    epoll: OwnedFd,
    ready: Vec<Event>,
}

#[allow(unsafe_code)]
// SAFETY: only the events' data is not `Send`, since it could be a pointer; here it is always a number.
unsafe impl Send for EpollPoller {}

impl fmt::Debug for EpollPoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpollPoller")
            .field("epoll", &self.epoll)
            .finish_non_exhaustive()
    }
}

fn flags(interest: Interest) -> EventFlags {
    [
        (Interest::READABLE, EventFlags::IN),
        (Interest::WRITABLE, EventFlags::OUT),
        (Interest::PEER_CLOSED, EventFlags::RDHUP),
        (Interest::PRIORITY, EventFlags::PRI),
        (Interest::EDGE, EventFlags::ET),
        (Interest::EXCLUSIVE, EventFlags::EXCLUSIVE),
    ]
    .into_iter()
    .filter(|(wanted, _)| interest.contains(*wanted))
    .map(|(_, flag)| flag)
    .collect()
}

/// The descriptor as rustix wants it. A negative one is no descriptor at all.
fn borrow<'a>(fd: RawFd) -> io::Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Errno::BADF.into());
    }
    #[allow(unsafe_code)]
    // SAFETY: it is not -1, and is used for one system call only, which fails on a number that is not open.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

impl Poller for EpollPoller {
    fn open() -> io::Result<EpollPoller> {
        Ok(EpollPoller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            ready: Vec::new(),
        })
    }

    fn add(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(key);
        Ok(epoll::add(&self.epoll, borrow(fd)?, data, flags(interest))?)
    }

    fn modify(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(key);
        Ok(epoll::modify(
            &self.epoll,
            borrow(fd)?,
            data,
            flags(interest),
        )?)
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, borrow(fd)?)?)
    }

    fn wait(
        &mut self,
        events_max: usize,
        timeout_ms: Option<u64>,
        out: &mut Vec<Readiness>,
    ) -> io::Result<usize> {
        check_events_max(events_max)?;
        let timeout = timeout_ms.map(timespec);
        self.ready.clear();
        if self.ready.capacity() != events_max {
            // The room is what the kernel may fill.
            self.ready = Vec::with_capacity(events_max);
        }
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.ready),
            timeout.as_ref(),
        ) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        }
        let ready = self.ready.iter().take(events_max);
        out.extend(ready.map(|event| {
            let (flags, data) = (event.flags, event.data);
            Readiness {
                key: data.u64(),
                readable: flags.contains(EventFlags::IN),
                priority: flags.contains(EventFlags::PRI),
                writable: flags.contains(EventFlags::OUT),
                peer_closed: flags.contains(EventFlags::RDHUP),
                hang_up: flags.contains(EventFlags::HUP),
                error: flags.contains(EventFlags::ERR),
            }
        }));
        Ok(self.ready.len())
    }
}
