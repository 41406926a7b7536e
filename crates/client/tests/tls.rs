//! TLS, with a genuine redis-server at the other end: the same guarantees, and nobody else's server.

#[path = "../../tls/tests/common/certificates.rs"]
mod certificates;
mod common;

use std::thread;
use std::time::Duration;

use certificates::{Authority, Identity};
use common::{Genuine, block_on, free_port, quick, wait_for};
use dunlin_client::{Client, Connection, Error, Options};

/// A server that speaks TLS on the port behind it, and asks for certificates or not.
fn start(authority: &Authority, identity: &Identity, asks: &str) -> Option<(Genuine, u16)> {
    let port = free_port();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let genuine = Genuine::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path(&identity.certificate),
        "--tls-key-file",
        &path(&identity.key),
        "--tls-ca-cert-file",
        &path(&authority.file()),
        "--tls-auth-clients",
        asks,
    ])?;
    Some((genuine, port))
}

fn options(port: u16, words: &str) -> Options {
    let options = format!("rediss://localhost:{port}?{words}").parse();
    quick(options.unwrap()).deadline(Duration::from_secs(10))
}

fn trusting(authority: &Authority) -> String {
    format!("cacert={}", authority.file().display())
}

#[test]
fn shared_and_own_connections_speak_it_and_come_back() {
    let authority = Authority::new();
    let identity = authority.sign("server", "server");
    let Some((mut genuine, port)) = start(&authority, &identity, "no") else {
        return;
    };
    let options = options(port, &trusting(&authority));
    let client = Client::connect(options.clone()).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|id| {
            let client = client.clone();
            thread::spawn(move || {
                for n in 0..200 {
                    let word = format!("{id}-{n}");
                    let echo: String = client.command("ECHO").arg(&word).call().unwrap();
                    assert_eq!(echo, word);
                    let echo: String = block_on(client.command("ECHO").arg(&word).send()).unwrap();
                    assert_eq!(echo, word);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    // More than one record, and more than is given to the system at once.
    let big = "x".repeat(3 << 20);
    let () = client.command("SET").arg(("big", &big)).call().unwrap();
    let got: String = client.command("GET").arg("big").call().unwrap();
    assert!(got == big);
    let mut own = Connection::connect(options).unwrap();
    let got: String = own.command("GET").arg("big").call().unwrap();
    assert!(got == big);
    let none: Option<(String, String)> = own.command("BLPOP").arg(("none", 0.05)).call().unwrap();
    assert_eq!(none, None);
    genuine.restart();
    wait_for("the connection", || {
        client.command("PING").call::<String>().is_ok()
    });
    assert!(own.ping().is_err() && own.is_broken());
}

#[test]
fn a_server_that_nobody_trusted_vouches_for_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let identity = other.sign("server", "server");
    let Some((_genuine, port)) = start(&other, &identity, "no") else {
        return;
    };
    let stranger = options(port, &trusting(&authority));
    let refused = Client::connect(stranger.clone()).unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert!(Connection::connect(stranger).is_err());
    // The right authority, the wrong name: the certificate is for localhost.
    let named = trusting(&other);
    let elsewhere = format!("rediss://127.0.0.1:{port}?{named}").parse::<Options>();
    assert!(Client::connect(quick(elsewhere.unwrap())).is_err());
    let anyone = Client::connect(options(port, "insecure")).unwrap();
    assert_eq!(anyone.command("PING").call::<String>().unwrap(), "PONG");
}

#[test]
fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let authority = Authority::new();
    let identity = authority.sign("server", "server");
    let Some((_genuine, port)) = start(&authority, &identity, "yes") else {
        return;
    };
    let trusting = trusting(&authority);
    assert!(Client::connect(options(port, &trusting)).is_err());
    let us = authority.sign("client", "client");
    let (certificate, key) = (us.certificate.display(), us.key.display());
    let words = format!("{trusting}&cert={certificate}&key={key}");
    let client = Client::connect(options(port, &words)).unwrap();
    assert_eq!(client.command("PING").call::<String>().unwrap(), "PONG");
    let lone = format!("rediss://localhost?cert={certificate}").parse::<Options>();
    assert!(matches!(lone, Err(Error::Url { .. })));
}
