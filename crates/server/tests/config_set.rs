//! CONFIG GET and CONFIG SET: formats, error texts, all or nothing. The texts are Redis 7.2's.

use dunlin_server::config::{ClientClass, Config, Origin, OutputLimit, Permission};

/// Sets one key on a fresh configuration and answers what it shows then, or the error after its fixed beginning.
fn set(name: &str, value: &str) -> Result<String, String> {
    let mut config = Config::default();
    match config.set(&[(name, value)], Origin::Remote) {
        Ok(_) => Ok(shown(&config, name)),
        Err(error) => {
            let text = error.to_string();
            let begin = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
            Err(text.strip_prefix(&begin).unwrap_or(&text).to_owned())
        }
    }
}

fn shown(config: &Config, name: &str) -> String {
    let mut found = config.matching(name.as_bytes());
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found.remove(0).1).unwrap()
}

#[test]
fn values_are_shown_as_redis_shows_them() {
    for (name, value, expected) in [
        ("maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru"),
        ("timeout", "7", "7"),
        ("hash-max-listpack-value", "1kb", "1024"),
        ("proto-max-bulk-len", "2m", "2000000"),
        ("proto-max-bulk-len", "2mb", "2097152"),
        ("auto-aof-rewrite-min-size", "1GB", "1073741824"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "3mb", "3145728"),
        ("latency-tracking", "NO", "no"),
        ("save", "900 1 300 10", "900 1 300 10"),
        ("save", "", ""),
        ("bind", "* -::*", "* -::*"),
        ("bind", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "Elg", "glE"),
        ("notify-keyspace-events", "Ag$lshzxeKEtmdn", "AnKEm"),
        ("oom-score-adj-values", "0 100 -100", "0 100 -100"),
        (
            "latency-tracking-info-percentiles",
            "50 99.90 100",
            "50 99.9 100",
        ),
        ("latency-tracking-info-percentiles", "", ""),
        ("shutdown-on-sigint", "NOW force", "now force"),
        ("shutdown-on-sigterm", "default", "default"),
        ("hz", "0", "1"),
        ("hz", "1000", "500"),
        ("list-max-listpack-size", "-5", "-5"),
        ("requirepass", "a b \"c\"", "a b \"c\""),
        (
            "client-output-buffer-limit",
            "normal 1mb 2mb 60 replica 3mb 4mb 70",
            "normal 1048576 2097152 60 slave 3145728 4194304 70 pubsub 33554432 8388608 60",
        ),
        ("slave-priority", "5", "5"),
    ] {
        assert_eq!(set(name, value).as_deref(), Ok(expected), "{name} {value}");
    }
}

