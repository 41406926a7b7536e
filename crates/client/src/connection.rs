//! A connection of one's own, for a thread that waits: blocking commands, WATCH, SELECT, whatever a shared connection cannot do.
//!
//! Invariant: a reply that was not read in time makes the connection useless, and it says so ([`Connection::is_broken`]): the next reply would
//! be somebody else's. It knows which state it has been given, so that a pool can take that away.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_reactor::ConnectAddress;
use dunlin_resp::{ReplyLimits, ReplyParser, Value, Version};

use crate::arg::ToArg;
use crate::client::resolve;
use crate::command::{Command, Touch};
use crate::error::{Error, Result};
use crate::link::{Greeting, Progress, push_kind};
use crate::options::Options;
use crate::pipeline::Pipeline;
use crate::pubsub::Message;
use crate::reply::FromReply;
use crate::tls::TlsStream;
use crate::yielding::give_way;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// Out-of-band messages that may wait to be asked for; above it the oldest are dropped.
const PUSHES_MAX: usize = 4 * 1024;

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn connect(address: &ConnectAddress, time: Duration) -> io::Result<Stream> {
        match address {
            ConnectAddress::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, time)?;
                stream.set_nodelay(true)?;
                if stream.local_addr()? == stream.peer_addr()? {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Ok(Stream::Tcp(stream))
            }
            ConnectAddress::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path)?)),
        }
    }

    fn set_timeout(&self, time: Duration) -> io::Result<()> {
        let tcp = |stream: &TcpStream| {
            stream.set_read_timeout(Some(time))?;
            stream.set_write_timeout(Some(time))
        };
        match self {
            Stream::Tcp(stream) => tcp(stream),
            Stream::Tls(stream) => tcp(stream.get_ref()),
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }
}

/// What a connection was given that another user must not find.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Login, database, name and the like.
    touched: bool,
    watching: bool,
    in_transaction: bool,
    /// Messages may come; in RESP2 in the shape of replies.
    subscribed: bool,
}

