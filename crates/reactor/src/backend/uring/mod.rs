//! The io_uring backend: operations are handed to the kernel in batches, and their completions collected, with one system call a turn.
//!
//! Receiving and accepting are multishot: submitted once, they complete again and again. Output is submitted at the end of a turn and
//! goes out with the call that waits for the next one.
//!
//! Invariant: whatever the kernel may still read or write is kept until the last completion of the operation concerned, also when the
//! connection was closed long before, and when the loop is dropped. Sockets and listeners here are blocking: the kernel waits for them,
//! and never this thread, which makes no other call on them. See io_uring(7).

mod accept;
mod buffers;
mod link;
mod receive;
mod ring;
mod send;

use std::fmt;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dunlin_structures::Rope;
use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::eventfd::EventFd;
use super::moderation::Moderation;
use super::socket::{self, ConnectAddress, Listener, Socket};
use super::{Backend, Event, Held, Received, Sent, SocketOption, SystemBackend, Token};
use crate::buffer::Buffer;
use crate::clock::{Clock, SystemClock};
use crate::conn::Peer;
use crate::waker::Wake;
use accept::Port;
use buffers::Buffers;
use link::{End, Links, Queues, Receiving, Shut};
use ring::Ring;
use send::{Message, Sending};

/// What an operation is about, in the upper half of its user data; the lower half is a place in a table.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    Receive,
    Send,
    Hangup,
    Connect,
    Accept,
    Off,
    Watch,
    Wake,
    /// Nobody waits for it.
    Ignored,
}

const KINDS: [Kind; 9] = [
    Kind::Receive,
    Kind::Send,
    Kind::Hangup,
    Kind::Connect,
    Kind::Accept,
    Kind::Off,
    Kind::Watch,
    Kind::Wake,
    Kind::Ignored,
];

/// Reply buffers that wait to go back to the loop's pool.
const SPENT_MAX: usize = 1_024;

/// Spare messages kept.
const MESSAGES_MAX: usize = 64;

/// Spare [`Sending`]s kept: for as many connections as a busy turn answers.
const SENDINGS_MAX: usize = 1_024;

/// How long dropping a loop waits for the kernel to let go of its memory. What is not let go by then is leaked.
const LET_GO: Duration = Duration::from_secs(1);

fn user_data(kind: Kind, place: u32) -> u64 {
    u64::from(kind as u32) << 32 | u64::from(place)
}

/// A descriptor to be watched.
struct Watched {
    fd: RawFd,
    token: Token,
    armed: bool,
}

/// One ring with its buffers. Belongs to the thread that waits first.
pub struct Uring {
    ring: ManuallyDrop<Ring>,
    buffers: ManuallyDrop<Buffers>,
    links: ManuallyDrop<Links>,
    ports: Vec<Port>,
    watched: Vec<Watched>,
    waker: Arc<EventFd>,
    waker_armed: bool,
    held: Held,
    /// Completions that the last wait brought, sends left out.
    completed: usize,
    /// Sends queued since.
    sends: usize,
    /// Buffers of replies that were sent.
    spent: Vec<Vec<u8>>,
    /// Message heads for later use.
    #[allow(
        clippy::vec_box,
        reason = "a link takes the box as it is: the kernel has its address"
    )]
    messages: Vec<Box<Message>>,
    /// Those of links that send nothing.
    #[allow(clippy::vec_box, reason = "a link takes the box as it is, one word")]
    idle_sendings: Vec<Box<Sending>>,
    /// Those of links that have received nothing.
    queues: Queues,
    moderation: Moderation,
}

impl Uring {
    /// A new ring.
    ///
    /// # Errors
    /// Where io_uring is forbidden, missing, or older than Linux 6.1; when the process is out of descriptors or memory.
    pub fn new() -> io::Result<Uring> {
        Ok(Uring {
            ring: ManuallyDrop::new(Ring::new()?),
            buffers: ManuallyDrop::new(Buffers::new()?),
            links: ManuallyDrop::new(Links::default()),
            ports: Vec::new(),
            watched: Vec::new(),
            waker: Arc::new(EventFd::new()?),
            waker_armed: false,
            held: Held::default(),
            completed: 0,
            sends: 0,
            spent: Vec::new(),
            messages: Vec::new(),
            idle_sendings: Vec::new(),
            queues: Queues::default(),
            moderation: Moderation::default(),
        })
    }

