//! A client's connection without a thread of its own, for programs that have an event loop already: an executor, say.
//!
//! There the replies and the tasks that await them share a thread, and nobody has to be woken over its border.
//!
//! Invariant: nothing here waits. Between two turns all that has to be done is announced by the descriptor, by the waker or by the time
//! that the last turn named.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use dunlin_reactor::{Epoll, EventLoop, Sleep};

use crate::link::Link;
use crate::outbox::Outbox;
use crate::pubsub::Hub;

/// How often a turn is put off for requests that are about to come.
const GATHER_MAX: u32 = 2;
/// Times that nobody watches for replies after it was in vain once.
const RESTS: u32 = 64;

/// When a [`Driver`] is to be called again.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Once whatever else is ready has run: some of it is about to ask, and shares the write if it is given the time.
    Soon,
    /// When the descriptor is readable, when the waker was woken, or when it is this time.
    Wait(Option<Instant>),
    /// Never: the client is closed.
    Ended,
}

/// The connection of a client that was made by [`crate::Client::driven`]: whoever made it calls [`Driver::turn`] as long as the client is to
/// work.
///
/// On tokio that is a task, whose `AsyncFd` watches the descriptor; `drive` in bench/client-peers/src/dunlin.rs is one that keeps time,
/// too. In short:
///
/// ```text
/// poll_fn(|context| loop {
///     let look = /* the descriptor is readable: clear that */;
///     match driver.turn(look, context.waker()) {
///         Next::Ended => return Poll::Ready(()),
///         Next::Soon => { context.waker().wake_by_ref(); return Poll::Pending; }
///         Next::Wait(at) => { /* set the alarm; return, unless the descriptor is readable again */ }
///     }
/// })
/// ```
///
/// A driver that is dropped ends its client: what is under way fails.
pub struct Driver {
    event_loop: EventLoop<Epoll>,
    fd: OwnedFd,
    link: Link,
    outbox: Arc<Outbox>,
    hub: Arc<Hub>,
    /// An instant, and the same on the loop's clock, ms.
    start: (Instant, u64),
    /// Times that the turn was put off, and the requests that waited then.
    put_off: u32,
    queued: usize,
    /// How long to watch for replies, and until when that goes on.
    watch: Duration,
    watch_until: Option<Instant>,
    /// Times that it is left alone.
    rests: u32,
}

impl Driver {
    pub(crate) fn new(
        mut event_loop: EventLoop<Epoll>,
        fd: OwnedFd,
        link: Link,
        outbox: Arc<Outbox>,
        hub: Arc<Hub>,
    ) -> Driver {
        let start = (Instant::now(), event_loop.io().now_ms());
        Driver {
            event_loop,
            fd,
            link,
            outbox,
            hub,
            start,
            put_off: 0,
            queued: 0,
            watch: Duration::ZERO,
            watch_until: None,
            rests: 0,
        }
    }

    /// Watches for replies that long after requests were sent, instead of letting its thread sleep: for a server on the same machine,
    /// where sleeping and being woken takes longer than an answer. It keeps the thread busy, but others that are ready run meanwhile;
    /// where replies do not come in that time it is not tried again for a while. Zero, which is the default: never.
    #[must_use]
    pub fn watching(mut self, time: Duration) -> Driver {
        self.watch = time;
        self.link.set_in_halves(!time.is_zero());
        self
    }

    /// Receives, sends, and keeps time, without waiting. `look`: the descriptor may have become readable since the last turn. `waker` is
    /// woken when there is something to send.
    ///
    /// Replies wake the tasks that await them.
    pub fn turn(&mut self, look: bool, waker: &Waker) -> Next {
        self.outbox.wake_task(waker);
        let look = look || self.watch_until.is_some();
        if !look && self.gathers() {
            return Next::Soon;
        }
        self.put_off = 0;
        self.queued = 0;
        if self.event_loop.run_ready(&mut self.link, look).is_err() || self.event_loop.has_ended() {
            self.end();
            return Next::Ended;
        }
        if self.link.take_answered() {
            self.put_off = 1;
            self.watch_until = None;
            return Next::Soon;
        }
        if !self.watch.is_zero() && self.watches() {
            return Next::Soon;
        }
        match self.event_loop.sleep() {
            Sleep::None => Next::Soon,
            Sleep::Forever => Next::Wait(None),
            Sleep::Until(at_ms) => {
                let (instant, start_ms) = self.start;
                // A millisecond more: the loop's clock is rounded down.
                let time = Duration::from_millis(at_ms.saturating_sub(start_ms) + 1);
                Next::Wait(instant.checked_add(time))
            }
        }
    }

    /// Whether more requests may come if it waits for its next turn.
    fn gathers(&mut self) -> bool {
        let queued = self.outbox.queued();
        let expected = self.link.expected();
        if queued >= expected || queued == self.queued || self.put_off == GATHER_MAX {
            return false;
        }
        self.put_off += 1;
        self.queued = queued;
        true
    }

    /// Whether replies may come before it would be worth while to sleep.
    fn watches(&mut self) -> bool {
        if self.link.in_flight() == 0 {
            self.watch_until = None;
            return false;
        }
        let now = Instant::now();
        match self.watch_until {
            Some(until) if now < until => true,
            Some(_) => {
                self.watch_until = None;
                self.rests = RESTS;
                false
            }
            None if self.rests > 0 => {
                self.rests -= 1;
                false
            }
            None => {
                self.watch_until = now.checked_add(self.watch);
                self.watch_until.is_some()
            }
        }
    }

    fn end(&mut self) {
        self.link.wake_others();
        self.outbox.end();
        self.hub.end();
    }
}

impl AsFd for Driver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Driver {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("loop", &self.event_loop)
            .finish_non_exhaustive()
    }
}

/// A loop, and a descriptor that is readable when it has something to do.
pub(crate) fn open() -> io::Result<(EventLoop<Epoll>, OwnedFd)> {
    let epoll = Epoll::new()?;
    let fd = epoll.as_fd().try_clone_to_owned()?;
    Ok((EventLoop::new(epoll, crate::client::loop_limits()), fd))
}
