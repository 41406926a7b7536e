//! What a scanner finds in logs that are whole, cut, damaged, padded.

use dunlin_store::log::{Arg, Record};
use proptest::prelude::*;

use super::*;
use crate::aof::{Framer, FramerOptions, padding};

/// Gives what it has in pieces of any size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.0.len().min(out.len()).min(self.1);
        out[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// What came out, where it ended whole, and why if not at the end.
fn scan(bytes: &[u8], piece: usize) -> (Vec<String>, u64, Option<Error>) {
    let mut scanner = Scanner::new(Pieces(bytes, piece), 0);
    let mut items = Vec::new();
    loop {
        match scanner.next() {
            Ok(Item::Eof) => return (items, scanner.whole(), None),
            Ok(Item::Command(command)) => {
                let from = command.offset as usize;
                assert_eq!(command.bytes, &bytes[from..from + command.bytes.len()]);
                assert_eq!(command.len(), command.args().len());
                let args = command.args().map(|arg| arg.escape_ascii().to_string());
                items.push(args.collect::<Vec<_>>().join(" "));
            }
            Ok(Item::Timestamp(unix_s)) => items.push(format!("at {unix_s}")),
            Ok(Item::Annotation(_)) => {}
            Err(error) => return (items, scanner.whole(), Some(error)),
        }
    }
}

fn resp(line: &str) -> Vec<u8> {
    let mut record = Record::default();
    let args: Vec<Arg<'_>> = line.split(' ').map(Arg::from).collect();
    record.push(0, &args);
    record.bytes
}

fn log(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| resp(line)).collect()
}

#[test]
fn a_file_of_redis() {
    let mut bytes = log(&["SELECT 0", "set a 1"]);
    bytes.extend(b"#TS:77\r\n#anything\r\n");
    bytes.extend(log(&["MULTI", "SET b 2", "exec", "DEL c"]));
    let expected = [
        "SELECT 0", "set a 1", "at 77", "MULTI", "SET b 2", "exec", "DEL c",
    ];
    for piece in [1, 7, 100_000] {
        let (items, whole, error) = scan(&bytes, piece);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(
            (items.as_slice(), whole),
            (&expected.map(String::from)[..], bytes.len() as u64)
        );
    }
}

#[test]
fn where_the_file_is_cut_there_it_is_whole() {
    let first = resp("SET a 1").len();
    let bytes = log(&["SET a 1", "MULTI", "SET b 2", "EXEC", "SET c 3"]);
    let last = bytes.len() - resp("SET c 3").len();
    for len in 0..=bytes.len() {
        let (items, whole, error) = scan(&bytes[..len], 1000);
        let expected = match len {
            _ if len < first => 0,
            _ if len < last => first,
            _ if len < bytes.len() => last,
            _ => len,
        };
        assert_eq!(whole as usize, expected, "cut at {len}");
        assert_eq!(error.is_none(), len == expected, "cut at {len}: {error:?}");
        assert!(error.is_none_or(|error| matches!(error, Error::Truncated { .. })));
        assert!(items.len() <= 5);
    }
}

#[test]
fn what_is_damaged_is_told_with_its_offset() {
    for (behind, offset) in [
        (&b"x"[..], 0),
        (b"*0\r\n", 0),
        (b"*-1\r\n", 0),
        (b"*1\n", 2),
        (b"*1\r\n+3\r\n", 4),
        (b"*1\r\n$3\r\nabcd\r\n", 11),
        (b"*1\r\n$18446744073709551615\r\n", 4),
        (b"*2\r\n$1\r\na\r\n*", 11),
        (b"*1\r\n$4\r\nEXEC\r\n", 0),
        (b"#CRC:0123:45\r\n", 0),
    ] {
        let mut bytes = resp("SET a 1");
        let before = bytes.len() as u64;
        bytes.extend(behind);
        let (_, whole, error) = scan(&bytes, 1000);
        let Some(Error::Corrupt { offset: at, .. }) = error else {
            panic!("{}: {error:?}", behind.escape_ascii());
        };
        assert_eq!(
            (whole, at),
            (before, before + offset),
            "{}",
            behind.escape_ascii()
        );
    }
}

/// Claims of lengths that are not there are no reason to allocate them, and none to fail otherwise than by the end.
#[test]
fn long_claims() {
    for bytes in [
        &b"*2\r\n$400000000000\r\nabc"[..],
        b"*2147483647\r\n",
        b"#CRC:0123456789abcdef:ffffffffff\r\nabc",
    ] {
        let (_, whole, error) = scan(bytes, 1000);
        assert!(matches!(error, Some(Error::Truncated { .. })), "{error:?}");
        assert_eq!(whole, 0);
    }
}

