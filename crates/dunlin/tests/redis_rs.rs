//! redis-rs against the binary, over RESP2 and RESP3, TCP and a Unix socket. The other clients are in tests/clients.

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{
    Client, Commands, Connection, ConnectionLike, ErrorKind, RedisError, RedisResult,
    ServerErrorKind, Value, pipe,
};

const PASSWORD: &str = "a-password";
/// Beyond the reactor's buffers and a string's chunks.
const BIG_BYTES: usize = 8 << 20;
/// How often the server is tried until it must answer, and the pause between.
const CONNECT_TRIES: u32 = 400;
const CONNECT_PAUSE: Duration = Duration::from_millis(25);

/// The binary, listening on a free port and on a Unix socket in a folder of its own.
struct Server {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let folder = std::env::temp_dir().join(format!("dunlin-redis-rs-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--port", &port.to_string(), "--unixsocket", "socket"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server {
            child,
            folder,
            port,
        };
        for _ in 0..CONNECT_TRIES {
            if server.place("redis", 2, "").get_connection().is_ok() {
                return server;
            }
            std::thread::sleep(CONNECT_PAUSE);
        }
        panic!("no answer on port {port}");
    }

    /// A client of the TCP socket or, by `scheme`, of the Unix socket; `password` may be empty.
    fn place(&self, scheme: &str, protocol: u8, password: &str) -> Client {
        let address = match (scheme, password) {
            ("unix", _) => format!(
                "redis+unix://{}/socket?protocol={protocol}{}",
                self.folder.display(),
                if password.is_empty() {
                    String::new()
                } else {
                    format!("&pass={password}")
                }
            ),
            (_, "") => format!("redis://127.0.0.1:{}/?protocol={protocol}", self.port),
            _ => format!(
                "redis://:{password}@127.0.0.1:{}/?protocol={protocol}",
                self.port
            ),
        };
        Client::open(address).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs a check over both protocols and both sockets, each time on an empty dataset.
fn everywhere(check: impl Fn(&mut Connection, &Client)) {
    let server = Server::start();
    for protocol in [2, 3] {
        for scheme in ["redis", "unix"] {
            let client = server.place(scheme, protocol, "");
            let mut connection = client.get_connection().unwrap();
            redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
            check(&mut connection, &client);
        }
    }
}

fn code(error: &RedisError) -> &str {
    error.code().unwrap_or_default()
}

#[test]
fn values_of_all_types() {
    everywhere(|c, _| {
        let bytes = b"\0\r\n$1\r\n\xff".to_vec();
        c.set::<_, _, ()>("k", &bytes).unwrap();
        assert_eq!(c.get::<_, Vec<u8>>("k").unwrap(), bytes);
        assert_eq!(c.incr::<_, _, i64>("n", 5).unwrap(), 5);
        assert_eq!(c.incr::<_, _, f64>("n", 0.5).unwrap(), 5.5);
        assert_eq!(c.get::<_, Option<String>>("nosuch").unwrap(), None);
        assert_eq!(c.rpush::<_, _, i64>("l", &[1, 2, 3]).unwrap(), 3);
        assert_eq!(c.lrange::<_, Vec<i64>>("l", 0, -1).unwrap(), [1, 2, 3]);
        c.hset_multiple::<_, _, _, ()>("h", &[("a", 1), ("b", 2)])
            .unwrap();
        let all: HashMap<String, i64> = c.hgetall("h").unwrap();
        assert_eq!(all, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
        assert_eq!(c.sadd::<_, _, i64>("s", &["a", "b"]).unwrap(), 2);
        let members: HashSet<String> = c.smembers("s").unwrap();
        assert_eq!(members, HashSet::from(["a".into(), "b".into()]));
        c.zadd_multiple::<_, _, _, ()>("z", &[(1.5, "a"), (f64::INFINITY, "b")])
            .unwrap();
        let scored: Vec<(String, f64)> = c.zrange_withscores("z", 0, -1).unwrap();
        assert_eq!(scored, [("a".into(), 1.5), ("b".into(), f64::INFINITY)]);
    });
}

#[test]
fn transactions_and_conflicts() {
    everywhere(|c, client| {
        let (set, count, text): (String, i64, String) = pipe()
            .atomic()
            .set("k", 1)
            .incr("k", 1)
            .get("k")
            .query(c)
            .unwrap();
        assert_eq!((set.as_str(), count, text.as_str()), ("OK", 2, "2"));
        let mut many = pipe();
        for i in 0..5000 {
            many.set(format!("many:{i}"), i).ignore();
        }
        many.exec(c).unwrap();
        let mut other = client.get_connection().unwrap();
        let mut tries = 0;
        let (sum,): (i64,) = redis::transaction(c, &["w"], |c, pipe| {
            let old: i64 = c.get::<_, Option<i64>>("w")?.unwrap_or(0);
            tries += 1;
            if tries == 1 {
                // Once too late, then tried again.
                other.set::<_, _, ()>("w", 40)?;
            }
            pipe.incr("w", old + 2).query(c)
        })
        .unwrap();
        assert_eq!((sum, tries), (82, 2));
        let refused: RedisResult<()> = pipe().atomic().cmd("GET").query(c);
        let refused = refused.unwrap_err();
        assert!(
            refused.to_string().contains("wrong number of arguments"),
            "{refused}"
        );
        assert_eq!(c.get::<_, i64>("w").unwrap(), 82);
    });
}

#[test]
fn iterators() {
    everywhere(|c, _| {
        let mut fill = pipe();
        for i in 0..2000 {
            fill.set(format!("scan:{i}"), i).ignore();
            fill.sadd("set", i).ignore();
            fill.hset("hash", i, i).ignore();
            fill.zadd("zset", i, i).ignore();
        }
        fill.exec(c).unwrap();
        let keys: Vec<String> = c
            .scan_match("scan:*")
            .unwrap()
            .collect::<RedisResult<_>>()
            .unwrap();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 2000);
        let members: HashSet<i64> = c.sscan("set").unwrap().collect::<RedisResult<_>>().unwrap();
        assert_eq!(members, (0..2000).collect());
        let pairs: Vec<(i64, i64)> = c
            .hscan("hash")
            .unwrap()
            .collect::<RedisResult<_>>()
            .unwrap();
        assert!(pairs.len() == 2000 && pairs.iter().all(|(field, value)| field == value));
        let scored: Vec<(i64, f64)> = c
            .zscan("zset")
            .unwrap()
            .collect::<RedisResult<_>>()
            .unwrap();
        assert!(scored.len() == 2000 && scored.iter().all(|(m, score)| *m as f64 == *score));
    });
}

#[test]
fn big_values() {
    everywhere(|c, _| {
        let big: Vec<u8> = (0..BIG_BYTES).map(|i| ((i * i) >> 7) as u8).collect();
        c.set::<_, _, ()>("big", &big).unwrap();
        assert!(c.get::<_, Vec<u8>>("big").unwrap() == big);
        assert_eq!(c.strlen::<_, usize>("big").unwrap(), BIG_BYTES);
        let part: Vec<u8> = c.getrange("big", 65_530, 65_549).unwrap();
        assert_eq!(part, big[65_530..65_550]);
    });
}

#[test]
fn errors_have_their_codes() {
    everywhere(|c, _| {
        c.set::<_, _, ()>("k", "v").unwrap();
        let wrong_type = c.lpush::<_, _, i64>("k", 1).unwrap_err();
        assert_eq!(code(&wrong_type), "WRONGTYPE");
        let no_number = c.incr::<_, _, i64>("k", 1).unwrap_err();
        assert_eq!(
            no_number.kind(),
            ErrorKind::Server(ServerErrorKind::ResponseError)
        );
        assert!(no_number.to_string().contains("not an integer"));
        let unknown = redis::cmd("NOSUCH").query::<Value>(c).unwrap_err();
        assert!(unknown.to_string().contains("unknown command"));
        assert_eq!(c.get::<_, String>("k").unwrap(), "v");
    });
}

#[test]
fn messages_of_channels_and_patterns() {
    everywhere(|c, client| {
        let mut listener = client.get_connection().unwrap();
        listener
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut listener = listener.as_pubsub();
        listener.subscribe(&["a", "b"]).unwrap();
        listener.psubscribe("n[ew]*").unwrap();
        let big = "x".repeat(BIG_BYTES);
        for (channel, message, receivers) in [
            ("a", "one", 1),
            ("news", "two", 1),
            ("none", "three", 0),
            ("b", big.as_str(), 1),
        ] {
            assert_eq!(c.publish::<_, _, i64>(channel, message).unwrap(), receivers);
        }
        for (channel, text, pattern) in [
            ("a", "one", None),
            ("news", "two", Some("n[ew]*")),
            ("b", big.as_str(), None),
        ] {
            let message = listener.get_message().unwrap();
            assert_eq!(message.get_channel_name(), channel);
            assert!(message.get_payload::<String>().unwrap() == text);
            assert_eq!(
                message.get_pattern::<Option<String>>().unwrap().as_deref(),
                pattern
            );
        }
        listener.unsubscribe("a").unwrap();
        assert_eq!(c.publish::<_, _, i64>("a", "four").unwrap(), 0);
        assert_eq!(c.publish::<_, _, i64>("b", "five").unwrap(), 1);
        assert_eq!(listener.get_message().unwrap().get_channel_name(), "b");
    });
}

#[test]
fn a_password_is_asked_for() {
    let server = Server::start();
    let mut c = server.place("redis", 2, "").get_connection().unwrap();
    let set = |c: &mut Connection, password: &str| {
        redis::cmd("CONFIG")
            .arg("SET")
            .arg("requirepass")
            .arg(password)
            .exec(c)
            .unwrap();
    };
    set(&mut c, PASSWORD);
    for protocol in [2, 3] {
        for scheme in ["redis", "unix"] {
            let connect = |password| server.place(scheme, protocol, password).get_connection();
            let without = connect("").and_then(|mut c| c.get::<_, Option<String>>("k"));
            assert_eq!(code(&without.unwrap_err()), "NOAUTH");
            let Err(wrong) = connect("no") else {
                panic!("a wrong password is taken")
            };
            // By AUTH, or by HELLO in RESP3.
            let is_refusal = wrong.kind() == ErrorKind::AuthenticationFailed;
            assert!(is_refusal || code(&wrong) == "WRONGPASS", "{wrong}");
            assert!(connect(PASSWORD).unwrap().check_connection());
        }
    }
    set(&mut c, "");
    assert!(
        server
            .place("redis", 3, "")
            .get_connection()
            .unwrap()
            .check_connection()
    );
}
