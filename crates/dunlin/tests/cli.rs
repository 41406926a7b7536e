//! `dunlin cli` as scripts use it: formats and exit codes beside redis-cli, piped commands, and the modes.
//!
//! The genuine redis-cli is the one beside `DUNLIN_GENUINE`, else the one that is installed; without any there is nothing to compare with,
//! which is said (with `DUNLIN_REQUIRE_PEERS` it is a failure).

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{PROGRAM, Server, free_port};

fn run_program(program: &Path, first: &[&str], arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program)
        .args(first)
        .args(arguments)
        .env_remove("REDISCLI_AUTH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Who does not read its input ends before.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn cli(arguments: &[&str], input: &[u8]) -> Output {
    run_program(Path::new(PROGRAM), &["cli"], arguments, input)
}

/// Standard output of a run at this server.
fn ask(server: &Server, line: &str) -> String {
    let port = server.port.to_string();
    let mut arguments = vec!["-p", &port];
    arguments.extend(line.split(' '));
    let output = cli(&arguments, b"");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The genuine client and whether it is of 7.2 or later.
fn genuine() -> Option<(PathBuf, bool)> {
    let beside = std::env::var_os("DUNLIN_GENUINE")
        .map(|server| Path::new(&server).with_file_name("redis-cli"));
    let program = beside.unwrap_or_else(|| "redis-cli".into());
    let version = Command::new(&program).arg("--version").output().ok();
    let Some(version) = version.filter(|version| version.status.success()) else {
        assert!(
            std::env::var_os("DUNLIN_REQUIRE_PEERS").is_none(),
            "there is no redis-cli"
        );
        eprintln!("left out: there is no redis-cli here");
        return None;
    };
    let text = text(&version.stdout);
    let mut numbers = text
        .split(' ')
        .nth(1)
        .unwrap()
        .split('.')
        .map(|n| n.trim().parse::<u32>().unwrap());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    Some((program, version >= (7, 2)))
}

/// Makes the data that [`QUESTIONS`] ask for.
const DATA: [&str; 8] = [
    "set text plain",
    "hset hash f1 v1 f2 v2 f3 v3",
    "rpush list a b c d e f g h i j k l",
    "sadd set 1 2 3",
    "zadd zset 1 a 2.5 b inf c 1e20 d 0.1 e",
    "xadd stream 1-1 a b c d",
    "xadd stream 2-1 a b",
    "xgroup create stream group 0",
];
/// Commands that change nothing.
const QUESTIONS: [&str; 44] = [
    "ping",
    "get text",
    "get nosuch",
    "hgetall hash",
    "hgetall nosuch",
    "lrange list 0 -1",
    "lrange list 0 0",
    "smembers set",
    "zrange zset 0 -1 withscores",
    "zscore zset b",
    "xrange stream - +",
    "nosuch command",
    "get",
    "get hash",
    "config get save*",
    "object help",
    "debug protocol string",
    "debug protocol integer",
    "debug protocol double",
    "debug protocol null",
    "debug protocol array",
    "debug protocol set",
    "debug protocol map",
    "debug protocol verbatim",
    "debug protocol true",
    "debug protocol false",
    "xinfo groups stream",
    "xinfo stream stream",
    "command info set get",
    "command docs get",
    "client kill id 99999",
    "client list id 99999",
    "latency doctor",
    "echo x",
    "xpending stream group",
    "auth x",
    "select 99",
    "select 3",
    "hello 9",
    "type hash",
    "geopos zset a nosuch",
    "lolwut nosuch",
    "memory usage nosuch",
    "client getname",
];
const FORMATS: [&str; 11] = [
    "--raw",
    "--no-raw",
    "--csv",
    "-3 --raw",
    "-3 --no-raw",
    "-3 --csv",
    "-d ; -D |",
    "-e",
    "--json",
    "-2 --json",
    "--quoted-json",
];

#[test]
fn replies_look_as_redis_cli_shows_them() {
    let Some((genuine, recent)) = genuine() else {
        return;
    };
    let server = Server::start("enable-debug-command yes");
    for line in DATA {
        ask(&server, line);
    }
    let port = server.port.to_string();
    let mut client = server.client();
    client.ask_words(&[
        "set",
        "bytes",
        "quote\" back\\slash tab\t bell\u{7} \u{e9} end\r\n",
    ]);
    let mut compared = 0;
    for format in FORMATS {
        // redis-cli 7.0 quoted JSON otherwise.
        if !recent && format.contains("json") {
            continue;
        }
        for question in QUESTIONS.iter().chain(&[
            "get bytes",
            "-n 3 get text",
            "-r 2 get text",
            "--scan --pattern h*",
        ]) {
            let mut arguments = vec!["-p", port.as_str()];
            arguments.extend(format.split(' '));
            arguments.extend(question.split(' '));
            let theirs = run_program(&genuine, &[], &arguments, b"");
            let ours = cli(&arguments, b"");
            let what = format!("{format} {question}");
            // A double of RESP3 is shown in its shortest form, whatever digits the server has spent on it.
            if question.starts_with("geopos") && (format.contains("-3") || format.contains("json"))
            {
                continue;
            }
            assert_eq!(text(&ours.stdout), text(&theirs.stdout), "{what}");
            assert_eq!(text(&ours.stderr), text(&theirs.stderr), "{what}");
            assert_eq!(ours.status.code(), theirs.status.code(), "{what}");
            compared += 1;
        }
    }
    assert!(compared > 300);
}

#[test]
fn exit_codes_and_complaints() {
    let server = Server::start("");
    let port = server.port.to_string();
    let nobody = free_port().to_string();
    let refused = format!("Could not connect to Redis at 127.0.0.1:{nobody}: Connection refused\n");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["-p", &nobody, "ping"], 1, &refused),
        (&["-p", &nobody, "--scan"], 1, &refused),
        (&["-p", &port, "nosuch"], 0, ""),
        (
            &["-p", &port, "-e", "nosuch"],
            1,
            "ERR unknown command 'nosuch', with args beginning with: \n",
        ),
        (&["-p", &port, "-e", "ping"], 0, ""),
        (
            &["-X"],
            1,
            "Unrecognized option or bad number of args for: '-X'\n",
        ),
        (
            &["-p", &port, "-X", "tag", "set", "a", "b"],
            1,
            "Using -X option but stdin tag not match.\n",
        ),
        (
            &["-p", &port, "--cluster", "info"],
            1,
            "'--cluster' is an option of redis-cli that dunlin cli does not have: clusters are managed by redis-cli\n",
        ),
        (
            &["-p", &port, "--eval", "/nosuch/file"],
            1,
            "Can't open file '/nosuch/file': No such file or directory (os error 2)\n",
        ),
    ];
    for (arguments, code, complaint) in cases {
        let output = cli(arguments, b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert_eq!(text(&output.stderr), complaint, "{arguments:?}");
    }
}

