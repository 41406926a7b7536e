//! What can be wrong with files and settings.

use std::io;
use std::path::PathBuf;

/// Why there can be no TLS with these settings. The text names the file or setting, and the way out where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{0} holds no certificate in PEM form")]
    NoCertificate(PathBuf),
    /// A file holds no private key.
    #[error("{0} holds no private key in PEM form")]
    NoKey(PathBuf),
    /// The key is protected by a password, and there is none.
    #[error(
        "the private key in {0} is encrypted: name its password (tls-key-file-pass), or write it without (openssl pkey -in KEY -out PLAIN)"
    )]
    EncryptedKey(PathBuf),
    /// The password is another, or the key is encrypted in a way that is not known.
    #[error("the private key in {0} cannot be decrypted by the password")]
    WrongPassword(PathBuf),
    /// The key is encrypted as OpenSSL did it before PKCS #8.
    #[error(
        "the private key in {0} is encrypted in the traditional form, which is not supported: write it anew (openssl pkcs8 -topk8 -in KEY -out NEW)"
    )]
    OldEncryption(PathBuf),
    /// The content of a file is not what it seems to be.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error("the private key in {key} does not belong to the certificate in {certificate}")]
    OtherKey {
        /// File of the key.
        key: PathBuf,
        /// File of the certificate.
        certificate: PathBuf,
    },
    /// Clients are to show certificates, and none is trusted.
    #[error("clients are asked for certificates, but no trusted certificates are named")]
    NothingTrusted,
    /// A protocol version that is too old.
    #[error("{0} is not supported: it is insecure; TLSv1.2 and TLSv1.3 are")]
    OldProtocol(String),
    /// An unknown protocol version.
    #[error("there is no protocol {0:?}: TLSv1.2 and TLSv1.3 are supported")]
    UnknownProtocol(String),
    /// An unknown cipher.
    #[error("there is no cipher {0:?}: supported are {1}")]
    UnknownCipher(String, String),
    /// Nothing is left to speak.
    #[error("no cipher is left for the protocols that are allowed")]
    NoCipher,
    /// No place is known where this system keeps certificates.
    #[error("this system's trusted certificates are in no known place: name a file of them")]
    NoSystemRoots,
    /// Whom to ask for by name.
    #[error("{0:?} is neither a name nor an address of a server")]
    ServerName(String),
    /// What rustls found wrong.
    #[error("{0}")]
    Other(#[from] rustls::Error),
}
