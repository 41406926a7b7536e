//! select: three sets of bits, for completeness. See select(2).
//!
//! Its sets have room for descriptors below FD_SETSIZE; a greater one would be written beside them, so it is refused. It has no word
//! for a peer's end or an error: what select finds ready is looked at once more by a poll that does not wait. A descriptor of which
//! only the peer's end is wanted is in no set, so while there is one, a wait is cut into pieces of [`LOOK_EVERY_MS`].
//!
//! Invariant: `nfds` is the highest watched descriptor plus one. Each wait reports from behind the last one reported, so that nobody
//! starves behind `events_max`.

use std::os::fd::RawFd;
use std::{fmt, io, mem};

use rustix::event::{FdSetElement, FdSetIter, PollFd, Timespec, fd_set_insert, poll, select};
use rustix::io::Errno;

use super::poll::{flags, poll_fd, readiness};
use super::{Interest, Poller, Readiness, check_events_max, refuse_epolls_own, timespec};

/// How long the end of a peer may go unnoticed that is all that is wanted of a descriptor.
const LOOK_EVERY_MS: u64 = 250;

/// Bits in one element of a set.
const ELEMENT_BITS: usize = size_of::<FdSetElement>() * 8;

type Set = [FdSetElement; SelectPoller::DESCRIPTORS_MAX / ELEMENT_BITS];

/// A poller on select(2).
#[derive(Default)]
pub struct SelectPoller {
    /// By descriptor: its name and what is wanted; as long as the highest descriptor plus one.
    watched: Vec<Option<(u64, Interest)>>,
    /// The descriptor where the next report begins.
    next: RawFd,
    /// What is looked at after select, and who it is.
    looks: Vec<PollFd<'static>>,
    looked_at: Vec<(RawFd, u64)>,
}

impl fmt::Debug for SelectPoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectPoller")
            .field("descriptors", &self.watched.len())
            .finish_non_exhaustive()
    }
}

/// True if no set can tell all that is wanted.
fn is_in_the_dark(interest: Interest) -> bool {
    !interest.contains(Interest::READABLE)
        && (interest.contains(Interest::PEER_CLOSED) || !interest.contains(Interest::WRITABLE))
}

impl SelectPoller {
    /// Descriptors from this number on are refused: FD_SETSIZE.
    pub const DESCRIPTORS_MAX: usize = libc::FD_SETSIZE;

    fn check(fd: RawFd, interest: Interest) -> io::Result<usize> {
        refuse_epolls_own(interest, "select")?;
        let index = usize::try_from(fd).map_err(|_| io::Error::from(Errno::BADF))?;
        if index >= Self::DESCRIPTORS_MAX {
            let why = format!(
                "descriptor {fd} is too high for select, whose sets end at FD_SETSIZE ({}): use poll or epoll",
                Self::DESCRIPTORS_MAX
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(index)
    }

    fn slot(&mut self, index: usize) -> io::Result<&mut Option<(u64, Interest)>> {
        let slot = self.watched.get_mut(index).filter(|slot| slot.is_some());
        slot.ok_or_else(|| Errno::NOENT.into())
    }

    fn each(&self) -> impl Iterator<Item = (RawFd, u64, Interest)> {
        let slots = self.watched.iter().enumerate();
        slots.filter_map(|(fd, slot)| slot.map(|(key, interest)| (fd as RawFd, key, interest)))
    }

    /// Waits until a set has something. `None`: interrupted. One set comes back: whoever stands in any of the three.
    fn select(&self, timeout: Option<&Timespec>) -> io::Result<Option<Set>> {
        let mut sets = [Set::default(), Set::default(), Set::default()];
        let kinds = [Interest::READABLE, Interest::WRITABLE, Interest::PRIORITY];
        let mut everyone = Set::default();
        for (fd, _, interest) in self.each() {
            fd_set_insert(&mut everyone, fd);
            for (set, kind) in sets.iter_mut().zip(kinds) {
                if interest.contains(kind) {
                    fd_set_insert(set, fd);
                }
            }
        }
        let nfds = self.watched.len() as i32;
        let [read, write, except] = &mut sets;
        #[allow(unsafe_code)]
        // SAFETY: each set has room for all descriptors below DESCRIPTORS_MAX, and no other is watched. Their users keep them open;
        // a number that is not open is refused (EBADF).
        let outcome = unsafe { select(nfds, Some(read), Some(write), Some(except), timeout) };
        match outcome {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(None),
            // One of them was closed: the look finds out which.
            Err(Errno::BADF) => return Ok(Some(everyone)),
            Err(errno) => return Err(errno.into()),
        }
        let mut any = Set::default();
        for set in &sets {
            FdSetIter::new(set).for_each(|fd| fd_set_insert(&mut any, fd));
        }
        Ok(Some(any))
    }
}

impl Poller for SelectPoller {
    fn open() -> io::Result<SelectPoller> {
        Ok(SelectPoller::default())
    }

    fn add(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()> {
        let index = Self::check(fd, interest)?;
        if self.watched.len() <= index {
            self.watched.resize(index + 1, None);
        }
        if self.watched[index].is_some() {
            return Err(Errno::EXIST.into());
        }
        self.watched[index] = Some((key, interest));
        Ok(())
    }

    fn modify(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()> {
        let index = Self::check(fd, interest)?;
        *self.slot(index)? = Some((key, interest));
        Ok(())
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        let index = Self::check(fd, Interest::NONE)?;
        *self.slot(index)? = None;
        let used = self.watched.iter().rposition(Option::is_some);
        self.watched.truncate(used.map_or(0, |highest| highest + 1));
        Ok(())
    }

    fn wait(
        &mut self,
        events_max: usize,
        timeout_ms: Option<u64>,
        out: &mut Vec<Readiness>,
    ) -> io::Result<usize> {
        check_events_max(events_max)?;
        let dark = self.each().any(|(_, _, i)| is_in_the_dark(i));
        let piece_ms = if dark { LOOK_EVERY_MS } else { u64::MAX };
        let bound_ms = timeout_ms.unwrap_or(u64::MAX).min(piece_ms);
        let timeout = (bound_ms < u64::MAX).then(|| timespec(bound_ms));
        let Some(mut ready) = self.select(timeout.as_ref())? else {
            return Ok(0);
        };
        let (mut looks, mut looked_at) =
            (mem::take(&mut self.looks), mem::take(&mut self.looked_at));
        looks.clear();
        looked_at.clear();
        for (fd, _, _) in self.each().filter(|(_, _, i)| is_in_the_dark(*i)) {
            fd_set_insert(&mut ready, fd);
        }
        for fd in FdSetIter::new(&ready) {
            if let Some((key, interest)) = self.watched[fd as usize] {
                looks.push(poll_fd(fd, flags(interest)));
                looked_at.push((fd, key));
            }
        }
        if !looks.is_empty() {
            poll(&mut looks, Some(&timespec(0)))?;
        }
        let start = looked_at.partition_point(|(fd, _)| *fd < self.next);
        let order = (start..looks.len()).chain(0..start);
        let found = order.filter(|at| !looks[*at].revents().is_empty());
        let before = out.len();
        for at in found.take(events_max) {
            let (fd, key) = looked_at[at];
            out.push(readiness(key, looks[at].revents()));
            self.next = fd + 1;
        }
        (self.looks, self.looked_at) = (looks, looked_at);
        Ok(out.len() - before)
    }
}
