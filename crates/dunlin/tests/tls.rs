//! TLS on the running binary, with rustls as the client, on every I/O backend.

mod common;

#[path = "../../tls/tests/common/certificates.rs"]
mod certificates;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use certificates::{Authority, Identity};
use common::{PATIENCE, PROGRAM, Server, free_port, wait_for};
use rustls::{ClientConnection, StreamOwned, version};

const BACKENDS: [&str; 3] = ["epoll", "poll", "auto"];

type Stream = StreamOwned<ClientConnection, TcpStream>;

struct Scene {
    authority: Authority,
    server: Server,
    port: u16,
}

impl Scene {
    fn new(lines: &str) -> Scene {
        let authority = Authority::new();
        let identity = authority.sign("server", "server");
        let port = free_port();
        let server = Server::start(&format!(
            "tls-port {port}\n{}\ntls-ca-cert-file {}\n{lines}",
            names(&identity),
            authority.file().display()
        ));
        Scene {
            authority,
            server,
            port,
        }
    }

    fn connect(&self, session: ClientConnection) -> Stream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        StreamOwned::new(session, socket)
    }

    /// Whether a client with this session is answered.
    fn serves(&self, session: ClientConnection) -> bool {
        answers(&mut self.connect(session))
    }
}

fn names(identity: &Identity) -> String {
    format!(
        "tls-cert-file {}\ntls-key-file {}",
        identity.certificate.display(),
        identity.key.display()
    )
}

fn answers(stream: &mut Stream) -> bool {
    let asked = stream.write_all(b"PING\r\n").and_then(|()| stream.flush());
    let mut reply = [0; 7];
    asked.is_ok() && stream.read_exact(&mut reply).is_ok() && reply == *b"+PONG\r\n"
}

fn ask(stream: &mut Stream, request: &[u8], reply_bytes: usize) -> Vec<u8> {
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    let mut reply = vec![0; reply_bytes];
    stream.read_exact(&mut reply).unwrap();
    reply
}

fn set(key: &str, value: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n",
        key.len(),
        value.len()
    )
    .into_bytes();
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
    request
}

#[test]
fn pipelines_and_big_values_on_every_backend() {
    for backend in BACKENDS {
        let scene = Scene::new(&format!("tls-auth-clients no\nio-backend {backend}"));
        for versions in [&[&version::TLS12], &[&version::TLS13]] {
            let mut stream = scene.connect(scene.authority.client_with(None, versions));
            let replies = ask(&mut stream, &b"INCR counter\r\n".repeat(1_000), 9);
            assert!(replies.starts_with(b":"), "{backend}");
            let mut rest = Vec::new();
            while !rest.ends_with(b"000\r\n") {
                let mut some = [0; 4096];
                let n = stream.read(&mut some).unwrap();
                rest.extend_from_slice(&some[..n]);
            }
            let value: Vec<u8> = (0..5_000_000u32).map(|i| (i * 7 % 251) as u8).collect();
            assert_eq!(ask(&mut stream, &set("big", &value), 5), b"+OK\r\n");
            let got = ask(&mut stream, b"GET big\r\n", value.len() + 12);
            assert!(
                got.starts_with(b"$5000000\r\n") && got[10..].starts_with(&value),
                "{backend}"
            );
            assert_eq!(ask(&mut stream, b"DEL counter\r\n", 4), b":1\r\n");
        }
        // Who is known by plain text is the same server.
        assert_eq!(scene.server.client().ask("EXISTS big"), "1");
    }
}

#[test]
fn clients_show_who_they_are() {
    let scene = Scene::new("");
    let good = scene.authority.sign("client", "client");
    let other = Authority::new();
    let bad = other.sign("client", "client");
    let mut admin = scene.server.client();
    for (asked, with_good, with_bad, with_none) in [
        ("yes", true, false, false),
        ("optional", true, false, true),
        ("no", true, true, true),
    ] {
        assert_eq!(
            admin.ask(&format!("CONFIG SET tls-auth-clients {asked}")),
            "OK"
        );
        for (shown, served) in [
            (Some(&good), with_good),
            (Some(&bad), with_bad),
            (None, with_none),
        ] {
            assert_eq!(
                scene.serves(scene.authority.client(shown)),
                served,
                "{asked}"
            );
        }
    }
    wait_for("a line of the log", || {
        scene.server.log().contains("TLS with 127.0.0.1:")
    });
}

