//! TLS for both kinds of connections; or, without the feature `tls`, types of which there are no values.
//!
//! Invariant: nothing else in this crate asks for the feature. Without it a `rediss://` is refused when it is read, so no connection can
//! be told to speak TLS and then not do it.

#[cfg(feature = "tls")]
pub use dunlin_tls::{ClientSettings, ClientTls};
#[cfg(feature = "tls")]
pub(crate) use dunlin_tls::{Error, TlsStream};

#[cfg(not(feature = "tls"))]
pub use absent::{ClientSettings, ClientTls};
#[cfg(not(feature = "tls"))]
pub(crate) use absent::{Error, TlsStream};

#[cfg(not(feature = "tls"))]
mod absent {
    use std::io::{self, Read, Write};
    use std::marker::PhantomData;
    use std::path::PathBuf;

    use dunlin_reactor::Layer;

    /// TLS is asked for, which this build has not.
    #[derive(Debug, thiserror::Error)]
    #[error("dunlin-client was built without its feature `tls`")]
    pub struct Error;

    /// What a URL may say of TLS.
    #[derive(Clone, Debug, Default)]
    pub struct ClientSettings {
        /// File of certificates that are trusted to vouch for servers.
        pub trusted_file: Option<PathBuf>,
        /// Files of the certificate that is shown to servers that ask for one, and of its private key.
        pub identity: Option<(PathBuf, PathBuf)>,
        /// Takes any certificate.
        pub insecure: bool,
    }

    /// Rules of TLS: there are none without the feature `tls`.
    #[derive(Clone, Debug)]
    pub enum ClientTls {}

    impl ClientTls {
        /// Refuses.
        ///
        /// # Errors
        /// Always.
        pub fn new(_: &ClientSettings) -> Result<ClientTls, Error> {
            Err(Error)
        }

        pub(crate) fn layer(&self, _: &str) -> Result<Box<dyn Layer>, Error> {
            match *self {}
        }

        pub(crate) fn stream<S>(&self, _: &str, _: S) -> Result<TlsStream<S>, Error> {
            match *self {}
        }
    }

    enum Never {}

    /// A stream that there is not.
    pub(crate) struct TlsStream<S>(Never, PhantomData<S>);

    impl<S> TlsStream<S> {
        pub(crate) fn get_ref(&self) -> &S {
            match self.0 {}
        }
    }

    impl<S> Read for TlsStream<S> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            match self.0 {}
        }
    }

    impl<S> Write for TlsStream<S> {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            match self.0 {}
        }
        fn flush(&mut self) -> io::Result<()> {
            match self.0 {}
        }
    }

    impl<S> std::fmt::Debug for TlsStream<S> {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            match self.0 {}
        }
    }
}
