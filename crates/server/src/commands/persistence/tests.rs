//! Saving as a client sees it: a console, a disk in memory, and the saving thread stepped by hand.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_persist::rdb::{Item, Scanner};

use crate::commands::testing::Console;
use crate::config::Config;
use crate::persistence::memory_disk::MemoryDisk;

/// A console whose files are in memory.
fn console(options: &[&str]) -> (Console, MemoryDisk) {
    let words: Vec<&str> = ["--dir", "/"].iter().chain(options).copied().collect();
    let loaded = Config::load(&words).expect("a valid command line");
    let console = Console::new(loaded.config);
    let disk = MemoryDisk::default();
    console.shared.saving.set_disk(Arc::new(disk.clone()));
    (console, disk)
}

/// A field of INFO.
fn info(console: &mut Console, name: &str) -> String {
    let text = console.run("INFO persistence");
    let value = text.split_once(&format!("{name}:"));
    let (_, rest) = value.unwrap_or_else(|| panic!("no {name} in {text}"));
    let end = rest
        .find(|c: char| c.is_whitespace() || c == '\\')
        .unwrap_or(rest.len());
    rest[..end].to_owned()
}

/// The keys of the dump file with their databases and deadlines, in order.
fn dumped(disk: &MemoryDisk) -> Vec<(u32, String, Option<u64>)> {
    let content = disk.content("/dump.rdb".as_ref()).expect("a dump");
    let mut scanner = Scanner::open(&content[..]).expect("a dump");
    let mut keys = Vec::new();
    loop {
        match scanner.next().expect("a sound dump") {
            Item::Eof => break,
            Item::Key(raw) => {
                let key = String::from_utf8_lossy(&raw.key).into_owned();
                keys.push((raw.db, key, raw.deadline_ms));
            }
            _ => {}
        }
    }
    keys.sort();
    keys
}

#[test]
fn save_writes_every_key_of_every_database() {
    let (mut console, disk) = console(&["--save", ""]);
    console.run("SET a 1; SET t 1 PXAT 1900000000000; SELECT 3; RPUSH l x y; SET big xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "5");
    assert_eq!(console.run("SAVE"), "OK");
    let key = |db, key: &str| (db, key.to_owned(), None);
    let timed = (0, "t".to_owned(), Some(1_900_000_000_000));
    assert_eq!(
        dumped(&disk),
        [key(0, "a"), timed, key(3, "big"), key(3, "l")]
    );
    assert_eq!(disk.names(), ["dump.rdb"]);
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "0");
    assert_eq!(info(&mut console, "rdb_saves"), "1");
}

#[test]
fn bgsave_saves_what_was_there_when_it_was_called() {
    let (mut console, disk) = console(&["--save", ""]);
    let replies = "SET a 1; SET b 2; BGSAVE; DEL a; SET c 3; SWAPDB 0 1; SELECT 1; FLUSHDB; BGSAVE; BGSAVE SCHEDULE; SAVE";
    let refused = "(error) ERR Background save already in progress";
    assert_eq!(
        console.run(replies),
        format!(
            "OK; OK; Background saving started; 1; OK; OK; OK; OK; {refused}; {refused}; {refused}"
        )
    );
    assert_eq!(info(&mut console, "rdb_bgsave_in_progress"), "1");
    assert_eq!(info(&mut console, "current_save_keys_total"), "2");
    console.save_in_background();
    assert_eq!(info(&mut console, "rdb_bgsave_in_progress"), "0");
    let keys: Vec<String> = dumped(&disk)
        .into_iter()
        .map(|(db, key, _)| format!("{db} {key}"))
        .collect();
    assert_eq!(keys, ["0 a", "0 b"]);
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "4");
    assert_ne!(info(&mut console, "rdb_last_cow_size"), "0");
    assert!(console.run("INFO stats").contains("total_forks:1"));
    console.run("CONFIG RESETSTAT");
    assert!(console.run("INFO stats").contains("total_forks:0"));
}