#[test]
fn versions_and_ciphers_are_those_that_are_allowed() {
    let scene = Scene::new("tls-auth-clients no\ntls-protocols TLSv1.2");
    let mut admin = scene.server.client();
    assert!(scene.serves(scene.authority.client_with(None, &[&version::TLS12])));
    assert!(!scene.serves(scene.authority.client_with(None, &[&version::TLS13])));
    assert_eq!(admin.ask("CONFIG SET tls-protocols TLSv1.3"), "OK");
    assert!(!scene.serves(scene.authority.client_with(None, &[&version::TLS12])));
    assert!(scene.serves(scene.authority.client_with(None, &[&version::TLS13])));
    for (key, value, why) in [
        ("tls-protocols", "TLSv1.1", "TLSv1.1 is not supported"),
        (
            "tls-ciphers",
            "AES128-SHA",
            "there is no cipher \"AES128-SHA\"",
        ),
        (
            "tls-ciphersuites",
            "TLS_NONE",
            "there is no cipher \"TLS_NONE\"",
        ),
    ] {
        assert_eq!(
            admin.ask(&format!("CONFIG SET {key} {value}")),
            format!(
                "-ERR CONFIG SET failed (possibly related to argument '{key}') - Unable to update TLS configuration. \
                 Check server logs."
            )
        );
        assert!(scene.server.log().contains(why), "{}", scene.server.log());
    }
    assert_eq!(admin.ask("CONFIG GET tls-ciphers"), "[tls-ciphers ]");
    assert_eq!(
        admin.ask("CONFIG SET tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256"),
        "OK"
    );
    let mut stream = scene.connect(scene.authority.client(None));
    assert!(answers(&mut stream));
    let suite = stream.conn.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
}

/// The certificate that a new connection is shown.
fn shown(scene: &Scene) -> Vec<u8> {
    let mut stream = scene.connect(scene.authority.client(None));
    assert!(answers(&mut stream));
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn certificates_are_reloaded_and_connections_stay() {
    let scene = Scene::new("tls-auth-clients no");
    let mut admin = scene.server.client();
    let mut old = scene.connect(scene.authority.client(None));
    assert!(answers(&mut old));
    let before = shown(&scene);
    // The same names with another content, as renewed ones have.
    let identity = scene.authority.sign("server", "renewed");
    assert_eq!(shown(&scene), before);
    let renew = format!("CONFIG SET {}", names(&identity).replace('\n', " "));
    assert_eq!(admin.ask(&renew), "OK");
    let renewed = shown(&scene);
    assert_ne!(renewed, before);
    std::fs::write(&identity.certificate, "nothing").unwrap();
    assert!(
        admin
            .ask(&renew)
            .contains("Unable to update TLS configuration")
    );
    assert_eq!(shown(&scene), renewed);
    assert!(answers(&mut old));
}

#[test]
fn the_port_moves_between_plain_and_tls() {
    let scene = Scene::new("tls-auth-clients no");
    let mut stream = scene.connect(scene.authority.client(None));
    let info = |stream: &mut Stream| {
        stream.write_all(b"INFO server\r\n").unwrap();
        let mut text = String::new();
        while !text.contains("listener0") || !text.ends_with("\r\n\r\n") {
            let mut some = [0; 4096];
            let n = stream.read(&mut some).unwrap();
            text.push_str(std::str::from_utf8(&some[..n]).unwrap());
        }
        text
    };
    let plain = scene.server.port;
    let tls = scene.port;
    let text = info(&mut stream);
    assert!(
        text.contains(&format!(
            "name=tcp,bind=127.0.0.1,bind=-::1,port={plain}\r\n"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!("name=tls,bind=127.0.0.1,bind=-::1,port={tls}\r\n")),
        "{text}"
    );
    // Each takes the other's.
    let swap = format!("CONFIG SET port {tls} tls-port {plain}\r\n");
    assert_eq!(ask(&mut stream, swap.as_bytes(), 5), b"+OK\r\n");
    let mut admin = common::Client::connect(([127, 0, 0, 1], tls).into()).unwrap();
    assert_eq!(admin.ask("PING"), "PONG");
    let moved = Scene {
        port: plain,
        ..scene
    };
    assert!(moved.serves(moved.authority.client(None)));
    assert_eq!(admin.ask("CONFIG SET tls-port 0"), "OK");
    assert!(TcpStream::connect(("127.0.0.1", plain)).is_err());
    // Who was connected is served on.
    assert!(answers(&mut stream));
    assert_eq!(
        admin.ask(&format!("CONFIG SET port 0 tls-port {plain}")),
        "OK"
    );
    assert!(moved.serves(moved.authority.client(None)));
    assert!(info(&mut stream).contains(&format!("tcp_port:{plain}\r\n")));
}

#[test]
fn what_is_no_tls_is_closed_and_said() {
    for backend in BACKENDS {
        let scene = Scene::new(&format!("tls-auth-clients no\nio-backend {backend}"));
        let mut plain = TcpStream::connect(("127.0.0.1", scene.port)).unwrap();
        plain.set_read_timeout(Some(PATIENCE)).unwrap();
        plain.write_all(b"PING\r\n").unwrap();
        let mut nothing = Vec::new();
        let read = plain.read_to_end(&mut nothing);
        assert!(read.is_ok() || read.unwrap_err().kind() == ErrorKind::ConnectionReset);
        assert_eq!(nothing, b"");
        wait_for("a line of the log", || {
            scene
                .server
                .log()
                .contains("failed: the client does not speak TLS")
        });
        // Nobody else notices.
        assert!(scene.serves(scene.authority.client(None)));
    }
}

#[test]
fn the_load_tool_speaks_it() {
    let scene = Scene::new("tls-auth-clients yes");
    let identity = scene.authority.sign("client", "client");
    let bench = |more: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["bench", "--tls", "-p", &scene.port.to_string(), "-q"])
            .args(["-n", "500", "-c", "5", "-r", "100", "--cacert"])
            .arg(scene.authority.file())
            .args(more)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    };
    let shown = [
        "--cert",
        &identity.certificate.display().to_string(),
        "--key",
        &identity.key.display().to_string(),
    ]
    .map(str::to_owned);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    for backend in ["epoll", "io_uring"] {
        // Without keeping connections each request has a handshake of its own.
        for rest in [
            &["-P", "16", "-t", "set,get"][..],
            &["-k", "0", "-t", "set"],
        ] {
            let (good, text) = bench(&[&shown[..], &["--io-backend", backend], rest].concat());
            assert!(good && text.contains("SET: "), "{backend} {rest:?}: {text}");
        }
    }
    let mut stream = scene.connect(scene.authority.client(Some(&identity)));
    let stats = ask(&mut stream, b"DBSIZE\r\n", 4);
    assert_ne!(stats, b":0\r\n");
    let (good, text) = bench(&["-t", "set"]);
    assert!(
        !good && text.contains("asking for the server's configuration"),
        "{text}"
    );
}

