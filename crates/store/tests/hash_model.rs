//! Hashes beside a std map, by random operations, through all encodings, with deadlines of fields; images never change.

mod common;

use std::collections::HashMap;

use common::{Images, Rng, operations};
use dunlin_store::hash_value::{self, HashLimits, HashRef};
use dunlin_store::{Entry, KeyHasher, Kind};

const LIMITS: HashLimits = HashLimits {
    entries: 20,
    value_bytes: 12,
};

const OPERATIONS: usize = 100_000;
const SEEDS: usize = 5;

fn text(rng: &mut Rng, kinds: usize) -> Vec<u8> {
    let n = rng.below(kinds);
    match n % 5 {
        0 => n.to_string().into_bytes(),
        1 => format!("-{n}").into_bytes(),
        2 => format!("field:{n}").into_bytes(),
        3 => Vec::new(),
        _ => vec![n as u8; rng.below(if kinds < 100 { 13 } else { 40 })],
    }
}

/// Values of fields, and their deadlines.
type Model = HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn assert_same(entry: &Entry, hasher: &KeyHasher, model: &Model) {
    assert_same_deadlines(entry, hasher, model);
    let values = model.iter();
    let values = values.map(|(field, (value, _))| (field.clone(), value.clone()));
    assert_same_values(entry, hasher, &values.collect());
}

fn assert_same_deadlines(entry: &Entry, hasher: &KeyHasher, model: &Model) {
    let timed = entry.timed();
    let mut found = HashMap::new();
    if let Some(deadlines) = timed {
        deadlines.for_each(|field, at| {
            let before = found.insert(field.to_vec(), at);
            assert!(before.is_none(), "a field comes twice");
        });
    }
    let expected = model.iter();
    let expected = expected.filter_map(|(field, (_, at))| Some((field.clone(), (*at)?)));
    assert_eq!(found, expected.collect::<HashMap<_, _>>());
    for (field, at) in &found {
        let deadline = timed.and_then(|deadlines| deadlines.of_field(hasher, field));
        assert_eq!(deadline, Some(*at));
    }
}

fn assert_same_values(entry: &Entry, hasher: &KeyHasher, model: &HashMap<Vec<u8>, Vec<u8>>) {
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

/// One hash after another, since a hash never returns to the packed form; now and then one of several levels.
fn run(seed: usize, operations: usize) {
    let hasher = KeyHasher::new([seed as u64, 2]);
    let mut rng = Rng::new(seed as u64);
    let mut images = Images::new();
    let (mut packed, mut packed_timed, mut big, mut timed) = (0, 0, 0, 0);
    let (mut done, mut longest) = (0, 0);
    while done < operations {
        let mut entry = hash_value::new(b"key", 0);
        let mut model = Model::new();
        // In half of all lives fields get deadlines.
        let has_deadlines = rng.below(2) == 0;
        let life = if rng.below(20) == 0 { 4_000 } else { 400 };
        for step in 0..life {
            let kinds = if step > 100 { life * 5 } else { 25 };
            let field = text(&mut rng, kinds);
            let what = rng.below(10);
            if has_deadlines && what == 0 {
                // Of whatever fields there are.
                let fields: Vec<Vec<u8>> = model.keys().take(3).cloned().collect();
                for field in fields {
                    let deadline = (rng.below(4) > 0).then(|| 1 + rng.below(1000) as u64);
                    entry = hash_value::set_deadline(entry, &hasher, &field, deadline);
                    model.get_mut(&field).expect("a field").1 = deadline;
                }
            } else if what < 7 {
                let value = text(&mut rng, kinds);
                let keeps = rng.below(3) == 0;
                let set = if keeps {
                    hash_value::set_keeping_deadline
                } else {
                    hash_value::set
                };
                let is_new;
                (entry, is_new) = set(entry, &hasher, LIMITS, &field, &value);
                let kept = model.get(&field).and_then(|(_, at)| *at).filter(|_| keeps);
                assert_eq!(is_new, model.insert(field, (value, kept)).is_none());
            } else {
                let was_there;
                (entry, was_there) = hash_value::remove(entry, &hasher, &field);
                assert_eq!(was_there, model.remove(&field).is_some());
            }
            match entry.kind() {
                Kind::HashPacked => packed += 1,
                Kind::Hash => big += 1,
                Kind::HashPackedTimed => packed_timed += 1,
                Kind::HashTimed => timed += 1,
                other => panic!("{other:?}"),
            }
            if rng.below(life / 8) == 0 {
                assert_same(&entry, &hasher, &model);
                images.take(&mut rng, &entry, model.clone(), |image, shown| {
                    assert_same(image, &hasher, shown);
                });
            }
        }
        longest = longest.max(model.len());
        done += life;
    }
    assert!(
        packed > operations / 40
            && big > operations / 40
            && packed_timed > operations / 40
            && timed > operations / 20
            && longest > 1_000,
        "{packed} {packed_timed} {big} {timed} {longest}"
    );
    assert!(images.taken > operations / 800, "{}", images.taken);
    images.check_all(|image, shown| assert_same(image, &hasher, shown));
}

#[test]
fn agrees_with_a_map() {
    for seed in 1..=SEEDS {
        run(seed, operations(OPERATIONS) / SEEDS);
    }
}