    /// Tries on this thread what a loop needs: a ring of its own, its buffers, one turn.
    ///
    /// # Errors
    /// The reason why io_uring cannot be used here, in words.
    pub fn probe() -> Result<(), String> {
        let turn = || Uring::new().and_then(|mut uring| uring.wait(Some(0), &mut Vec::new()));
        // The kernel takes a ring apart by interrupting the thread that had it: not one of the caller's.
        let tried = thread::spawn(turn).join();
        let tried = tried.unwrap_or_else(|_| Err(io::Error::other("the trial failed")));
        tried.map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSYS) => "the kernel has no io_uring".to_owned(),
            Some(libc::EPERM | libc::EACCES) => {
                "io_uring is forbidden here (a container's seccomp profile, or kernel.io_uring_disabled)".to_owned()
            }
            Some(libc::EINVAL) => "the kernel's io_uring lacks what is needed (Linux 6.1)".to_owned(),
            _ => format!("io_uring failed: {error}"),
        })
    }

    fn arm(&mut self) {
        if !mem::replace(&mut self.waker_armed, true) {
            let fd = self.waker.fd().as_raw_fd();
            self.poll(fd, PollFlags::IN, true, user_data(Kind::Wake, 0));
        }
        for place in 0..self.watched.len() {
            let watched = &mut self.watched[place];
            if !mem::replace(&mut watched.armed, true) {
                let fd = watched.fd;
                self.poll(
                    fd,
                    PollFlags::IN,
                    false,
                    user_data(Kind::Watch, place as u32),
                );
            }
        }
        self.arm_ports();
        self.buffers.replenish();
    }

    /// Takes what has completed.
    /// How many completions the next wait is for: as many as the last one brought, if a pause is worth while.
    fn expected(&mut self) -> usize {
        let completed = mem::take(&mut self.completed);
        if self.moderation.pauses() {
            completed
        } else {
            0
        }
    }

    fn take_completions(&mut self, events: &mut Vec<Event>) {
        while let Some(entry) = self.ring.completion() {
            self.completed += usize::from(entry.user_data() >> 32 != Kind::Send as u64);
            self.complete(entry.user_data(), entry.result(), entry.flags(), events);
        }
    }

    fn complete(&mut self, data: u64, result: i32, flags: u32, events: &mut Vec<Event>) {
        let (kind, place) = (KINDS[(data >> 32) as usize], data as u32);
        match kind {
            Kind::Receive => self.received(place, result, flags, events),
            Kind::Send => self.sent(place, result, events),
            Kind::Hangup => self.hung_up(place, result, events),
            Kind::Connect => self.connected(place, result, events),
            Kind::Accept => self.accepted(place as usize, result, flags),
            Kind::Off => self.looked_later(place as usize),
            Kind::Watch => {
                let watched = &mut self.watched[place as usize];
                watched.armed = false;
                events.push(Event::readable(watched.token));
            }
            Kind::Wake => {
                self.waker_armed = io_uring::cqueue::more(flags);
                events.push(Event::readable(Token::WAKER));
            }
            Kind::Ignored => {}
        }
    }

    fn connected(&mut self, place: u32, result: i32, events: &mut Vec<Event>) {
        let link = self.links.at(place);
        link.operations -= 1;
        link.connecting = false;
        if link.is_closed() {
            return self.links.release(place);
        }
        let failed = result < 0 || result as u32 & u32::from(PollFlags::ERR.bits()) != 0;
        events.extend(link.token.map(|token| Event {
            token,
            readable: false,
            writable: !failed,
            peer_closed: false,
            failed,
        }));
        if !failed {
            self.arm_receive(place);
        }
    }

    fn operations(&self) -> u64 {
        let watched = self.watched.iter().filter(|w| w.armed).count();
        self.links.operations()
            + self.port_operations()
            + watched as u64
            + u64::from(self.waker_armed)
    }

    /// Has the kernel let go of everything. False if it does not in time.
    fn let_go(&mut self) -> bool {
        if !self.ring.is_enabled() {
            return true;
        }
        let mut ignored = Vec::new();
        // What is queued only would never complete.
        if self.ring.submit().is_err() || self.ring.cancel_all(LET_GO).is_err() {
            return false;
        }
        for _ in 0..LET_GO.as_millis() {
            while let Some(entry) = self.ring.completion() {
                self.complete(
                    entry.user_data(),
                    entry.result(),
                    entry.flags(),
                    &mut ignored,
                );
            }
            if self.operations() == 0 {
                return true;
            }
            if self.ring.wait(Some(1), 1, 0).is_err() {
                return false;
            }
        }
        false
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        let gone = self.let_go();
        #[allow(unsafe_code)]
        // SAFETY: each is dropped once, and not used afterwards. The buffers and what is being sent are freed only if the kernel has
        // finished with them.
        unsafe {
            ManuallyDrop::drop(&mut self.ring);
            if gone {
                ManuallyDrop::drop(&mut self.links);
                ManuallyDrop::drop(&mut self.buffers);
            }
        }
    }
}

