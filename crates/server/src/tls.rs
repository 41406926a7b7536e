//! TLS as the configuration has it: read at the start and by CONFIG SET, given to each connection that comes to `tls-port`.
//!
//! Invariant: what is in use was read as a whole; after an error it is what it was before. A connection keeps what it began with. In a
//! build without the feature `tls` everything is the same, but a `tls-port` is refused.

use std::sync::{Mutex, PoisonError};

use dunlin_reactor::Layer;
#[cfg(feature = "tls")]
pub(crate) use dunlin_tls::ServerTls as Acceptor;

use crate::config::Config;

/// The tag of listeners whose clients speak TLS.
pub(crate) const TAG: u32 = 1;

/// What new connections are given; nothing while there is no `tls-port`.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    current: Mutex<Option<Acceptor>>,
}

impl Tls {
    /// Puts another in its place; returns what held before.
    pub(crate) fn replace(&self, next: Option<Acceptor>) -> Option<Acceptor> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, next)
    }

    /// The layer of one connection; an error says why there is none.
    pub(crate) fn layer(&self) -> Result<Box<dyn Layer>, String> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(acceptor) = current.as_ref() else {
            return Err("TLS has been turned off".to_owned());
        };
        acceptor.layer().map_err(|error| error.to_string())
    }
}

/// Reads what the configuration names, if there is a `tls-port`.
#[cfg(feature = "tls")]
pub(crate) fn make(config: &Config) -> Result<Option<Acceptor>, String> {
    use dunlin_tls::{ClientCertificates, Password, SessionLimits, Settings};

    if config.tls_port() == 0 {
        return Ok(None);
    }
    let named = |name: &str| {
        let path = config.path(name);
        path.map(ToOwned::to_owned)
    };
    let needed = |name: &str| named(name).ok_or_else(|| format!("tls-port needs {name}"));
    let text = |name: &str| String::from_utf8_lossy(config.text(name)).into_owned();
    let number = |name: &str| config.integer(name).unsigned_abs();
    let sessions = config.yes("tls-session-caching").then(|| SessionLimits {
        sessions: usize::try_from(number("tls-session-cache-size")).unwrap_or(usize::MAX),
        seconds: number("tls-session-cache-timeout"),
    });
    let clients = match config.choice("tls-auth-clients") {
        "no" => ClientCertificates::No,
        "optional" => ClientCertificates::Optional,
        _ => ClientCertificates::Required,
    };
    let (trusted_file, trusted_dir) = (named("tls-ca-cert-file"), named("tls-ca-cert-dir"));
    if clients != ClientCertificates::No && trusted_file.is_none() && trusted_dir.is_none() {
        return Err(
            "clients must show certificates: name those to trust by tls-ca-cert-file or tls-ca-cert-dir, or set tls-auth-clients no"
                .to_owned(),
        );
    }
    let settings = Settings {
        certificate: needed("tls-cert-file")?,
        key: needed("tls-key-file")?,
        key_password: Some(config.text("tls-key-file-pass"))
            .filter(|password| !password.is_empty())
            .map(|password| Password(password.to_vec())),
        trusted_file,
        trusted_dir,
        clients,
        protocols: text("tls-protocols"),
        ciphers: text("tls-ciphers"),
        ciphersuites: text("tls-ciphersuites"),
        prefer_our_order: config.yes("tls-prefer-server-ciphers"),
        sessions,
    };
    Acceptor::new(&settings)
        .map(Some)
        .map_err(|error| error.to_string())
}

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{Acceptor, make};

#[cfg(not(feature = "tls"))]
mod absent {
    use super::{Config, Layer};

    /// There is none.
    #[derive(Debug)]
    pub(crate) enum Acceptor {}

    impl Acceptor {
        pub(crate) fn layer(&self) -> Result<Box<dyn Layer>, String> {
            match *self {}
        }
    }

    pub(crate) fn make(config: &Config) -> Result<Option<Acceptor>, String> {
        match config.tls_port() {
            0 => Ok(None),
            _ => Err("this server was built without it (cargo build --features tls)".to_owned()),
        }
    }
}
