//! Sets beside a std set, by random operations, through all three forms; images never change.

mod common;

use std::collections::BTreeSet;

use common::{Images, Rng, operations};
use dunlin_store::set::{self, Limits, SetRef, Snapshot};
use dunlin_store::{Entry, KeyHasher, Kind, members};
use dunlin_structures::packed::{Element, canonical_int};

const LIMITS: Limits = Limits {
    ints: 40,
    packed: 25,
    value_bytes: 12,
};
const OPERATIONS: usize = 100_000;
const SEEDS: usize = 5;
/// Operations after which the set starts afresh, since it never comes back from its big form by itself.
const LIFE: usize = 250;

type Model = BTreeSet<Vec<u8>>;

trait Texts {
    fn int(&mut self) -> Vec<u8>;
    fn text(&mut self) -> Vec<u8>;
}

impl Texts for Rng {
    fn int(&mut self) -> Vec<u8> {
        let n = match self.below(10) {
            0 => self.next() as i64,
            1 => i64::from(self.next() as i32),
            2 => [i64::MIN, i64::MAX, 0, -1][self.below(4)],
            _ => self.below(60) as i64 - 30,
        };
        n.to_string().into_bytes()
    }

    fn text(&mut self) -> Vec<u8> {
        match self.below(200) {
            0 => vec![b'x'; self.below(300)],
            1 => b"01".to_vec(),
            2 => b"-0".to_vec(),
            3 => b"9223372036854775808".to_vec(),
            4..8 => Vec::new(),
            8..60 => self.int(),
            _ => format!("m{}", self.below(60)).into_bytes(),
        }
    }
}

/// The form that a set has after a new member, by Redis's rules.
fn form_with(old: Kind, model: &Model, member: &[u8]) -> Kind {
    let is_int = canonical_int(member).is_some();
    let numbers = || {
        let texts = model.iter().filter_map(|text| canonical_int(text));
        let (low, high) = (texts.clone().min(), texts.max());
        let len = |n: Option<i64>| n.map_or(0, |n| n.to_string().len());
        len(low).max(len(high))
    };
    let longest = match old {
        Kind::SetInts => member.len().max(numbers()),
        _ => member.len(),
    };
    match old {
        Kind::SetInts if is_int && model.len() < LIMITS.ints => Kind::SetInts,
        Kind::SetInts if is_int => Kind::Set,
        Kind::SetInts | Kind::SetPacked
            if model.len() < LIMITS.packed && longest <= LIMITS.value_bytes =>
        {
            Kind::SetPacked
        }
        _ => Kind::Set,
    }
}

fn assert_same(entry: &Entry, hasher: &KeyHasher, model: &Model) {
    let set = SetRef::of(entry).expect("a set");
    assert_eq!(set.len(), model.len());
    assert_eq!(set.is_empty(), model.is_empty());
    let all: Vec<Vec<u8>> = set.iter().map(Element::to_vec).collect();
    assert_eq!(all.iter().cloned().collect::<Model>(), *model);
    let mut texts = Vec::new();
    set.for_each_text(|text| texts.push(text.to_vec()));
    assert_eq!(texts, all);
    for (index, text) in all.iter().enumerate() {
        assert_eq!(set.get(index).map(Element::to_vec).as_ref(), Some(text));
        assert!(set.contains(hasher, Element::of(text)));
    }
    assert_eq!(set.get(all.len()), None);
    assert!(!set.contains(hasher, Element::Bytes(b"no such member")));
    let mut picked = Vec::new();
    set.pick((0..all.len()).step_by(3), |member| {
        picked.push(member.to_vec())
    });
    assert!(picked.iter().eq(all.iter().step_by(3)));
    let snapshot = Snapshot::of(entry).expect("a set");
    assert!(
        snapshot
            .as_ref()
            .iter()
            .map(Element::to_vec)
            .eq(all.iter().cloned())
    );
    if let SetRef::Big(tree) = set {
        let (mut scanned, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = members::scan(tree, cursor, 7, |(_, text)| scanned.push(text.to_vec()));
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, all, "each once");
    }
}

