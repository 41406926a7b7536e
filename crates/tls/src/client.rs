//! The client's side: whom to trust, and which certificate to show.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_reactor::Layer;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    StreamOwned,
};

use crate::layer::SessionLayer;
use crate::{Error, ciphers, files};

/// Where systems keep the certificates that everybody trusts.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What a client's TLS is made of.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// File of certificates that are trusted to vouch for servers. Without it and the directory, those of the system are: of the file
    /// that the variable `SSL_CERT_FILE` names, or of the first place where systems keep them.
    pub trusted_file: Option<PathBuf>,
    /// Directory of such files.
    pub trusted_dir: Option<PathBuf>,
    /// Files of the certificate that is shown to servers that ask for one, and of its private key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Takes any certificate: the connection is secret, but nobody knows with whom.
    pub insecure: bool,
    /// The certificate may be made out to anybody, as long as one vouches for it who is trusted.
    pub any_name: bool,
    /// Suites of TLS 1.2 by OpenSSL's names, with colons between; empty is all.
    pub ciphers: String,
    /// Suites of TLS 1.3; empty is all.
    pub ciphersuites: String,
}

/// The client's rules. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Reads the files and checks the settings.
    ///
    /// # Errors
    /// When a file cannot be read or makes no sense, or nothing is trusted.
    pub fn new(settings: &ClientSettings) -> Result<ClientTls, Error> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: ciphers::suites(&settings.ciphersuites, &settings.ciphers)?,
            ..ring::default_provider()
        });
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if settings.insecure {
            let anyone = Arc::new(Anyone { provider });
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else if settings.any_name {
            let roots = Arc::new(roots(settings)?);
            let inner = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            let inner = inner.map_err(|error| rustls::Error::General(error.to_string()))?;
            let any_name = Arc::new(AnyName { inner });
            builder
                .dangerous()
                .with_custom_certificate_verifier(any_name)
        } else {
            builder.with_root_certificates(roots(settings)?)
        };
        let config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = files::certificates(certificate)?;
                builder.with_client_auth_cert(chain, files::private_key(key, None)?)?
            }
        };
        Ok(ClientTls {
            config: Arc::new(config),
        })
    }

    /// A session with the server that has this name or address, for those who move its bytes themselves.
    ///
    /// # Errors
    /// When that is neither.
    pub fn session(&self, server: &str) -> Result<ClientConnection, Error> {
        let name = ServerName::try_from(server.to_owned())
            .map_err(|_| Error::ServerName(server.to_owned()))?;
        Ok(ClientConnection::new(Arc::clone(&self.config), name)?)
    }

    /// A layer for one connection to the server that has this name or address.
    ///
    /// # Errors
    /// When that is neither.
    pub fn layer(&self, server: &str) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(SessionLayer::new(self.session(server)?)))
    }

    /// TLS over a stream that waits. The handshake happens with the first bytes.
    ///
    /// # Errors
    /// As [`ClientTls::layer`].
    pub fn stream<S: Read + Write>(&self, server: &str, stream: S) -> Result<TlsStream<S>, Error> {
        let session = self.session(server)?;
        Ok(TlsStream {
            inner: StreamOwned::new(session, stream),
        })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

fn roots(settings: &ClientSettings) -> Result<rustls::RootCertStore, Error> {
    let (file, dir) = (&settings.trusted_file, &settings.trusted_dir);
    if file.is_some() || dir.is_some() {
        return files::trusted(file.as_deref(), dir.as_deref());
    }
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = SYSTEM_FILES.iter().map(Path::new);
    let found = named.or_else(|| usual.map(Path::to_owned).find(|path| path.is_file()));
    match found {
        Some(file) => Ok(files::of_system(&file)?),
        None => Err(Error::NoSystemRoots),
    }
}

/// TLS over a stream that waits.
pub struct TlsStream<S: Read + Write> {
    inner: StreamOwned<ClientConnection, S>,
}

impl<S: Read + Write> TlsStream<S> {
    /// What is below.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<S: Read + Write> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}

/// Takes any certificate of an owner who is vouched for, whatever the owner's name is.
#[derive(Debug)]
struct AnyName {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is looked at last, when everything else was found good.
        match (self.inner).verify_server_cert(certificate, others, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate whose owner has its key.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
