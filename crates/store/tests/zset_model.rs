//! Sorted sets beside a std set, by random operations, through both forms; images never change.

mod common;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use common::{Images, Rng, operations};
use dunlin_store::zset::edit::{self, Rules};
use dunlin_store::zset::{LexBound, LexRange, ScoreBound, ScoreRange, ZSetRef, order};
use dunlin_store::{Big, Entry, KeyHasher, Kind};
use dunlin_structures::packed::Element;

const OPERATIONS: usize = 100_000;
/// Operations on one sorted set before the next is begun.
const LIFE: usize = 2_000;
const ENTRIES_MAX: usize = 40;
const VALUE_BYTES_MAX: usize = 24;

type Member = (Vec<u8>, f64);
type Members = Vec<Member>;

trait Items {
    fn member(&mut self, kinds: usize) -> Vec<u8>;
    fn score(&mut self) -> f64;
}

impl Items for Rng {
    fn member(&mut self, kinds: usize) -> Vec<u8> {
        let n = self.below(kinds);
        match n % 6 {
            0 => n.to_string().into_bytes(),
            1 => format!("-{n}").into_bytes(),
            2 if n.is_multiple_of(5) => vec![n as u8; 5 * (n % 9)],
            _ => format!("member:{n}").into_bytes(),
        }
    }

    fn score(&mut self) -> f64 {
        match self.below(8) {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => -0.0,
            3 => self.below(1000) as f64 / 7.0,
            4 => 1e300 / (1.0 + self.below(9) as f64),
            _ => self.below(12) as f64 - 4.0,
        }
    }
}

/// Members and scores; order is made when it is asked for.
#[derive(Clone, Default)]
struct Model(BTreeMap<Vec<u8>, f64>);

