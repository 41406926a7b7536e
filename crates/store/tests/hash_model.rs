//! Hashes beside a std map, by random operations, through both encodings; images never change.

use std::collections::HashMap;

use dunlin_store::hash_value::{self, HashLimits, HashRef};
use dunlin_store::{Entry, KeyHasher, Kind};

const LIMITS: HashLimits = HashLimits {
    entries: 20,
    value_bytes: 12,
};

/// xorshift64*, Vigna 2014.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    fn text(&mut self, kinds: u64) -> Vec<u8> {
        let n = self.below(kinds);
        match n % 5 {
            0 => n.to_string().into_bytes(),
            1 => format!("-{n}").into_bytes(),
            2 => format!("field:{n}").into_bytes(),
            3 => Vec::new(),
            _ => vec![n as u8; self.below(if kinds < 100 { 13 } else { 40 }) as usize],
        }
    }
}

fn assert_same(entry: &Entry, hasher: &KeyHasher, model: &HashMap<Vec<u8>, Vec<u8>>) {
    let hash = HashRef::of(entry).expect("a hash");
    assert_eq!(hash.len(), model.len());
    let all: HashMap<Vec<u8>, Vec<u8>> = hash
        .iter()
        .map(|(field, value)| (field.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(&all, model);
    for (field, value) in model {
        assert_eq!(
            hash.get(hasher, field).map(|value| value.to_vec()).as_ref(),
            Some(value)
        );
    }
    let mut scanned = HashMap::new();
    let mut cursor = 0;
    loop {
        cursor = hash.scan(cursor, 7, |(field, value)| {
            let before = scanned.insert(field.to_vec(), value.to_vec());
            assert!(before.is_none(), "scanned twice");
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&scanned, model);
}

fn run(seed: u64, operations: usize) {
    let hasher = KeyHasher::new([seed, 2]);
    let mut rng = Rng(seed | 1);
    let mut entry = hash_value::new(b"key", 0);
    let mut model = HashMap::new();
    let mut images = Vec::new();
    let (mut packed, mut big) = (0, 0);
    for step in 0..operations {
        // A hash never returns to the packed form, so it starts afresh now and then.
        if step % 400 == 399 {
            entry = hash_value::new(b"key", 0);
            model.clear();
        }
        let grows = step % 400 > 100;
        let kinds = if grows { 2_000 } else { 25 };
        let field = rng.text(kinds);
        if rng.below(10) < 7 {
            let value = rng.text(kinds);
            let is_new;
            (entry, is_new) = hash_value::set(entry, &hasher, LIMITS, &field, &value);
            assert_eq!(is_new, model.insert(field, value).is_none());
        } else {
            let was_there;
            (entry, was_there) = hash_value::remove(entry, &hasher, &field);
            assert_eq!(was_there, model.remove(&field).is_some());
        }
        match entry.kind() {
            Kind::HashPacked => packed += 1,
            Kind::Hash => big += 1,
            other => panic!("{other:?}"),
        }
        if step % 50 == 0 {
            assert_same(&entry, &hasher, &model);
            if images.len() < 200 {
                images.push((entry.image(), model.clone()));
            }
        }
    }
    assert!(
        packed > operations / 20 && big > operations / 20,
        "{packed} {big}"
    );
    for (image, frozen) in &images {
        assert_same(&image.to_entry(b"other"), &hasher, frozen);
    }
}

#[test]
fn agrees_with_a_map() {
    for seed in 1..6 {
        run(seed, 20_000);
    }
}
