//! The crate's errors: what can go wrong while a server is set up.
//!
//! Invariant: each names the thing that failed; the errno is the source. Errors of a running connection are not here: they
//! reach the handler as a [`crate::CloseReason`].

use std::io;

/// Why a server or a loop could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The readiness queue could not be made.
    #[error("cannot set up the event loop: {0}")]
    Poller(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A loop failed while it ran.
    #[error("event loop {index} failed: {source}")]
    Loop {
        /// Which loop.
        index: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A loop's thread panicked. (Unless panics abort the process.)
    #[error("event loop {index} panicked")]
    Panicked {
        /// Which loop.
        index: usize,
    },
}