/// Built at once it has the same members, in a form that the form's own rule allows.
fn assert_builds(hasher: &KeyHasher, model: &Model) {
    let members: Vec<Element<'_>> = model.iter().map(|text| Element::of(text)).collect();
    let form = set::form_of(members.iter().copied(), &LIMITS);
    let built = set::build(b"built", &members, form, hasher, 0);
    assert_eq!(built.kind(), form);
    assert_same(&built, hasher, model);
    let ints = model.iter().all(|text| canonical_int(text).is_some());
    let short = model.iter().all(|text| text.len() <= LIMITS.value_bytes);
    let expected = match model.len() {
        0..=40 if ints => Kind::SetInts,
        0..=25 if !ints && short => Kind::SetPacked,
        _ => Kind::Set,
    };
    assert_eq!(form, expected);
}

fn run(seed: usize, operations: usize) {
    let hasher = KeyHasher::new([seed as u64, 3]);
    let mut rng = Rng::new(seed as u64);
    let mut entry = set::empty_ints(b"key", 0);
    let mut model = Model::new();
    let mut images = Images::new();
    let mut times = [0usize; 3];
    for step in 0..operations {
        let (life, at) = (step / LIFE, step % LIFE);
        if at == 0 {
            model.clear();
            entry = match life % 4 {
                0 | 1 => set::empty_ints(b"key", 0),
                _ => set::empty_packed(b"key", 0),
            };
        }
        // Some lives are of integers alone, some of few members.
        let member = if life.is_multiple_of(2) && at < 200 {
            rng.int()
        } else {
            rng.text()
        };
        let adds = if life % 3 == 0 { 75 } else { 52 };
        match rng.below(100) {
            n if n < adds => {
                let expected = match model.contains(&member) {
                    true => entry.kind(),
                    false => form_with(entry.kind(), &model, &member),
                };
                let is_new;
                (entry, is_new) = set::add(entry, Element::of(&member), &LIMITS, &hasher);
                assert_eq!(entry.kind(), expected, "{}", member.escape_ascii());
                assert_eq!(is_new, model.insert(member));
            }
            97 => {
                let every = 1 + rng.below(5);
                let set = SetRef::of(&entry).expect("a set");
                let indexes: Vec<usize> = (0..set.len()).step_by(every).collect();
                set.pick(indexes.iter().copied(), |member| {
                    assert!(model.remove(&member.to_vec()));
                });
                entry = set::remove_indexes(entry, &indexes);
            }
            98 => {
                let fits = model.len() <= LIMITS.packed
                    && model.iter().all(|text| text.len() <= LIMITS.value_bytes);
                let expected = match entry.kind() {
                    Kind::Set if fits => Kind::SetPacked,
                    other => other,
                };
                entry = set::shrunk(entry, &LIMITS);
                assert_eq!(entry.kind(), expected);
            }
            99 if rng.below(4) == 0 => {
                let count = rng.below(60);
                let expected = match entry.kind() {
                    Kind::SetInts if count > LIMITS.ints => Kind::Set,
                    Kind::SetPacked if count > LIMITS.packed => Kind::Set,
                    other => other,
                };
                entry = set::grown_for(entry, count, &LIMITS, &hasher);
                assert_eq!(entry.kind(), expected);
            }
            _ => {
                let set = SetRef::of(&entry).expect("a set");
                let found = set.find(&hasher, Element::of(&member));
                assert_eq!(found.is_ok(), model.remove(&member));
                if let Ok(place) = found {
                    entry = set::remove(entry, place);
                }
            }
        }
        times[match entry.kind() {
            Kind::SetInts => 0,
            Kind::SetPacked => 1,
            Kind::Set => 2,
            other => panic!("{other:?}"),
        }] += 1;
        if rng.below(20) == 0 {
            assert_same(&entry, &hasher, &model);
            assert_builds(&hasher, &model);
            if rng.below(3) == 0 {
                images.take(&mut rng, &entry, model.clone(), |image, shown| {
                    assert_same(image, &hasher, shown);
                });
            }
        }
    }
    assert!(
        times.iter().all(|times| *times > operations / 20),
        "{times:?}"
    );
    assert!(images.taken > operations / 120, "{}", images.taken);
    images.check_all(|image, shown| assert_same(image, &hasher, shown));
}

#[test]
fn agrees_with_a_std_set() {
    for seed in 1..=SEEDS {
        run(seed, operations(OPERATIONS) / SEEDS);
    }
}
