//! The admin port over real sockets: what is served, and what becomes of what is no request that it serves.
//!
//! Invariant: whatever is refused gets a status and is closed, and a PING on the data port is answered meanwhile.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use common::{PATIENCE, PROGRAM, Server, free_port, scratch};

/// A server with an admin port.
struct Admin {
    server: Server,
    port: u16,
}

/// An HTTP answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// The head, in lower case.
    head: String,
    body: String,
}

impl Admin {
    fn start(lines: &str) -> Admin {
        let port = free_port();
        let server = Server::start(&format!("admin-port {port}\n{lines}"));
        Admin { server, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes as they are, and reads all answers up to the end of the connection.
    fn raw(&self, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
        let mut stream = self.connect();
        // Whoever is refused early may find the connection closed.
        let _ = stream.write_all(bytes.as_ref());
        all_answers(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    fn get_with(&self, path: &str, headers: &str) -> Answer {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        one(self.raw(request))
    }

    fn command(&self, body: &str) -> Answer {
        one(self.raw(post("/api/command", "", body)))
    }

    /// Refused with this status, closed, and the data port goes on.
    fn refuses(&self, status: u16, bytes: impl AsRef<[u8]>) {
        let shown =
            String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(100)]).into_owned();
        let mut data = self.server.client();
        let mut stream = self.connect();
        let _ = stream.write_all(bytes.as_ref());
        // Of a server with a password, that one is missing is an answer, too.
        let answer = data.ask("PING");
        assert!(
            answer == "PONG" || answer.starts_with("-NOAUTH"),
            "{answer}"
        );
        // The end of the answers is the end of the connection: it was closed.
        let answer = one(all_answers(&mut stream));
        assert_eq!(answer.status, status, "{shown}: {answer:?}");
        assert!(
            answer.head.contains("\r\nconnection: close"),
            "{shown}: {answer:?}"
        );
        assert!(answer.body.contains("error"), "{answer:?}");
    }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn one(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

fn all_answers(stream: &mut TcpStream) -> Vec<Answer> {
    let mut bytes = Vec::new();
    // A reset behind the answer is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    let mut text = String::from_utf8(bytes).unwrap();
    let mut answers = Vec::new();
    while !text.is_empty() {
        let (answer, rest) = first(&text);
        answers.push(answer);
        text = rest;
    }
    answers
}

fn first(text: &str) -> (Answer, String) {
    let (head, rest) = text.split_once("\r\n\r\n").expect("a whole head");
    let head = head.to_lowercase();
    let status = head.strip_prefix("http/1.1 ").unwrap()[..3]
        .parse()
        .unwrap();
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse::<usize>().unwrap());
    let (body, rest) = rest.split_at(length);
    let answer = Answer {
        status,
        head,
        body: body.to_owned(),
    };
    (answer, rest.to_owned())
}

fn head(lines: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

#[test]
fn the_server_is_alive_and_ready() {
    let admin = Admin::start("");
    for path in ["/healthz", "/readyz"] {
        let answer = admin.get(path);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "ok\n"),
            "{path}"
        );
        assert!(answer.head.contains("cache-control: no-store"));
        assert!(answer.head.contains("x-content-type-options: nosniff"));
        assert!(!answer.head.contains("access-control"));
    }
    let answer = admin.get("/nothing");
    assert_eq!(answer.status, 404);
    let answer = one(admin.raw(post("/healthz", "", "{}")));
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("\r\nallow: get, head"));
    let answer =
        one(admin.raw("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert_eq!(answer.status, 405);
}

#[test]
fn loading_and_stopping_are_not_ready() {
    let mut admin = Admin::start("enable-debug-command yes\nkey-load-delay 2000\nsave 100000 1");
    let mut client = admin.server.client();
    assert_eq!(client.ask("DEBUG POPULATE 3000"), "OK");
    let reload = std::thread::spawn(move || client.ask("DEBUG RELOAD"));
    common::wait_for("the loading", || admin.get("/readyz").status == 503);
    let answer = admin.get("/readyz");
    if answer.status == 503 {
        assert_eq!(answer.body, "loading the dataset\n");
    }
    assert_eq!(admin.get("/healthz").status, 200);
    assert_eq!(reload.join().unwrap(), "OK");
    assert_eq!(admin.get("/readyz").status, 200);
    admin.server.child.kill().unwrap();
    admin.server.wait();
}

#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let admin = Admin::start("");
    let mut stream = admin.connect();
    let paths = ["/healthz", "/x", "/api/clients", "/readyz", "/y"];
    let mut pipeline = String::new();
    for path in paths.iter().cycle().take(200) {
        pipeline += &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    pipeline += "HEAD /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    stream.write_all(pipeline.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let mut text = String::from_utf8(bytes).unwrap();
    for path in paths.iter().cycle().take(200) {
        let (answer, rest) = first(&text);
        let expected = if ["/x", "/y"].contains(path) {
            404
        } else {
            200
        };
        assert_eq!(answer.status, expected, "{path}");
        assert!(!answer.head.contains("connection: close"));
        text = rest;
    }
    // The answer to HEAD has the length of a body that does not come.
    assert!(
        text.starts_with("HTTP/1.1 200 OK") && text.ends_with("\r\n\r\n"),
        "{text}"
    );
    assert!(text.contains("Content-Length: 3\r\n") && text.contains("Connection: close"));
}

#[test]
fn a_request_may_come_in_pieces() {
    let admin = Admin::start("");
    let mut stream = admin.connect();
    stream.set_nodelay(true).unwrap();
    let body = r#"{"arguments": ["ECHO", "hello"]}"#;
    let request = post("/api/command", "Expect: 100-continue\r\n", body);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    for byte in format!("{head}\r\n\r\n").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    for byte in body.bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    // A client that closes its side waits for its answer all the same.
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = one(all_answers(&mut stream));
    assert_eq!(answer.body, r#"{"reply":{"type":"bulk","value":"hello"}}"#);
}

#[test]
fn what_is_no_request_is_refused() {
    let admin = Admin::start("");
    let long = "x".repeat(9_000);
    admin.refuses(431, head(&format!("X: {long}\r\n")));
    admin.refuses(431, format!("GET /{long}"));
    admin.refuses(431, head(&"X: y\r\n".repeat(70)));
    admin.refuses(400, "GET /healthz\r\n");
    admin.refuses(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    admin.refuses(505, "GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n");
    admin.refuses(400, "*1\r\n$4\r\nPING\r\n");
    admin.refuses(400, b"\x16\x03\x01\x02\x00\x01\x00\x01");
    admin.refuses(400, "GET /healthz HTTP/1.1\r\n\r\n");
    admin.refuses(400, "GET /healthz HTTP/1.1\nHost: localhost\n\n");
    admin.refuses(400, head("X: a\r\n b\r\n"));
    admin.refuses(400, head("X : a\r\n"));
    admin.refuses(400, head("Host: localhost\r\n"));
    admin.refuses(417, head("Expect: gifts\r\n"));
    // Half a request, and the end.
    let mut stream = admin.connect();
    stream.write_all(b"GET /healthz HT").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(one(all_answers(&mut stream)).status, 400);
}

#[test]
fn paths_have_one_spelling() {
    let admin = Admin::start("");
    for path in [
        "/%2e%2e/healthz",
        "/../healthz",
        "/./healthz",
        "//healthz",
        "/a//healthz",
        "/%68ealthz",
        "/healthz%00",
        "\\healthz",
        "/a\\..\\healthz",
        "http://localhost/healthz",
        "*",
        "localhost:80",
        "/h\u{e9}althz",
        "/healthz#x",
        "/healthz\0",
    ] {
        admin.refuses(
            400,
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        );
    }
    assert_eq!(admin.get("/healthz/").status, 404);
    assert_eq!(admin.get("/healthz?a=%2e%2e").status, 200);
}

#[test]
fn nothing_can_be_smuggled() {
    let admin = Admin::start("");
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let request = |headers: &str| {
        format!(
            "POST /api/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{smuggled}"
        )
    };
    for headers in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 44",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0, 44",
        "Content-Length: +0",
        "Content-Length: 0x0",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length : 0",
        "Content-Length: 0\r\nTransfer-Encoding : chunked",
        "Content-Length: 0\r\n Transfer-Encoding: chunked",
        "Content-Length: 0\nTransfer-Encoding: chunked",
        "Content-Length: 0\rTransfer-Encoding: chunked",
    ] {
        admin.refuses(400, request(headers));
    }
    admin.refuses(501, request("Transfer-Encoding: chunked"));
    admin.refuses(501, request("Transfer-Encoding: identity"));
    admin.refuses(411, request("X: y"));
    admin.refuses(413, request("Content-Length: 1048577"));
    admin.refuses(413, request("Content-Length: 99999999999999999999999"));
    admin.refuses(400, format!("{}{smuggled}", head("Content-Length: 44\r\n")));
}

#[test]
fn slow_requests_are_ended() {
    let admin = Admin::start("");
    let since = Instant::now();
    let mut slow_head = admin.connect();
    slow_head
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: loc")
        .unwrap();
    let mut silent = admin.connect();
    // Bytes now and then do not help: a head has its time.
    let mut dripping = admin.connect();
    dripping
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    dripping.write_all(b"GET /").unwrap();
    let mut data = admin.server.client();
    let mut bytes = Vec::new();
    while dripping.read_to_end(&mut bytes).is_err() {
        let _ = dripping.write_all(b"x");
        assert_eq!(data.ask("PING"), "PONG");
        assert!(since.elapsed() < PATIENCE);
    }
    assert!(bytes.starts_with(b"HTTP/1.1 408 "), "{bytes:?}");
    assert!(since.elapsed() > Duration::from_secs(9));
    assert_eq!(one(all_answers(&mut slow_head)).status, 408);
    assert!(
        all_answers(&mut silent).is_empty(),
        "nothing asked, nothing said"
    );
}

#[test]
fn connections_have_a_limit() {
    let admin = Admin::start("");
    let all: Vec<TcpStream> = (0..64).map(|_| admin.connect()).collect();
    let mut one_more = admin.connect();
    assert_eq!(one(all_answers(&mut one_more)).status, 503);
    assert_eq!(admin.server.client().ask("PING"), "PONG");
    drop(all);
    common::wait_for("room for another", || {
        let mut stream = admin.connect();
        let _ = stream.write_all(head("Connection: close\r\n").as_bytes());
        one(all_answers(&mut stream)).status == 200
    });
}

#[test]
fn commands_are_run_as_a_client_would() {
    let admin = Admin::start("");
    let mut client = admin.server.client();
    assert_eq!(client.ask("SET k v"), "OK");
    assert_eq!(client.ask("HSET h f 1"), "1");
    let ask = |body: &str| {
        let answer = admin.command(body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    assert_eq!(
        ask(r#"{"db":0,"arguments":["GET","k"]}"#),
        r#"{"reply":{"type":"bulk","value":"v"}}"#
    );
    assert_eq!(
        ask(r#"{"db":1,"arguments":["get",{"base64":"aw=="}]}"#),
        r#"{"reply":{"type":"null","value":null}}"#
    );
    assert_eq!(
        ask(r#"{"arguments":["HGETALL","h"]}"#),
        r#"{"reply":{"type":"map","value":[[{"type":"bulk","value":"f"},{"type":"bulk","value":"1"}]]}}"#
    );
    let error = ask(r#"{"arguments":["LLEN","k"]}"#);
    assert!(
        error.contains(r#""type":"error""#) && error.contains("WRONGTYPE"),
        "{error}"
    );
    assert!(ask(r#"{"db":99,"arguments":["GET","k"]}"#).contains("out of range"));
    assert!(ask(r#"{"arguments":["NOSUCH"]}"#).contains("unknown command"));
    for bad in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"arguments":[]}"#,
        r#"{"arguments":[1]}"#,
        r#"{"db":-1,"arguments":["PING"]}"#,
    ] {
        assert_eq!(admin.command(bad).status, 400, "{bad}");
    }
    for refused in [
        r#"["MULTI"]"#,
        r#"["SUBSCRIBE","c"]"#,
        r#"["MONITOR"]"#,
        r#"["BLPOP","k","0"]"#,
    ] {
        assert_eq!(
            admin
                .command(&format!(r#"{{"arguments":{refused}}}"#))
                .status,
            400,
            "{refused}"
        );
    }
    let write = r#"{"arguments":["SET","k","w"]}"#;
    let answer = admin.command(write);
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.contains("admin-allow-writes"),
        "{}",
        answer.body
    );
    assert_eq!(client.ask("GET k"), "v");
    assert_eq!(client.ask("CONFIG SET admin-allow-writes yes"), "OK");
    assert_eq!(
        admin.command(write).body,
        r#"{"reply":{"type":"simple","value":"OK"}}"#
    );
    assert_eq!(client.ask("GET k"), "w");
}

#[test]
fn a_connection_keeps_its_lane_and_a_killed_one_is_told_of() {
    let admin = Admin::start("admin-allow-writes yes\nenable-debug-command yes");
    let mut stream = admin.connect();
    let body = r#"{"db":3,"arguments":["INCR","n"]}"#;
    let request = post("/api/command", "", body).replace("Connection: close\r\n", "");
    let last = post("/api/command", "", body);
    stream
        .write_all(format!("{request}{request}{last}").as_bytes())
        .unwrap();
    let bodies: Vec<String> = all_answers(&mut stream)
        .into_iter()
        .map(|a| a.body)
        .collect();
    let expected = [1, 2, 3].map(|n| format!(r#"{{"reply":{{"type":"integer","value":{n}}}}}"#));
    assert_eq!(bodies, expected);
    let mut client = admin.server.client();
    common::wait_for("that lane to end", || {
        !client.ask("CLIENT LIST").contains("name=admin-port")
    });
    // One that runs for long is killed with its connection.
    let mut stream = admin.connect();
    let body = r#"{"arguments":["DEBUG","SLEEP","20"]}"#;
    stream
        .write_all(post("/api/command", "", body).as_bytes())
        .unwrap();
    common::wait_for("the lane", || {
        client.ask("CLIENT LIST").contains("name=admin-port")
    });
    assert_eq!(
        admin.get("/healthz").status,
        200,
        "nobody waits but who asked"
    );
    let list = client.ask("CLIENT LIST");
    let line = list
        .lines()
        .find(|line| line.contains("name=admin-port"))
        .unwrap();
    let id = line.split(' ').next().unwrap().replace("id=", "");
    assert_eq!(client.ask(&format!("CLIENT KILL ID {id}")), "1");
    assert_eq!(one(all_answers(&mut stream)).status, 502);
}

#[test]
fn hosts_origins_and_types_are_checked() {
    let admin = Admin::start("");
    let host = |host: &str| format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for other in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "10.1.2.3",
    ] {
        admin.refuses(403, host(other));
    }
    let body = r#"{"arguments":["PING"]}"#;
    admin.refuses(
        403,
        post("/api/command", "Origin: http://evil.example\r\n", body),
    );
    admin.refuses(403, post("/api/command", "Origin: null\r\n", body));
    let plain = post("/api/command", "", body).replace("application/json", "text/plain");
    admin.refuses(415, plain);
    let ours = post("/api/command", "Origin: http://localhost\r\n", body);
    assert_eq!(one(admin.raw(ours)).status, 200);
}

#[test]
fn a_token_is_asked_for() {
    let admin = Admin::start("admin-token sesame\nrequirepass secret");
    assert_eq!(admin.get("/healthz").status, 200);
    assert_eq!(admin.get("/readyz").status, 200);
    for path in [
        "/api/slowlog",
        "/api/clients",
        "/api/config",
        "/debug/slowlog",
        "/debug/clients",
        "/nothing",
    ] {
        admin.refuses(401, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let wrong =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sesame2\r\n\r\n");
        admin.refuses(401, wrong);
    }
    let right = "Authorization: Bearer sesame\r\n";
    assert_eq!(admin.get_with("/debug/clients", right).status, 200);
    let body = r#"{"arguments":["ACL","WHOAMI"]}"#;
    let answer = one(admin.raw(post("/api/command", right, body)));
    assert_eq!(
        answer.body,
        r#"{"reply":{"type":"bulk","value":"default"}}"#
    );
    let config = admin.get_with("/api/config", right).body;
    assert!(
        !config.contains("sesame") && !config.contains("\"secret\""),
        "{config}"
    );
}

#[test]
fn data_of_a_server_with_a_password_is_not_for_everybody_on_the_machine() {
    let admin = Admin::start("requirepass secret");
    assert_eq!(admin.get("/healthz").status, 200);
    for path in [
        "/api/slowlog",
        "/api/clients",
        "/api/config",
        "/debug/slowlog",
        "/debug/clients",
    ] {
        admin.refuses(
            403,
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        );
    }
    admin.refuses(
        403,
        post("/api/command", "", r#"{"arguments":["GET","k"]}"#),
    );
}

#[test]
fn the_default_users_rights_hold() {
    let admin = Admin::start("admin-allow-writes yes");
    let mut client = admin.server.client();
    assert_eq!(client.ask("SET secret 1"), "OK");
    assert_eq!(client.ask("ACL SETUSER default resetkeys ~open*"), "OK");
    let answer = admin.command(r#"{"arguments":["GET","secret"]}"#);
    assert!(answer.body.contains("NOPERM"), "{answer:?}");
    let answer = admin.command(r#"{"arguments":["GET","open"]}"#);
    assert!(answer.body.contains(r#""type":"null""#), "{answer:?}");
}

#[test]
fn the_pages_tell_what_the_commands_tell() {
    let admin = Admin::start("slowlog-log-slower-than 0");
    let mut client = admin.server.client();
    assert_eq!(client.ask("CLIENT SETNAME tester"), "OK");
    assert_eq!(client.ask("SET key value"), "OK");
    let slow = admin.get("/api/slowlog").body;
    assert!(
        slow.contains(r#""arguments":["SET","key","value"]"#),
        "{slow}"
    );
    assert!(
        slow.contains(r#""queue_us":"#) && slow.contains(r#""name":"tester""#),
        "{slow}"
    );
    let text = admin.get("/debug/slowlog").body;
    assert!(
        text.lines().any(|line| line.ends_with("SET key value")),
        "{text}"
    );
    let clients = admin.get("/api/clients").body;
    assert!(
        clients.contains(r#""name":"tester""#) && clients.contains(r#""cmd":"set""#),
        "{clients}"
    );
    let lines = admin.get("/debug/clients").body;
    assert!(lines.contains(" name=tester "), "{lines}");
    let commands = admin.get("/api/commands").body;
    assert!(commands.contains(r#""name":"get""#) && commands.contains(r#""name":"config|get""#));
    assert!(commands.contains(r#""syntax":"<key>""#), "{commands}");
    let metrics = admin.get("/metrics");
    assert!(
        metrics.head.contains("text/plain; version=0.0.4"),
        "{metrics:?}"
    );
    assert!(metrics.body.contains("# TYPE "), "{metrics:?}");
    let metrics = admin.get_with("/metrics", "Accept: application/openmetrics-text\r\n");
    assert!(metrics.body.ends_with("# EOF\n"), "{metrics:?}");
    let stats = admin.get("/api/stats").body;
    assert!(
        stats.contains(r#""uptime_s":"#) && stats.contains(r#""bounds_us":"#),
        "{stats}"
    );
    let config = admin.get("/api/config").body;
    assert!(config.contains(r#""name":"maxmemory""#) && config.contains(r#""mutable":true"#));
}

#[test]
fn hot_and_big_keys_are_told() {
    let admin = Admin::start("hot-keys-sample-every 1");
    let mut client = admin.server.client();
    let long = "x".repeat(1_000);
    assert_eq!(client.ask(&format!("RPUSH big {long} b c")), "3");
    for _ in 0..100 {
        assert_eq!(client.ask("SET hot 1"), "OK");
    }
    let hot = admin.get("/api/hotkeys").body;
    assert!(
        hot.starts_with(r#"[{"db":0,"key":"hot","percent":"#),
        "{hot}"
    );
    assert!(hot.contains(r#""rate_per_s":"#), "{hot}");
    let big = admin.get("/api/bigkeys?count=1").body;
    assert!(
        big.contains(r#""elements":3,"key":"big","type":"list""#),
        "{big}"
    );
    assert_eq!(admin.get("/api/bigkeys?count=x").status, 400);
    assert_eq!(client.ask("CONFIG SET hot-keys-sample-every 0"), "OK");
    assert_eq!(admin.get("/api/hotkeys").status, 503);
}

#[test]
fn others_are_served_only_with_a_token() {
    let directory = scratch("admin");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(PROGRAM)
            .args(["--port", &free_port().to_string(), "--save", "", "--dir"])
            .arg(&directory)
            .args(["--admin-port", &free_port().to_string()])
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let log = run(&["--admin-bind", "0.0.0.0"]);
    assert!(log.contains("set admin-token"), "{log}");
    let log = run(&["--admin-bind", ""]);
    assert!(log.contains("see admin-bind"), "{log}");
    let _ = std::fs::remove_dir_all(directory);
    let admin = Admin::start("admin-bind *\nadmin-token sesame");
    assert_eq!(admin.get("/healthz").status, 200);
}
