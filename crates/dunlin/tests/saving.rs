//! Saving by the binary: a dump that is written under load is of one moment, and who waits for a save is answered.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, PATIENCE, Server, scratch, wait_for};

const ACCOUNTS: usize = 1_000;
const EACH: usize = 1_000;
/// Accounts that are read by one MGET.
const ACCOUNTS_PER_READ: usize = 250;
const DUMPS: usize = 8;

/// Waits until no save is under way. As long as it comes on, however slowly on a busy machine, that is fine.
fn wait_for_save(client: &mut Client) {
    let (mut saved, mut came_on) = (String::new(), Instant::now());
    loop {
        let info = client.ask("INFO persistence");
        if info.contains("rdb_bgsave_in_progress:0") {
            return;
        }
        let keys = info
            .lines()
            .find(|line| line.starts_with("current_save_keys_processed:"))
            .expect("a save says how far it is");
        if keys != saved {
            (saved, came_on) = (keys.to_owned(), Instant::now());
        }
        assert!(came_on.elapsed() < PATIENCE, "the save hangs: {info}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the threads that watch it, also when the test fails.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A server that has loaded this dump.
fn loaded(dump: &Path) -> Server {
    let directory = dump.parent().expect("a dump lies somewhere");
    let server = Server::start(&format!("dir {}", directory.display()));
    let mut client = server.client();
    wait_for("the dump to be loaded", || {
        !client.ask("DBSIZE").starts_with("-LOADING")
    });
    server
}

/// Moves money between accounts, now and then through a new account that takes an old one's name.
fn transfer(client: &mut Client, seed: &mut usize) {
    let mut next = || {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % ACCOUNTS
    };
    let (from, to, amount) = (next(), next(), next() % 9 + 1);
    let lines = if amount == 1 {
        vec![
            format!("RENAME account:{from} moved:{from}"),
            format!("RENAME moved:{from} account:{from}"),
        ]
    } else {
        vec![
            format!("DECRBY account:{from} {amount}"),
            format!("INCRBY account:{to} {amount}"),
        ]
    };
    assert_eq!(client.ask("MULTI"), "OK");
    for line in &lines {
        assert_eq!(client.ask(line), "QUEUED");
    }
    client.ask("EXEC");
}

#[test]
fn a_dump_that_is_written_under_load_is_of_one_moment() {
    // A slow walk: much is changed before it comes by.
    let server = Server::start("workers 4\nrdb-key-save-delay 30");
    let mut client = server.client();
    for first in (0..ACCOUNTS).step_by(ACCOUNTS_PER_READ) {
        let pairs: Vec<String> = (first..first + ACCOUNTS_PER_READ)
            .map(|account| format!("account:{account} {EACH}"))
            .collect();
        assert_eq!(client.ask(&format!("MSET {}", pairs.join(" "))), "OK");
    }
    let done = Arc::new(AtomicBool::new(false));
    let copies = scratch("dumps");
    thread::scope(|scope| {
        let _done = Done(done.clone());
        for number in 0..3 {
            let (server, done) = (&server, &done);
            scope.spawn(move || {
                let (mut client, mut seed) = (server.client(), number * 77 + 1);
                while !done.load(Ordering::Relaxed) {
                    transfer(&mut client, &mut seed);
                }
            });
        }
        for number in 0..DUMPS {
            assert_eq!(client.ask("BGSAVE"), "Background saving started");
            wait_for_save(&mut client);
            let copy = copies.join(number.to_string());
            std::fs::create_dir_all(&copy).unwrap();
            std::fs::copy(server.directory.join("dump.rdb"), copy.join("dump.rdb")).unwrap();
        }
        let copied = client.ask("INFO persistence");
        assert!(
            !copied.contains("rdb_last_cow_size:0\r\n"),
            "nothing was changed meanwhile: {copied}"
        );
    });
    for number in 0..DUMPS {
        let reader = loaded(&copies.join(number.to_string()).join("dump.rdb"));
        let mut client = reader.client();
        assert_eq!(client.ask("DBSIZE"), format!("{ACCOUNTS}"));
        let mut sum: i64 = 0;
        for account in 0..ACCOUNTS {
            let balance = client.ask(&format!("GET account:{account}"));
            sum += balance.parse::<i64>().expect("a balance");
        }
        assert_eq!(sum, (ACCOUNTS * EACH) as i64, "dump {number}");
    }
    std::fs::remove_dir_all(copies).unwrap();
}

#[test]
fn flushall_that_saves_serves_those_who_wait_for_its_keys() {
    let server = Server::start("save 3600 1");
    let mut client = server.client();
    client.ask("XADD s * f v");
    assert_eq!(client.ask("XGROUP CREATE s g $"), "OK");
    let mut reader = server.client();
    reader
        .send(&[
            "XREADGROUP",
            "GROUP",
            "g",
            "c",
            "BLOCK",
            "0",
            "STREAMS",
            "s",
            ">",
        ])
        .unwrap();
    wait_for("the reader to wait", || {
        client.ask("INFO clients").contains("blocked_clients:1")
    });
    assert_eq!(client.ask("FLUSHALL"), "OK");
    assert!(
        server.directory.join("dump.rdb").exists(),
        "before the reply"
    );
    assert!(reader.reply().unwrap().contains("NOGROUP"));
    assert_eq!(client.ask("PING"), "PONG");
    assert_eq!(client.ask("DBSIZE"), "0");
}

#[test]
fn what_is_there_at_the_end_is_there_at_the_next_start() {
    let mut server = Server::start("save 3600 1000000");
    let mut client = server.client();
    assert_eq!(client.ask("SET k v"), "OK");
    client.send(&["SHUTDOWN"]).unwrap();
    assert!(client.reply().is_err(), "the end is the reply");
    assert!(server.wait().success());
    let next = loaded(&server.directory.join("dump.rdb"));
    assert_eq!(next.client().ask("GET k"), "v");
}

#[test]
fn a_dump_of_many_keys_is_loaded_by_who_holds_all_of_them() {
    let directory = scratch("reload");
    let server = Server::start(&format!(
        "dir {}\nenable-debug-command yes",
        directory.display()
    ));
    let mut client = server.client();
    // More than there are stripes, in two databases: room is made for what the dump announces.
    for line in ["DEBUG POPULATE 5000", "SELECT 3", "DEBUG POPULATE 3000"] {
        assert_eq!(client.ask(line), "OK", "{line}");
    }
    let before = client.ask("DEBUG DIGEST");
    assert_eq!(client.ask("DEBUG RELOAD"), "OK");
    assert_eq!(client.ask("DEBUG DIGEST"), before);
    assert_eq!(client.ask("DBSIZE"), "3000");
}

#[test]
fn save_keeps_only_its_own_client_waiting() {
    let server = Server::start("rdb-key-save-delay 1000");
    let mut client = server.client();
    for number in 0..500 {
        client.ask(&format!("SET k{number} v"));
    }
    let mut saver = server.client();
    saver.send(&["SAVE"]).unwrap();
    wait_for("the save to begin", || {
        client
            .ask("INFO persistence")
            .contains("rdb_bgsave_in_progress:1")
    });
    assert_eq!(client.ask("SET k1 w"), "OK");
    assert!(
        client
            .ask("INFO persistence")
            .contains("rdb_bgsave_in_progress:1")
    );
    assert_eq!(saver.reply().unwrap(), "OK");
    let reader = loaded(&server.directory.join("dump.rdb"));
    assert_eq!(reader.client().ask("GET k1"), "v");
}
