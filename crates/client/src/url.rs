//! `redis://user:password@host:port/db`, `rediss://` for TLS, and `unix:///path?db=2`, as options.
//!
//! Invariant: an error never shows the password. `%41` and its like stand for bytes in names, passwords and paths.

use std::str::FromStr;

use crate::error::Error;
use crate::options::{Address, Options, PORT, Protocol};
use crate::tls::{ClientSettings, ClientTls};

impl FromStr for Options {
    type Err = Error;

    /// Understands `redis://[user[:password]@]host[:port][/db]`, `unix://[user[:password]@]/path`, `host:port`, and behind a `?` the words
    /// `db`, `name`, `user`, `password` and `protocol` (2 or 3), joined by `&`. `rediss://` is TLS, with the words `cacert` (a file of certificates to
    /// trust instead of the system's), `cert` and `key` (files of what is shown to the server) and `insecure` (any server will do), see
    /// [`ClientSettings`]. `redis+unix` and `redis-socket` are `unix`, too.
    fn from_str(url: &str) -> Result<Options, Error> {
        let (mut options, tls) = read(url).map_err(|reason| Error::Url {
            url: without_password(url),
            reason,
        })?;
        if let Some(settings) = tls {
            options.tls = Some(ClientTls::new(&settings)?);
        }
        Ok(options)
    }
}

fn without_password(url: &str) -> String {
    let plain = url.split('?').next().unwrap_or_default();
    match (plain.find("://"), plain.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}...{}", &plain[..scheme + 3], &plain[at..])
        }
        (None, Some(at)) => format!("...{}", &plain[at..]),
        _ => plain.to_owned(),
    }
}

fn read(url: &str) -> Result<(Options, Option<ClientSettings>), &'static str> {
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    };
    let mut options = match scheme {
        "redis" | "rediss" => tcp(rest)?,
        "unix" | "redis+unix" | "redis-socket" if rest.starts_with('/') => {
            Options::new(Address::Unix(decoded(rest)?.into()))
        }
        "unix" | "redis+unix" | "redis-socket" => return Err("a path begins with /"),
        _ => return Err("an address begins with redis://, rediss:// or unix://"),
    };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        options.user = Some(decoded(user)?).filter(|user| !user.is_empty());
        options.password = Some(decoded(password)?).filter(|password| !password.is_empty());
    }
    let mut tls = (scheme == "rediss").then(ClientSettings::default);
    let (mut certificate, mut key) = (None, None);
    for word in query.split('&').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let value = decoded(value)?;
        match name {
            "db" => options.db = db(&value)?,
            "name" => options.name = Some(value),
            "user" => options.user = Some(value),
            "password" => options.password = Some(value),
            "protocol" if value == "2" || value == "resp2" => options.protocol = Protocol::Resp2,
            "protocol" if value == "3" || value == "resp3" => options.protocol = Protocol::Auto,
            "cacert" | "cert" | "key" | "insecure" => {
                let settings = tls.as_mut().ok_or("that is for rediss://")?;
                match name {
                    "cacert" => settings.trusted_file = Some(value.into()),
                    "cert" => certificate = Some(value.into()),
                    "key" => key = Some(value.into()),
                    _ => settings.insecure = true,
                }
            }
            _ => {
                return Err(
                    "behind the ? may stand db, name, user, password, protocol, cacert, cert, key, insecure",
                );
            }
        }
    }
    if options.user.is_some() && options.password.is_none() {
        return Err("a user needs a password");
    }
    if let Some(settings) = &mut tls {
        settings.identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("a certificate and its key go together"),
        };
    }
    Ok((options, tls))
}

fn tcp(rest: &str) -> Result<Options, &'static str> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = if let Some(bracketed) = host.strip_prefix('[') {
        let (name, rest) = bracketed.split_once(']').ok_or("a [ is not closed")?;
        match rest.strip_prefix(':') {
            Some(port) => (name, port),
            None if rest.is_empty() => (name, ""),
            None => return Err("behind ] comes a port"),
        }
    } else if host.matches(':').count() > 1 {
        return Err("an IPv6 address stands in brackets");
    } else {
        host.split_once(':').unwrap_or((host, ""))
    };
    let port = match port {
        "" => PORT,
        port => port
            .parse()
            .map_err(|_| "the port is no number up to 65535")?,
    };
    let name = match name {
        "" => "127.0.0.1".to_owned(),
        name => decoded(name)?,
    };
    let mut options = Options::new(Address::Tcp(name, port));
    if !path.is_empty() {
        options.db = db(path)?;
    }
    Ok(options)
}

fn db(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "the database is no number")
}

fn decoded(text: &str) -> Result<String, &'static str> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("behind % stand two hexadecimal digits");
        };
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).map_err(|_| "it is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Options {
        url.parse().unwrap()
    }

    #[test]
    fn addresses() {
        for (url, address) in [
            ("redis://h:1", "h:1"),
            ("redis://h", "h:6379"),
            ("redis://", "127.0.0.1:6379"),
            ("h:7", "h:7"),
            ("h", "h:6379"),
            ("redis://[::1]:7", "[::1]:7"),
            ("redis://[::1]", "[::1]:6379"),
            ("unix:///tmp/a%20b", "/tmp/a b"),
            ("redis+unix:///tmp/s", "/tmp/s"),
        ] {
            assert_eq!(parse(url).address.to_string(), address, "{url}");
        }
    }

    #[test]
    fn logins_and_databases() {
        let options = parse("redis://me:p%40ss@h:1/3");
        assert_eq!(options.user.as_deref(), Some("me"));
        assert_eq!(options.password.as_deref(), Some("p@ss"));
        assert_eq!(options.db, 3);
        let options = parse("redis://:only@h");
        assert_eq!(options.user, None);
        assert_eq!(options.password.as_deref(), Some("only"));
        let options = parse("unix:///s?db=4&name=n&password=x&protocol=2");
        assert_eq!(options.db, 4);
        assert_eq!(options.name.as_deref(), Some("n"));
        assert_eq!(options.password.as_deref(), Some("x"));
        assert_eq!(options.protocol, Protocol::Resp2);
    }

    #[test]
    fn what_is_no_address_is_named_without_its_password() {
        for url in [
            "http://h",
            "rediss://h?cert=x",
            "rediss://h?cacert=/none",
            "redis://h?insecure",
            "redis://h:x",
            "redis://h:70000",
            "redis://h/x",
            "redis://::1",
            "redis://[::1",
            "unix://path",
            "redis://h?what=1",
            "redis://h%4",
            "redis://user@h",
        ] {
            assert!(url.parse::<Options>().is_err(), "{url}");
        }
        let error = "redis://me:secret@h:x".parse::<Options>().unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("secret") && text.contains("@h:x"), "{text}");
        let error = "redis://h:x?password=secret".parse::<Options>();
        assert!(!error.unwrap_err().to_string().contains("secret"));
        let shown = format!("{:?}", parse("redis://:secret@h"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
