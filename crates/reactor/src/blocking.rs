//! A client that waits: for tools, tests and threads that have nothing else to do.
//!
//! Invariant: the descriptor is non-blocking and close-on-exec all the same, and all waiting is done by poll(2), so a deadline
//! holds whatever the peer does. Deadlines are points in time: one that has passed stays passed, for every later call, until
//! another is set. A call that fails midway says how many bytes it had moved. Never to be used on the thread of an event loop.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, recvmsg, send,
    sendmsg, sockopt,
};

use crate::backend::socket::{self, ConnectAddress};

/// How long [`BlockingStream::connect`] tries when it is told nothing else.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a Unix socket is tried again whose server has a full backlog: the system lets nobody wait for that.
const BACKLOG_PAUSE: Duration = Duration::from_millis(2);

/// How [`BlockingStream::receive`] receives.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveFlags {
    /// Take what is there, or fail at once with [`io::ErrorKind::WouldBlock`]; deadlines do not matter then (MSG_DONTWAIT).
    pub dont_wait: bool,
    /// Leave the bytes where they are: the next call sees them again (MSG_PEEK).
    pub peek: bool,
    /// Wait until the buffer is full, or the stream ends (MSG_WAITALL). Not together with `peek` or `dont_wait`.
    pub wait_all: bool,
    /// Take the byte of urgent data, see [`BlockingStream::send_urgent`] (MSG_OOB).
    pub out_of_band: bool,
}

/// A transfer that ended early.
#[derive(Debug)]
pub struct TransferError {
    /// Bytes that had been moved before it failed.
    pub bytes: usize,
    /// Why: [`io::ErrorKind::TimedOut`] at the deadline, else what the system said.
    pub source: io::Error,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {} bytes", self.source, self.bytes)
    }
}

impl std::error::Error for TransferError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<TransferError> for io::Error {
    fn from(error: TransferError) -> io::Error {
        error.source
    }
}

/// A connected stream over TCP or a Unix socket. [`Read`] and [`Write`] move what can be moved once something can be, `readv` and
/// `writev` included; [`BlockingStream::read_full`] and [`BlockingStream::write_full`] move all.
///
/// ```
/// use std::io::Read;
/// use std::net::TcpListener;
/// use std::time::{Duration, Instant};
/// use dunlin_reactor::{BlockingStream, ConnectAddress};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = ConnectAddress::Tcp(listener.local_addr()?);
/// let mut stream = BlockingStream::connect(&address, Duration::from_secs(2))?;
/// stream.write_full(b"hello")?;
/// stream.set_read_deadline(Some(Instant::now() + Duration::from_millis(20)));
/// let nothing = stream.read(&mut [0; 10]).unwrap_err();
/// assert_eq!(nothing.kind(), std::io::ErrorKind::TimedOut);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockingStream {
    fd: OwnedFd,
    read_deadline: Option<Instant>,
    write_deadline: Option<Instant>,
}