/// Batches of records, and the offsets where each begins.
fn batches(records: &[Vec<(u32, String)>], per_batch: usize) -> (Vec<u8>, Vec<usize>, Vec<String>) {
    let mut framer = Framer::new(FramerOptions::default());
    let (mut bytes, mut starts, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for batch in records.chunks(per_batch.max(1)) {
        starts.push(bytes.len());
        framer.begin(&mut bytes, 0);
        for effects in batch {
            let mut record = Record::default();
            for (db, line) in effects {
                let args: Vec<Arg<'_>> = line.split(' ').map(Arg::from).collect();
                record.push(*db, &args);
                all.push(line.clone());
            }
            framer.record(record.as_ref(), &mut bytes);
        }
        framer.end(&mut bytes);
    }
    starts.push(bytes.len());
    (bytes, starts, all)
}

fn effects_of(items: &[String]) -> Vec<String> {
    let framing = ["SELECT ", "MULTI", "EXEC"];
    let is_effect = |item: &&String| !framing.iter().any(|name| item.starts_with(name));
    items.iter().filter(is_effect).cloned().collect()
}

fn records() -> impl Strategy<Value = Vec<Vec<(u32, String)>>> {
    let effect = (0u32..3, "SET [a-z]{1,5} [0-9]{1,40}");
    proptest::collection::vec(proptest::collection::vec(effect, 1..4), 1..12)
}

proptest! {
    #[test]
    fn a_log_that_is_cut_ends_with_a_whole_batch(records in records(), per_batch in 1usize..4, cut in any::<prop::sample::Index>()) {
        let (bytes, starts, all) = batches(&records, per_batch);
        let (items, whole, error) = scan(&bytes, 50);
        prop_assert!(error.is_none(), "{:?}", error);
        prop_assert_eq!((effects_of(&items), whole as usize), (all.clone(), bytes.len()));
        let len = cut.index(bytes.len());
        let (items, whole, error) = scan(&bytes[..len], 50);
        let start = starts.iter().rev().find(|start| **start <= len).expect("0 is among them");
        prop_assert_eq!(whole as usize, *start);
        prop_assert_eq!(error.is_none(), len == *start);
        let effects = effects_of(&items);
        prop_assert_eq!(&effects[..], &all[..effects.len()]);
    }

    #[test]
    fn no_damage_is_overlooked(records in records(), per_batch in 1usize..4, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (mut bytes, starts, all) = batches(&records, per_batch);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (items, whole, error) = scan(&bytes, 1000);
        let batch = starts.iter().rposition(|start| *start <= at).expect("0 is among them");
        let is_head = at - starts[batch] < crate::aof::framer::CHECKSUM_LINE_BYTES;
        // What is acknowledged and comes later is never cut off.
        let is_last = batch + 2 == starts.len();
        let is_cut = matches!(error, Some(Error::Truncated { .. }));
        prop_assert!(is_last || !is_cut);
        // A line that is no checksum's any more is none of ours, and what was not covered is not checked.
        if !is_head {
            prop_assert!(error.is_some());
            prop_assert_eq!(whole as usize, starts[batch]);
            let effects = effects_of(&items);
            prop_assert_eq!(&effects[..], &all[..effects.len()]);
            prop_assert_eq!(is_cut, is_last);
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..200)) {
        let (_, whole, _) = scan(&bytes, 3);
        prop_assert!(whole as usize <= bytes.len());
    }
}

#[test]
fn padding_is_passed_over() {
    let (bytes, ..) = batches(&[vec![(0, "SET a 1".into())]], 1);
    let scan_with = |ending: &[u8], piece| {
        let all = [&bytes, ending].concat();
        let mut scanner = Scanner::new(Pieces(&all, piece), 0);
        let mut commands = 0;
        loop {
            match scanner.next() {
                Ok(Item::Eof) => break,
                Ok(Item::Command(_)) => commands += 1,
                Ok(_) => {}
                Err(error) => return Err((scanner.whole(), error)),
            }
        }
        assert_eq!(scanner.whole(), all.len() as u64);
        Ok((commands, scanner.padding()))
    };
    let long = padding(600_000);
    for piece in [999, 1 << 20] {
        for ending in [&b""[..], b"##", b"#\n", b"#####\n", &long] {
            let found = scan_with(ending, piece);
            assert_eq!(
                found.ok(),
                Some((2, ending.len() as u64)),
                "{}",
                ending.len()
            );
        }
        // As another server goes on.
        for ending in [&b"#\n"[..], b"#####\n", &long] {
            let ending = [ending, &resp("SET b 2")].concat();
            assert_eq!(scan_with(&ending, piece).ok(), Some((3, 0)));
        }
        // What is left of a batch some of whose pages are lost is none, and no commands of it count.
        for lost in [2, 5, 2_000, 300_000] {
            let ending = [
                &padding(lost + 1)[..lost],
                b"a\r\n",
                &resp("SET b 2"),
                &long,
            ]
            .concat();
            let Err((whole, Error::Corrupt { .. })) = scan_with(&ending, piece) else {
                panic!("{lost}");
            };
            assert_eq!(whole, bytes.len() as u64, "{lost}");
        }
        // The last batch, damaged: padding behind it makes no difference.
        let mut torn = bytes.clone();
        torn[50..60].fill(b'#');
        let ending = [&torn[..], &long].concat();
        let found = scan_with(&ending, piece);
        assert!(
            matches!(found, Err((whole, Error::Truncated { .. })) if whole == bytes.len() as u64),
            "{found:?}"
        );
    }
}

#[test]
fn zeros_at_the_end_are_no_damage() {
    let mut bytes = resp("SET a 1");
    let whole_len = bytes.len() as u64;
    bytes.resize(bytes.len() + 20_000, 0);
    let (_, whole, error) = scan(&bytes, 999);
    assert!(matches!(error, Some(Error::Truncated { .. })), "{error:?}");
    assert_eq!(whole, whole_len);
    bytes.push(b'*');
    let (_, _, error) = scan(&bytes, 999);
    assert!(matches!(error, Some(Error::Corrupt { .. })), "{error:?}");
}
