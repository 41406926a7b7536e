//! The table of configuration keys, tested as data: names, defaults, texts, and the names of a genuine server.

use std::collections::HashSet;

use dunlin_server::config::table::{SECTIONS, TABLE, nearest};
use dunlin_server::config::{Change, Config, Kind, Origin, Status};

#[test]
fn names_are_unique_lower_case_and_sorted() {
    let mut seen = HashSet::new();
    for key in TABLE.iter() {
        for name in std::iter::once(key.name).chain(key.alias) {
            assert!(seen.insert(name), "'{name}' stands twice");
            let plain = |letter: char| letter.is_ascii_lowercase() || "-_".contains(letter);
            assert!(name.chars().all(plain), "'{name}'");
        }
    }
    for section in SECTIONS {
        assert!(
            section.keys.is_sorted_by_key(|key| key.name),
            "'{}' is not sorted",
            section.title
        );
    }
}

#[test]
fn every_key_is_documented_in_a_sentence() {
    for key in TABLE.iter() {
        assert!(
            key.doc.len() > 10 && key.doc.ends_with('.'),
            "'{}' has no documentation: {:?}",
            key.name,
            key.doc
        );
        assert!(
            !key.doc.contains('|') && !key.doc.contains('\n'),
            "'{}'",
            key.name
        );
    }
}

#[test]
fn a_refusal_or_an_acted_key_makes_sense() {
    for key in TABLE.iter() {
        if key.status == Status::Acted {
            assert!(
                key.idle.is_none() && key.missing.is_none(),
                "'{}'",
                key.name
            );
        }
        if key.refusal.is_some() {
            assert!(
                key.idle.is_some() && (key.fatal || key.change == Change::AnyTime),
                "'{}'",
                key.name
            );
        }
    }
}

/// What CONFIG GET shows can be set again, and is the same afterwards: for every key that may be set at all.
#[test]
fn defaults_can_be_set_again() {
    let config = Config::default();
    for key in TABLE.iter().filter(|key| key.holds_value()) {
        let (name, shown) = config.matching(key.name.as_bytes()).remove(0);
        assert_eq!(name, key.name);
        let mut other = config.clone();
        let outcome = other.set(&[(key.name, shown.as_slice())], Origin::Local);
        match key.change {
            Change::AtStart if key.ours => assert_eq!(outcome.map(|keys| keys.len()), Ok(0)),
            Change::AnyTime => {
                let changed = usize::from(key.volatile);
                assert_eq!(outcome.map(|keys| keys.len()), Ok(changed), "'{name}'");
            }
            Change::AtStart => assert_eq!(
                outcome.map(drop).unwrap_err().to_string(),
                format!(
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - can't set immutable config"
                )
            ),
            Change::Protected => assert_eq!(
                outcome.map(drop).unwrap_err().to_string(),
                format!(
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - can't set protected config"
                )
            ),
        }
        assert_eq!(other.matching(key.name.as_bytes())[0].1, shown);
    }
}

/// What CONFIG GET shows is also what a file may say: for every key, in one file.
#[test]
fn defaults_can_be_loaded() {
    let config = Config::default();
    let mut file = String::new();
    for key in TABLE.iter().filter(|key| key.holds_value()) {
        // CONFIG GET shows no master as nothing, which is not a directive.
        if matches!(key.kind, Kind::ReplicaOf) {
            continue;
        }
        let shown = &config.matching(key.name.as_bytes())[0].1;
        file.push_str(&format!(
            "{} \"{}\"\n",
            key.name,
            String::from_utf8_lossy(shown)
        ));
    }
    let loaded = Config::load_from(&["-"], || file.as_bytes()).unwrap();
    assert_eq!(loaded.config.matching(b"*"), config.matching(b"*"));
}

