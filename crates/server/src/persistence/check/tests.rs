//! Files that are sound, broken in every way, repaired.

use std::path::PathBuf;

use super::*;
use crate::persistence::disk::SystemDisk;

/// A directory that is removed when this is dropped.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("dunlin-check-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory for temporary files");
        Dir(dir)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left is for the system to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn with_desk(answer: &str, f: impl FnOnce(&mut Desk<'_>) -> io::Result<bool>) -> (bool, String) {
    let mut out = Vec::new();
    let is_sound = f(&mut Desk {
        disk: &SystemDisk,
        out: &mut out,
        input: &mut answer.as_bytes(),
        progress: None,
    });
    let said = String::from_utf8(out).expect("text");
    (is_sound.expect("a vector takes all"), said)
}

fn aof(path: &Path, repair: Repair, answer: &str) -> (bool, String) {
    with_desk(answer, |desk| check_aof(desk, path, repair))
}

fn resp(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let args = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), args.collect::<String>())
}

fn assert_says(said: &str, parts: &[&str]) {
    let mut rest = said;
    for part in parts {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("no {part:?} in its place in:\n{said}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn an_old_style_log() {
    let dir = Dir::new("old");
    let sound = resp("set foo hello") + &resp("set bar world");
    let path = dir.write("a.aof", sound.as_bytes());
    let (is_sound, said) = aof(&path, Repair::No, "");
    assert!(is_sound);
    assert_says(
        &said,
        &["Start checking Old-Style AOF", "diff=0", "is valid"],
    );

    let path = dir.write("b.aof", (resp("set foo hello") + "!!!").as_bytes());
    let (is_sound, said) = aof(&path, Repair::No, "");
    assert!(!is_sound);
    assert_says(
        &said,
        &["expected '*'", "ok_up_to_line=8, diff=3", "is not valid"],
    );
    let (is_sound, said) = aof(&path, Repair::Fix, "n\n");
    assert!(!is_sound);
    assert_says(&said, &["to 33 bytes", "Continue? [y/N]: Aborting..."]);
    let (is_sound, said) = aof(&path, Repair::Fix, "y\n");
    assert!(is_sound);
    assert_says(&said, &["Successfully truncated AOF"]);
    let (is_sound, _) = aof(&path, Repair::No, "");
    assert!(is_sound);
    assert_eq!(std::fs::read(&path).expect("it is there").len(), 33);
}

#[test]
fn a_log_of_several_files() {
    let dir = Dir::new("several");
    let manifest = dir.write(
        "x.manifest",
        b"file base seq 1 type b\nfile one seq 1 type i\nfile two seq 2 type i\n",
    );
    let (is_sound, said) = aof(&manifest, Repair::No, "");
    assert!(!is_sound);
    assert_says(
        &said,
        &[
            "Start checking Multi Part AOF",
            "Cannot open file",
            "No such file",
        ],
    );
    let open = resp("set a 1") + &resp("multi") + &resp("set b 2");
    dir.write("base", resp("set a 1").as_bytes());
    dir.write("one", b"");
    dir.write("two", open.as_bytes());
    let (is_sound, said) = aof(&manifest, Repair::No, "");
    assert!(!is_sound);
    let base = [
        "BASE AOF (RESP format).",
        "BASE AOF base is valid",
        "Start to check INCR files.",
    ];
    assert_says(&said, &base);
    assert_says(
        &said,
        &["INCR AOF one is empty", "filename=two", "two is not valid"],
    );
    let (is_sound, said) = aof(&manifest, Repair::Fix, "y\n");
    assert!(is_sound);
    assert_says(
        &said,
        &[
            "Successfully truncated AOF two",
            "All AOF files and manifest are valid",
        ],
    );

    dir.write("one", open.as_bytes());
    let (is_sound, said) = aof(&manifest, Repair::Fix, "y\n");
    assert!(!is_sound);
    assert_says(
        &said,
        &["Failed to truncate AOF one because it is not the last file"],
    );
    let manifest = dir.write("y.manifest", b"file a seq 1 type x\n");
    let (is_sound, said) = aof(&manifest, Repair::No, "");
    assert!(!is_sound);
    assert_says(
        &said,
        &[
            "at line 1",
            ">>> 'file a seq 1 type x'",
            "Unknown AOF file type",
        ],
    );
}

#[test]
fn cut_to_a_time() {
    let dir = Dir::new("time");
    let log: String = (70..75)
        .map(|unix_s| format!("#TS:{unix_s}\r\n") + &resp("set a 1"))
        .collect();
    let one = log.len() / 5;
    let path = dir.write("a.aof", log.as_bytes());
    for (unix_s, left, what) in [
        (74, 5, "Truncate nothing in AOF"),
        (73, 4, "to timestamp 73"),
        (70, 1, "Successfully truncated AOF"),
    ] {
        let (is_sound, said) = aof(&path, Repair::ToTimestamp(unix_s), "");
        assert!(is_sound, "{said}");
        assert_says(&said, &[what]);
        assert_eq!(std::fs::read(&path).expect("it is there").len(), left * one);
    }
    let (is_sound, said) = aof(&path, Repair::ToTimestamp(69), "");
    assert!(!is_sound);
    assert_says(&said, &["has nothing before timestamp 69, aborting"]);
    dir.write("b.aof", resp("set a 1").as_bytes());
    let manifest = dir.write(
        "x.manifest",
        b"file a.aof seq 1 type i\nfile b.aof seq 2 type i\n",
    );
    dir.write("a.aof", log.as_bytes());
    let (is_sound, said) = aof(&manifest, Repair::ToTimestamp(72), "");
    assert!(!is_sound);
    assert_says(
        &said,
        &[
            "Failed to truncate AOF a.aof to timestamp 72",
            "not the last file",
        ],
    );
}

#[test]
fn dumps() {
    use dunlin_persist::rdb::{EncodeOptions, KeyMeta, Writer};
    use dunlin_store::{Entry, NewString};
    let dir = Dir::new("dumps");
    let dump = |checksum| {
        let mut writer = Writer::new(Vec::new(), EncodeOptions::default(), checksum);
        writer.aux("redis-ver", b"7.2.4").expect("in memory");
        writer.select(3, 1, 1).expect("in memory");
        let entry = Entry::string(b"key", NewString::new(b"a value of some length"), 0);
        let meta = KeyMeta::with_deadline(Some(1000));
        writer.key(&meta, &entry).expect("in memory");
        writer.finish().expect("in memory")
    };
    let sound = dump(true);
    let rdb = |bytes: &[u8]| {
        let path = dir.write("dump.rdb", bytes);
        with_desk("", |desk| check_rdb(desk, &path))
    };
    let (is_sound, said) = rdb(&sound);
    assert!(is_sound);
    let lines = [
        "AUX FIELD redis-ver = '7.2.4'",
        "Selecting DB ID 3",
        "Checksum OK",
        "\\o/ RDB looks OK! \\o/",
        "1 keys read",
        "1 expires",
        "1 already expired",
    ];
    assert_says(&said, &lines);
    let (is_sound, said) = rdb(&dump(false));
    assert!(is_sound);
    assert_says(&said, &["saved with checksum disabled"]);
    let (is_sound, said) = rdb(&sound[..sound.len() - 12]);
    assert!(!is_sound);
    assert_says(
        &said,
        &["--- RDB ERROR DETECTED ---", "[offset ", "keys read"],
    );
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 4;
        let (is_sound, said) = rdb(&damaged);
        assert!(!is_sound, "byte {at}: {said}");
    }

    // At the beginning of a log.
    let path = dir.write("a.aof", &[&sound, resp("set a 1").as_bytes()].concat());
    let (is_sound, said) = aof(&path, Repair::No, "");
    assert!(is_sound, "{said}");
    let size = format!(
        "size={0}, ok_up_to={0}",
        sound.len() + resp("set a 1").len()
    );
    let parts = [
        "Old-Style",
        "RDB preamble is OK, proceeding with AOF tail",
        &size,
        "is valid",
    ];
    assert_says(&said, &parts);
    let path = dir.write("a.aof", &sound[..30]);
    let (is_sound, said) = aof(&path, Repair::No, "");
    assert!(!is_sound);
    assert_says(&said, &["RDB preamble of AOF file is not sane, aborting."]);
}
