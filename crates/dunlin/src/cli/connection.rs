//! A connection that waits for its replies: requests out, values in.
//!
//! Invariant: replies come in the order of requests; what was read and is not a whole reply yet stays here. Nothing is retried: who
//! loses a connection decides what to do about it.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use dunlin_reactor::{BlockingStream, ConnectAddress};
use dunlin_resp::{ProtocolError, ReplyLimits, ReplyParser, Value, reply};
use rustix::event::{PollFd, PollFlags, poll};

use super::endpoint::Endpoint;
use super::interrupt::Interrupt;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Read at once.
const INPUT_BYTES: usize = 64 * 1024;
/// Requests that are kept back until they are flushed, bytes.
const QUEUED_BYTES_MAX: usize = 1 << 20;

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The server ended the connection.
    Closed,
    /// The system says why.
    Io(io::Error),
    /// What came was no reply.
    Protocol(ProtocolError),
    /// Ctrl-C while waiting.
    Interrupted,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Closed => f.write_str("Server closed the connection"),
            Lost::Io(error) => f.write_str(&system_text(error)),
            Lost::Protocol(error) => error.fmt(f),
            Lost::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Lost {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Lost::Io(error) => Some(error),
            Lost::Protocol(error) => Some(error),
            Lost::Closed | Lost::Interrupted => None,
        }
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Lost {
        Lost::Io(error)
    }
}

impl From<ProtocolError> for Lost {
    fn from(error: ProtocolError) -> Lost {
        Lost::Protocol(error)
    }
}

/// The system's words alone: scripts know `Connection refused` without a number behind it.
pub(crate) fn system_text(error: &io::Error) -> String {
    let text = match error.raw_os_error() {
        None if error.kind() == io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        None if error.kind() == io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
        _ => error.to_string(),
    };
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// A connected stream and what has come over it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BlockingStream,
    parser: ReplyParser,
    input: Box<[u8]>,
    /// Bytes of `input` that were read and not parsed.
    unread: std::ops::Range<usize>,
    queued: Vec<u8>,
    interrupt: Option<Rc<Interrupt>>,
}

impl Connection {
    /// Connects to the first address of `endpoint` that answers. It says nothing yet.
    ///
    /// # Errors
    /// The last address's.
    pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Connection> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address for this host");
        for address in endpoint.addresses()? {
            let stream = match (&endpoint.tls, &address) {
                (Some(tls), ConnectAddress::Tcp(address)) => {
                    tls.connect(&endpoint.host, *address, CONNECT_TIMEOUT)
                }
                _ => BlockingStream::connect(&address, CONNECT_TIMEOUT),
            };
            match stream {
                Ok(stream) => {
                    return Ok(Connection {
                        stream,
                        parser: ReplyParser::new(ReplyLimits::default()),
                        input: vec![0; INPUT_BYTES].into_boxed_slice(),
                        unread: 0..0,
                        queued: Vec::new(),
                        interrupt: None,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Ends waits with [`Lost::Interrupted`] at Ctrl-C from now on.
    pub(crate) fn interruptible(&mut self, interrupt: Rc<Interrupt>) {
        self.interrupt = Some(interrupt);
    }

    /// Queues a request, to be sent with others.
    pub(crate) fn queue<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<(), Lost> {
        reply::request(&mut self.queued, arguments);
        if self.queued.len() > QUEUED_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) -> Result<(), Lost> {
        let sent = self.stream.write_full(&self.queued);
        self.queued.clear();
        sent.map_err(|error| Lost::Io(error.source))
    }

    /// Sends a request.
    pub(crate) fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<(), Lost> {
        self.queue(arguments)?;
        self.flush()
    }

    /// The next reply or push that has come whole.
    pub(crate) fn buffered(&mut self) -> Result<Option<Value>, Lost> {
        if self.unread.is_empty() {
            return Ok(None);
        }
        let decoded = self.parser.feed(&self.input[self.unread.clone()])?;
        self.unread.start += decoded.consumed;
        Ok(decoded.value)
    }

    /// Reads what is there, waiting for something if there is nothing.
    pub(crate) fn fill(&mut self) -> Result<(), Lost> {
        debug_assert!(self.unread.is_empty(), "a partial reply is the parser's");
        self.wait()?;
        match self.stream.read(&mut self.input) {
            Ok(0) => Err(Lost::Closed),
            Ok(n) => {
                self.unread = 0..n;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn wait(&self) -> Result<(), Lost> {
        let Some(interrupt) = &self.interrupt else {
            return Ok(());
        };
        loop {
            let mut descriptors = [
                PollFd::new(&self.stream, PollFlags::IN),
                PollFd::new(&**interrupt, PollFlags::IN),
            ];
            match poll(&mut descriptors, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Lost::Io(errno.into())),
                Ok(_) if !descriptors[1].revents().is_empty() => {
                    interrupt.take();
                    return Err(Lost::Interrupted);
                }
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Waits for the next reply or push.
    pub(crate) fn receive(&mut self) -> Result<Value, Lost> {
        loop {
            if let Some(value) = self.buffered()? {
                return Ok(value);
            }
            self.fill()?;
        }
    }

    /// Waits for the next reply; pushes are dropped.
    pub(crate) fn receive_reply(&mut self) -> Result<Value, Lost> {
        loop {
            match self.receive()? {
                Value::Push(_) => {}
                Value::Attributed { value, .. } => return Ok(*value),
                value => return Ok(value),
            }
        }
    }

    /// Sends a request and waits for its reply.
    pub(crate) fn ask<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, Lost> {
        self.send(arguments)?;
        self.receive_reply()
    }

    /// The stream, for those who move bytes that are none of the parser's business yet.
    pub(crate) fn stream(&mut self) -> &mut BlockingStream {
        &mut self.stream
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
