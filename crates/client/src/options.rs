//! How to connect and what to allow: everything that a client is told when it is made.
//!
//! Invariant: each time and each limit has its unit in its type or its name, and a default that suits a server nearby.

use std::fmt;
use std::time::Duration;

use dunlin_reactor::RetryLimits;

use crate::outbox::Limits;
use crate::tls::ClientTls;

/// How long a reply may take.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// How long a connection may be silent before it is asked for a sign of life.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long closing waits for what is under way.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(3);
/// Messages that a subscriber may have waiting for it.
pub const MESSAGES_MAX: usize = 4 * 1024;
/// The port of a URL that names none.
pub const PORT: u16 = 6379;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A name or an IP address, and a port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(std::path::PathBuf),
}

impl Address {
    /// What the certificate of a server there is made out to.
    pub(crate) fn host(&self) -> &str {
        match self {
            Address::Tcp(host, _) => host,
            Address::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Which dialect to speak.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP3 if the server knows it.
    #[default]
    Auto,
    /// RESP2.
    Resp2,
}

/// What a client is made of. [`Options::new`] or [`str::parse`] from a URL, then the methods for the rest.
///
/// ```
/// use std::time::Duration;
/// use dunlin_client::Options;
///
/// let options: Options = "redis://app:secret@127.0.0.1:6379/2".parse()?;
/// let options = options.name("billing").deadline(Duration::from_millis(500));
/// assert_eq!(options.db, 2);
/// # Ok::<(), dunlin_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Options {
    /// The server.
    pub address: Address,
    /// TLS, if it is spoken. The server's certificate has to be for the host of the address.
    pub tls: Option<ClientTls>,
    /// Whom to log in as; `None`: `default`, if there is a password.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The database.
    pub db: u32,
    /// What CLIENT LIST shows.
    pub name: Option<String>,
    /// The dialect.
    pub protocol: Protocol,
    /// How long a reply may take, [`DEADLINE`].
    pub deadline: Duration,
    /// How long one attempt to connect and log in may take.
    pub connect_deadline: Duration,
    /// Silence after which a PING is sent, [`HEARTBEAT`]; zero: never.
    pub heartbeat: Duration,
    /// When a lost connection is tried again.
    pub retry: RetryLimits,
    /// What may be under way.
    pub limits: Limits,
    /// Messages that a subscriber may have waiting, [`MESSAGES_MAX`]; above it the oldest are dropped and counted.
    pub messages_max: usize,
    /// Nothing but subscriptions: what RESP2 has no other way for.
    pub(crate) subscriber: bool,
    /// Says READONLY: for a replica of a cluster, which then answers reads itself.
    pub readonly: bool,
}

impl Options {
    /// Options with their defaults for a server at `address`.
    #[must_use]
    pub fn new(address: Address) -> Options {
        Options {
            address,
            tls: None,
            user: None,
            password: None,
            db: 0,
            name: None,
            protocol: Protocol::Auto,
            deadline: DEADLINE,
            connect_deadline: Duration::from_secs(2),
            heartbeat: HEARTBEAT,
            retry: RetryLimits::default(),
            limits: Limits::default(),
            messages_max: MESSAGES_MAX,
            subscriber: false,
            readonly: false,
        }
    }

    /// Logs in with a password; as `user`, if there is one.
    #[must_use]
    pub fn login(mut self, user: Option<&str>, password: &str) -> Options {
        self.user = user.map(str::to_owned);
        self.password = Some(password.to_owned());
        self
    }

    /// Speaks TLS.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Options {
        self.tls = Some(tls);
        self
    }

    /// The database.
    #[must_use]
    pub fn db(mut self, db: u32) -> Options {
        self.db = db;
        self
    }

    /// The name that CLIENT LIST shows.
    #[must_use]
    pub fn name(mut self, name: &str) -> Options {
        self.name = Some(name.to_owned());
        self
    }

    /// How long a reply may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Options {
        self.deadline = deadline;
        self
    }

    /// Silence after which a PING is sent; zero: never.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Duration) -> Options {
        self.heartbeat = heartbeat;
        self
    }

    /// The dialect.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Options {
        self.protocol = protocol;
        self
    }

    /// What may be under way.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Options {
        self.limits = limits;
        self
    }

    /// When a lost connection is tried again.
    #[must_use]
    pub fn retry(mut self, retry: RetryLimits) -> Options {
        self.retry = retry;
        self
    }

    /// Messages that a subscriber may have waiting.
    #[must_use]
    pub fn messages_max(mut self, messages: usize) -> Options {
        self.messages_max = messages.max(1);
        self
    }
}

impl fmt::Debug for Options {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "..."))
            .field("db", &self.db)
            .field("name", &self.name)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
