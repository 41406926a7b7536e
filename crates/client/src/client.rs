//! One connection shared by any number of threads and tasks.
//!
//! Invariant: every request that was accepted ends with its own reply or with an error that tells whether it may have been carried
//! out; none waits longer than its deadline. Nothing here holds a lock while it waits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dunlin_reactor::{ConnectAddress, Epoll, EventLoop, SystemBackend};
use dunlin_resp::{Value, Version};

use crate::arg::ToArg;
use crate::command::{Command, RequestOptions};
use crate::driver::{self, Driver};
use crate::error::{Error, Result};
use crate::future::Reply;
use crate::link::Link;
use crate::options::{Address, CLOSE_DEADLINE, Options, Protocol};
use crate::outbox::{Entry, Expect, Outbox, Stats};
use crate::pubsub::{Hub, Kind, Subscription};
use crate::reply::FromReply;
use crate::slot::{Answer, Slot, Ticket};
use crate::started::Started;

/// What all clones of a client share.
pub(crate) struct Core {
    options: Options,
    pub(crate) outbox: Arc<Outbox>,
    hub: Arc<Hub>,
    started: Arc<Started>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The connection for subscriptions, where the server speaks RESP2 only.
    subscriber: Mutex<Option<Client>>,
}

/// A client over one connection, which all its clones share.
///
/// Requests of all threads are written together, and each thread gets its own reply. The connection comes back by itself when it is
/// lost, with login, name, database and subscriptions. See [the crate](crate) for what happens to requests meanwhile.
///
/// Commands that change or hold up a connection (SELECT, MULTI, BLPOP ...) are refused here: they need a connection of their own, see
/// [`crate::Pool`].
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Error {
        match never {}
    }
}

impl TryFrom<&str> for Options {
    type Error = Error;
    fn try_from(url: &str) -> Result<Options> {
        url.parse()
    }
}

impl TryFrom<&String> for Options {
    type Error = Error;
    fn try_from(url: &String) -> Result<Options> {
        url.parse()
    }
}

