//! Files, standard input and command lines: what they mean, and how a mistake is reported.

use std::path::{Path, PathBuf};

use dunlin_server::config::{
    BindHost, Config, ConfigError, INCLUDE_DEPTH_MAX, LINE_LENGTH_MAX_BYTES, Loaded,
};
use dunlin_server::logging::Level;

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dunlin-load-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(text: impl AsRef<[u8]>) -> Result<Loaded, ConfigError> {
    Config::load_from(&["-"], || std::io::Cursor::new(text.as_ref().to_vec()))
}

fn shown(loaded: &Loaded, name: &str) -> String {
    String::from_utf8(loaded.config.matching(name.as_bytes()).remove(0).1).unwrap()
}

fn fails(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// An error as the program prints it: with its cause.
fn with_cause(error: &ConfigError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[test]
fn lines_quotes_tabs_and_line_ends() {
    let loaded = read(
        "# a comment\r\n\r\n \t port\t7000 \r\nPORT 7001\n\
         requirepass \"a\\x41 \\\"b\\\"\"\n  # another\nbind 127.0.0.1 '-::1'\nlogfile \"\"\nloglevel\u{b}verbose",
    )
    .unwrap_err();
    // The vertical tab ends no word, as in Redis: this is one long name.
    assert!(
        loaded.to_string().contains("line 9: 'loglevel verbose'"),
        "{loaded}"
    );
    let loaded =
        read("port\t7000\r\nPORT 7001\nrequirepass \"a\\x41 \\\"b\\\"\"\nbind 127.0.0.1 '-::1'")
            .unwrap();
    assert_eq!(loaded.config.port(), 7001);
    assert_eq!(loaded.config.requirepass(), Some(&b"aA \"b\""[..]));
    let bind = loaded.config.bind();
    assert_eq!(bind[1].host, BindHost::Name("::1".to_owned()));
    assert!(bind[1].optional && !bind[0].optional);
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn save_lines_add_up_and_the_first_replaces_the_default() {
    assert_eq!(
        shown(&read("port 1").unwrap(), "save"),
        "3600 1 300 100 60 10000"
    );
    assert_eq!(
        shown(&read("save 900 1\nsave 300 10").unwrap(), "save"),
        "900 1 300 10"
    );
    assert_eq!(
        shown(&read("save 900 1 300 10").unwrap(), "save"),
        "900 1 300 10"
    );
    assert_eq!(shown(&read("save \"900 1\"").unwrap(), "save"), "900 1");
    assert_eq!(shown(&read("save ''").unwrap(), "save"), "");
    assert_eq!(shown(&read("save 900 1\nsave \"\"").unwrap(), "save"), "");
    assert_eq!(shown(&read("save \"\"\nsave 5 5").unwrap(), "save"), "5 5");
}

#[test]
fn limits_of_different_classes_add_up() {
    let loaded =
        read("client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit pubsub 4 5 6")
            .unwrap();
    assert_eq!(
        shown(&loaded, "client-output-buffer-limit"),
        "normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6"
    );
}

#[test]
fn instructions_are_kept() {
    let loaded = read(
        "rename-command FLUSHALL \"\"\nrename-command GET FETCH\nrename-command NOSUCH \"\"\nuser default on >p ~*",
    )
    .unwrap();
    let renamed = [
        (b"FLUSHALL".to_vec(), b"".to_vec()),
        (b"GET".to_vec(), b"FETCH".to_vec()),
        (b"NOSUCH".to_vec(), b"".to_vec()),
    ];
    assert_eq!(loaded.config.renamed_commands(), renamed);
    let rules = [&b"on"[..], b">p", b"~*"].map(<[u8]>::to_vec).to_vec();
    assert_eq!(loaded.config.users(), [(b"default".to_vec(), rules)]);
    assert_eq!(
        loaded.warnings,
        ["rename-command: this server has no command 'NOSUCH'"]
    );
    for (line, reason) in [
        (
            "rename-command get SET",
            "Target command name already exists",
        ),
        (
            "rename-command get \"\"\nrename-command set GET\nrename-command del get",
            "already exists",
        ),
        (
            "user alice on +nosuch",
            "Unknown command or category name in ACL",
        ),
        ("user alice on (~x +get", "Unmatched parenthesis"),
        ("user alice on\nuser alice off", "Duplicate user found"),
        ("loadmodule /m.so 1", "This server has no modules"),
    ] {
        assert!(fails(line).contains(reason), "{line}");
    }
}

#[test]
fn replicas_and_old_names() {
    let loaded = read("slaveof 10.0.0.1 6380").unwrap();
    assert_eq!(loaded.config.replica_of(), Some((&b"10.0.0.1"[..], 6380)));
    assert_eq!(shown(&loaded, "replicaof"), "10.0.0.1 6380");
    assert_eq!(read("replicaof no one").unwrap().config.replica_of(), None);
    assert_eq!(
        shown(&read("lua-time-limit 7").unwrap(), "busy-reply-threshold"),
        "7"
    );
    assert!(
        read("list-max-ziplist-entries 5\nlua-replicate-commands yes")
            .unwrap()
            .warnings
            .is_empty()
    );
    assert_eq!(
        fails("cluster-enabled yes\nreplicaof a 1"),
        format!(
            "FATAL CONFIG FILE ERROR (Dunlin {}): replicaof directive not allowed in cluster mode",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn what_has_no_effect_is_named_once() {
    let loaded = read(
        "activerehashing yes\nslave-priority 7\nreplica-priority 7\nlfu-decay-time 1\ntimeout 5",
    )
    .unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "Accepted but not acted on yet: replica-priority",
            "Accepted; nothing here depends on: activerehashing",
        ]
    );
}

#[test]
fn what_would_be_missed_is_said_and_what_asks_for_nothing_is_not() {
    let quiet = read("appendonly no\nsave \"\"\ncluster-enabled no\ntls-port 0\nmaxmemory 0\nreplicaof no one\nsupervised no").unwrap();
    assert_eq!(quiet.warnings, Vec::<String>::new());
    let loaded = read("save 1 1\ncluster-enabled yes").unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].starts_with("'cluster-enabled' is set, but "));
}

#[test]
fn an_error_names_source_line_text_and_reason_in_one_line() {
    let scratch = Scratch::new("errors");
    let path = scratch.write("a.conf", "port 7000\n\n  prot 7001\n");
    let error = Config::load(&[&path]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "FATAL CONFIG FILE ERROR (Dunlin {}) in {path}, line 3: 'prot 7001': \
             Bad directive or wrong number of arguments: unknown directive; did you mean 'port'?",
            env!("CARGO_PKG_VERSION")
        )
    );
    for (text, ending) in [
        ("port", "line 1: 'port': wrong number of arguments"),
        ("port 1 2", "line 1: 'port 1 2': wrong number of arguments"),
        (
            "port x",
            "'port x': argument couldn't be parsed into an integer",
        ),
        (
            "port 65536",
            "'port 65536': argument must be between 0 and 65535 inclusive",
        ),
        (
            "port \"1",
            "'port \"1': Unbalanced quotes in configuration line",
        ),
        (
            "unixsocketperm 1777",
            "argument must be between 0 and 777 inclusive",
        ),
        (
            "unixsocketperm 9",
            "argument couldn't be parsed as an octal number",
        ),
        (
            "sentinel monitor x",
            "sentinel directive while not in sentinel mode",
        ),
        (
            "include",
            "'include': Bad directive or wrong number of arguments",
        ),
        (
            "rename-command a",
            "Bad directive or wrong number of arguments",
        ),
        (
            "frobnicate yes",
            "Bad directive or wrong number of arguments: unknown directive",
        ),
        ("port=7000", "unknown directive; did you mean 'port 7000'?"),
        ("my.module x", "there are no modules in this server"),
        (
            "requirepass a b",
            "'requirepass ...': wrong number of arguments",
        ),
        (
            "dir /nonexistent",
            "'dir /nonexistent': No such file or directory",
        ),
        (
            "bad\u{1b}[31m x",
            "'bad [31m x': Bad directive or wrong number of arguments: unknown directive",
        ),
    ] {
        let error = fails(text);
        assert!(error.ends_with(ending), "{text:?}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let long = format!("port {}", "x".repeat(LINE_LENGTH_MAX_BYTES));
    let error = fails(&long);
    assert!(
        error.ends_with("line longer than 1024 KiB") && error.len() < 400,
        "{error}"
    );
}

#[test]
fn files_that_cannot_be_read() {
    let error = |path: &str| with_cause(&Config::load(&[path]).unwrap_err());
    for (path, cause) in [
        ("/nonexistent/a.conf", "No such file or directory"),
        ("/etc", "is a directory"),
        ("/dev/zero", "longer than 16 MiB, which no configuration is"),
    ] {
        let text = error(path);
        let begin = format!("can't open config file '{path}': {cause}");
        assert!(text.starts_with(&begin), "{text}");
    }
}

#[test]
fn includes_stand_where_they_are_written() {
    let scratch = Scratch::new("include");
    std::fs::create_dir(scratch.0.join("conf.d")).unwrap();
    scratch.write("conf.d/b.conf", "timeout 2\nhz 20\n");
    scratch.write("conf.d/a.conf", "timeout 1\nmaxclients 11\n");
    scratch.write("conf.d/.hidden.conf", "port 1\n");
    scratch.write("conf.d/c.txt", "port 2\n");
    let main = format!(
        "port 7000\nhz 99\ndir {}\ninclude conf.d/*.conf\ninclude conf.d/none*\nmaxclients 12",
        scratch.0.display()
    );
    let main = scratch.write("main.conf", main);
    let config = Config::load(&[&main]).unwrap().config;
    assert_eq!(
        (config.port(), config.timeout_s(), config.maxclients()),
        (7000, 2, 12)
    );
    assert_eq!(config.integer("hz"), 20);
    assert_eq!(config.file(), Some(Path::new(&main)));

    let broken = scratch.write("broken.conf", "include /nonexistent/x.conf");
    let error = with_cause(&Config::load(&[&broken]).unwrap_err());
    let begin = "can't open config file '/nonexistent/x.conf': No such file or directory";
    assert!(error.starts_with(begin), "{error}");
}

#[test]
fn an_include_of_itself_ends() {
    let scratch = Scratch::new("loop");
    let path = scratch.0.join("a.conf");
    let path = scratch.write("a.conf", format!("include {}\n", path.display()));
    let error = Config::load(&[&path]).unwrap_err().to_string();
    let ending = format!("include nested deeper than {INCLUDE_DEPTH_MAX}: does it include itself?");
    assert!(error.ends_with(&ending), "{error}");
}

#[test]
fn command_lines_mean_what_they_mean_to_redis_server() {
    let port = |arguments: &[&str]| Config::load(arguments).map(|loaded| loaded.config.port());
    assert_eq!(port(&[]).unwrap(), 6379);
    assert_eq!(port(&["--port", "7000"]).unwrap(), 7000);
    assert_eq!(port(&["--port 7000", "--hz", "5"]).unwrap(), 7000);
    assert_eq!(port(&["--PORT", "7000", "--port", "7001"]).unwrap(), 7001);

    let save = |arguments: &[&str]| shown(&Config::load(arguments).unwrap(), "save");
    assert_eq!(save(&["--save", ""]), "");
    assert_eq!(save(&["--save"]), "");
    assert_eq!(save(&["--save", "--port", "7000"]), "");
    assert_eq!(save(&["--save", "900", "1", "--port", "7000"]), "900 1");
    assert_eq!(save(&["--save", "900 1 300 10"]), "900 1 300 10");
    assert_eq!(
        save(&["--save", "900", "1", "--save", "300", "10"]),
        "900 1 300 10"
    );

    let loaded = Config::load(&["--requirepass", "--a b\n\"", "--loglevel", "verbose"]).unwrap();
    assert_eq!(
        loaded.config.requirepass(),
        Some(&b"--a b\n\""[..]),
        "an option takes at least one argument"
    );
    assert_eq!(loaded.config.loglevel(), Level::Verbose);
}

/// The command lines of Redis's own test suite, with the parts of the message that it looks for.
#[test]
fn command_line_errors_have_the_words_of_redis() {
    for (arguments, line, reason) in [
        (
            &["--invalid"][..],
            "'invalid'",
            "Bad directive or wrong number of arguments",
        ),
        (&["--port"], "'port'", "wrong number of arguments"),
        (
            &["--port", "6380", "--loglevel"],
            "'loglevel'",
            "wrong number of arguments",
        ),
        (
            &["--port", "6379", "6380"],
            "'port \"6379\" \"6380\"'",
            "wrong number of arguments",
        ),
        (
            &["--port", "--loglevel", "verbose"],
            "'port \"--loglevel\" \"verbose\"'",
            "wrong number of arguments",
        ),
        (
            &["--port", "--bla", "--loglevel", "verbose"],
            "'port \"--bla\"'",
            "argument couldn't be parsed into an integer",
        ),
        (
            &["--logfile", "--my--log--file", "--loglevel", "--bla"],
            "'loglevel \"--bla\"'",
            "argument(s) must be one of the following",
        ),
        (
            &["--shutdown-on-sigint"],
            "'shutdown-on-sigint'",
            "argument(s) must be one of the following",
        ),
        (
            &["--shutdown-on-sigint", "now force", "--shutdown-on-sigterm"],
            "'shutdown-on-sigterm'",
            "argument(s) must be one of the following",
        ),
        (
            &["--replicaof", "127.0.0.1", "abc"],
            "'replicaof \"127.0.0.1\" \"abc\"'",
            "Invalid master port",
        ),
        (
            &["--replicaof", "--127.0.0.1", "abc"],
            "'replicaof \"--127.0.0.1\" \"abc\"'",
            "Invalid master port",
        ),
        (
            &["--replicaof", "--127.0.0.1", "--abc"],
            "'replicaof \"--127.0.0.1\"'",
            "wrong number of arguments",
        ),
    ] {
        let error = Config::load(arguments).unwrap_err().to_string();
        let at = error
            .find(line)
            .unwrap_or_else(|| panic!("{arguments:?}: {error}"));
        assert!(error[at..].contains(reason), "{arguments:?}: {error}");
        assert!(error.contains("in the command line"), "{error}");
    }
}

#[test]
fn file_then_standard_input_then_options() {
    let scratch = Scratch::new("order");
    let path = scratch.write("a.conf", "port 1\ntimeout 1\nhz 11\n");
    let stdin = || std::io::Cursor::new(b"timeout 2\nhz 12".to_vec());
    let config = Config::load_from(&[path.as_str(), "--hz", "13", "-"], stdin)
        .unwrap()
        .config;
    assert_eq!(
        (config.port(), config.timeout_s(), config.integer("hz")),
        (1, 2, 13)
    );
    let config = Config::load_from(&["-", "--hz", "14"], stdin)
        .unwrap()
        .config;
    assert_eq!((config.timeout_s(), config.integer("hz")), (2, 14));
    assert!(
        Config::load_from(&["--hz", "-", "--port", "1"], || -> &[u8] {
            panic!("not asked for")
        })
        .is_err()
    );
}

/// The directives of a distribution's file, in our own arrangement: every one is accepted, and the server would start.
#[test]
fn a_file_with_the_directives_of_a_distribution() {
    let scratch = Scratch::new("distribution");
    let text = DISTRIBUTION.replace("@DIR@", scratch.0.to_str().unwrap());
    let path = scratch.write("redis.conf", text);
    let loaded = Config::load(&[&path]).unwrap();
    assert!(loaded.config.daemonize());
    assert_eq!(
        loaded.config.pidfile(),
        Some(Path::new("/run/redis/redis-server.pid"))
    );
    assert_eq!(loaded.config.bind().len(), 2);
    assert!(loaded.warnings.len() <= 2, "{:?}", loaded.warnings);
}

const DISTRIBUTION: &str = r#"
bind 127.0.0.1 -::1
protected-mode yes
port 6379
tcp-backlog 511
timeout 0
tcp-keepalive 300
daemonize yes
pidfile /run/redis/redis-server.pid
loglevel notice
logfile /var/log/redis/redis-server.log
databases 16
dir @DIR@
dbfilename dump.rdb
appendfilename "appendonly.aof"
appenddirname "appendonlydir"
appendonly no
appendfsync everysec
proc-title-template "{title} {listen-addr} {server-mode}"
notify-keyspace-events ""
oom-score-adj no
oom-score-adj-values 0 200 800
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
auto-aof-rewrite-min-size 64mb
slowlog-log-slower-than 10000
list-max-listpack-size -2
hll-sparse-max-bytes 3000
hz 10
jemalloc-bg-thread yes
replica-priority 100
stop-writes-on-bgsave-error yes
"#;

/// The genuine file, where Debian's package is unpacked or installed.
#[test]
fn the_genuine_file() {
    let Ok(text) = std::fs::read_to_string("/etc/redis/redis.conf") else {
        eprintln!("skipped: /etc/redis/redis.conf is not there");
        return;
    };
    let text = text.replace("\ndir /var/lib/redis", "\ndir /");
    let loaded = read(text).unwrap();
    assert_eq!(loaded.config.port(), 6379);
}