#[test]
fn refusals_have_the_texts_of_redis() {
    for (name, value, expected) in [
        (
            "nosuch",
            "1",
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
        ),
        (
            "include",
            "x",
            "ERR Unknown option or number of arguments for CONFIG SET - 'include'",
        ),
        ("databases", "1", "can't set immutable config"),
        ("dir", "/", "can't set protected config"),
        (
            "active-expire-effort",
            "0",
            "argument must be between 1 and 10 inclusive",
        ),
        (
            "active-expire-effort",
            "11",
            "argument must be between 1 and 10 inclusive",
        ),
        (
            "active-expire-effort",
            "1.5",
            "argument couldn't be parsed into an integer",
        ),
        (
            "active-expire-effort",
            "9223372036854775808",
            "argument couldn't be parsed into an integer",
        ),
        (
            "active-expire-effort",
            "",
            "argument couldn't be parsed into an integer",
        ),
        ("rdbcompression", "1", "argument must be 'yes' or 'no'"),
        (
            "proto-max-bulk-len",
            "10bytes",
            "argument must be a memory value",
        ),
        (
            "proto-max-bulk-len",
            "1mb ",
            "argument must be a memory value",
        ),
        (
            "proto-max-bulk-len",
            "1",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        (
            "maxmemory-clients",
            "x%",
            "argument must be a memory or percent value",
        ),
        (
            "maxmemory-clients",
            "101%",
            "percentage argument must be less or equal to 100",
        ),
        (
            "maxmemory-policy",
            "lru",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
        ),
        (
            "shutdown-on-sigint",
            "",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "shutdown-on-sigint",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        ("save", "900", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", "1 -1", "Invalid save parameters"),
        ("save", "1  1", "Invalid save parameters"),
        (
            "client-output-buffer-limit",
            "normal 0 0",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "master 0 0 0",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "normal 0 0 -1",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        (
            "notify-keyspace-events",
            "Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 2001",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "latency-tracking-info-percentiles",
            "nan",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "bind",
            "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
            "Too many bind addresses specified.",
        ),
        (
            "cluster-announce-hostname",
            "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        (
            "proc-title-template",
            "{nosuch}",
            "template format is invalid or contains unknown variables",
        ),
        (
            "proc-title-template",
            "{title",
            "template format is invalid or contains unknown variables",
        ),
        (
            "slave-priority",
            "-1",
            "argument must be between 0 and 2147483647 inclusive",
        ),
    ] {
        assert_eq!(set(name, value), Err(expected.to_owned()), "{name} {value}");
    }
}

/// Saying OK would promise what is not built.
#[test]
fn what_is_not_built_is_not_turned_on_at_run_time() {
    for (name, on, off) in [("activedefrag", "yes", "no"), ("tls-cluster", "yes", "no")] {
        assert!(set(name, on).is_err(), "{name} {on}");
        assert_eq!(set(name, off).as_deref(), Ok(off));
    }
}

#[test]
fn all_or_nothing() {
    let mut config = Config::default();
    let before = config.matching(b"*");
    let error = config
        .set(
            &[
                ("timeout", "5"),
                ("hash-max-listpack-entries", "9"),
                ("maxclients", "0"),
            ],
            Origin::Local,
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and 4294967295 inclusive"
    );
    assert_eq!(config.matching(b"*"), before);

    let changed = config
        .set(
            &[("timeout", "5"), ("hz", "10"), ("maxclients", "9")],
            Origin::Local,
        )
        .unwrap();
    let names: Vec<&str> = changed.iter().map(|key| key.name).collect();
    assert_eq!(names, ["timeout", "maxclients"], "hz had that value");
    assert_eq!((config.timeout_s(), config.maxclients()), (5, 9));
}

#[test]
fn the_first_thing_wrong_with_the_names_is_reported_before_any_value() {
    let error = |pairs: &[(&str, &str)]| {
        let mut config = Config::default();
        let error = config.set(pairs, Origin::Remote).unwrap_err().to_string();
        assert_eq!(config.matching(b"*"), Config::default().matching(b"*"));
        error
    };
    assert_eq!(
        error(&[("timeout", "x"), ("TIMEOUT", "5")]),
        "ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter"
    );
    assert_eq!(
        error(&[("hz", "x"), ("nosuch", "5"), ("port2", "5")]),
        "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    );
    assert_eq!(
        error(&[("daemonize", "yes"), ("nosuch", "5")]),
        "ERR CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config"
    );
}

/// Redis takes a name and its alias for two keys; the later one counts. A failure puts the oldest value back.
#[test]
fn a_key_under_both_of_its_names() {
    let mut config = Config::default();
    let both = [("replica-priority", "5"), ("slave-priority", "6")];
    assert_eq!(config.set(&both, Origin::Local).unwrap().len(), 1);
    assert_eq!(shown(&config, "replica-priority"), "6");
    let broken = [
        ("replica-priority", "7"),
        ("slave-priority", "8"),
        ("hz", "x"),
    ];
    assert!(config.set(&broken, Origin::Local).is_err());
    assert_eq!(shown(&config, "replica-priority"), "6");
}

#[test]
fn protected_keys_ask_who_sets_them() {
    let load = |permission: &str| {
        Config::load(&["--enable-protected-configs", permission])
            .unwrap()
            .config
    };
    let set = |mut config: Config, origin| config.set(&[("dbfilename", "x.rdb")], origin).is_ok();
    assert!(!set(load("no"), Origin::Local));
    assert!(set(load("local"), Origin::Local));
    assert!(!set(load("local"), Origin::Remote));
    assert!(set(load("yes"), Origin::Remote));
    let error = load("yes")
        .set(&[("dbfilename", "a/b")], Origin::Local)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("dbfilename can't be a path, just a filename")
    );
}

#[test]
fn dir_is_shown_absolute_and_must_exist() {
    let mut config = Config::load(&["--enable-protected-configs", "yes", "--dir", "/"])
        .unwrap()
        .config;
    config.set(&[("dir", "tmp")], Origin::Remote).unwrap();
    assert_eq!(
        config.dir(),
        std::path::Path::new("/tmp").canonicalize().unwrap()
    );
    for (value, reason) in [
        ("/nonexistent", "No such file or directory"),
        ("/etc/passwd", "Not a directory"),
    ] {
        let error = config
            .set(&[("dir", value)], Origin::Remote)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("ERR CONFIG SET failed (possibly related to argument 'dir') - {reason}")
        );
    }
}

#[test]
fn patterns() {
    let config = Config::default();
    let names = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        config
            .matching_any(&patterns)
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    };
    assert_eq!(names(&["MAXMEMORY-S*"]), ["maxmemory-samples"]);
    assert_eq!(
        names(&["PoRt"]),
        ["PoRt"],
        "a name is answered as it was spelled"
    );
    assert_eq!(
        names(&["zset-max-*-entries"]),
        ["zset-max-listpack-entries", "zset-max-ziplist-entries"]
    );
    assert_eq!(names(&["hz", "h?", "timeout"]), ["hz", "timeout"]);
    assert_eq!(names(&["nosuch", "include", "user", ""]), [""; 0]);
    assert_eq!(names(&["key-load-delay"]), ["key-load-delay"]);
    assert_eq!(
        names(&["key-load-*"]),
        [""; 0],
        "hidden keys need their name"
    );
    assert!(names(&["*"]).len() > 150);
    assert_eq!(names(&["\u{fffd}*"]), [""; 0]);
    assert!(config.matching(b"\xff").is_empty());
}

#[test]
fn typed_values() {
    let config = Config::load(&[
        "--client-output-buffer-limit",
        "normal",
        "1mb",
        "512k",
        "9",
        "--requirepass",
        "secret",
        "--unixsocketperm",
        "770",
        "--enable-debug-command",
        "local",
        "--workers",
        "3",
    ])
    .unwrap()
    .config;
    let limit = OutputLimit {
        hard_bytes: 1 << 20,
        soft_bytes: 512_000,
        soft_seconds: 9,
    };
    assert_eq!(config.output_limit(ClientClass::Normal), limit);
    assert_eq!(
        config.output_limit(ClientClass::Replica).hard_bytes,
        256 << 20
    );
    assert_eq!(config.requirepass(), Some(&b"secret"[..]));
    assert_eq!(config.unixsocketperm(), Some(0o770));
    assert_eq!(config.debug_command(), Permission::Local);
    assert_eq!(config.workers(), 3);
    assert_eq!(config.databases(), 16);
    assert_eq!(config.port(), 6379);
    assert!(config.protected_mode());
    assert_eq!(Config::default().requirepass(), None);
    assert!(Config::default().workers() >= 1);
}