impl fmt::Debug for Uring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uring")
            .field("operations", &self.operations())
            .finish_non_exhaustive()
    }
}

/// A failure shows where the loop looks for it: at the next read.
fn shutdown_write(fd: RawFd) {
    #[allow(unsafe_code)]
    // SAFETY: the descriptor belongs to a link, which keeps it open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
}

/// Has the peer of a connection with unread input told by a reset when it is closed, as the system does when the input was not taken
/// from it.
fn reset_at_close(fd: &OwnedFd) {
    // Without it the peer sees an ordinary end.
    let _ = rustix::net::sockopt::set_socket_linger(fd, Some(Duration::ZERO));
}

impl SystemBackend for Uring {
    fn open() -> io::Result<Uring> {
        Uring::new()
    }
}

impl Backend for Uring {
    type Socket = Socket;
    type Listener = Listener;
    type Descriptor = OwnedFd;

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    #[inline]
    fn monotonic_us(&self) -> u64 {
        SystemClock.monotonic_us()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.waker) as Arc<dyn Wake>
    }

    fn wait(&mut self, timeout_ms: Option<u64>, events: &mut Vec<Event>) -> io::Result<()> {
        if self.ring.enable()? {
            self.buffers.register(&self.ring)?;
        }
        self.arm();
        let mut timeout_ms = if self.has_accepted() {
            Some(0)
        } else {
            timeout_ms
        };
        let sends = mem::take(&mut self.sends);
        let expected = self.expected();
        if sends > 0 && !self.ring.moderates(expected) && timeout_ms != Some(0) {
            // What is sent now completes at once as a rule, which is nothing to wake up for.
            self.ring.submit()?;
            self.take_completions(events);
            if self.completed > 0 || !events.is_empty() {
                timeout_ms = Some(0);
            }
        }
        self.ring.wait(timeout_ms, expected, sends)?;
        self.take_completions(events);
        self.report_ports(events);
        self.spent.truncate(SPENT_MAX);
        self.messages.truncate(MESSAGES_MAX);
        self.idle_sendings.truncate(SENDINGS_MAX);
        Ok(())
    }

    fn finish(&mut self) {
        // Sockets that were closed last are let go with the cancellation of their operations. What fails here is left to dropping.
        if self.ring.is_enabled() {
            let _ = self.wait(Some(0), &mut Vec::new());
        }
    }

    fn submit(&mut self) -> io::Result<()> {
        self.sends = 0;
        self.ring.submit()
    }

    fn set_accepting(&mut self, listener: &mut Listener, token: Token, on: bool) -> io::Result<()> {
        let place = self.port(listener, token)?;
        self.switch_accepting(place, on);
        Ok(())
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Option<(Socket, Peer)>> {
        self.collect_accepted(listener)
    }

    fn connect(&mut self, address: &ConnectAddress) -> io::Result<(Socket, Peer)> {
        socket::connect(address)
    }

    fn close(&mut self, socket: Socket) {
        let place = socket.slot;
        let Some(link) = self.links.get(place) else {
            return drop(socket);
        };
        let unread = !link.chunks.is_empty();
        let cancel = [
            (Kind::Receive, link.receiving == Receiving::Armed),
            (Kind::Send, link.sending.is_some()),
            (Kind::Hangup, link.watches_hangup),
            (Kind::Connect, link.connecting),
        ];
        for (kind, _) in cancel.into_iter().filter(|(_, wanted)| *wanted) {
            self.cancel(kind, place);
        }
        let link = self.links.at(place);
        self.held.received -= mem::take(&mut link.unread_bytes);
        for chunk in link.chunks.drain(..) {
            self.buffers.give(chunk.buffer);
        }
        self.queues.take_back(&mut link.chunks);
        if unread {
            reset_at_close(&socket.fd);
        }
        self.links.close(place, socket.fd);
    }

    fn close_listener(&mut self, listener: Listener) {
        self.shut_port(listener);
    }

    fn attach(&mut self, socket: &mut Socket, token: Token) -> io::Result<()> {
        let flags = fcntl_getfl(&socket.fd)?;
        if flags.contains(OFlags::NONBLOCK) {
            fcntl_setfl(&socket.fd, flags - OFlags::NONBLOCK)?;
        }
        let fd = socket.fd.as_raw_fd();
        let place = self.links.insert(token, fd);
        socket.slot = place;
        if socket.connecting {
            let link = self.links.at(place);
            link.connecting = true;
            link.wants_writable = true;
            link.operations += 1;
            self.poll(fd, PollFlags::OUT, false, user_data(Kind::Connect, place));
        } else {
            self.arm_receive(place);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        self.collect(socket.slot, buffer, bytes_max)
    }

    fn send(
        &mut self,
        socket: &mut Socket,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent> {
        self.begin_send(socket.slot, rope, bytes_max, recycle)
    }

    fn is_sending(&self, socket: &Socket) -> bool {
        self.links
            .get(socket.slot)
            .is_some_and(|l| l.sending.is_some())
    }

    fn held(&self) -> Held {
        self.held
    }

    fn watch_writable(&mut self, socket: &mut Socket, _token: Token, on: bool) -> io::Result<()> {
        self.links.at(socket.slot).wants_writable = on;
        Ok(())
    }

    fn shutdown_write(&mut self, socket: &mut Socket) -> io::Result<()> {
        let link = self.links.at(socket.slot);
        if link.sending.is_some() {
            link.shut = Shut::Wanted;
            return Ok(());
        }
        link.shut = Shut::Done;
        socket.shutdown_write()
    }

    fn unconfirmed_bytes(&mut self, socket: &mut Socket) -> usize {
        let sending = &self.links.at(socket.slot).sending;
        sending.as_ref().map_or(0, |sending| sending.rope.len()) + socket.unconfirmed_bytes()
    }

    fn last_received_ago_us(&mut self, socket: &mut Socket) -> Option<u64> {
        socket.last_received_ago_us()
    }

    fn take_error(&mut self, socket: &mut Socket) -> Option<io::Error> {
        let link = self.links.at(socket.slot);
        let errno = match link.end {
            Some(End::Failed(errno)) => Some(errno),
            _ => link.send_failure,
        };
        if errno.is_some() {
            link.end = Some(End::Told);
        }
        errno
            .map(io::Error::from_raw_os_error)
            .or_else(|| socket.take_error())
    }

    fn set_option(&mut self, socket: &mut Socket, option: SocketOption) -> io::Result<()> {
        socket.set_option(option)
    }

    fn watch(&mut self, descriptor: &OwnedFd, token: Token) -> io::Result<()> {
        self.watched.push(Watched {
            fd: descriptor.as_raw_fd(),
            token,
            armed: false,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::BUFFER_BYTES;

    /// Has `clients` connections send, three at a time, so many bytes each, and says whether the ring would ever wait for several;
    /// `None` where there is no io_uring.
    fn pauses_among(clients: u32, bytes: usize) -> io::Result<Option<bool>> {
        let Ok(mut uring) = Uring::new() else {
            return Ok(None);
        };
        let mut pairs = Vec::new();
        for slot in 0..clients {
            let (mut ours, theirs) = Socket::pair()?;
            uring.attach(&mut ours, Token::connection(slot, 0))?;
            pairs.push((ours, theirs));
        }
        let mut events = Vec::new();
        let mut buffer = Buffer::default();
        let mut pauses = false;
        for turn in 0..200 {
            for sender in 0..3 {
                let (_, theirs) = &pairs[(3 * turn + sender) % pairs.len()];
                assert_eq!(rustix::io::write(&theirs.fd, &vec![0; bytes])?, bytes);
            }
            let mut missing = 3 * bytes;
            while missing > 0 {
                events.clear();
                uring.wait(None, &mut events)?;
                for event in &events {
                    let (ours, _) = &mut pairs[event.token.slot() as usize];
                    missing -= uring.receive(ours, &mut buffer, BUFFER_BYTES)?.bytes;
                    buffer.consume(buffer.len());
                }
            }
            pauses |= uring.expected() > 0;
        }
        for (ours, _) in pairs {
            uring.close(ours);
        }
        uring.finish();
        Ok(Some(pauses))
    }

    #[test]
    fn a_ring_waits_for_several_only_where_many_connections_take_turns() -> io::Result<()> {
        let Some(pauses) = pauses_among(64, 8)? else {
            return Ok(());
        };
        assert!(pauses);
        assert_eq!(
            pauses_among(1, 8)?,
            Some(false),
            "a lone client never waits"
        );
        assert_eq!(pauses_among(8, 8)?, Some(false), "few clients never wait");
        // So much that each receive is, in whatever portions they complete.
        let much = pauses_among(64, BUFFER_BYTES)?;
        assert_eq!(much, Some(false), "much input is work enough");
        Ok(())
    }
}