impl Model {
    fn sorted(&self) -> Members {
        let mut items: Vec<_> = self.0.iter().map(|(m, s)| (m.clone(), *s)).collect();
        items.sort_by(|a, b| order(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
        items
    }
}

fn items(zset: ZSetRef<'_>) -> Members {
    zset.iter().map(|(m, s)| (m.to_vec(), s)).collect()
}

/// The first and the last of a range of two bounds, by brute force.
fn selected(model: &[Member], inside: impl Fn(&Member) -> bool) -> Members {
    model.iter().filter(|item| inside(item)).cloned().collect()
}

fn assert_same(entry: &Entry, rules: &Rules<'_>, model: &Model) {
    let zset = ZSetRef::of(entry).expect("a sorted set");
    if let Some(Big::ZSet(big)) = entry.big() {
        big.assert_consistent(rules.hasher);
    } else {
        assert_eq!(entry.kind(), Kind::ZSetPacked);
        assert!(zset.len() <= rules.entries);
    }
    let sorted = model.sorted();
    assert_eq!(items(zset), sorted);
    assert_eq!(zset.len(), sorted.len());
    let mut backward: Vec<_> = zset.iter().rev().map(|(m, s)| (m.to_vec(), s)).collect();
    backward.reverse();
    assert_eq!(backward, sorted);
    for (rank, (member, score)) in sorted.iter().enumerate() {
        assert_eq!(zset.rank(rules.hasher, member), Some((rank, *score)));
        assert_eq!(zset.score(rules.hasher, member), Some(*score));
        assert_eq!(
            zset.get(rank).map(|(m, _)| m.to_vec()).as_ref(),
            Some(member)
        );
    }
    let mut scanned = BTreeMap::new();
    let mut cursor = 0;
    loop {
        cursor = zset.scan(cursor, 7, |(member, score)| {
            assert!(
                scanned.insert(member.to_vec(), score).is_none(),
                "scanned twice"
            );
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned, model.0);
}

/// An image shows this still; so does a sorted set that is built from it at once, in the form that its own size asks for.
fn assert_shows(image: &Entry, rules: &Rules<'_>, shown: &Model) {
    let sorted = shown.sorted();
    assert_eq!(items(ZSetRef::of(image).expect("a sorted set")), sorted);
    let elements = sorted.iter().map(|(m, s)| (Element::of(m), *s));
    let rebuilt = edit::from_sorted(b"key", 0, elements, rules);
    assert_same(&rebuilt, rules, shown);
    let fits =
        sorted.len() <= ENTRIES_MAX && sorted.iter().all(|(m, _)| m.len() <= VALUE_BYTES_MAX);
    assert_eq!(rebuilt.kind() == Kind::ZSetPacked, fits);
}

fn assert_ranges(rng: &mut Rng, entry: &Entry, model: &Model) {
    let zset = ZSetRef::of(entry).expect("a sorted set");
    let sorted = model.sorted();
    let taken = |ranks| {
        zset.range(ranks)
            .map(|(m, s)| (m.to_vec(), s))
            .collect::<Vec<_>>()
    };
    let mut bound = || ScoreBound {
        score: rng.score(),
        exclusive: rng.below(2) == 0,
    };
    let (min, max) = (bound(), bound());
    let above = |score: f64| match order(score, min.score) {
        Ordering::Equal => !min.exclusive,
        unequal => unequal.is_gt(),
    };
    let below = |score: f64| match order(score, max.score) {
        Ordering::Equal => !max.exclusive,
        unequal => unequal.is_lt(),
    };
    let expected = selected(&sorted, |item| above(item.1) && below(item.1));
    assert_eq!(taken(zset.score_ranks(&ScoreRange { min, max })), expected);

    let start = rng.below(sorted.len() + 1);
    let end = start + rng.below(sorted.len() + 1 - start);
    assert_eq!(taken(start..end), sorted[start..end]);
}

/// Ranges by bytes, where all scores are equal.
#[test]
fn ranges_of_members() {
    let hasher = KeyHasher::new([3, 4]);
    let rng = &mut Rng::new(77);
    for members in [0, 1, 5, 30, 300] {
        let rules = Rules {
            hasher: &hasher,
            entries: ENTRIES_MAX,
            value_bytes: VALUE_BYTES_MAX,
        };
        let mut entry = edit::empty(b"key", 0, 1, 1, &rules);
        let mut model = Model::default();
        for _ in 0..members {
            let member = rng.member(500);
            entry = edit::upsert(entry, &member, &rules, |_| Some(0.0));
            model.0.insert(member, 0.0);
        }
        for _ in 0..300 {
            let texts = [rng.member(500), rng.member(500)];
            let mut bound = |text| match rng.below(6) {
                0 => LexBound::First,
                1 => LexBound::Last,
                2 | 3 => LexBound::Inclusive(text),
                _ => LexBound::Exclusive(text),
            };
            let range = LexRange {
                min: bound(&texts[0]),
                max: bound(&texts[1]),
            };
            let inside = |member: &[u8]| {
                let above = match range.min {
                    LexBound::First => true,
                    LexBound::Last => false,
                    LexBound::Inclusive(text) => member >= text,
                    LexBound::Exclusive(text) => member > text,
                };
                let below = match range.max {
                    LexBound::First => false,
                    LexBound::Last => true,
                    LexBound::Inclusive(text) => member <= text,
                    LexBound::Exclusive(text) => member < text,
                };
                above && below
            };
            let expected = selected(&model.sorted(), |item| inside(&item.0));
            let zset = ZSetRef::of(&entry).expect("a sorted set");
            let taken: Vec<_> = zset
                .range(zset.lex_ranks(&range))
                .map(|(m, s)| (m.to_vec(), s))
                .collect();
            assert_eq!(taken, expected, "{range:?}");
            for member in model.0.keys() {
                assert_eq!(range.contains(Element::of(member)), inside(member));
            }
        }
    }
}

#[test]
fn a_model() {
    let hasher = KeyHasher::new([1, 2]);
    let rules = &Rules {
        hasher: &hasher,
        entries: ENTRIES_MAX,
        value_bytes: VALUE_BYTES_MAX,
    };
    let rng = &mut Rng::new(20_251_121);
    let operations = operations(OPERATIONS);
    let mut images = Images::new();
    let (mut packed_checks, mut big_checks) = (0, 0);
    for _ in 0..operations.div_ceil(LIFE) {
        let mut entry = edit::empty(b"key", 0, 1, 1, rules);
        let mut model = Model::default();
        // Some never leave the packed form, some fill several levels.
        let kinds = [20, 60, 400, 4000][rng.below(4)];
        for step in 0..LIFE {
            let member = rng.member(kinds);
            let stored = rng.score();
            match rng.below(20) {
                0..12 => {
                    let skip = rng.below(10) == 0;
                    let mut seen = None;
                    entry = edit::upsert(entry, &member, rules, |old| {
                        seen = Some(old);
                        (!skip).then_some(stored)
                    });
                    assert_eq!(seen, Some(model.0.get(&member).copied()));
                    if !skip {
                        model.0.insert(member, stored);
                    }
                }
                12..16 => {
                    let (left, was_there) = edit::remove(entry, &member, rules);
                    entry = left;
                    assert_eq!(was_there, model.0.remove(&member).is_some());
                }
                16 => {
                    let sorted = model.sorted();
                    let start = rng.below(sorted.len() + 1);
                    let most = (sorted.len() - start).min([2, 5, 1000][rng.below(3)]);
                    let end = start + rng.below(most + 1);
                    entry = edit::remove_ranks(entry, start..end, rules);
                    for (member, _) in &sorted[start..end] {
                        model.0.remove(member);
                    }
                }
                17 => assert_ranges(rng, &entry, &model),
                18 if rng.below(4) == 0 => {
                    images.take(rng, &entry, model.clone(), |image, shown| {
                        assert_shows(image, rules, shown);
                    });
                }
                _ if step % 10 == 0 => {
                    assert_same(&entry, rules, &model);
                    packed_checks += usize::from(entry.kind() == Kind::ZSetPacked);
                    big_checks += usize::from(entry.kind() == Kind::ZSet);
                }
                _ => {}
            }
        }
        assert_same(&entry, rules, &model);
    }
    assert!(
        packed_checks > 50 && big_checks > 50,
        "{packed_checks} {big_checks}"
    );
    assert!(images.taken > operations / 200, "{}", images.taken);
    images.check_all(|image, shown| assert_shows(image, rules, shown));
}

/// A member of 16 bytes and its score take some 67 bytes in the big form, below what a pointer-linked list and a hash table take.
#[test]
fn bytes_of_a_member() {
    const MEMBERS: usize = 100_000;
    const BYTES_MAX: usize = 80;
    let hasher = KeyHasher::new([5, 6]);
    let rules = &Rules {
        hasher: &hasher,
        entries: ENTRIES_MAX,
        value_bytes: VALUE_BYTES_MAX,
    };
    let rng = &mut Rng::new(4);
    let mut entry = edit::empty(b"key", 0, 1, 1, rules);
    for n in 0..MEMBERS {
        let member = format!("member:{n:09}");
        let score = rng.below(1_000_000) as f64;
        entry = edit::upsert(entry, member.as_bytes(), rules, |_| Some(score));
    }
    let bytes = entry.outside_bytes() / MEMBERS;
    assert!((40..=BYTES_MAX).contains(&bytes), "{bytes} bytes");
}
