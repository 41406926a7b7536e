//! A genuine redis-server on a free port of the loopback, for tests that compare.
//!
//! Debian's redis-tools brings it: redis-check-rdb is the same program, and is the server when called by that name. That one is of
//! version 7.0; `DUNLIN_GENUINE=/path/to/redis-server` names another, and with one of version 7.2 what 7.2 brought is compared, too.

// The engine itself may neither wait nor talk to the world; this test's business is to do both.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dunlin_resp::{ReplyLimits, ReplyParser, Value};

use super::commands::{Request, words};

/// How often a connection is tried before the server counts as not starting, and the pause between.
const CONNECT_TRIES: u32 = 200;
const CONNECT_PAUSE: Duration = Duration::from_millis(25);

/// Set by `cargo xtask ci`: a server that is missing is a failure then.
const REQUIRED: &str = "DUNLIN_REQUIRE_PEERS";

/// A server that is stopped when this is dropped, and a connection to it.
pub(crate) struct Genuine {
    server: Child,
    stream: TcpStream,
    parser: ReplyParser,
    input: Vec<u8>,
    /// Major and minor version.
    pub(crate) version: (u32, u32),
}

impl Genuine {
    /// Starts a server; `None`, with the reason printed, where there is no such program and none is required.
    pub(crate) fn start() -> Option<Genuine> {
        Genuine::start_in(&std::env::temp_dir(), &[])
    }

    /// The same in a directory, whose `dump.rdb` or `appendonlydir` it loads, with further arguments.
    pub(crate) fn start_in(dir: &Path, args: &[&str]) -> Option<Genuine> {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = probe.local_addr().expect("a bound port").port();
        drop(probe);
        let started = Command::new(program())
            .arg0("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--enable-debug-command", "yes"])
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = match started {
            Ok(server) => server,
            Err(why) => {
                assert!(
                    std::env::var_os(REQUIRED).is_none(),
                    "{REQUIRED} is set, and there is no redis-check-rdb of redis-tools ({why})"
                );
                eprintln!("skipped: no redis-check-rdb of redis-tools here ({why})");
                return None;
            }
        };
        // Made before the first try, so that the server is stopped whatever happens.
        let guard = KillOnDrop(Some(server));
        for _ in 0..CONNECT_TRIES {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.set_nodelay(true).expect("a connected socket");
                let parser = ReplyParser::new(ReplyLimits::default());
                let mut genuine = Genuine {
                    server: guard.disarm(),
                    stream,
                    parser,
                    input: Vec::new(),
                    version: (0, 0),
                };
                genuine.wait_until_loaded();
                genuine.version = genuine.ask_version();
                return Some(genuine);
            }
            std::thread::sleep(CONNECT_PAUSE);
        }
        panic!("the server does not answer on port {port}");
    }

    /// Sends a command and waits for its reply.
    pub(crate) fn call(&mut self, request: &Request) -> Value {
        let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
        for arg in request {
            bytes.extend(format!("${}\r\n", arg.len()).bytes());
            bytes.extend(arg);
            bytes.extend(b"\r\n");
        }
        self.stream.write_all(&bytes).expect("the server reads");
        loop {
            let decoded = self
                .parser
                .feed(&self.input)
                .expect("the server speaks RESP");
            self.input.drain(..decoded.consumed);
            if let Some(value) = decoded.value {
                return value;
            }
            let mut chunk = [0; 16 * 1024];
            let len = self.stream.read(&mut chunk).expect("the server answers");
            assert!(len > 0, "the server hung up");
            self.input.extend(&chunk[..len]);
        }
    }

    fn wait_until_loaded(&mut self) {
        while let Value::Error(why) = self.type_in("DBSIZE") {
            assert!(why.starts_with(b"LOADING"), "{}", why.escape_ascii());
            std::thread::sleep(CONNECT_PAUSE);
        }
    }

    fn ask_version(&mut self) -> (u32, u32) {
        let Value::Bulk(info) = self.type_in("INFO server") else {
            panic!("INFO answers text")
        };
        let info = String::from_utf8_lossy(&info);
        let version = info
            .split_once("redis_version:")
            .expect("INFO has the version")
            .1;
        let mut numbers = version.split('.').map(|n| n.parse().expect("a number"));
        let mut next = || numbers.next().expect("two numbers and more");
        (next(), next())
    }

    /// Whether it is of the version whose behaviour is ours.
    pub(crate) fn is_7_2(&self) -> bool {
        let is_7_2 = self.version == (7, 2);
        if !is_7_2 {
            eprintln!("not compared with a server of version {:?}", self.version);
        }
        is_7_2
    }

    /// A command as a person types it.
    pub(crate) fn type_in(&mut self, line: &str) -> Value {
        self.call(&words(line))
    }
}

impl Drop for Genuine {
    fn drop(&mut self) {
        stop(&mut self.server);
    }
}

/// The program, which is also redis-check-aof and redis-check-rdb when called so.
pub(crate) fn program() -> String {
    std::env::var("DUNLIN_GENUINE").unwrap_or("redis-check-rdb".into())
}

struct KillOnDrop(Option<Child>);

impl KillOnDrop {
    fn disarm(mut self) -> Child {
        self.0.take().expect("armed until now")
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            stop(child);
        }
    }
}

fn stop(server: &mut Child) {
    // It may have ended by itself; then there is nothing to stop.
    let _ = server.kill();
    let _ = server.wait();
}

/// Decodes one whole reply.
pub(crate) fn decode(reply: &[u8]) -> Value {
    let decoded = ReplyParser::new(ReplyLimits::default())
        .feed(reply)
        .expect("the engine speaks RESP");
    assert_eq!(decoded.consumed, reply.len(), "one reply");
    decoded.value.expect("a whole reply")
}