#[test]
fn a_handshake_that_stops_is_cut_off() {
    let scene = Scene::new("tls-auth-clients no");
    let mut slow = TcpStream::connect(("127.0.0.1", scene.port)).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.write_all(&[22, 3, 1, 0, 200]).unwrap();
    let since = Instant::now();
    let read = slow.read(&mut [0; 1]);
    assert!(matches!(read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    let took = since.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(20),
        "{took:?}"
    );
    wait_for("a line of the log", || {
        scene.server.log().contains("the handshake took too long")
    });
}

#[test]
fn a_half_closed_client_gets_all_its_replies() {
    for backend in BACKENDS {
        let scene = Scene::new(&format!("tls-auth-clients no\nio-backend {backend}"));
        let mut stream = scene.connect(scene.authority.client(None));
        let value = vec![b'v'; 300_000];
        assert_eq!(ask(&mut stream, &set("k", &value), 5), b"+OK\r\n");
        stream.write_all(&b"GET k\r\n".repeat(20)).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let mut all = Vec::new();
        // An end without the word for it would be an error.
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 20 * (value.len() + 11), "{backend}");
    }
}

#[test]
fn quit_and_a_stop_say_so() {
    let mut scene = Scene::new("tls-auth-clients no");
    let mut leaves = scene.connect(scene.authority.client(None));
    leaves.write_all(b"QUIT\r\n").unwrap();
    let mut all = Vec::new();
    leaves.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"+OK\r\n");
    let mut stays = scene.connect(scene.authority.client(None));
    assert!(answers(&mut stays));
    assert!(
        scene
            .server
            .client()
            .try_ask(&["SHUTDOWN", "NOSAVE"])
            .is_err()
    );
    all.clear();
    stays.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"");
    assert!(scene.server.wait().success());
}

