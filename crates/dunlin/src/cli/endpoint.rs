//! Whom to talk to, and as whom: what the options -h, -p, -s, -u, -a, --user and -n come to.
//!
//! Invariant: a URI sets only what it names; options given beside it keep their say.

use std::fmt;
use std::io;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use dunlin_reactor::ConnectAddress;

use super::tls::Tls;

/// A server and how to introduce oneself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Takes precedence over host and port.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: i64,
    /// If TLS is spoken.
    pub(crate) tls: Option<Tls>,
}

impl Default for Endpoint {
    fn default() -> Endpoint {
        Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 6379,
            socket: None,
            user: None,
            password: None,
            database: 0,
            tls: None,
        }
    }
}

impl Endpoint {
    /// Takes what a URI names: `redis://[[user][:password]@][host][:port][/database]`, and `rediss://` for TLS.
    ///
    /// # Errors
    /// Another scheme, or a port that is none.
    pub(crate) fn apply_uri(&mut self, uri: &str) -> Result<()> {
        let lower = uri.to_ascii_lowercase();
        let rest = if lower.starts_with("rediss://") {
            self.tls.get_or_insert_default();
            &uri["rediss://".len()..]
        } else if lower.starts_with("redis://") {
            &uri["redis://".len()..]
        } else {
            bail!("Invalid URI scheme");
        };
        let rest = match rest.split_once('@') {
            Some((who, rest)) => {
                match who.split_once(':') {
                    Some((user, password)) => {
                        self.user = Some(percent_decoded(user)).filter(|user| !user.is_empty());
                        self.password = Some(percent_decoded(password));
                    }
                    None => self.password = Some(percent_decoded(who)),
                }
                rest
            }
            None => rest,
        };
        let (address, database) = match rest.split_once('/') {
            Some((address, database)) => (address, database),
            None => (rest, ""),
        };
        let (host, port) = match address.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match address.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            },
        };
        if !host.is_empty() {
            host.clone_into(&mut self.host);
        }
        if let Some(port) = port {
            self.port = port.parse().ok().context("Invalid server port.")?;
        }
        if let Ok(database) = database.parse() {
            self.database = database;
        }
        Ok(())
    }

    /// The addresses to try, in order.
    ///
    /// # Errors
    /// When the host's name is not known.
    pub(crate) fn addresses(&self) -> io::Result<Vec<ConnectAddress>> {
        if let Some(path) = &self.socket {
            return Ok(vec![ConnectAddress::Unix(path.clone())]);
        }
        let found = (self.host.as_str(), self.port).to_socket_addrs()?;
        Ok(found.map(ConnectAddress::Tcp).collect())
    }

    /// What logs the connection in, if anything does.
    pub(crate) fn auth(&self) -> Option<Vec<Vec<u8>>> {
        let password = self.password.as_ref()?;
        let mut request = vec![b"AUTH".to_vec()];
        request.extend(self.user.as_ref().map(|user| user.clone().into_bytes()));
        request.push(password.clone().into_bytes());
        Some(request)
    }
}

/// As prompts and errors show it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "{}", path.display()),
            None if self.host.contains(':') => write!(f, "[{}]:{}", self.host, self.port),
            None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3);
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> Endpoint {
        let mut endpoint = Endpoint::default();
        endpoint.apply_uri(uri).expect("it is a URI");
        endpoint
    }

    #[test]
    fn a_uri_sets_what_it_names() {
        assert_eq!(parsed("redis://"), Endpoint::default());
        let all = parsed("redis://al%20x:p%40ss@example.org:7000/3");
        assert_eq!(
            (all.host.as_str(), all.port, all.database),
            ("example.org", 7000, 3)
        );
        assert_eq!(all.user.as_deref(), Some("al x"));
        assert_eq!(all.password.as_deref(), Some("p@ss"));
        let password_only = parsed("redis://secret@h");
        assert_eq!((password_only.user, password_only.port), (None, 6379));
        let v6 = parsed("redis://[::1]:7");
        assert_eq!((v6.to_string().as_str(), v6.port), ("[::1]:7", 7));
        assert!(Endpoint::default().apply_uri("http://x").is_err());
        assert!(Endpoint::default().apply_uri("redis://h:x").is_err());
    }
}
