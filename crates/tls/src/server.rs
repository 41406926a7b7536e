//! The server's side: what is made of files and settings.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_reactor::Layer;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, ServerConfig, ServerConnection};

use crate::layer::SessionLayer;
use crate::sessions::{SessionLimits, Sessions};
use crate::{Error, ciphers, files};

/// Tickets that a client of TLS 1.3 is given after a handshake. Each may be used once.
const TICKETS: usize = 1;

/// Whether clients show certificates.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum ClientCertificates {
    /// They are not asked.
    No,
    /// They may; one that is shown must be good.
    Optional,
    /// They must.
    Required,
}

/// A secret: it is not shown where it stands among what is.
#[derive(Clone, Eq, PartialEq)]
pub struct Password(pub Vec<u8>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What a server's TLS is made of. Names and texts as in Redis's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// File of the certificate, followed by those between it and one that clients trust.
    pub certificate: PathBuf,
    /// File of its private key.
    pub key: PathBuf,
    /// Its password, if it is encrypted.
    pub key_password: Option<Password>,
    /// File of certificates that are trusted to vouch for clients.
    pub trusted_file: Option<PathBuf>,
    /// Directory of such files.
    pub trusted_dir: Option<PathBuf>,
    /// Whether clients show certificates.
    pub clients: ClientCertificates,
    /// Versions, such as `TLSv1.2 TLSv1.3`; empty is both.
    pub protocols: String,
    /// Suites of TLS 1.2 by OpenSSL's names, with colons between; empty is all.
    pub ciphers: String,
    /// Suites of TLS 1.3; empty is all.
    pub ciphersuites: String,
    /// Our order of suites counts, not the client's.
    pub prefer_our_order: bool,
    /// Sessions that may be resumed; `None`: none.
    pub sessions: Option<SessionLimits>,
}

/// The server's certificate, key and rules. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Reads the files and checks the settings.
    ///
    /// # Errors
    /// When a file cannot be read or makes no sense, key and certificate do not belong together, or a setting names what there is
    /// not.
    pub fn new(settings: &Settings) -> Result<ServerTls, Error> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: ciphers::suites(&settings.ciphersuites, &settings.ciphers)?,
            ..ring::default_provider()
        });
        let protocols = ciphers::protocols(&settings.protocols)?;
        let usable = |suite: &rustls::SupportedCipherSuite| protocols.contains(&suite.version());
        if !provider.cipher_suites.iter().any(usable) {
            return Err(Error::NoCipher);
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&protocols)?;
        let builder = match settings.clients {
            ClientCertificates::No => builder.with_no_client_auth(),
            asked => {
                let file = settings.trusted_file.as_deref();
                let roots = files::trusted(file, settings.trusted_dir.as_deref())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    Arc::clone(&provider),
                );
                let verifier = match asked {
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                    _ => verifier,
                };
                let verifier = verifier
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let identity = identity(settings, &provider)?;
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.ignore_client_order = settings.prefer_our_order;
        match settings.sessions {
            Some(limits) => {
                config.session_storage = Arc::new(Sessions::new(limits));
                config.send_tls13_tickets = TICKETS;
            }
            None => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
        }
        Ok(ServerTls {
            config: Arc::new(config),
        })
    }

    /// A layer for one connection that was accepted.
    ///
    /// # Errors
    /// When rustls cannot begin.
    pub fn layer(&self) -> Result<Box<dyn Layer>, Error> {
        let session = ServerConnection::new(Arc::clone(&self.config))?;
        Ok(Box::new(SessionLayer::new(session)))
    }
}

/// The certificate with its key.
fn identity(settings: &Settings, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let chain = files::certificates(&settings.certificate)?;
    let key = files::private_key(&settings.key, settings.key_password.as_ref())?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| Error::Malformed {
            path: settings.key.clone(),
            reason: error.to_string(),
        })?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(Error::OtherKey {
                key: settings.key.clone(),
                certificate: settings.certificate.clone(),
            })
        }
        // A certificate of version 1 cannot be looked into, and serves clients that take it.
        _ => Ok(identity),
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}
