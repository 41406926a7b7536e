//! What can go wrong between a request and its reply.
//!
//! Invariant: an error says whether the request may have been carried out, see [`Error::outcome_is_known`]. It is cheap to clone, since
//! one lost connection fails many requests.

use std::fmt;
use std::io;
use std::sync::Arc;

use dunlin_resp::ProtocolError;

/// What a client, a connection or a pool reports.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No reply came within the request's deadline. The server may still carry the request out.
    #[error("time out")]
    TimeOut,
    /// The connection was lost after the request had been sent: nobody knows whether it was carried out.
    #[error("connection reset; outcome unknown")]
    ConnectionReset,
    /// The client was closed before the request was sent.
    #[error("client closed")]
    Closed,
    /// As many requests, or bytes of them, are under way as the limits allow.
    #[error("too many requests in flight")]
    Full,
    /// The server's error reply.
    #[error("{0}")]
    Server(ServerError),
    /// The reply is not of the type that was asked for.
    #[error("a reply of type {reply} is no {wanted}")]
    Type {
        /// What was asked for.
        wanted: &'static str,
        /// What came.
        reply: &'static str,
    },
    /// The server sent what is no reply. The connection was given up.
    #[error("the server does not speak RESP: {0}")]
    Protocol(#[source] ProtocolError),
    /// No connection could be made.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Whom to.
        address: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The server refused the login, the database or the name.
    #[error("refused at {step}: {error}")]
    Refused {
        /// The command that it refused.
        step: &'static str,
        /// Its reply.
        error: ServerError,
    },
    /// TLS cannot be spoken with these settings.
    #[error("{0}")]
    Tls(#[source] Arc<crate::tls::Error>),
    /// The text is no address of a server.
    #[error("{url}: {reason}")]
    Url {
        /// The text, without a password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The command would change, or hold up, the connection for everybody who shares it.
    #[error("{command} is not for a shared connection: {hint}")]
    NotShared {
        /// The command.
        command: String,
        /// What to use instead.
        hint: &'static str,
    },
    /// EXEC did nothing, since a watched key had changed.
    #[error("a watched key was changed; the transaction was not run")]
    Aborted,
    /// Nothing came free in the pool within the deadline.
    #[error("no connection came free in time")]
    PoolTimeOut,
    /// The system failed.
    #[error("{0}")]
    Io(#[source] Arc<io::Error>),
    /// The keys of one request lie on several nodes of the cluster, and the request cannot be split.
    #[error("the keys of {command} lie in different slots")]
    CrossSlot {
        /// The command.
        command: String,
    },
    /// No node of the cluster could be asked, or none answers for the slot.
    #[error("the cluster has no node for slot {slot}")]
    NoNode {
        /// The slot.
        slot: u16,
    },
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether it is certain that the request was carried out (then the reply says so) or not. After [`Error::TimeOut`] and
    /// [`Error::ConnectionReset`] it is not.
    #[must_use]
    pub fn outcome_is_known(&self) -> bool {
        !matches!(
            self,
            Error::TimeOut | Error::ConnectionReset | Error::Protocol(_) | Error::Io(_)
        )
    }

    /// The server's error reply, if it is one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Error::Server(error) | Error::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<crate::tls::Error> for Error {
    fn from(error: crate::tls::Error) -> Error {
        Error::Tls(Arc::new(error))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(Arc::new(error))
    }
}

/// An error reply: a code in capitals, then a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    text: Arc<str>,
}

impl ServerError {
    pub(crate) fn new(text: &[u8]) -> ServerError {
        ServerError {
            text: String::from_utf8_lossy(text).into(),
        }
    }

    /// The first word: `ERR`, `WRONGTYPE`, `MOVED` ...
    #[must_use]
    pub fn code(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The whole text, code included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
