//! The layer on the in-memory network, with rustls as the client: every way to cut the bytes, every end, every limit.

#[path = "common/certificates.rs"]
mod certificates;

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use certificates::{Authority, Identity};
use dunlin_reactor::backend::memory::{Client, Memory, Network};
use dunlin_reactor::{
    CloseReason, ConnId, EventLoop, Handler, Input, Io, Limits, Peer, Rope, Shared,
};
use dunlin_tls::{ClientCertificates, Password, ServerTls, SessionLimits, Settings};
use rustls::{ClientConnection, version};

/// What the handler does with a connection.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Habit {
    Echo,
    /// Sends a greeting before anything was received.
    Greet,
    /// The same, and closes.
    Refuse,
    /// Sends so many bytes for each byte that comes.
    Amplify(usize),
    /// Answers the first input and says that nothing will follow.
    Shut,
    /// Answers one byte in each turn, and asks for the rest.
    Nibble,
    /// Takes no input.
    Pause,
}

struct Server {
    tls: ServerTls,
    habit: Habit,
    closed: Vec<String>,
    received: Vec<u8>,
    most_memory: usize,
}

impl Handler for Server {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        io.add_layer(conn, self.tls.layer().unwrap());
        if matches!(self.habit, Habit::Greet | Habit::Refuse) {
            send(io, conn, b"hello");
        }
        if self.habit == Habit::Refuse {
            io.close_after_flush(conn);
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let (conn, n) = (input.conn(), input.bytes().len());
            if self.habit == Habit::Pause {
                io.pause_input(conn);
                continue;
            }
            if self.habit == Habit::Nibble && n > 0 {
                send(io, conn, &input.bytes()[..1]);
                input.consume(1);
                if n > 1 {
                    io.resume_input(conn);
                }
                continue;
            }
            self.received.extend_from_slice(input.bytes());
            match self.habit {
                Habit::Amplify(factor) => {
                    for _ in 0..n {
                        let mut rope = Rope::new();
                        rope.push_shared(Shared {
                            bytes: Arc::new(vec![b'x'; factor]),
                            start: 0,
                            end: factor,
                        });
                        io.send(conn, &mut rope);
                    }
                }
                _ => send(io, conn, input.bytes()),
            }
            if self.habit == Habit::Shut {
                io.shutdown_write(conn);
            }
            input.consume(n);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, why: CloseReason) {
        self.closed.push(format!("{why:?}"));
    }

    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        self.most_memory = self
            .most_memory
            .max(io.buffer_memory_bytes() - io.pooled_bytes());
        None
    }
}

fn send(io: &mut Io<'_>, conn: ConnId, bytes: &[u8]) {
    let mut reply = Rope::with_buffer(io.buffer());
    reply.tail().extend_from_slice(bytes);
    io.send(conn, &mut reply);
}

struct World {
    network: Network,
    event_loop: EventLoop<Memory>,
    server: Server,
    address: SocketAddr,
}

impl World {
    fn new(seed: u64, tls: ServerTls, habit: Habit, limits: Limits) -> World {
        let network = Network::new(seed);
        let address: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        let mut event_loop = EventLoop::new(network.backend(), limits);
        event_loop
            .add_listener(network.listen(address).unwrap())
            .unwrap();
        let server = Server {
            tls,
            habit,
            closed: Vec::new(),
            received: Vec::new(),
            most_memory: 0,
        };
        World {
            network,
            event_loop,
            server,
            address,
        }
    }

    fn client(&self, mut session: ClientConnection) -> TlsClient {
        // All that a test sends waits there for the handshake.
        session.set_buffer_limit(None);
        TlsClient {
            wire: self.network.connect(self.address).unwrap(),
            session,
            unsent: Vec::new(),
            got: Vec::new(),
            ended: false,
            failure: None,
        }
    }

    fn turn(&mut self) {
        if self.event_loop.is_runnable() {
            self.event_loop.run_once(&mut self.server).unwrap();
        }
        self.network.advance_ms(1);
    }