#[test]
fn a_failed_save_refuses_writes_until_one_succeeds() {
    let (mut console, disk) = console(&["--save", "3600 100"]);
    console.run("SET a 1");
    disk.fails.store(true, Ordering::Relaxed);
    assert_eq!(console.run("BGSAVE"), "Background saving started");
    console.save_in_background();
    assert_eq!(info(&mut console, "rdb_last_bgsave_status"), "err");
    let misconf = console.run("SET a 2");
    assert!(misconf.starts_with("(error) MISCONF Redis is configured to save RDB snapshots"));
    assert_eq!(console.run("PING; DEL a"), format!("{misconf}; {misconf}"));
    assert_eq!(console.run("GET a; SAVE"), "1; (error) ERR");
    assert_eq!(console.run("MULTI; GET a; EXEC"), "OK; QUEUED; [1]");
    assert_eq!(disk.names(), Vec::<String>::new(), "no half file is left");
    console.run("CONFIG SET stop-writes-on-bgsave-error no");
    assert_eq!(console.run("SET a 3"), "OK");
    console.run("CONFIG SET stop-writes-on-bgsave-error yes");
    assert_eq!(console.run("SET a 4"), misconf);
    disk.fails.store(false, Ordering::Relaxed);
    assert_eq!(console.run("SAVE; SET a 5"), "OK; OK");
    assert_eq!(info(&mut console, "rdb_last_bgsave_status"), "ok");
}

#[test]
fn deadlines_of_fields_need_a_version_that_has_them() {
    let (mut console, disk) = console(&["--save", ""]);
    console.run("HSET h f v g w; HPEXPIREAT h 1900000000000 FIELDS 1 f");
    assert_eq!(console.run("SAVE"), "(error) ERR");
    assert_eq!(disk.names(), Vec::<String>::new());
    console.run("CONFIG SET rdb-version 12");
    assert_eq!(console.run("SAVE"), "OK");
    let content = disk.content("/dump.rdb".as_ref()).expect("a dump");
    assert!(content.starts_with(b"REDIS0012"));
}

#[test]
fn flushall_gives_up_a_save_and_saves_that_nothing_is_left() {
    let (mut console, disk) = console(&["--save", ""]);
    console.run("MSET a 1 b 2; BGSAVE; FLUSHALL");
    console.save_in_background();
    assert_eq!(disk.names(), Vec::<String>::new());
    assert_eq!(info(&mut console, "rdb_last_bgsave_status"), "ok");
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "3");
    console.call(1, &[b"CONFIG", b"SET", b"save", b"3600 1"]);
    assert_eq!(console.run("SET a 1; SAVE"), "OK; OK");
    assert_eq!(dumped(&disk).len(), 1);
    assert_eq!(console.run("SET b 1; FLUSHALL"), "OK; OK");
    assert_eq!(dumped(&disk).len(), 0, "before the reply");
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "0");
    assert_eq!(
        console.run("SET c 1; SAVE; MULTI; FLUSHALL; EXEC"),
        "OK; OK; OK; QUEUED; [OK]"
    );
    assert_eq!(dumped(&disk).len(), 1);
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "0");
    console.save_in_background();
    assert_eq!(dumped(&disk).len(), 0, "a transaction can't wait");
    assert_eq!(info(&mut console, "rdb_changes_since_last_save"), "0");
}

#[test]
fn save_points_and_transactions_save_in_the_background() {
    let (mut console, disk) = console(&["--save", "60 2"]);
    console.run("SET a 1");
    console.advance_ms(61_000);
    console.save_in_background();
    assert_eq!(
        disk.names(),
        Vec::<String>::new(),
        "one change is not enough"
    );
    console.run("SET b 1");
    console.save_in_background();
    assert_eq!(dumped(&disk).len(), 2);
    assert_eq!(
        console.run("MULTI; BGSAVE; SET c 1; EXEC"),
        "OK; QUEUED; QUEUED; [Background saving scheduled OK]"
    );
    console.save_in_background();
    assert_eq!(dumped(&disk).len(), 3);
    assert_eq!(
        console.run("MULTI; SAVE"),
        "OK; (error) ERR Command not allowed inside a transaction"
    );
}

#[test]
fn shutdown_that_cannot_save_goes_on() {
    let (mut console, disk) = console(&["--save", "3600 1"]);
    console.run("SET a 1");
    disk.keeps_names.store(true, Ordering::Relaxed);
    let refused = "(error) ERR Errors trying to SHUTDOWN. Check logs.";
    assert_eq!(
        console.run("SHUTDOWN; SHUTDOWN SAVE; PING"),
        format!("{refused}; {refused}; PONG")
    );
    assert!(!console.shared.is_stopping());
    assert_eq!(disk.names(), Vec::<String>::new());
    console.call(1, &[b"SHUTDOWN", b"NOSAVE"]);
    assert!(console.shared.is_stopping());
}