#[test]
fn without_its_files_the_server_does_not_start() {
    let authority = Authority::new();
    let identity = authority.sign("server", "server");
    let other = authority.sign("other", "other");
    let mixed = Identity {
        key: other.key,
        ..identity.clone()
    };
    for (lines, why) in [
        (String::new(), "tls-auth-clients no"),
        (
            "--tls-auth-clients no".to_owned(),
            "tls-port needs tls-cert-file",
        ),
        (
            format!("{} --tls-auth-clients no", flags(&mixed)),
            "does not belong to the certificate",
        ),
        (
            format!("{} --tls-ca-cert-file /nowhere/ca", flags(&identity)),
            "cannot read /nowhere/ca",
        ),
    ] {
        let output = std::process::Command::new(common::PROGRAM)
            .args([
                "server",
                "--port",
                "0",
                "--tls-port",
                &free_port().to_string(),
            ])
            .args(lines.split_whitespace())
            .current_dir(Path::new("/"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success());
        assert!(
            text.contains("Failed to configure TLS") && text.contains(why),
            "{text}"
        );
    }
}

fn flags(identity: &Identity) -> String {
    format!(
        "--tls-cert-file {} --tls-key-file {}",
        identity.certificate.display(),
        identity.key.display()
    )
}

/// Runs `dunlin cli` with these words behind the port.
fn cli(port: u16, words: &[&str], input: &[u8]) -> (String, String, bool) {
    let mut child = std::process::Command::new(PROGRAM)
        .args(["cli", "-h", "127.0.0.1", "-p", &port.to_string()])
        .args(words)
        .env_remove("REDISCLI_AUTH")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || {
        // Who does not read its input ends before.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.success(),
    )
}

#[test]
fn the_command_line_client_speaks_it() {
    let scene = Scene::new("tls-auth-clients yes");
    let authority = scene.authority.file().display().to_string();
    let us = scene.authority.sign("us", "us");
    let certificate = us.certificate.display().to_string();
    let key = us.key.display().to_string();
    let shown = ["--tls", "--cert", &certificate, "--key", &key];
    let run = |words: &[&str], input: &[u8]| cli(scene.port, &[&shown, words].concat(), input);
    let trusting =
        |words: &[&str], input: &[u8]| run(&[&["--cacert", &authority], words].concat(), input);
    assert_eq!(trusting(&["PING"], b"").0, "PONG\n");
    // As many bytes as fill many records, in both directions, and a mode with a thread for each.
    let big = "x".repeat(1 << 20);
    assert_eq!(trusting(&["-x", "SET", "big"], big.as_bytes()).0, "OK\n");
    assert_eq!(trusting(&["GET", "big"], b"").0.trim_end(), big);
    let requests = "SET k v\r\n".repeat(50_000);
    let piped = trusting(&["--pipe"], requests.as_bytes());
    assert!(piped.0.contains("errors: 0, replies: 50000"), "{piped:?}");
    // The name counts if one is given, the one who vouches for it unless nothing does.
    assert_eq!(trusting(&["--sni", "localhost", "PING"], b"").0, "PONG\n");
    let misnamed = trusting(&["--sni", "example.org", "PING"], b"");
    assert!(
        !misnamed.2 && misnamed.1.contains("certificate"),
        "{misnamed:?}"
    );
    let other = Authority::new().file();
    let other_authority = Authority::new();
    let stranger = other_authority.file().display().to_string();
    let refused = run(&["--cacert", &stranger, "PING"], b"");
    assert!(
        !refused.2 && refused.1.contains("certificate"),
        "{refused:?}"
    );
    let missing = run(&["--cacert", &other.display().to_string(), "PING"], b"");
    assert!(
        !missing.2 && missing.1.contains("cannot read"),
        "{missing:?}"
    );
    assert_eq!(run(&["--insecure", "PING"], b"").0, "PONG\n");
    // Without a certificate of ours the server does not talk to us.
    assert!(!cli(scene.port, &["--tls", "--insecure", "PING"], b"").2);
    let alone = cli(scene.port, &["--tls", "--cert", &certificate, "PING"], b"");
    assert!(alone.1.contains("go together"), "{alone:?}");
    let url = format!("rediss://localhost:{}", scene.port);
    let by_url = [
        "--cert",
        &certificate,
        "--key",
        &key,
        "--cacert",
        &authority,
        "-u",
        &url,
    ];
    let by_url = cli(
        1,
        &[&by_url[..], &["-p", &scene.port.to_string(), "PING"]].concat(),
        b"",
    );
    assert_eq!(by_url.0, "PONG\n");
}
