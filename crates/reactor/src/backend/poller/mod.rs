//! Pollers: the demultiplexer by itself, for those who write a loop of their own, and what [`super::level`] is built on.
//!
//! A [`Poller`] knows descriptors, what its user wants to know of them, and waits. [`EpollPoller`] is the one to use;
//! [`PollPoller`] costs a look at every descriptor per wait, and [`SelectPoller`] besides takes no descriptor from
//! [`SelectPoller::DESCRIPTORS_MAX`] on: they are what is left where there is no epoll.
//!
//! Invariant: level-triggered unless [`Interest::EDGE`] is asked for: what is ready is reported by every wait until it is not. A
//! descriptor's hang-up and errors are reported whatever the interest is. No call but `wait` blocks, and a signal ends a wait early.
//!
//! ```
//! use dunlin_reactor::{EpollPoller, Interest, Poller, Step};
//! use std::io::Write;
//! use std::os::fd::AsRawFd;
//! use std::os::unix::net::UnixStream;
//!
//! let (ours, mut theirs) = UnixStream::pair()?;
//! let mut poller = EpollPoller::open()?;
//! poller.add(ours.as_raw_fd(), 7, Interest::READABLE | Interest::PEER_CLOSED)?;
//! theirs.write_all(b"hello")?;
//! let mut ready = Vec::new();
//! assert_eq!(poller.wait(16, None, &mut ready)?, 1);
//! assert_eq!(ready[0].key, 7);
//! assert!(ready[0].steps().eq([Step::Read]));
//! # Ok::<(), std::io::Error>(())
//! ```

mod epoll;
mod poll;
mod select;

use std::io;
use std::ops::{BitOr, BitOrAssign};
use std::os::fd::RawFd;

use rustix::event::Timespec;

pub use epoll::EpollPoller;
pub use poll::PollPoller;
pub use select::SelectPoller;

/// The longest single wait (a day): waking for nothing that rarely is free, and it fits every system's timeout.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What is wanted of a descriptor. Values are combined with `|`.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Default, Debug)]
pub struct Interest(u8);

impl Interest {
    /// Nothing but hang-ups and errors.
    pub const NONE: Interest = Interest(0);
    /// Bytes, a connection to accept, or the end of the stream.
    pub const READABLE: Interest = Interest(1);
    /// Room for output, or the end of a connection attempt.
    pub const WRITABLE: Interest = Interest(2);
    /// The peer shut its sending side down, even if bytes before that are unread.
    pub const PEER_CLOSED: Interest = Interest(4);
    /// Urgent (out-of-band) bytes.
    pub const PRIORITY: Interest = Interest(8);
    /// Report changes only: whoever is told must go on until `EAGAIN`. epoll alone has it.
    pub const EDGE: Interest = Interest(16);
    /// Wake one of the pollers that watch this descriptor, not all of them. epoll alone has it; such an interest cannot be modified.
    pub const EXCLUSIVE: Interest = Interest(32);

    /// True if all of `other` is wanted.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if any of `other` is wanted.
    #[must_use]
    #[inline]
    pub const fn intersects(self, other: Interest) -> bool {
        self.0 & other.0 != 0
    }

    /// All of this, without `other`.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Interest) -> Interest {
        Interest(self.0 & !other.0)
    }
}

impl BitOr for Interest {
    type Output = Interest;

    #[inline]
    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Interest) {
        self.0 |= other.0;
    }
}

/// What a wait found out about one descriptor.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Readiness {
    /// The name that the descriptor was added under.
    pub key: u64,
    /// Reading will not block.
    pub readable: bool,
    /// There are urgent bytes.
    pub priority: bool,
    /// Writing will not block.
    pub writable: bool,
    /// The peer will send nothing more.
    pub peer_closed: bool,
    /// Both directions are shut.
    pub hang_up: bool,
    /// There is an error to be fetched, or the descriptor is closed.
    pub error: bool,
}

/// One thing to do about a ready descriptor.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Step {
    /// The connection is over and nothing is left to be read.
    HangUp,
    /// Fetch the error.
    Error,
    /// Read: bytes first, then the end of the stream.
    Read,
    /// Write on.
    Write,
}

impl Readiness {
    /// What to do, in the order in which nothing is lost: a hang-up comes by itself only when there is nothing to be read, an error
    /// before the calls that would stumble over it, reading before writing. A peer's end is found by reading, behind its last bytes.
    /// A step may free what the descriptor belongs to; its user then leaves the later ones.
    pub fn steps(&self) -> impl Iterator<Item = Step> + use<> {
        let reads = self.readable || self.priority || self.peer_closed;
        [
            (self.hang_up && !self.readable).then_some(Step::HangUp),
            self.error.then_some(Step::Error),
            reads.then_some(Step::Read),
            self.writable.then_some(Step::Write),
        ]
        .into_iter()
        .flatten()
    }
}

/// A way to wait for many descriptors at once.
///
/// Descriptors are named by number: they must stay open from `add` to `remove`. One that is closed before is forgotten by epoll and
/// reported as an error by the others.
pub trait Poller: Sized {
    /// A new instance that watches nothing.
    ///
    /// # Errors
    /// When the process is out of descriptors, or the system does not have it.
    fn open() -> io::Result<Self>;

    /// Begins to watch a descriptor; `key` names it in reports.
    ///
    /// # Errors
    /// When it is watched already or cannot be, or when the interest is one that this poller does not have
    /// ([`io::ErrorKind::Unsupported`]).
    fn add(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()>;

    /// Changes what is wanted of a descriptor, and its name.
    ///
    /// # Errors
    /// When it is not watched, or as in [`Poller::add`].
    fn modify(&mut self, fd: RawFd, key: u64, interest: Interest) -> io::Result<()>;

    /// Stops watching a descriptor.
    ///
    /// # Errors
    /// When it is not watched.
    fn remove(&mut self, fd: RawFd) -> io::Result<()>;

    /// Waits until something is ready or `timeout_ms` have passed (`None`: no limit; 0: does not wait), and appends what is ready:
    /// at most `events_max` descriptors, others by the next waits. Returns how many were appended; 0 also when a signal came.
    ///
    /// # Errors
    /// When `events_max` is 0, or the system cannot wait.
    fn wait(
        &mut self,
        events_max: usize,
        timeout_ms: Option<u64>,
        out: &mut Vec<Readiness>,
    ) -> io::Result<usize>;
}

fn timespec(timeout_ms: u64) -> Timespec {
    let ms = timeout_ms.min(WAIT_MS_MAX);
    Timespec {
        tv_sec: (ms / 1_000) as i64,
        tv_nsec: (ms % 1_000 * 1_000_000) as i64,
    }
}

fn check_events_max(events_max: usize) -> io::Result<()> {
    if events_max == 0 {
        let why = "a wait for at most 0 events would never end";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(())
}

/// Refuses what epoll alone has.
fn refuse_epolls_own(interest: Interest, name: &str) -> io::Result<()> {
    if interest.intersects(Interest::EDGE | Interest::EXCLUSIVE) {
        let why =
            format!("{name} is level-triggered and wakes all: it has neither EDGE nor EXCLUSIVE");
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