/// A blocking connection that belongs to one thread at a time.
#[derive(Debug)]
pub struct Connection {
    options: Options,
    stream: Stream,
    version: Version,
    parser: ReplyParser,
    buffer: Box<[u8]>,
    /// What of `buffer` was read and not parsed.
    unparsed: std::ops::Range<usize>,
    output: Vec<u8>,
    pushes: VecDeque<Value>,
    /// The timeout that the system was told.
    timeout: Duration,
    state: State,
    broken: bool,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// When the address is none, when nobody answers there, or when the server refuses the login.
    pub fn connect<O>(options: O) -> Result<Connection>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let options = options.try_into()?;
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        let mut stream = None;
        for address in resolve(&options.address)? {
            match Stream::connect(&address, options.connect_deadline) {
                Ok(made) => {
                    stream = Some(made);
                    break;
                }
                Err(error) => failure = error,
            }
        }
        let Some(stream) = stream else {
            return Err(Error::Connect {
                address: options.address.to_string(),
                source: Arc::new(failure),
            });
        };
        let stream = match (&options.tls, stream) {
            (Some(tls), Stream::Tcp(stream)) => {
                Stream::Tls(Box::new(tls.stream(options.address.host(), stream)?))
            }
            (_, stream) => stream,
        };
        let mut connection = Connection {
            options,
            stream,
            version: Version::Resp2,
            parser: ReplyParser::new(ReplyLimits::default()),
            buffer: vec![0; READ_BYTES].into(),
            unparsed: 0..0,
            output: Vec::new(),
            pushes: VecDeque::new(),
            timeout: Duration::ZERO,
            state: State::default(),
            broken: false,
        };
        connection.greet()?;
        Ok(connection)
    }

    fn greet(&mut self) -> Result<()> {
        let until = Instant::now() + self.options.connect_deadline;
        let none = Vec::new();
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        let (mut greeting, mut progress) = Greeting::begin(&self.options, &none, &mut output);
        loop {
            self.write(&output, until)?;
            output.clear();
            if let Progress::Ready(version) = progress {
                self.version = version;
                self.output = output;
                return Ok(());
            }
            let reply = self.read(until)?;
            if push_kind(&reply, false).is_none() {
                progress = greeting
                    .reply(reply, &self.options, &none, &mut output)
                    .inspect_err(|_| self.broken = true)?;
            }
        }
    }

    /// A request in the making.
    pub fn command(&mut self, name: &str) -> ConnectionRequest<'_> {
        self.request(Command::new(name))
    }

    /// A request of a command that is made.
    pub fn request(&mut self, command: Command) -> ConnectionRequest<'_> {
        ConnectionRequest {
            connection: self,
            command,
        }
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// The server's error; [`Error::TimeOut`], [`Error::ConnectionReset`] and [`Error::Protocol`], after which the connection is broken.
    pub fn call<T: FromReply>(&mut self, command: Command) -> Result<T> {
        let until = self.deadline(command.options.deadline);
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        command.encode(&mut output);
        let touch = command.touch();
        self.note(touch);
        let written = self.write(&output, until);
        self.output = output;
        written?;
        let reply = match touch {
            Touch::Subscriptions(names) => self.confirmations(names, until)?,
            _ => self.reply(until)?,
        };
        T::from_reply(reply)
    }

    /// Sends all commands of a pipeline together and waits for all replies.
    ///
    /// # Errors
    /// As [`Connection::call`]; [`Error::Aborted`] when a key was changed that [`Connection::watch`] watches.
    pub fn run<T: FromReply>(&mut self, pipeline: &Pipeline) -> Result<T> {
        let until = self.deadline(pipeline.options().deadline);
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        pipeline.encode(&mut output);
        for command in pipeline.commands() {
            let touch = command.touch();
            if let Touch::Subscriptions(_) = touch {
                self.output = output;
                let command = String::from_utf8_lossy(command.name()).into_owned();
                let hint = "its confirmations are no replies; send it alone";
                return Err(Error::NotShared { command, hint });
            }
            self.note(touch);
        }
        if pipeline.is_transaction() {
            self.note(Touch::Exec);
        }
        let written = self.write(&output, until);
        self.output = output;
        written?;
        let replies = (0..pipeline.replies()).map(|_| self.reply(until));
        let replies = replies.collect::<Result<Vec<Value>>>()?;
        pipeline.read(replies)
    }

    /// Watches keys: the next transaction is run only if none of them is changed until then.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn watch(&mut self, keys: impl ToArg) -> Result<()> {
        self.call(Command::new("WATCH").arg(keys))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn ping(&mut self) -> Result<()> {
        self.call(Command::new("PING"))
    }

    /// The next message of a subscription (SUBSCRIBE and its kind are commands like others here); `None` if none came in time.
    ///
    /// # Errors
    /// [`Error::ConnectionReset`] and [`Error::Protocol`].
    pub fn next_message(&mut self, time: Duration) -> Result<Option<Message>> {
        let until = Instant::now() + time;
        loop {
            if let Some(push) = self.pushes.pop_front() {
                if let Some((_, message)) = Message::from_push(push) {
                    return Ok(Some(message));
                }
                continue;
            }
            match self.read(until) {
                Ok(reply) => self.keep_push(reply),
                // Nothing was asked, so nothing is in doubt: what came in part is kept.
                Err(Error::TimeOut) => {
                    self.broken = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether it can be used no more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The dialect it speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Takes away all state that it was given: transaction, watched keys, subscriptions, login, database, name. Costs nothing if there
    /// is none.
    ///
    /// # Errors
    /// When that cannot be done: then it is to be closed.
    pub fn reset(&mut self) -> Result<()> {
        if self.broken {
            return Err(Error::ConnectionReset);
        }
        if self.state == State::default() {
            return Ok(());
        }
        self.pushes.clear();
        let until = self.deadline(None);
        let mut output = Vec::new();
        Command::new("RESET").encode(&mut output);
        self.write(&output, until)?;
        // What it was subscribed to may still send, in front of the reply.
        loop {
            match self.read(until)? {
                Value::Simple(text) if text == b"RESET" => break,
                Value::Push(_) | Value::Array(_) => {}
                other => {
                    self.broken = true;
                    return other_error(other);
                }
            }
        }
        self.state = State::default();
        self.version = Version::Resp2;
        self.greet()
    }

    fn deadline(&self, time: Option<Duration>) -> Instant {
        Instant::now() + time.unwrap_or(self.options.deadline)
    }

    fn note(&mut self, touch: Touch) {
        match touch {
            Touch::Nothing => {}
            Touch::State => self.state.touched = true,
            Touch::Subscriptions(_) => self.state.subscribed = true,
            Touch::Watch => self.state.watching = true,
            Touch::Multi => self.state.in_transaction = true,
            Touch::Unwatch => self.state.watching = false,
            Touch::Exec => {
                self.state.watching = false;
                self.state.in_transaction = false;
            }
            Touch::Silence => {
                // Which replies will come nobody knows.
                self.state.touched = true;
                self.broken = true;
            }
        }
    }

    fn write(&mut self, bytes: &[u8], until: Instant) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.set_timeout(until)?;
        self.stream.write_all(bytes).map_err(|error| {
            self.broken = true;
            lost(&error)
        })
    }

    /// The next reply that is no push.
    fn reply(&mut self, until: Instant) -> Result<Value> {
        loop {
            let reply = self.read(until)?;
            if push_kind(&reply, self.is_subscriber()).is_none() {
                return Ok(reply);
            }
            self.keep_push(reply);
        }
    }

    /// The last of so many confirmations, or the error that comes instead.
    fn confirmations(&mut self, names: usize, until: Instant) -> Result<Value> {
        let mut left = names.max(1);
        loop {
            let reply = self.read(until)?;
            match push_kind(&reply, true) {
                Some(kind) if kind.ends_with("subscribe") => {
                    left -= 1;
                    if left == 0 {
                        return Ok(reply);
                    }
                }
                Some(_) => self.keep_push(reply),
                None => return Ok(reply),
            }
        }
    }

    fn is_subscriber(&self) -> bool {
        self.version == Version::Resp2 && self.state.subscribed
    }

    fn keep_push(&mut self, push: Value) {
        if self.pushes.len() == PUSHES_MAX {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }

    fn read(&mut self, until: Instant) -> Result<Value> {
        loop {
            if self.unparsed.is_empty() {
                self.fill(until)?;
            }
            let bytes = &self.buffer[self.unparsed.clone()];
            let decoded = self.parser.feed(bytes).map_err(|error| {
                self.broken = true;
                Error::Protocol(error)
            })?;
            self.unparsed.start += decoded.consumed;
            if let Some(value) = decoded.value {
                return Ok(value);
            }
        }
    }

    fn fill(&mut self, until: Instant) -> Result<()> {
        loop {
            self.set_timeout(until)?;
            // The reply is likelier to be there afterwards, and then nobody has to be woken.
            give_way();
            match self.stream.read(&mut self.buffer) {
                Ok(0) => {
                    self.broken = true;
                    return Err(Error::ConnectionReset);
                }
                Ok(n) => {
                    self.unparsed = 0..n;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It may have waited for less than is left, see `set_timeout`.
                Err(error) if lost_in_time(&error) && Instant::now() < until => {}
                Err(error) => {
                    self.broken = true;
                    return Err(lost(&error));
                }
            }
        }
    }

    /// Tells the system how long to wait. Most requests have the same deadline: it is told anew only if it would wait for longer than
    /// is left, or for less than half of it.
    fn set_timeout(&mut self, until: Instant) -> Result<()> {
        /// The system waits a little longer than asked for; so much is no difference.
        const SLACK: Duration = Duration::from_millis(20);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.broken = true;
            return Err(Error::TimeOut);
        }
        if self.timeout > left + SLACK || self.timeout < left / 2 {
            self.stream.set_timeout(left)?;
            self.timeout = left;
        }
        Ok(())
    }
}

fn other_error(value: Value) -> Result<()> {
    <()>::from_reply(value).and(Err(Error::ConnectionReset))
}

fn lost_in_time(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn lost(error: &io::Error) -> Error {
    if lost_in_time(error) {
        Error::TimeOut
    } else {
        Error::ConnectionReset
    }
}

/// A request in the making, of a [`Connection`].
#[derive(Debug)]
#[must_use = "it is sent by `call`"]
pub struct ConnectionRequest<'a> {
    connection: &'a mut Connection,
    command: Command,
}

impl ConnectionRequest<'_> {
    /// Adds an argument, or several: see [`ToArg`].
    pub fn arg(mut self, argument: impl ToArg) -> Self {
        self.command.push(argument);
        self
    }

    /// How long to wait for the reply, instead of the connection's own deadline: for a blocking command, more than it may block.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.command = self.command.deadline(deadline);
        self
    }

    /// Sends it and waits for the reply.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call<T: FromReply>(self) -> Result<T> {
        self.connection.call(self.command)
    }
}