    /// Goes on until `done`, or for so long that it never will be.
    fn run(&mut self, client: &mut TlsClient, mut done: impl FnMut(&Server, &TlsClient) -> bool) {
        for _ in 0..200_000 {
            client.pump();
            if done(&self.server, client) {
                return;
            }
            self.turn();
        }
        panic!(
            "never: got {} bytes, failure {:?}, closed {:?}",
            client.got.len(),
            client.failure,
            self.server.closed
        );
    }
}

struct TlsClient {
    wire: Client,
    session: ClientConnection,
    unsent: Vec<u8>,
    got: Vec<u8>,
    /// The server said that nothing will follow, and its stream ended.
    ended: bool,
    failure: Option<String>,
}

impl TlsClient {
    fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = self.session.writer().write(rest).unwrap();
            rest = &rest[n..];
            self.take_records();
        }
    }

    fn take_records(&mut self) {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.unsent).unwrap();
        }
    }

    /// Moves what can be moved.
    fn pump(&mut self) {
        self.take_records();
        match self.wire.write(&self.unsent) {
            Ok(n) => drop(self.unsent.drain(..n)),
            Err(error) => self.fail(&error),
        }
        let mut wire = Vec::new();
        match self.wire.read(&mut wire, usize::MAX) {
            Ok(Some(0)) => self.ended = true,
            Ok(_) => {}
            Err(error) => self.fail(&error),
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() && self.failure.is_none() {
            self.session.read_tls(&mut rest).unwrap();
            match self.session.process_new_packets() {
                Ok(state) => {
                    let mut reader = self.session.reader();
                    while let Ok(chunk) = reader.fill_buf() {
                        let n = chunk.len();
                        if n == 0 {
                            break;
                        }
                        self.got.extend_from_slice(chunk);
                        reader.consume(n);
                    }
                    if state.peer_has_closed() {
                        break;
                    }
                }
                Err(error) => self.failure = Some(format!("{error:?}")),
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failure.get_or_insert(error.to_string());
    }

    /// The server closed as it should: with a word, and then the stream.
    fn was_told_end(&mut self) -> bool {
        // A reader answers with an end only if there was that word.
        self.ended && matches!(self.session.reader().fill_buf(), Ok([]))
    }
}

fn settings(authority: &Authority, server: &Identity, clients: ClientCertificates) -> Settings {
    Settings {
        certificate: server.certificate.clone(),
        key: server.key.clone(),
        key_password: None,
        trusted_file: Some(authority.file()),
        trusted_dir: None,
        clients,
        protocols: String::new(),
        ciphers: String::new(),
        ciphersuites: String::new(),
        prefer_our_order: false,
        sessions: Some(SessionLimits {
            sessions: 100,
            seconds: 300,
        }),
    }
}

fn plain_server(authority: &Authority) -> ServerTls {
    let identity = authority.sign("server", "server");
    ServerTls::new(&settings(authority, &identity, ClientCertificates::No)).unwrap()
}

/// Bytes that do not repeat soon.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut word = seed * 2 + 1;
    (0..len)
        .map(|_| {
            word = word
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (word >> 33) as u8
        })
        .collect()
}

#[test]
fn all_bytes_come_through_however_they_are_cut() {
    let authority = Authority::new();
    let tls = plain_server(&authority);
    for seed in 0..40 {
        let mut world = World::new(seed, tls.clone(), Habit::Echo, Limits::default());
        world
            .network
            .set_capacity_bytes([1, 7, 300, 5_000, 70_000][seed as usize % 5].max(1));
        let versions: &[_] = match seed % 2 {
            0 => &[&version::TLS13],
            _ => &[&version::TLS12],
        };
        let len = if seed % 5 < 2 { 3_000 } else { 150_000 };
        let sent = noise(len, seed);
        let mut client = world.client(authority.client_with(None, versions));
        for piece in sent.chunks(1 + seed as usize * 997 % 20_000) {
            client.send(piece);
        }
        world.run(&mut client, |_, client| client.got.len() >= len);
        assert!(client.got == sent, "seed {seed}");
        client.session.send_close_notify();
        world.run(&mut client, |server, _| !server.closed.is_empty());
        world.run(&mut client, |_, client| client.ended);
        assert_eq!(world.server.closed, ["Eof"], "seed {seed}");
        assert!(client.was_told_end(), "seed {seed}");
    }
}

#[test]
fn long_output_is_coded_piece_by_piece() {
    const FACTOR: usize = 3 << 20;
    let authority = Authority::new();
    let limits = Limits {
        output_turn_bytes: 100_000,
        ..Limits::default()
    };
    let tls = plain_server(&authority);
    let mut world = World::new(3, tls, Habit::Amplify(FACTOR), limits);
    world.network.set_capacity_bytes(30_000);
    let mut client = world.client(authority.client(None));
    client.send(b"??");
    world.run(&mut client, |_, client| client.got.len() == 2 * FACTOR);
    // The values are shared: what is owned is what was coded and not taken yet.
    let most = world.server.most_memory;
    assert!(most < 100_000 + 4 * 64 * 1024, "{most} bytes");
    assert!(client.got.iter().all(|byte| *byte == b'x'));
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
}

#[test]
fn what_is_sent_before_the_handshake_waits_for_it() {
    let authority = Authority::new();
    let mut world = World::new(1, plain_server(&authority), Habit::Greet, Limits::default());
    let mut client = world.client(authority.client(None));
    world.run(&mut client, |_, client| client.got == b"hello");
    assert!(world.server.closed.is_empty());
}

#[test]
fn who_is_refused_before_the_handshake_is_told_nothing() {
    let authority = Authority::new();
    let mut world = World::new(
        1,
        plain_server(&authority),
        Habit::Refuse,
        Limits::default(),
    );
    let mut client = world.client(authority.client(None));
    world.run(&mut client, |server, client| {
        !server.closed.is_empty() && (client.ended || client.failure.is_some())
    });
    assert_eq!(world.server.closed, ["Local"]);
    assert!(client.got.is_empty());
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
}

#[test]
fn a_handshake_has_its_time_and_no_more() {
    let authority = Authority::new();
    let limits = Limits {
        handshake_ms: 500,
        ..Limits::default()
    };
    let tls = plain_server(&authority);
    let mut world = World::new(1, tls, Habit::Echo, limits);
    let mut silent = world.network.connect(world.address).unwrap();
    let mut slow = world.network.connect(world.address).unwrap();
    let mut client = world.client(authority.client(None));
    client.send(b"ping");
    world.run(&mut client, |_, client| client.got == b"ping");
    // One byte of a record now and then is no handshake.
    for byte in [22, 3, 1, 0, 200, 1, 0, 0, 196, 3] {
        slow.write(&[byte]).unwrap();
        for _ in 0..40 {
            world.turn();
        }
    }
    for _ in 0..200 {
        world.turn();
    }
    assert_eq!(world.server.closed.len(), 2, "{:?}", world.server.closed);
    for reason in &world.server.closed {
        assert!(
            reason.contains("Layer") && reason.contains("TimedOut"),
            "{reason}"
        );
    }
    let mut nothing = Vec::new();
    assert!(matches!(silent.read(&mut nothing, 1), Ok(Some(0)) | Err(_)));
    client.send(b"pong");
    world.run(&mut client, |_, client| client.got == b"pingpong");
}

#[test]
fn plain_text_is_no_handshake() {
    let authority = Authority::new();
    let mut world = World::new(1, plain_server(&authority), Habit::Echo, Limits::default());
    let mut client = world.network.connect(world.address).unwrap();
    client.write(b"PING\r\n").unwrap();
    for _ in 0..20 {
        world.turn();
    }
    assert_eq!(world.server.closed.len(), 1);
    assert!(world.server.closed[0].contains("does not speak TLS"));
    assert!(world.server.received.is_empty());
}

#[test]
fn a_forged_record_ends_the_connection_with_an_alert() {
    let authority = Authority::new();
    let mut world = World::new(1, plain_server(&authority), Habit::Echo, Limits::default());
    let mut client = world.client(authority.client(None));
    client.send(b"ping");
    world.run(&mut client, |_, client| client.got == b"ping");
    client.send(b"forged");
    let last = client.unsent.len() - 1;
    client.unsent[last] ^= 1;
    world.run(&mut client, |server, client| {
        !server.closed.is_empty() && client.failure.is_some()
    });
    assert!(
        world.server.closed[0].contains("Layer"),
        "{:?}",
        world.server.closed
    );
    let failure = client.failure.unwrap();
    assert!(failure.contains("BadRecordMac"), "{failure}");
    assert_eq!(world.server.received, b"ping");
}

#[test]
fn a_half_closed_client_gets_its_answer() {
    let authority = Authority::new();
    for seed in 0..10 {
        let tls = plain_server(&authority);
        let mut world = World::new(seed, tls, Habit::Echo, Limits::default());
        let mut client = world.client(authority.client(None));
        client.send(b"first");
        world.run(&mut client, |_, client| client.got == b"first");
        client.send(b"last words");
        client.session.send_close_notify();
        world.run(&mut client, |_, client| client.ended);
        assert_eq!(client.got, b"firstlast words");
        assert!(client.was_told_end());
        assert_eq!(world.server.closed, ["Eof"]);
    }
}

/// The end may come in the record behind the last request, and be known before that was looked at.
#[test]
fn what_stands_before_the_end_is_answered_however_long_it_takes() {
    let authority = Authority::new();
    let tls = plain_server(&authority);
    let mut world = World::new(1, tls, Habit::Nibble, Limits::default());
    world.network.set_splitting(false);
    let mut client = world.client(authority.client(None));
    client.send(b"?");
    world.run(&mut client, |_, client| client.got == b"?");
    client.send(b"last words");
    client.session.send_close_notify();
    world.run(&mut client, |_, client| client.ended);
    assert_eq!(client.got, b"?last words");
}

#[test]
fn a_stream_that_ends_without_a_word_is_an_end() {
    let authority = Authority::new();
    let mut world = World::new(1, plain_server(&authority), Habit::Echo, Limits::default());
    let mut client = world.client(authority.client(None));
    client.send(b"ping");
    world.run(&mut client, |_, client| client.got == b"ping");
    client.wire.shutdown();
    for _ in 0..50 {
        world.turn();
    }
    assert_eq!(world.server.closed, ["Eof"]);
}

#[test]
fn our_half_can_be_closed_first() {
    let authority = Authority::new();
    let mut world = World::new(1, plain_server(&authority), Habit::Shut, Limits::default());
    let mut client = world.client(authority.client(None));
    client.send(b"first");
    world.run(&mut client, |_, client| client.ended);
    assert_eq!(client.got, b"first");
    assert!(client.was_told_end());
    client.send(b"second");
    world.run(&mut client, |server, _| server.received == b"firstsecond");
    client.wire.shutdown();
    world.run(&mut client, |server, _| !server.closed.is_empty());
    assert_eq!(world.server.closed, ["Eof"]);
}

#[test]
fn a_paused_connection_is_not_read_further() {
    let authority = Authority::new();
    let mut world = World::new(1, plain_server(&authority), Habit::Pause, Limits::default());
    world.network.set_capacity_bytes(10_000);
    let mut client = world.client(authority.client(None));
    client.send(&noise(1 << 20, 1));
    for _ in 0..2_000 {
        client.pump();
        world.turn();
    }
    assert!(client.unsent.len() > 900_000, "{}", client.unsent.len());
    assert!(
        world.server.most_memory < 300_000,
        "{}",
        world.server.most_memory
    );
}

#[test]
fn certificates_of_clients() {
    let authority = Authority::new();
    let other = Authority::new();
    let server = authority.sign("server", "server");
    let good = authority.sign("client", "client");
    let bad = other.sign("client", "client");
    for (asked, shown, served) in [
        (ClientCertificates::Required, Some(&good), true),
        (ClientCertificates::Required, Some(&bad), false),
        (ClientCertificates::Required, None, false),
        (ClientCertificates::Optional, Some(&good), true),
        (ClientCertificates::Optional, Some(&bad), false),
        (ClientCertificates::Optional, None, true),
        (ClientCertificates::No, Some(&bad), true),
        (ClientCertificates::No, None, true),
    ] {
        for version in [&version::TLS12, &version::TLS13] {
            let tls = ServerTls::new(&settings(&authority, &server, asked)).unwrap();
            let mut world = World::new(5, tls, Habit::Echo, Limits::default());
            let mut client = world.client(authority.client_with(shown, &[version]));
            client.session.writer().write_all(b"ping").unwrap();
            world.run(&mut client, |server, client| {
                client.got == b"ping" || (client.failure.is_some() && !server.closed.is_empty())
            });
            let what = format!("{asked:?}, {version:?}: {:?}", client.failure);
            assert_eq!(client.got == b"ping", served, "{what}");
            assert_eq!(world.server.received == b"ping", served, "{what}");
        }
    }
}

#[test]
fn a_crowd_of_handshakes_is_taken_a_few_at_a_time() {
    let authority = Authority::new();
    let limits = Limits {
        handshakes_per_turn: 2,
        ..Limits::default()
    };
    let mut world = World::new(1, plain_server(&authority), Habit::Echo, limits);
    world.network.set_splitting(false);
    let mut crowd: Vec<TlsClient> = (0..20)
        .map(|_| world.client(authority.client(None)))
        .collect();
    crowd.iter_mut().for_each(TlsClient::pump);
    let mut before = world.event_loop.stats().reads;
    for _ in 0..60 {
        world.event_loop.run_once(&mut world.server).unwrap();
        let reads = world.event_loop.stats().reads;
        assert!(reads - before <= 2, "{}", reads - before);
        before = reads;
    }
    for client in &mut crowd {
        client.send(b"ping");
        world.run(client, |_, client| client.got == b"ping");
    }
}

#[test]
fn sessions_are_resumed_if_they_may() {
    let authority = Authority::new();
    let server = authority.sign("server", "server");
    for (sessions, resumes) in [
        (
            Some(SessionLimits {
                sessions: 10,
                seconds: 300,
            }),
            true,
        ),
        (None, false),
    ] {
        let tls = ServerTls::new(&Settings {
            sessions,
            ..settings(&authority, &server, ClientCertificates::No)
        })
        .unwrap();
        let config = authority.client_config(None, &[&version::TLS13]);
        for round in 0..2 {
            let mut world = World::new(round, tls.clone(), Habit::Echo, Limits::default());
            let mut client = world.client(Authority::connection(&config));
            client.send(b"ping");
            world.run(&mut client, |_, client| client.got == b"ping");
            let kind = client.session.handshake_kind().unwrap();
            let was_resumed = kind == rustls::HandshakeKind::Resumed;
            assert_eq!(was_resumed, resumes && round == 1);
        }
    }
}

/// Made for this test by `openssl pkcs8 -topk8 -v2 aes256`, with the password 1234.
const ENCRYPTED_KEY: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjvmecmvZ/e8wICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEBQOLaCEgmzHdtaF/CWky2IEgZB7
VO6LZCOOY7Vg4S4MA+0ZEHiJBsMptwpzFo35z/za7X33PmgG/xW0kYSKUF7Jrcrs
RPtwVj4bmRpY1PjAm6SVgKlqOCDRz7fYCO554jv0LPZxZj5EbYmjMbu02Ouhly/q
i7kH7rDSiqSmUZ48hFCo2+NIr5y9ec7gUwEnwIcqLlMTGvgWmAr2P7CDBd7RhUs=
-----END ENCRYPTED PRIVATE KEY-----
";

/// The same key, not encrypted.
const PLAIN_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbBEktWYpOnXKOAOI
E7bH0JR2Vbl6SiocNVI+wrU5Q2WhRANCAAQJCJwPSy8oKxuzGHHCSjhZ4a6iSOnw
tfWT0hSO8K1ecJtWMojFMhNj24lDxxKWDz49QUS35IsDBVS2tVhnrbTM
-----END PRIVATE KEY-----
";

#[test]
fn a_key_with_a_password_serves() {
    let authority = Authority::new();
    let key = rcgen::KeyPair::from_pem(PLAIN_KEY).unwrap();
    let server = authority.sign_key("server", "server", &key);
    std::fs::write(&server.key, ENCRYPTED_KEY).unwrap();
    let tls = ServerTls::new(&Settings {
        key_password: Some(Password(b"1234".to_vec())),
        ..settings(&authority, &server, ClientCertificates::No)
    })
    .unwrap();
    let mut world = World::new(0, tls, Habit::Echo, Limits::default());
    let mut client = world.client(authority.client(None));
    client.send(b"ping");
    world.run(&mut client, |_, client| client.got == b"ping");
}

#[test]
fn what_cannot_be_is_refused_with_its_name() {
    let authority = Authority::new();
    let server = authority.sign("server", "server");
    let client = authority.sign("client", "client");
    let base = settings(&authority, &server, ClientCertificates::Required);
    let refusal = |settings: &Settings| ServerTls::new(settings).unwrap_err().to_string();
    let nowhere = authority.directory.join("nowhere");
    let written = |name: &str, text: &str| {
        let path = authority.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let encrypted = written("encrypted.key", ENCRYPTED_KEY);
    let traditional = written(
        "traditional.key",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMA==\n-----END RSA PRIVATE KEY-----\n",
    );
    for (settings, words) in [
        (
            Settings {
                certificate: nowhere.clone(),
                ..base.clone()
            },
            "nowhere: No such file",
        ),
        (
            Settings {
                certificate: server.key.clone(),
                ..base.clone()
            },
            "holds no certificate",
        ),
        (
            Settings {
                key: server.certificate.clone(),
                ..base.clone()
            },
            "holds no private key",
        ),
        (
            Settings {
                key: client.key.clone(),
                ..base.clone()
            },
            "does not belong to the certificate",
        ),
        (
            Settings {
                key: encrypted.clone(),
                ..base.clone()
            },
            "is encrypted: name its password",
        ),
        (
            Settings {
                key: encrypted.clone(),
                key_password: Some(Password(b"1235".to_vec())),
                ..base.clone()
            },
            "cannot be decrypted by the password",
        ),
        (
            Settings {
                key: encrypted,
                key_password: Some(Password(b"1234".to_vec())),
                ..base.clone()
            },
            "does not belong to the certificate",
        ),
        (
            Settings {
                key: traditional,
                ..base.clone()
            },
            "openssl pkcs8 -topk8",
        ),
        (
            Settings {
                trusted_file: None,
                ..base.clone()
            },
            "no trusted certificates",
        ),
        (
            Settings {
                protocols: "TLSv1.1".to_owned(),
                ..base.clone()
            },
            "TLSv1.1 is not supported",
        ),
        (
            Settings {
                protocols: "TLSv1.3".to_owned(),
                ciphersuites: "TLS_AES_128_GCM_SHA256:!TLS_AES_128_GCM_SHA256".to_owned(),
                ..base.clone()
            },
            "no cipher is left",
        ),
    ] {
        let text = refusal(&settings);
        assert!(text.contains(words), "{text}");
    }
    let by_directory = Settings {
        trusted_file: None,
        trusted_dir: Some(authority.directory.clone()),
        ..base
    };
    assert!(ServerTls::new(&by_directory).is_ok());
}