impl Client {
    /// Connects to the server of a URL or of [`Options`], and waits until it has accepted the login.
    ///
    /// # Errors
    /// When the address is none, when nobody answers there, or when the server refuses the login.
    pub fn connect<O>(options: O) -> Result<Client>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let client = Client::start(options)?;
        let time = client.core.options.connect_deadline * 2;
        match client.core.started.wait(time) {
            Ok(_) => Ok(client),
            Err(error) => {
                client.core.outbox.close(Some(Instant::now()));
                Err(error)
            }
        }
    }

    /// As [`Client::connect`], without waiting: requests wait for the connection, up to their deadlines.
    ///
    /// # Errors
    /// When the address is none, or its name is unknown.
    pub fn start<O>(options: O) -> Result<Client>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let mut event_loop = EventLoop::new(Epoll::open()?, loop_limits());
        let (client, mut link) = Client::parts(options.try_into()?)?;
        let core = &client.core;
        core.outbox.attach(event_loop.remote().waker().clone());
        let (outbox, hub) = (Arc::clone(&core.outbox), Arc::clone(&core.hub));
        let thread = std::thread::Builder::new()
            .name("dunlin-client".into())
            .spawn(move || {
                // A loop that can no longer wait leaves its requests to the drop of the link.
                let _ = event_loop.run(&mut link);
                outbox.relay().run();
                outbox.end();
                hub.end();
            })?;
        *client.thread() = Some(thread);
        Ok(client)
    }

    /// As [`Client::start`], without a thread: the [`Driver`] has to be run in the caller's event loop. What waits ([`Client::call`],
    /// [`Client::subscribe`], ...) must not wait on the thread that runs it; futures may be awaited there.
    ///
    /// # Errors
    /// When the address is none, or its name is unknown.
    pub fn driven<O>(options: O) -> Result<(Client, Driver)>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let (event_loop, fd) = driver::open()?;
        let (client, link) = Client::parts(options.try_into()?)?;
        let core = &client.core;
        let (outbox, hub) = (Arc::clone(&core.outbox), Arc::clone(&core.hub));
        let driver = Driver::new(event_loop, fd, link.driven(), outbox, hub);
        Ok((client, driver))
    }

    /// A client, and what its loop is to run.
    fn parts(options: Options) -> Result<(Client, Link)> {
        let addresses = resolve(&options.address)?;
        let outbox = Arc::new(Outbox::new(options.limits.clone()));
        let hub = Arc::new(Hub::default());
        let started = Arc::new(Started::default());
        let link = Link::new(
            options.clone(),
            addresses,
            Arc::clone(&outbox),
            Arc::clone(&hub),
            Arc::clone(&started),
            RandomState::new().hash_one(&options.address),
        );
        let core = Core {
            options,
            outbox,
            hub,
            started,
            thread: Mutex::default(),
            subscriber: Mutex::new(None),
        };
        let core = Arc::new(core);
        Ok((Client { core }, link))
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        let thread = self.core.thread.lock();
        thread.unwrap_or_else(PoisonError::into_inner)
    }

    /// A request in the making.
    pub fn command(&self, name: &str) -> Request<'_> {
        self.request(Command::new(name))
    }

    /// A request of a command that is made.
    pub fn request(&self, command: Command) -> Request<'_> {
        Request {
            client: self,
            command,
        }
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// As [`Request::call`].
    pub fn call<T: FromReply>(&self, command: Command) -> Result<T> {
        command.check_shared()?;
        let entry = |ticket| Entry {
            expect: Expect::Replies(1),
            ..self.entry(ticket, command.wire_bytes(), command.options)
        };
        let answer = self.wait_for(entry, &|out| command.encode(out))?;
        T::from_reply(answer.one())
    }

    /// Sends a command; the reply is awaited, or waited for with [`Reply::wait`].
    pub fn send<T: FromReply>(&self, command: Command) -> Reply<T> {
        Reply::new(self.clone(), command)
    }

    /// Sends a command, unless that would have to wait for room.
    ///
    /// # Errors
    /// [`Error::Full`]; [`Error::Closed`].
    pub fn try_send<T: FromReply>(&self, command: Command) -> Result<Reply<T>> {
        let reply = Reply::new(self.clone(), command);
        reply.accepted()
    }

    pub(crate) fn entry(&self, ticket: Ticket, bytes: usize, options: RequestOptions) -> Entry {
        Entry {
            ticket,
            bytes,
            expect: Expect::Replies(1),
            deadline: options.deadline.unwrap_or(self.core.options.deadline),
            idempotent: options.idempotent,
            unlimited: false,
        }
    }

    /// Sends a unit and waits for its answer.
    pub(crate) fn wait_for(
        &self,
        entry: impl FnOnce(Ticket) -> Entry,
        encode: &dyn Fn(&mut Vec<u8>),
    ) -> Result<Answer> {
        let slot = Slot::take();
        slot.expect_here();
        let accepted = self
            .core
            .outbox
            .offer_waiting(entry(Ticket::new(&slot)), encode);
        let answer = accepted.and_then(|()| slot.wait());
        slot.give_back();
        answer
    }

    /// Subscribes to channels.
    ///
    /// # Errors
    /// When the server refuses, or does not answer in time.
    pub fn subscribe(&self, channels: impl ToArg) -> Result<Subscription> {
        self.subscribe_to(Kind::Channel, channels)
    }

    /// Subscribes to all channels whose names match the patterns.
    ///
    /// # Errors
    /// As [`Client::subscribe`].
    pub fn psubscribe(&self, patterns: impl ToArg) -> Result<Subscription> {
        self.subscribe_to(Kind::Pattern, patterns)
    }

    /// Subscribes to shard channels.
    ///
    /// # Errors
    /// As [`Client::subscribe`].
    pub fn ssubscribe(&self, channels: impl ToArg) -> Result<Subscription> {
        self.subscribe_to(Kind::Shard, channels)
    }

    fn subscribe_to(&self, kind: Kind, names: impl ToArg) -> Result<Subscription> {
        let command = Command::new("").arg(names);
        let mut names: Vec<Vec<u8>> = command.args().skip(1).map(<[u8]>::to_vec).collect();
        names.sort_unstable();
        names.dedup();
        Subscription::begin(self.subscriber()?, kind, names)
    }

    /// The client whose connection takes subscriptions: this one, if it speaks RESP3.
    fn subscriber(&self) -> Result<Client> {
        let core = &self.core;
        let version = core.started.wait(core.options.deadline)?;
        if version == Version::Resp3 || core.options.subscriber {
            return Ok(self.clone());
        }
        let held = &core.subscriber;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*held {
            return Ok(client.clone());
        }
        let client = Client::start(Options {
            subscriber: true,
            protocol: Protocol::Resp2,
            ..core.options.clone()
        })?;
        *held = Some(client.clone());
        Ok(client)
    }

    pub(crate) fn subscribe_names(&self, kind: Kind, names: &[Vec<u8>]) -> Result<Reply<()>> {
        let expect = Expect::Confirmations(kind.confirmation(), names.len() as u32);
        let command = Command::new(kind.subscribe()).arg(names).idempotent();
        Reply::begun(self, &command, expect)
    }

    pub(crate) fn unsubscribe_names(&self, kind: Kind, names: &[Vec<u8>]) -> Result<()> {
        let command = Command::new(kind.unsubscribe()).arg(names);
        let entry = Entry {
            expect: Expect::Confirmations(kind.farewell(), names.len() as u32),
            unlimited: true,
            ..self.entry(Ticket::nobody(), command.wire_bytes(), command.options)
        };
        let offered = self.core.outbox.offer(entry, &|out| command.encode(out));
        offered.map_err(|(_, error)| error)
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.core.outbox
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.core.hub
    }

    /// What it was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.core.options
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.outbox.stats()
    }

    /// As [`Client::in_flight`], about, and without waiting for anybody.
    pub(crate) fn load(&self) -> usize {
        self.core.outbox.load()
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.core.outbox.in_flight()
    }

    /// Closes the connection for all clones: waits up to [`CLOSE_DEADLINE`] for what is under way. Later requests fail with
    /// [`Error::Closed`].
    pub fn close(&self) {
        self.close_within(CLOSE_DEADLINE);
    }

    /// As [`Client::close`], with a deadline.
    pub fn close_within(&self, time: Duration) {
        let core = &self.core;
        let held = core
            .subscriber
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(subscriber) = held {
            subscriber.close_within(Duration::ZERO);
        }
        core.outbox.close(Some(Instant::now() + time));
        let thread = self.thread().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Nobody is left who could wait for anything. The loop ends by itself.
        self.outbox.close(Some(Instant::now()));
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.core.options)
            .finish_non_exhaustive()
    }
}

