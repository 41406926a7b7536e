//! TLS towards the server: what --tls and its companions come to.
//!
//! Invariant: the rest of the tool sees a stream like any other; who the server is was found out before it has one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dunlin_reactor::BlockingStream;

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

impl Tls {
    /// Connects to an address of `host`, and shakes hands.
    #[cfg(feature = "tls")]
    pub(crate) fn connect(
        &self,
        host: &str,
        address: SocketAddr,
        time: Duration,
    ) -> io::Result<BlockingStream> {
        let tls = dunlin_tls::ClientTls::new(&dunlin_tls::ClientSettings {
            trusted_file: self.trusted_file.clone(),
            trusted_dir: self.trusted_dir.clone(),
            identity: self.identity.clone(),
            insecure: self.insecure,
            any_name: self.sni.is_none(),
            ciphers: self.ciphers.clone(),
            ciphersuites: self.ciphersuites.clone(),
        });
        let tls = tls.map_err(io::Error::other)?;
        let tcp = std::net::TcpStream::connect_timeout(&address, time)?;
        tcp.set_nodelay(true)?;
        let server = self.sni.as_deref().unwrap_or(host);
        let session = tls.session(server).map_err(io::Error::other)?;
        BlockingStream::from_socket(super::relay::start(session, tcp)?)
    }

    /// There is none in this build.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn connect(
        &self,
        _: &str,
        _: SocketAddr,
        _: Duration,
    ) -> io::Result<BlockingStream> {
        Err(io::Error::other("this dunlin is built without TLS"))
    }
}
