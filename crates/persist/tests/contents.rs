//! What is read is what was meant: deadlines of fields in every form that there is, and everything that a file holds beside values.

mod invariants;

use dunlin_persist::Error;
use dunlin_persist::rdb::{Item, Rules, Scanner, crc64, restore};
use dunlin_store::hash_value::HashRef;
use dunlin_store::{Entry, KeyHasher, Kind};
use invariants::{NOW_MS, payload, rules};

/// A text with its length.
fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![text.len() as u8];
    bytes.extend(text);
    bytes
}

fn long(n: u64) -> Vec<u8> {
    let mut bytes = vec![0x81];
    bytes.extend(n.to_be_bytes());
    bytes
}

fn restored(value: &[u8], version: u16, rules: &Rules<'_>) -> Option<Entry> {
    restore(&payload(value, version), b"key", rules, true).expect("a value")
}

/// Fields, values and deadlines.
fn fields(entry: &Entry, hasher: &KeyHasher) -> Vec<(String, String, Option<u64>)> {
    let hash = HashRef::of(entry).expect("a hash");
    let shown = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let mut fields: Vec<_> = hash
        .iter()
        .map(|(field, value)| {
            let field = field.to_vec();
            let timed = entry.timed();
            let at = timed.and_then(|deadlines| deadlines.of_field(hasher, &field));
            (shown(field), shown(value.to_vec()), at)
        })
        .collect();
    fields.sort();
    fields
}

/// The same three fields in each form, of which one has no deadline and one is past it.
fn timed_hashes() -> Vec<(&'static str, u16, Vec<u8>)> {
    let (past, later) = (NOW_MS - 10, NOW_MS + 1000);
    let names = [&b"past"[..], b"none", b"later"];
    let of = |each: &dyn Fn(usize) -> Vec<u8>| (0..3).flat_map(each).collect::<Vec<u8>>();
    let pair = |place: usize| [text(names[place]), text(b"v")].concat();
    let absolute = [past, 0, later];
    let relative = [1, 0, later - past + 1];
    let mut listpack = Vec::new();
    for place in 0..3 {
        let mut number = vec![0xf4];
        number.extend(absolute[place].to_le_bytes());
        for element in [
            [&[0x80 | names[place].len() as u8], names[place]].concat(),
            b"\x81v".to_vec(),
            number,
        ] {
            let len = element.len() as u8;
            listpack.extend(element);
            listpack.push(len);
        }
    }
    let mut whole = (listpack.len() as u32 + 7).to_le_bytes().to_vec();
    whole.extend([9, 0]);
    whole.extend(listpack);
    whole.push(255);
    let first = past.to_le_bytes().to_vec();
    let piece = text(&whole);
    vec![
        (
            "22",
            12,
            [
                vec![22, 3],
                of(&|at| [long(absolute[at]), pair(at)].concat()),
            ]
            .concat(),
        ),
        ("23", 12, [vec![23], vec![0x40], piece.clone()].concat()),
        (
            "24",
            12,
            [
                vec![24],
                first.clone(),
                vec![3],
                of(&|at| [long(relative[at]), pair(at)].concat()),
            ]
            .concat(),
        ),
        ("25", 12, [vec![25], first, vec![0x40], piece].concat()),
        (
            "22 of Valkey",
            80,
            [
                vec![22, 3],
                of(&|at| {
                    let deadline = if at == 1 { u64::MAX } else { absolute[at] };
                    [pair(at), deadline.to_le_bytes().to_vec()].concat()
                }),
            ]
            .concat(),
        ),
    ]
}

#[test]
fn deadlines_of_fields_in_every_form() {
    let hasher = KeyHasher::new([1, 2]);
    for (name, version, value) in timed_hashes() {
        for (small, kind) in [(false, Kind::HashPackedTimed), (true, Kind::HashTimed)] {
            let mut rules = rules(&hasher, small);
            rules.hash.entries = if small { 1 } else { 10 };
            let entry = restored(&value, version, &rules).expect("two fields live");
            assert_eq!(entry.kind(), kind, "{name}");
            let v = || "v".to_owned();
            let expected = [
                ("later".into(), v(), Some(NOW_MS + 1000)),
                ("none".into(), v(), None),
            ];
            assert_eq!(fields(&entry, &hasher), expected, "{name}");
            rules.now_ms = NOW_MS + 1000;
            let entry = restored(&value, version, &rules).expect("a field lives");
            assert_eq!(entry.timed().is_none(), entry.kind() != kind, "{name}");
            assert_eq!(
                fields(&entry, &hasher),
                [("none".into(), v(), None)],
                "{name}"
            );
        }
    }
}

#[test]
fn a_hash_of_which_nothing_lives_is_none() {
    let hasher = KeyHasher::new([1, 2]);
    let value = [vec![22, 1], long(NOW_MS), text(b"f"), text(b"v")].concat();
    assert!(restored(&value, 12, &rules(&hasher, false)).is_none());
}

/// Every item as text; a refusal as the last one.
fn items(file: &[u8]) -> Vec<String> {
    let mut scanner = match Scanner::open(file) {
        Ok(scanner) => scanner,
        Err(error) => return vec![error.to_string()],
    };
    let mut items = Vec::new();
    loop {
        match scanner.next() {
            Ok(Item::Eof) => return items,
            Ok(Item::Key(raw)) => items.push(format!(
                "{} {} {:?} {:?} {:?} {} {:?} {}",
                raw.db,
                raw.key.escape_ascii(),
                raw.deadline_ms,
                raw.idle_s,
                raw.frequency,
                raw.kind,
                raw.value.escape_ascii().to_string(),
                raw.offset,
            )),
            Ok(item) => items.push(format!("{item:?}")),
            Err(error) => {
                items.push(error.to_string());
                return items;
            }
        }
    }
}

