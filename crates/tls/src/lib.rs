//! TLS for connections of the reactor, by rustls: a [`ServerTls`] or a [`ClientTls`] is made from files and settings, and
//! gives each connection a layer ([`dunlin_reactor::Layer`]). A client that waits has a [`TlsStream`] instead.
//!
//! Invariant: nothing here opens a socket, and nothing but a [`TlsStream`] reads or writes one, and no file is read after [`ServerTls::new`]: new certificates come with a new
//! `ServerTls`, and connections keep the one they began with. The names of settings are those of OpenSSL, since Redis's
//! configuration has them; whatever rustls does not have is refused by name rather than left out.

mod ciphers;
mod client;
mod error;
mod files;
mod layer;
mod server;
mod sessions;

pub use client::{ClientSettings, ClientTls, TlsStream};
pub use error::Error;
pub use rustls::ClientConnection as ClientSession;
pub use server::{ClientCertificates, Password, ServerTls, Settings};
pub use sessions::{SESSIONS_MAX, SessionLimits};