/// Limits of a client's loop.
pub(crate) fn loop_limits() -> dunlin_reactor::Limits {
    dunlin_reactor::Limits {
        // Reading never waits for writing: the server may do the opposite.
        output_soft_bytes: usize::MAX,
        ..dunlin_reactor::Limits::default()
    }
}

/// The addresses that a name stands for.
pub(crate) fn resolve(address: &Address) -> Result<VecDeque<ConnectAddress>> {
    let unknown = |source| Error::Connect {
        address: address.to_string(),
        source: Arc::new(source),
    };
    match address {
        Address::Unix(path) => Ok([ConnectAddress::Unix(path.clone())].into()),
        Address::Tcp(host, port) => {
            let found = (host.as_str(), *port).to_socket_addrs().map_err(unknown)?;
            let found: VecDeque<_> = found.map(ConnectAddress::Tcp).collect();
            if found.is_empty() {
                return Err(unknown(std::io::ErrorKind::NotFound.into()));
            }
            Ok(found)
        }
    }
}

/// A request in the making, of a [`Client`].
#[derive(Debug)]
#[must_use = "it is sent by `call` or `send`"]
pub struct Request<'a> {
    client: &'a Client,
    command: Command,
}

impl Request<'_> {
    /// Adds an argument, or several: see [`ToArg`].
    pub fn arg(mut self, argument: impl ToArg) -> Self {
        self.command.push(argument);
        self
    }

    /// How long to wait for the reply, instead of the client's own deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.command = self.command.deadline(deadline);
        self
    }

    /// May be carried out twice: see [`Command::idempotent`].
    pub fn idempotent(mut self) -> Self {
        self.command = self.command.idempotent();
        self
    }

    /// Sends it and waits for the reply.
    ///
    /// # Errors
    /// The server's error; [`Error::TimeOut`]; [`Error::ConnectionReset`] when it was sent and the connection was lost;
    /// [`Error::Closed`]; [`Error::Type`] when the reply is of another type.
    pub fn call<T: FromReply>(self) -> Result<T> {
        self.client.call(self.command)
    }

    /// Sends it; the reply is awaited, or waited for with [`Reply::wait`].
    pub fn send<T: FromReply>(self) -> Reply<T> {
        self.client.send(self.command)
    }

    /// As [`Request::send`], unless that would have to wait for room.
    ///
    /// # Errors
    /// [`Error::Full`]; [`Error::Closed`].
    pub fn try_send<T: FromReply>(self) -> Result<Reply<T>> {
        self.client.try_send(self.command)
    }

    /// The reply as it came.
    ///
    /// # Errors
    /// As [`Request::call`].
    pub fn value(self) -> Result<Value> {
        self.call()
    }
}