fn summed(mut file: Vec<u8>) -> Vec<u8> {
    file.push(255);
    file.extend(crc64(&file).to_le_bytes());
    file
}

#[test]
fn all_that_a_file_holds() {
    let mut file = b"REDIS0011".to_vec();
    file.extend(b"\xfa\x03ver\x057.2.4\xf5\x04code\xfe\x02\xfb\x03\x01\xf4\x05\x03\x01");
    file.extend(b"\xfd\x10\x00\x00\x00\xf9\x07\x00\x01a\x01x");
    file.extend(b"\xf8\x40\x64\x00\xc0\x05\xc1\x10\x27");
    file.extend(b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\xc3\x04\x05\x00a\x40\x00\x00");
    let file = summed(file);
    assert_eq!(
        items(&file),
        [
            "Aux { name: [118, 101, 114], value: [55, 46, 50, 46, 52] }",
            "Function([99, 111, 100, 101])",
            "SelectDb(2)",
            "Resize { keys: 3, expires: 1 }",
            "SlotInfo { slot: 5, keys: 3, expires: 1 }",
            "2 a Some(16000) None Some(7) 0 \"\\\\x01x\" 45",
            "2 5 None Some(100) None 0 \"\\\\xc1\\\\x10\\\\'\" 53",
            "2 aaaaa None None None 0 \"\\\\x00\" 73",
        ]
    );
}

#[test]
fn versions_and_magics() {
    let value = b"\xfe\x00\x16\x01k\x01\x01f\x01v\xff\xff\xff\xff\xff\xff\xff\xff";
    let file = |magic: &[u8]| summed([magic, value].concat());
    let of_valkey = items(&file(b"VALKEY080"));
    assert_eq!(of_valkey, items(&file(b"REDIS0080")));
    assert!(
        of_valkey[1].starts_with("0 k None None None 150"),
        "{of_valkey:?}"
    );
    let refusal = |magic: &[u8]| items(&file(magic)).remove(0);
    assert_eq!(
        refusal(b"REDIS0013"),
        "a dump file of version 13 at offset 5"
    );
    assert_eq!(
        refusal(b"REDIS0000"),
        "a dump file of version 0 at offset 5"
    );
    let no_dump = "this is no dump file: it does not begin with REDIS and a version at offset 0";
    assert_eq!(refusal(b"REDIS+011"), no_dump);
    assert_eq!(refusal(b"redis0011"), no_dump);
    // Before version 5 there was no checksum.
    assert_eq!(items(b"REDIS0004\xfe\x00\x00\x01k\x01v\xff").len(), 2);
    assert_eq!(
        items(b"REDIS0005\xfe\x00\x00\x01k\x01v\xff")[2],
        "the data ends at offset 17, in the middle of the checksum at the end"
    );
}

#[test]
fn checksums() {
    let mut file = summed(b"REDIS0011\xfe\x00\x00\x01k\x01v".to_vec());
    assert_eq!(items(&file).len(), 2);
    let end = file.len() - 1;
    file[end] ^= 1;
    let refused = items(&file).remove(2);
    assert!(
        refused.starts_with("the checksum ") && refused.ends_with(" at offset 17"),
        "{refused}"
    );
    let mut scanner = Scanner::open(&file[..]).expect("a file");
    scanner.skip_checksum();
    while !matches!(scanner.next().expect("it is not looked at"), Item::Eof) {}
    // None was computed.
    file[end - 7..].fill(0);
    assert_eq!(items(&file).len(), 2);
}

#[test]
fn what_a_log_has_behind_its_dump_is_left() {
    let mut file = summed(b"REDIS0011\xfe\x00\x00\x01k\x01v".to_vec());
    let len = file.len() as u64;
    file.extend(b"*1\r\n$4\r\nPING\r\n");
    let mut scanner = Scanner::open(&file[..]).expect("a file");
    while !matches!(scanner.next().expect("whole items"), Item::Eof) {}
    assert!(matches!(scanner.next(), Ok(Item::Eof)));
    assert_eq!(scanner.offset(), len);
    let (left, _) = scanner.into_rest();
    assert_eq!(left, b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn modules_and_unknown_things_are_named() {
    let refusal = |body: &[u8]| {
        items(&summed([b"REDIS0011", body].concat()))
            .pop()
            .expect("a refusal")
    };
    // "ReJSON-RL" version 3, as a type and as data beside the keys.
    let id = b"\x81\x45\xe2\x48\xe3\x7e\x91\x2f\x03";
    let named = refusal(&[&b"\x07\x01k"[..], id].concat());
    assert!(named.starts_with("a value of the module type '"), "{named}");
    assert!(named.ends_with(" at offset 12"), "{named}");
    let named = refusal(&[&b"\xf7"[..], id].concat());
    assert!(
        named.starts_with("data of the module type '") && named.ends_with(" at offset 9"),
        "{named}"
    );
    assert_eq!(
        refusal(b"\x1a\x01k\x01v"),
        "26 is no type of a value at offset 12"
    );
    assert_eq!(
        refusal(b"\x96\x01k\x01v"),
        "150 is no type of a value at offset 9"
    );
    assert_eq!(
        refusal(b"\xf6\x01a"),
        "a library of functions as release candidates of Redis 7.0 wrote it at offset 9"
    );
    assert!(matches!(
        Scanner::open(&b"REDIS0011\x07\x01k\x00"[..])
            .expect("a file")
            .next(),
        Err(Error::Unsupported { offset: 12, .. })
    ));
}