#[test]
fn commands_and_arguments_come_from_standard_input() {
    let server = Server::start("");
    let port = server.port.to_string();
    let output = cli(
        &["-p", &port],
        b"set a 1\n2 incr a\n\nget \"a\"\nget a\"\nnosuch\nselect 2\nget a",
    );
    assert_eq!(
        text(&output.stdout),
        "OK\n2\n3\n3\nInvalid argument(s)\nERR unknown command 'nosuch', with args beginning with: \n\nOK\n\n"
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        cli(&["-p", &port, "-e"], b"nosuch\nping\n").status.code(),
        Some(1)
    );
    assert_eq!(
        text(&cli(&["-p", &port, "-x", "set", "b"], b"raw\0bytes\n").stdout),
        "OK\n"
    );
    assert_eq!(
        text(&cli(&["-p", &port, "-X", "T", "set", "T", "c"], b"name").stdout),
        "OK\n"
    );
    assert_eq!(
        text(&cli(&["-p", &port, "mget", "b", "name"], b"").stdout),
        "raw\0bytes\n\nc\n"
    );
    assert_eq!(
        text(&cli(&["-p", &port, "--quoted-input", "get", "\"\\x62\""], b"").stdout),
        "raw\0bytes\n\n"
    );
}

#[test]
fn a_password_from_the_environment_logs_in() {
    let server = Server::start("requirepass secret");
    let port = server.port.to_string();
    let ping = |password: &str| {
        let output = Command::new(PROGRAM)
            .args(["cli", "-p", &port, "ping"])
            .env("REDISCLI_AUTH", password)
            .output()
            .unwrap();
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(ping("secret"), "PONG\n");
    assert!(
        ping("wrong").contains("AUTH failed: WRONGPASS"),
        "{}",
        ping("wrong")
    );
    let by_uri = format!("redis://:secret@127.0.0.1:{port}/1");
    assert_eq!(text(&cli(&["-u", &by_uri, "ping"], b"").stdout), "PONG\n");
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

#[test]
fn a_pipe_counts_replies_and_errors() {
    let server = Server::start("");
    let port = server.port.to_string();
    let big = "x".repeat(100_000);
    let mut input = Vec::new();
    for n in 0..20_000 {
        input.extend(request(&["SET", &format!("key:{n}"), "value"]));
    }
    input.extend(request(&["SET", "big", &big]));
    let output = cli(&["-p", &port, "--pipe"], &input);
    assert_eq!(
        text(&output.stdout),
        "All data transferred. Waiting for the last reply...\nLast reply received from server.\nerrors: 0, replies: 20001\n"
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(ask(&server, "dbsize"), "20001\n");
    input.extend(request(&["NOSUCH"]));
    input.extend(request(&["LPUSH", "big", "x"]));
    let output = cli(&["-p", &port, "--pipe"], &input);
    assert!(
        text(&output.stdout).ends_with("errors: 2, replies: 20003\n"),
        "{output:?}"
    );
    assert!(text(&output.stderr).contains("WRONGTYPE"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_biggest_keys_are_found() {
    let server = Server::start("");
    for line in [
        "set s 12345",
        "set bigger 1234567890",
        "hset h a 1 b 2",
        "rpush l 1 2 3",
        "zadd z 1 a",
        "sadd t a b",
    ] {
        ask(&server, line);
    }
    let port = server.port.to_string();
    let output = cli(&["-p", &port, "--bigkeys"], b"");
    let report = text(&output.stdout);
    for line in [
        "Sampled 6 keys in the keyspace!",
        "Biggest string found '\"bigger\"' has 10 bytes",
        "Biggest   hash found '\"h\"' has 2 fields",
        "Biggest   list found '\"l\"' has 3 items",
        "2 strings with 15 bytes (33.33% of keys, avg size 7.50)",
        "0 streams with 0 entries (00.00% of keys, avg size 0.00)",
    ] {
        assert!(
            report.lines().any(|found| found == line),
            "{line}: {report}"
        );
    }
    let memory = text(&cli(&["-p", &port, "--memkeys"], b"").stdout);
    let measured = ask(&server, "memory usage l");
    assert!(
        memory.contains(&format!(
            "Biggest   list found '\"l\"' has {} bytes",
            measured.trim()
        )),
        "{memory}"
    );
    let output = cli(&["-p", &port, "--hotkeys"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("maxmemory policy"),
        "{output:?}"
    );
}

#[test]
fn scans_and_samples() {
    let server = Server::start("");
    for n in 0..50 {
        ask(&server, &format!("set key:{n} x"));
    }
    ask(&server, "hset hash a b");
    assert_eq!(ask(&server, "--scan").lines().count(), 51);
    assert_eq!(ask(&server, "--scan --pattern *:7"), "key:7\n");
    assert_eq!(ask(&server, "--scan --type hash --count 5"), "hash\n");
    let latency = ask(&server, "--latency --raw -i 0.1");
    let figures: Vec<f64> = latency
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    assert!(
        matches!(figures.as_slice(), [min, max, _, count] if min <= max && *count >= 1.0),
        "{latency}"
    );
    let intrinsic = text(&cli(&["--intrinsic-latency", "1"], b"").stdout);
    assert!(
        intrinsic.contains("total runs (avg latency:"),
        "{intrinsic}"
    );
    let port = server.port.to_string();
    let mut stat = Command::new(PROGRAM)
        .args(["cli", "-p", &port, "--stat", "-i", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = BufReader::new(stat.stdout.take().unwrap())
        .lines()
        .take(4)
        .map(Result::unwrap)
        .collect();
    stat.kill().unwrap();
    stat.wait().unwrap();
    assert!(lines[1].starts_with("keys       mem"), "{lines:?}");
    assert!(lines[2].starts_with("51  "), "{lines:?}");
    assert!(lines[3].contains("(+1)"), "{lines:?}");
}

/// Answers requests of one connection by a list of (request, reply).
fn fake_node(expected: Vec<(Vec<u8>, String)>) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let node = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for (request, reply) in expected {
            let mut got = vec![0; request.len()];
            std::io::Read::read_exact(&mut stream, &mut got).unwrap();
            assert_eq!(text(&got), text(&request));
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    (port, node)
}

#[test]
fn redirections_of_a_cluster_are_followed() {
    let set = request(&["SET", "foo", "bar"]);
    let (last, third) = fake_node(vec![
        (request(&["ASKING"]), "+OK\r\n".to_owned()),
        (set.clone(), "+OK\r\n".to_owned()),
    ]);
    let (middle, second) = fake_node(vec![(
        set.clone(),
        format!("-ASK 12182 127.0.0.1:{last}\r\n"),
    )]);
    let (port, first) = fake_node(vec![(set, format!("-MOVED 12182 127.0.0.1:{middle}\r\n"))]);
    let output = cli(&["-p", &port.to_string(), "-c", "SET", "foo", "bar"], b"");
    assert_eq!(text(&output.stdout), "OK\n", "{output:?}");
    for node in [first, second, third] {
        node.join().unwrap();
    }
}

#[test]
fn subscribers_get_messages_until_the_server_goes() {
    let mut server = Server::start("");
    let mut cli = Command::new(PROGRAM)
        .args([
            "cli",
            "-p",
            &server.port.to_string(),
            "subscribe",
            "one",
            "two",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(cli.stdout.take().unwrap()).lines();
    let mut next = |n: usize| {
        lines
            .by_ref()
            .take(n)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(next(6), "subscribe one 1 subscribe two 2");
    ask(&server, "publish two hello");
    assert_eq!(next(3), "message two hello");
    server.child.kill().unwrap();
    let output = cli.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("Error: "), "{output:?}");
}
