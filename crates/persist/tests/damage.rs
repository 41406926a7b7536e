//! Values and files that are cut or changed at every place: refused or sound, never a panic; and read in pieces of any size the same.

mod invariants;

use std::io::Read;

use dunlin_persist::Error;
use dunlin_persist::rdb::{Item, Scanner};
use invariants::{check_file, check_value, file, seeds};

#[test]
fn seeds_are_values() {
    use dunlin_persist::rdb::{restore, types};
    let hasher = dunlin_store::KeyHasher::new([1, 2]);
    for (name, value) in seeds() {
        let payload = invariants::payload(&value, types::VERSION_MAX);
        let restored = restore(&payload, b"key", &invariants::rules(&hasher, false), true);
        assert!(matches!(restored, Ok(Some(_))), "{name}: {restored:?}");
        check_value(&value);
        assert_eq!(check_file(&file(&value)).ok(), Some(8), "{name}");
    }
}

#[test]
fn every_prefix_is_refused() {
    let hasher = dunlin_store::KeyHasher::new([1, 2]);
    for (name, value) in seeds() {
        for len in 0..value.len() {
            let payload = invariants::payload(&value[..len], 12);
            let rules = invariants::rules(&hasher, false);
            let restored = dunlin_persist::rdb::restore(&payload, b"key", &rules, true);
            assert!(restored.is_err(), "{name}, {len} bytes");
        }
        let file = file(&value);
        for len in 0..file.len() {
            let refused = check_file(&file[..len]);
            let is_cut =
                matches!(refused, Err(Error::Truncated { offset, .. }) if offset == len as u64);
            assert!(is_cut, "{name}, {len} bytes: {refused:?}");
        }
    }
}

#[test]
fn every_byte_may_be_any_other() {
    for (_, value) in seeds() {
        let mut damaged = value.clone();
        for at in 0..value.len() {
            for byte in [
                0,
                1,
                0x40,
                0x7f,
                0x80,
                0x81,
                0xc3,
                0xf4,
                0xfe,
                0xff,
                value[at].wrapping_add(1),
                value[at] ^ 0x20,
            ] {
                damaged[at] = byte;
                check_value(&damaged);
            }
            damaged[at] = value[at];
        }
    }
}

#[test]
fn a_damaged_file_is_told_by_its_checksum() {
    for (name, value) in seeds() {
        let mut file = file(&value);
        for at in 9..file.len() {
            file[at] ^= 8;
            // A checksum of zero is none; no byte alone makes it that.
            assert!(check_file(&file).is_err(), "{name}, byte {at}");
            file[at] ^= 8;
        }
    }
}

/// A source that gives few bytes at a time.
struct Drips<'a>(&'a [u8], usize);

impl Read for Drips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.1.min(buffer.len()).min(self.0.len());
        buffer[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

fn shown(source: impl Read) -> Vec<String> {
    let mut scanner = Scanner::open(source).expect("a file");
    let mut items = Vec::new();
    loop {
        let item = scanner.next().expect("a whole file");
        if matches!(item, Item::Eof) {
            return items;
        }
        items.push(format!("{item:?}"));
    }
}

#[test]
fn pieces_of_any_size_are_the_same_file() {
    for (name, value) in seeds() {
        let file = file(&value);
        let whole = shown(&file[..]);
        assert_eq!(whole.len(), 8);
        for piece in [1, 2, 7, 64] {
            assert_eq!(
                shown(Drips(&file, piece)),
                whole,
                "{name}, {piece} at a time"
            );
        }
    }
}

#[test]
fn claims_allocate_nothing() {
    // Numbers and lengths of nearly 2^64, and of nearly 2^31, with nothing behind.
    let huge: [&[u8]; 2] = [
        &[0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0],
        &[0x80, 0x7f, 0xff, 0x00, 0x00],
    ];
    for kind in 0..=26 {
        for claim in huge {
            let mut value = vec![kind];
            value.extend(claim);
            check_value(&value);
            value.splice(1..1, [1]);
            check_value(&value);
            // Compressed to one byte, as it claims.
            value = vec![kind, 0xc3, 1];
            value.extend(claim);
            value.push(0);
            check_value(&value);
        }
    }
}
