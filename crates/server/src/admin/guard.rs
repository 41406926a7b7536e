//! Who is answered: the checks of Host, Origin and token that stand before every route.
//!
//! Without a token the port is for people and programs on this machine, and the browser of such a person is led by pages from
//! anywhere. Against these stand three checks: the Host has to be one of ours (a name of theirs that resolves to 127.0.0.1 is
//! not), a POST has to be of a type that pages of others cannot send unasked, and its Origin, if there is one, has to be this port.
//!
//! Invariant: a token is compared in a time that depends on its length only.

use std::net::IpAddr;

use subtle::ConstantTimeEq;

use super::http::{Method, Request, Response};
use crate::config::BindHost;

/// What a route tells, which decides who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing of the server but that it is there: no token is asked for.
    Open,
    /// Figures, and what is written in the documentation.
    Figures,
    /// Data, arguments of commands, clients: what a client of a server with a password has to log in for. Without a token nobody logs in
    /// here, so then only a server without a password tells it.
    Data,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Keeper {
    /// `admin-token`, if there is one.
    token: Option<Vec<u8>>,
    /// Hosts that are ours beside those of the loopback, lower case.
    hosts: Vec<String>,
}

impl Keeper {
    /// For a port with this token, on these addresses.
    pub(super) fn new(token: Option<Vec<u8>>, binds: impl Iterator<Item = BindHost>) -> Keeper {
        let host = |bind: BindHost| match bind {
            BindHost::Name(name) => Some(name.to_ascii_lowercase()),
            // With such an address there is a token.
            BindHost::AnyV4 | BindHost::AnyV6 => None,
        };
        Keeper {
            token,
            hosts: binds.filter_map(host).collect(),
        }
    }

    /// Lets a request pass, or gives the answer that refuses it. `password_required`: clients have to log in.
    pub(super) fn check(
        &self,
        guard: Guard,
        request: &Request<'_>,
        password_required: bool,
    ) -> Result<(), Response> {
        match &self.token {
            Some(token) if guard != Guard::Open => {
                let given = request.authorization.and_then(bearer);
                if !given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(token))) {
                    let text = "send the token of admin-token as 'Authorization: Bearer <token>'";
                    return Err(Response::error(401, text).with("WWW-Authenticate", "Bearer"));
                }
            }
            Some(_) => {}
            None => {
                if !request.host.is_some_and(|host| self.is_ours(host)) {
                    return Err(Response::error(
                        403,
                        "this name is not one of the server's: use localhost, or set admin-token",
                    ));
                }
                if guard == Guard::Data && password_required {
                    return Err(Response::error(
                        403,
                        "clients of this server need a password: set admin-token to see this",
                    ));
                }
            }
        }
        if request.method == Method::Post {
            check_post(request)?;
        }
        Ok(())
    }

    /// Whether this is a name of the loopback, or an address that is listened on; any port, as it may have been forwarded.
    fn is_ours(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        name == "localhost"
            || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            || self.hosts.contains(&name)
    }
}

/// The token of an `Authorization` header.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The name or address in a `Host`, an IPv6 address without its brackets.
fn without_port(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_clean = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
    is_clean.then_some(name)
}

fn check_post(request: &Request<'_>) -> Result<(), Response> {
    let media = |value: &str| {
        let media = value.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case("application/json")
    };
    if !request.content_type.is_some_and(media) {
        let text = "send JSON, with 'Content-Type: application/json'";
        return Err(Response::error(415, text));
    }
    let same = |origin: &str| {
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        host.zip(request.host)
            .is_some_and(|(host, ours)| host.eq_ignore_ascii_case(ours))
    };
    if request.origin.is_some_and(|origin| !same(origin)) {
        let text = "pages of another origin may not send commands";
        return Err(Response::error(403, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::http::{Decoded, decode};

    fn keeper(token: Option<&str>) -> Keeper {
        let bind = BindHost::Name("127.0.0.9".to_owned());
        Keeper::new(token.map(|t| t.as_bytes().to_vec()), std::iter::once(bind))
    }

    fn ask(keeper: &Keeper, guard: Guard, password: bool, headers: &str) -> u16 {
        let method = if headers.contains("Content-Type") {
            "POST"
        } else {
            "GET"
        };
        let text = format!("{method} / HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n");
        let Ok(Decoded::Whole(request, _)) = decode(text.as_bytes()) else {
            panic!("{text}")
        };
        match keeper.check(guard, &request, password) {
            Ok(()) => 200,
            Err(response) => response.status,
        }
    }

    #[test]
    fn without_a_token_the_host_has_to_be_ours() {
        let keeper = keeper(None);
        let host = |host: &str| ask(&keeper, Guard::Figures, true, &format!("Host: {host}\r\n"));
        for ours in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.3.4.5:6",
            "[::1]",
            "[::1]:80",
            "127.0.0.9:1",
        ] {
            assert_eq!(host(ours), 200, "{ours}");
        }
        for other in [
            "",
            "example.com",
            "example.com:80",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "[::2]",
            "[::1",
            "::1",
            "localhost:80:1",
            "localhost:x",
            "[::1]x",
            "user@localhost",
            "localhost/",
            "0.0.0.0",
        ] {
            assert_eq!(host(other), 403, "{other}");
        }
    }

    #[test]
    fn data_of_a_server_with_a_password_needs_a_token() {
        let none = keeper(None);
        assert_eq!(ask(&none, Guard::Data, true, "Host: localhost\r\n"), 403);
        assert_eq!(ask(&none, Guard::Data, false, "Host: localhost\r\n"), 200);
        assert_eq!(ask(&none, Guard::Open, true, "Host: localhost\r\n"), 200);
        let some = keeper(Some("sesame"));
        let with = "Host: x\r\nAuthorization: Bearer sesame\r\n";
        assert_eq!(ask(&some, Guard::Data, true, with), 200);
    }

    #[test]
    fn with_a_token_it_has_to_be_there() {
        let keeper = keeper(Some("sesame"));
        let ask =
            |guard, headers: &str| ask(&keeper, guard, false, &format!("Host: x\r\n{headers}"));
        assert_eq!(ask(Guard::Open, ""), 200);
        assert_eq!(ask(Guard::Figures, "Authorization: bearer sesame\r\n"), 200);
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer sesam",
            "Bearer sesame2",
            "Basic sesame",
            "sesame",
            "Bearer SESAME",
        ] {
            let header = format!("Authorization: {wrong}\r\n");
            assert_eq!(ask(Guard::Figures, &header), 401, "{wrong}");
        }
        assert_eq!(ask(Guard::Figures, ""), 401);
    }

    #[test]
    fn posts_are_json_of_our_own_origin() {
        let keeper = keeper(None);
        let post = |headers: &str| {
            let headers = format!("Host: localhost:80\r\n{headers}");
            ask(&keeper, Guard::Data, false, &headers)
        };
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        assert_eq!(post(json), 200);
        assert_eq!(post("Content-Type: text/plain\r\n"), 415);
        assert_eq!(post("Content-Type: application/jsonp\r\n"), 415);
        assert_eq!(post(&format!("{json}Origin: http://localhost:80\r\n")), 200);
        for other in [
            "null",
            "http://localhost",
            "http://localhost:81",
            "http://example.com",
            "localhost:80",
            "",
        ] {
            assert_eq!(post(&format!("{json}Origin: {other}\r\n")), 403, "{other}");
        }
    }
}
