//! Certificates and keys from PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};

use crate::{Error, Password};

const ENCRYPTED_BEGIN: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";
/// A header of the form before that.
const OLD_ENCRYPTED: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// A file larger than this holds no certificates that anybody wants.
const FILE_BYTES_MAX: u64 = 16 << 20;

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(malformed(path, "it is too big"));
    }
    fs::read(path).map_err(failed)
}

fn malformed(path: &Path, reason: impl ToString) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// The certificates of a file, in their order.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let found = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, pem::Error>>()
        .map_err(|error| malformed(path, error))?;
    if found.is_empty() {
        return Err(Error::NoCertificate(path.to_owned()));
    }
    Ok(found)
}

/// The private key of a file, decrypted by the password if it is encrypted.
pub(crate) fn private_key(
    path: &Path,
    password: Option<&Password>,
) -> Result<PrivateKeyDer<'static>, Error> {
    let text = read(path)?;
    let position = |mark: &[u8]| text.windows(mark.len()).position(|window| window == mark);
    if let Some(begin) = position(ENCRYPTED_BEGIN) {
        let password = password.ok_or_else(|| Error::EncryptedKey(path.to_owned()))?;
        let end = position(ENCRYPTED_END).ok_or_else(|| malformed(path, "its end is missing"))?;
        let section = text.get(begin..end + ENCRYPTED_END.len());
        return decrypted(section.unwrap_or_default(), password)
            .ok_or_else(|| Error::WrongPassword(path.to_owned()));
    }
    if position(OLD_ENCRYPTED).is_some() {
        return Err(Error::OldEncryption(path.to_owned()));
    }
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(Error::NoKey(path.to_owned())),
        Err(error) => Err(malformed(path, error)),
    }
}

/// The key in a section of PEM; `None` if it can't be had by this password.
fn decrypted(section: &[u8], password: &Password) -> Option<PrivateKeyDer<'static>> {
    let section = std::str::from_utf8(section).ok()?;
    let (_, encrypted) = SecretDocument::from_pem(section).ok()?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(encrypted.as_bytes()).ok()?;
    let plain = encrypted.decrypt(&password.0).ok()?;
    Some(PrivateKeyDer::Pkcs8(plain.as_bytes().to_vec().into()))
}

/// The trusted certificates of a file, and of all files of a directory that hold any.
pub(crate) fn trusted(file: Option<&Path>, dir: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        add(&mut roots, file, certificates(file)?)?;
    }
    if let Some(dir) = dir {
        for path in files_of(dir)? {
            // Others may lie there too, such as lists of what was revoked.
            if let Ok(found) = certificates(&path) {
                add(&mut roots, &path, found)?;
            }
        }
    }
    if roots.is_empty() {
        return Err(Error::NothingTrusted);
    }
    Ok(roots)
}

/// The certificates of a file of the system; it may hold some that rustls cannot use.
pub(crate) fn of_system(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(file)?);
    if added == 0 {
        return Err(Error::NothingTrusted);
    }
    Ok(roots)
}

fn add(
    roots: &mut RootCertStore,
    path: &Path,
    found: Vec<CertificateDer<'static>>,
) -> Result<(), Error> {
    for certificate in found {
        roots
            .add(certificate)
            .map_err(|error| malformed(path, error))?;
    }
    Ok(())
}

fn files_of(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: dir.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    // The same order each time.
    files.sort();
    Ok(files)
}
