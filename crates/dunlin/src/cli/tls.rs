//! TLS towards the server: `--tls` and its companions, and what they come to.
//!
//! Invariant: the rest of the tool sees a stream like any other; who the server is was found out before it has one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dunlin_reactor::{BlockingStream, Layer};

/// What is said about TLS on the command line.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArguments {
    /// Speak TLS
    #[arg(long)]
    tls: bool,
    /// Name to ask for, and that the certificate has to be made out to
    #[arg(long, value_name = "HOST")]
    sni: Option<String>,
    /// Certificates to trust, instead of the system's
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Directory of such files
    #[arg(long, value_name = "DIR")]
    cacertdir: Option<PathBuf>,
    /// Take any certificate
    #[arg(long)]
    insecure: bool,
    /// Certificate to show
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Ciphers of TLS 1.2
    #[arg(long, value_name = "LIST")]
    tls_ciphers: Option<String>,
    /// Ciphers of TLS 1.3
    #[arg(long, value_name = "LIST")]
    tls_ciphersuites: Option<String>,
}

impl TlsArguments {
    /// A certificate without its key, or the other way round.
    pub(crate) fn has_half_an_identity(&self) -> bool {
        self.cert.is_some() != self.key.is_some()
    }

    /// Sets what was asked for, if TLS is spoken: because it says so, or the URI does.
    pub(crate) fn apply(&self, tls: &mut Option<Tls>) {
        if !self.tls && tls.is_none() {
            return;
        }
        *tls = Some(Tls {
            sni: self.sni.clone(),
            trusted_file: self.cacert.clone(),
            trusted_dir: self.cacertdir.clone(),
            identity: self.cert.clone().zip(self.key.clone()),
            insecure: self.insecure,
            ciphers: self.tls_ciphers.clone().unwrap_or_default(),
            ciphersuites: self.tls_ciphersuites.clone().unwrap_or_default(),
        });
    }
}

/// Whom to trust, and what to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The name to ask for, and that the certificate has to be made out to. Without it any name will do, as for redis-cli.
    pub(crate) sni: Option<String>,
    pub(crate) trusted_file: Option<PathBuf>,
    pub(crate) trusted_dir: Option<PathBuf>,
    /// Certificate and key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    pub(crate) insecure: bool,
    pub(crate) ciphers: String,
    pub(crate) ciphersuites: String,
}

#[cfg(feature = "tls")]
impl Tls {
    fn rules(&self) -> io::Result<dunlin_tls::ClientTls> {
        let rules = dunlin_tls::ClientTls::new(&dunlin_tls::ClientSettings {
            trusted_file: self.trusted_file.clone(),
            trusted_dir: self.trusted_dir.clone(),
            identity: self.identity.clone(),
            insecure: self.insecure,
            any_name: self.sni.is_none(),
            ciphers: self.ciphers.clone(),
            ciphersuites: self.ciphersuites.clone(),
        });
        rules.map_err(io::Error::other)
    }

    fn server<'a>(&'a self, host: &'a str) -> &'a str {
        self.sni.as_deref().unwrap_or(host)
    }

    /// Connects to an address of `host`, and shakes hands.
    pub(crate) fn connect(
        &self,
        host: &str,
        address: SocketAddr,
        time: Duration,
    ) -> io::Result<BlockingStream> {
        let rules = self.rules()?;
        let tcp = std::net::TcpStream::connect_timeout(&address, time)?;
        tcp.set_nodelay(true)?;
        let session = rules.session(self.server(host)).map_err(io::Error::other)?;
        BlockingStream::from_socket(super::relay::start(session, tcp)?)
    }

    /// For connections of an event loop to `host`.
    pub(crate) fn layers(&self, host: &str) -> io::Result<Layers> {
        Ok(Layers {
            rules: self.rules()?,
            server: self.server(host).to_owned(),
        })
    }
}

/// Makes the layer of each connection.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(crate) struct Layers {
    rules: dunlin_tls::ClientTls,
    server: String,
}

#[cfg(feature = "tls")]
impl Layers {
    pub(crate) fn layer(&self) -> io::Result<Box<dyn Layer>> {
        self.rules.layer(&self.server).map_err(io::Error::other)
    }
}

#[cfg(not(feature = "tls"))]
fn absent() -> io::Error {
    io::Error::other("this dunlin is built without TLS")
}

/// There is none in this build.
#[cfg(not(feature = "tls"))]
impl Tls {
    pub(crate) fn connect(
        &self,
        _: &str,
        _: SocketAddr,
        _: Duration,
    ) -> io::Result<BlockingStream> {
        Err(absent())
    }

    pub(crate) fn layers(&self, _: &str) -> io::Result<Layers> {
        Err(absent())
    }
}

#[cfg(not(feature = "tls"))]
#[derive(Clone)]
pub(crate) enum Layers {}

#[cfg(not(feature = "tls"))]
impl Layers {
    pub(crate) fn layer(&self) -> io::Result<Box<dyn Layer>> {
        match *self {}
    }
}