#[test]
fn both_ends_of_every_range_are_valid_and_what_lies_outside_is_not() {
    for key in TABLE
        .iter()
        .filter(|key| key.change == Change::AnyTime && key.refusal.is_none())
    {
        let (low, high) = match key.kind {
            Kind::Integer { min, max } => (i128::from(min), i128::from(max)),
            Kind::Memory { min, max } => (i128::from(min), i128::from(max)),
            _ => continue,
        };
        let mut config = Config::default();
        for value in [low, high] {
            let outcome = config.set(&[(key.name, value.to_string())], Origin::Remote);
            assert!(outcome.is_ok(), "'{}' {value}: {outcome:?}", key.name);
        }
        for value in [low - 1, high + 1] {
            let outcome = config.set(&[(key.name, value.to_string())], Origin::Remote);
            assert!(outcome.is_err(), "'{}' {value}", key.name);
        }
    }
}

#[test]
fn the_nearest_name() {
    for (typed, expected) in [
        ("prot", Some("port")),
        ("databse", Some("databases")),
        ("max-memory", Some("maxmemory")),
        ("tcp-keep-alive", Some("tcp-keepalive")),
        (
            "hash-max-listpack-entrys",
            Some("hash-max-listpack-entries"),
        ),
        ("slaveoff", Some("slaveof")),
        ("frobnicate", None),
        ("", None),
    ] {
        assert_eq!(nearest(typed), expected, "{typed}");
    }
}

/// CONFIG GET * of Debian's redis-server 7.0, asked for at test time, when redis-tools is installed.
mod genuine {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// In redis-tools the server is the program of the dump checker, under its own name.
    const PROGRAM: &str = "/usr/bin/redis-check-rdb";

    struct Server {
        child: Child,
        directory: PathBuf,
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }

    fn start(port: u16) -> Server {
        let directory = std::env::temp_dir().join(format!("dunlin-config-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let link = directory.join("redis-server");
        std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
        let port = port.to_string();
        let child = Command::new(&link)
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dir",
            ])
            .arg(&directory)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Server { child, directory }
    }

    fn connect(port: u16) -> TcpStream {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => return stream,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads an array of bulk strings.
    fn read_array(reader: &mut impl BufRead) -> Vec<String> {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let count: usize = line.trim().strip_prefix('*').unwrap().parse().unwrap();
        (0..count)
            .map(|_| {
                line.clear();
                reader.read_line(&mut line).unwrap();
                let length: usize = line.trim().strip_prefix('$').unwrap().parse().unwrap();
                let mut bytes = vec![0; length + 2];
                reader.read_exact(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes[..length]).into_owned()
            })
            .collect()
    }

    /// Defaults that differ on purpose or between 7.0 and 7.2, or that depend on how the server was started.
    const DIFFERENT: &[&str] = &["bind", "dir", "port", "save"];

    #[test]
    fn knows_every_name_with_its_default() {
        if !Path::new(PROGRAM).exists() {
            // `cargo xtask ci` sets it.
            let required = std::env::var_os("DUNLIN_REQUIRE_PEERS").is_some();
            assert!(!required, "{PROGRAM} of redis-tools is missing");
            eprintln!("skipped: install redis-tools to compare with a genuine server");
            return;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let _server = start(port);
        let mut stream = connect(port);
        stream.write_all(b"CONFIG GET *\r\n").unwrap();
        let answer = read_array(&mut BufReader::new(stream));
        assert!(answer.len() > 300, "{}", answer.len());

        let config = Config::default();
        let mut wrong = Vec::new();
        for pair in answer.chunks_exact(2) {
            match config.matching(pair[0].as_bytes()).pop() {
                None => wrong.push(format!("{} is unknown", pair[0])),
                Some((_, ours))
                    if ours != pair[1].as_bytes() && !DIFFERENT.contains(&pair[0].as_str()) =>
                {
                    wrong.push(format!(
                        "{} is '{}', not '{}'",
                        pair[0],
                        String::from_utf8_lossy(&ours),
                        pair[1]
                    ))
                }
                Some(_) => {}
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