impl BlockingStream {
    /// Connects, within `timeout` (for which [`CONNECT_TIMEOUT`] is a good choice). A TCP connection sends small segments at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if the peer did not answer in time, [`io::ErrorKind::ConnectionRefused`] at once if nobody
    /// listens (or the socket was about to connect to itself), else as connect(2) has it.
    pub fn connect(address: &ConnectAddress, timeout: Duration) -> io::Result<BlockingStream> {
        let deadline = Instant::now() + timeout;
        let (socket, peer) = loop {
            match socket::connect(address) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(time_left(deadline)?.min(BACKLOG_PAUSE));
                }
                begun => break begun?,
            }
        };
        if peer.is_itself() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let stream = BlockingStream {
            fd: socket.into_fd(),
            read_deadline: None,
            write_deadline: None,
        };
        stream.wait(PollFlags::OUT, Some(deadline))?;
        sockopt::socket_error(&stream.fd)??;
        Ok(stream)
    }

    /// Takes over a connected socket, such as one that was accepted; it becomes non-blocking and close-on-exec.
    ///
    /// # Errors
    /// As fcntl(2) has it.
    pub fn from_socket(socket: impl Into<OwnedFd>) -> io::Result<BlockingStream> {
        let fd = socket.into();
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        Ok(BlockingStream {
            fd,
            read_deadline: None,
            write_deadline: None,
        })
    }

    /// A second handle on the same connection, so that one thread reads and another writes. Each has deadlines of its own.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn try_clone(&self) -> io::Result<BlockingStream> {
        Ok(BlockingStream {
            fd: fcntl_dupfd_cloexec(&self.fd, 0)?,
            read_deadline: self.read_deadline,
            write_deadline: self.write_deadline,
        })
    }

    /// When reading gives up: every call that has not succeeded by then fails with [`io::ErrorKind::TimedOut`], those made later
    /// included, even if there is something to read. `None`, as at the beginning: never.
    pub fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        self.read_deadline = deadline;
    }

    /// When writing gives up, as [`BlockingStream::set_read_deadline`].
    pub fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        self.write_deadline = deadline;
    }

    /// Sets both deadlines.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.read_deadline = deadline;
        self.write_deadline = deadline;
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the stream ends before, the deadline, or the connection's failure; with the number of
    /// bytes that came, which stand at the front of `buffer`.
    pub fn read_full(&mut self, buffer: &mut [u8]) -> Result<(), TransferError> {
        let mut bytes = 0;
        while bytes < buffer.len() {
            match self.read(&mut buffer[bytes..]) {
                Ok(0) => {
                    let source = io::ErrorKind::UnexpectedEof.into();
                    return Err(TransferError { bytes, source });
                }
                Ok(n) => bytes += n,
                Err(source) => return Err(TransferError { bytes, source }),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes`: the system has taken them, which does not say that the peer has read them.
    ///
    /// # Errors
    /// The deadline, or the connection's failure ([`io::ErrorKind::BrokenPipe`] or [`io::ErrorKind::ConnectionReset`] if the peer is
    /// gone); with the number of bytes that the system had taken.
    pub fn write_full(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        let mut done = 0;
        while done < bytes.len() {
            match self.write(&bytes[done..]) {
                Ok(n) => done += n,
                Err(source) => {
                    return Err(TransferError {
                        bytes: done,
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    /// Looks at what would be read, without taking it. 0: the stream has ended.
    ///
    /// # Errors
    /// As reading.
    pub fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let flags = ReceiveFlags {
            peek: true,
            ..ReceiveFlags::default()
        };
        Ok(self.receive(buffer, flags)?)
    }

    /// Receives as `flags` say. Returns the number of bytes; 0 at the end of the stream. With `wait_all`, fewer bytes than the buffer
    /// takes mean that the stream ended behind them.
    ///
    /// # Errors
    /// The deadline or the connection's failure, with the number of bytes that came before; [`io::ErrorKind::WouldBlock`] as
    /// `dont_wait` has it; [`io::ErrorKind::InvalidInput`] for flags that contradict each other.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        flags: ReceiveFlags,
    ) -> Result<usize, TransferError> {
        if flags.wait_all {
            if flags.peek || flags.dont_wait || flags.out_of_band {
                return Err(TransferError {
                    bytes: 0,
                    source: io::ErrorKind::InvalidInput.into(),
                });
            }
            return match self.read_full(buffer) {
                Ok(()) => Ok(buffer.len()),
                Err(e) if e.source.kind() == io::ErrorKind::UnexpectedEof => Ok(e.bytes),
                Err(error) => Err(error),
            };
        }
        let mut system = RecvFlags::empty();
        system.set(RecvFlags::PEEK, flags.peek);
        system.set(RecvFlags::OOB, flags.out_of_band);
        let mut call = || Ok(recv(&self.fd, &mut *buffer, system)?.1);
        let received = match (flags.dont_wait, flags.out_of_band) {
            (true, _) => without_interruption(&mut call).map_err(|errno| match errno {
                // What recv(2) says when there is no urgent byte.
                Errno::INVAL if flags.out_of_band => io::ErrorKind::WouldBlock.into(),
                errno => errno.into(),
            }),
            (false, false) => self.when(PollFlags::IN, self.read_deadline, call),
            (false, true) => self.receive_urgent(call),
        };
        received.map_err(|source| TransferError { bytes: 0, source })
    }

    /// Waits for the urgent byte, or for the end of the stream.
    fn receive_urgent(&self, mut call: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
        loop {
            if let Some(deadline) = self.read_deadline {
                time_left(deadline)?;
            }
            match without_interruption(&mut call) {
                // Not there yet, or not even announced.
                Err(Errno::AGAIN | Errno::INVAL) => {}
                other => return Ok(other?),
            }
            let seen = self.wait(PollFlags::PRI | PollFlags::RDHUP, self.read_deadline)?;
            if seen.contains(PollFlags::ERR) {
                sockopt::socket_error(&self.fd)??;
            }
            if !seen.contains(PollFlags::PRI) {
                return Ok(0);
            }
        }
    }

    /// Sends one byte that the peer can receive out of band, ahead of what it has not read (TCP's urgent data; of two that follow each
    /// other closely the first becomes an ordinary byte).
    ///
    /// # Errors
    /// As writing; [`io::ErrorKind::Unsupported`] on a Unix socket of an old system.
    pub fn send_urgent(&mut self, byte: u8) -> io::Result<()> {
        let flags = SendFlags::NOSIGNAL | SendFlags::OOB;
        let call = || send(&self.fd, &[byte], flags);
        self.when(PollFlags::OUT, self.write_deadline, call)?;
        Ok(())
    }

    /// Tells the peer that nothing more will come; reading goes on.
    ///
    /// # Errors
    /// As shutdown(2) has it.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.fd, Shutdown::Write)?)
    }

    /// Makes a call as soon as it does not have to wait.
    fn when(
        &self,
        what: PollFlags,
        deadline: Option<Instant>,
        mut call: impl FnMut() -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        loop {
            if let Some(deadline) = deadline {
                time_left(deadline)?;
            }
            match without_interruption(&mut call) {
                Err(Errno::AGAIN) => {
                    self.wait(what, deadline)?;
                }
                other => return Ok(other?),
            }
        }
    }

    fn wait(&self, what: PollFlags, deadline: Option<Instant>) -> io::Result<PollFlags> {
        loop {
            let timeout = match deadline {
                None => None,
                // A wait of more than the system can express is a wait for ever.
                Some(deadline) => Timespec::try_from(time_left(deadline)?).ok(),
            };
            let mut fds = [PollFd::new(&self.fd, what)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(fds[0].revents()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// How long there is until then; an error if it has passed.
fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn without_interruption(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

impl Read for BlockingStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let call = || Ok(recv(&self.fd, &mut *buffer, RecvFlags::empty())?.1);
        self.when(PollFlags::IN, self.read_deadline, call)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let call = || {
            let mut control = RecvAncillaryBuffer::default();
            Ok(recvmsg(&self.fd, buffers, &mut control, RecvFlags::empty())?.bytes)
        };
        self.when(PollFlags::IN, self.read_deadline, call)
    }
}

impl Write for BlockingStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Without the flag, writing to a peer that is gone would raise SIGPIPE.
        let call = || send(&self.fd, bytes, SendFlags::NOSIGNAL);
        self.when(PollFlags::OUT, self.write_deadline, call)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let call = || {
            let mut control = SendAncillaryBuffer::default();
            sendmsg(&self.fd, slices, &mut control, SendFlags::NOSIGNAL)
        };
        self.when(PollFlags::OUT, self.write_deadline, call)
    }

    /// Does nothing: nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for BlockingStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<BlockingStream> for OwnedFd {
    fn from(stream: BlockingStream) -> OwnedFd {
        stream.fd
    }
}
