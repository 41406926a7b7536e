//! What holds whatever the bytes are: used by the tests on stable and by the fuzz targets under `fuzz/`.
//!
//! No panic, no endless loop, nothing half right: what is taken is a sound value, and stays the same when it is written and read again.

// Each test and fuzz target uses its own part.
#![allow(dead_code)]

use dunlin_persist::Error;
use dunlin_persist::rdb::{
    EncodeOptions, Item, RestoreError, Rules, Scanner, crc64, decode, dump, restore, types,
};
use dunlin_store::hash_value::HashLimits;
use dunlin_store::list::Fill;
use dunlin_store::stream::BlockLimits;
use dunlin_store::{Big, Entry, KeyHasher, set};

/// When the values are read, milliseconds since 1970.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;
/// The seeds that are damaged.
const SEEDS: &str = include_str!("../seeds.txt");

/// Rules with limits as they are by default, or so small that everything leaves its packed form.
pub(crate) fn rules(hasher: &KeyHasher, small: bool) -> Rules<'_> {
    let (entries, value_bytes) = if small { (2, 3) } else { (128, 64) };
    Rules {
        hasher,
        hash: HashLimits {
            entries,
            value_bytes,
        },
        set: set::Limits {
            ints: entries,
            packed: entries,
            value_bytes,
        },
        zset_entries: entries,
        zset_value_bytes: value_bytes,
        list: Fill::new(if small { 2 } else { -2 }),
        blocks: BlockLimits {
            bytes: 4096,
            entries,
        },
        clock: 0,
        now_ms: NOW_MS,
    }
}

/// The seeds: names, and types with values.
pub(crate) fn seeds() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let lines = SEEDS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (name, digits) = line.split_once(": ").expect("a name and digits");
        let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        (name, (0..digits.len()).step_by(2).map(pair).collect())
    })
}

/// Type and value, as a payload of this version.
pub(crate) fn payload(value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = value.to_vec();
    payload.extend(version.to_le_bytes());
    payload.extend(crc64(&payload).to_le_bytes());
    payload
}

/// A file with this key in it twice: in the database 0, and with a deadline in another.
pub(crate) fn file(value: &[u8]) -> Vec<u8> {
    let mut file = b"REDIS0012".to_vec();
    file.extend(b"\xfa\x09redis-ver\x057.4.0\xfa\x0aredis-bits\xc0\x40\xfe\x00\xfb\x01\x00");
    let key = b"\x03key";
    file.push(value[0]);
    file.extend(key);
    file.extend(&value[1..]);
    file.extend(b"\xfe\x41\x00\xfb\x01\x01\xfc");
    file.extend((NOW_MS + 5).to_le_bytes());
    file.extend(b"\xf8\x05");
    file.push(value[0]);
    file.extend(key);
    file.extend(&value[1..]);
    file.push(255);
    file.extend(crc64(&file).to_le_bytes());
    file
}

/// Damages a seed as the input says: two bytes choose the seed and what is done, and then each three say where and how.
pub(crate) fn damaged(input: &[u8]) -> Vec<u8> {
    let all: Vec<_> = seeds().collect();
    let Some((&first, rest)) = input.split_first() else {
        return Vec::new();
    };
    let mut value = all[usize::from(first) % all.len()].1.clone();
    for change in rest.chunks_exact(3) {
        if value.is_empty() {
            break;
        }
        let at = usize::from(change[0]) * value.len() / 256;
        match change[1] % 8 {
            0 => value.truncate(at),
            1 => value.insert(at, change[2]),
            2 => drop(value.remove(at)),
            3 => value[at] = value[at].wrapping_add(1),
            4 => value[at] ^= 1 << (change[2] % 8),
            5 => {
                let piece = value[at..].iter().take(usize::from(change[2]));
                let piece: Vec<u8> = piece.copied().collect();
                value.extend(piece);
            }
            _ => value[at] = change[2],
        }
    }
    value
}

/// Panics unless an entry is sound.
fn assert_sound(entry: &Entry, hasher: &KeyHasher) {
    match entry.big() {
        None => {}
        Some(Big::List(tree)) => tree.assert_consistent(),
        Some(Big::Set(tree) | Big::Hash(tree)) => tree.assert_consistent(),
        Some(Big::ZSet(zset)) => zset.assert_consistent(hasher),
        Some(Big::Stream(stream)) => stream.assert_consistent(),
        Some(Big::HashTimed(hash)) => assert!(!hash.is_empty()),
    }
}

/// Type and value as they stand in a payload.
pub(crate) fn check_value(value: &[u8]) {
    let hasher = KeyHasher::new([1, 2]);
    let options = EncodeOptions {
        version: types::VERSION_FIELD_DEADLINES,
        compress: true,
    };
    for small in [false, true] {
        let rules = rules(&hasher, small);
        for version in [types::VERSION_MAX, types::VERSION_VALKEY] {
            let payload = payload(value, version);
            match restore(&payload, b"key", &rules, true) {
                Ok(Some(entry)) => {
                    assert_sound(&entry, &hasher);
                    let written = dump(&entry, &options).expect("the newest version has it all");
                    let read = restore(&written, b"key", &rules, true);
                    let read = read.expect("we wrote it").expect("it lives");
                    assert_sound(&read, &hasher);
                    let again = dump(&read, &options).expect("the newest version has it all");
                    assert_eq!(
                        again.escape_ascii().to_string(),
                        written.escape_ascii().to_string()
                    );
                }
                Ok(None) => {}
                Err(RestoreError::Footer) => panic!("the footer is right"),
                Err(RestoreError::Value(error)) => check_error(&error, value.len()),
            }
        }
    }
}

fn check_error(error: &Error, len: usize) {
    assert!(!error.to_string().is_empty());
    let offset = match error {
        Error::Io { .. } => panic!("nothing is read from outside: {error}"),
        Error::Truncated { offset, .. }
        | Error::Corrupt { offset, .. }
        | Error::Unsupported { offset, .. } => *offset,
    };
    assert!(offset <= len as u64, "{error}, of {len} bytes");
}

/// A file that holds this type and value.
pub(crate) fn check_value_in_file(value: &[u8]) {
    if !value.is_empty() {
        // Refused or not: what matters is asserted on the way.
        let _ = check_file(&file(value));
    }
}

/// A whole file: how many items it holds, or why it is refused.
pub(crate) fn check_file(file: &[u8]) -> Result<usize, Error> {
    let hasher = KeyHasher::new([1, 2]);
    let rules = rules(&hasher, false);
    let checked = |error: Error| {
        check_error(&error, file.len());
        error
    };
    let mut scanner = Scanner::open(file).map_err(checked)?;
    let (mut items, mut before) = (0, 0);
    loop {
        match scanner.next().map_err(checked)? {
            Item::Eof => return Ok(items),
            Item::Key(raw) => {
                let entry = decode(raw.kind, raw.value, &raw.key, raw.offset, &rules);
                if let Some(entry) = entry.map_err(checked)? {
                    assert_sound(&entry, &hasher);
                }
            }
            _ => {}
        }
        items += 1;
        assert!(scanner.offset() > before, "no item is of no bytes");
        before = scanner.offset();
    }
}
