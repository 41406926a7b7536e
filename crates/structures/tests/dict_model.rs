//! The dict against `std`'s map under random operations: contents, scans, picks, memory.

mod common;

use std::collections::HashMap;

use common::{Item, Keyed, Rng, hash_of};
use dunlin_structures::dict::{Dict, POSITION_BITS};
use dunlin_structures::epoch::FreeNow;
use proptest::prelude::*;

/// A dict beside the map that it must agree with.
#[derive(Default)]
struct Pair {
    dict: Dict<Item>,
    model: HashMap<u64, u64>,
    keyed: Keyed,
}

impl Pair {
    fn new(keyed: Keyed) -> Self {
        Pair {
            keyed,
            ..Pair::default()
        }
    }

    fn set(&mut self, key: u64, value: u64) {
        let hash = self.keyed.hash(key);
        match self.dict.find(hash, &key.to_be_bytes()) {
            Some(slot) if value.is_multiple_of(2) => {
                self.dict.replace(slot, |_| Item::new(key, value, hash));
                assert_eq!(self.dict.at(slot).value(), value);
            }
            Some(slot) => self.dict.with_mut(slot, |item| item.set_value(value)),
            None => {
                let item = Item::new(key, value, hash);
                let slot = self.dict.insert_new(hash, item, hash_of, &mut FreeNow);
                assert_eq!(self.dict.at(slot).key(), key.to_be_bytes());
            }
        }
        self.model.insert(key, value);
    }

    fn remove(&mut self, key: u64) {
        let hash = self.keyed.hash(key);
        let slot = self.dict.find(hash, &key.to_be_bytes());
        let removed = slot.map(|slot| self.dict.remove(slot, &mut FreeNow).value());
        assert_eq!(removed, self.model.remove(&key));
    }

    fn check(&self, key: u64) {
        let hash = self.keyed.hash(key);
        let found = self.dict.find(hash, &key.to_be_bytes());
        let found = found.map(|slot| self.dict.at(slot).value());
        assert_eq!(found, self.model.get(&key).copied());
    }

    fn check_all(&self) {
        self.dict.assert_consistent(hash_of);
        assert_eq!(self.dict.len(), self.model.len());
        for key in self.model.keys() {
            self.check(*key);
        }
        let mut seen = HashMap::new();
        for item in &self.dict {
            assert_eq!(seen.insert(item.number(), item.value()), None);
        }
        assert_eq!(seen, self.model);
        let mut scanned = HashMap::new();
        let mut cursor = 0;
        loop {
            let report = |item: &Item| {
                assert_eq!(scanned.insert(item.number(), item.value()), None);
            };
            cursor = self.dict.scan(cursor, 10, hash_of, report);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, self.model);
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Set(u64, u64),
    Remove(u64),
    Find(u64),
    /// Many at once, so that segments split and merge in short cases.
    SetRange(u64, u64),
    RemoveRange(u64, u64),
}

fn operation(keys: u64) -> impl Strategy<Value = Operation> {
    let key = 0..keys;
    prop_oneof![
        4 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Operation::Set(key, value)),
        4 => key.clone().prop_map(Operation::Remove),
        2 => key.clone().prop_map(Operation::Find),
        1 => (key.clone(), 0..keys / 2).prop_map(|(from, n)| Operation::SetRange(from, n)),
        1 => (key, 0..keys / 2).prop_map(|(from, n)| Operation::RemoveRange(from, n)),
    ]
}

fn keyed() -> impl Strategy<Value = Keyed> {
    prop_oneof![
        4 => any::<u64>().prop_map(Keyed::fair),
        // Few distinct hashes; hashes that share their first position bits; both are the stash's and the directory's trouble.
        1 => any::<u64>().prop_map(|seed| Keyed::masked(seed, 0x0000_0000_0000_0003)),
        1 => any::<u64>().prop_map(|seed| Keyed::masked(seed, 0x0000_0000_000f_ffff)),
        1 => any::<u64>().prop_map(|seed| Keyed::masked(seed, 0x0000_ffff_ffff_ffff)),
        1 => any::<u64>().prop_map(|seed| Keyed::masked(seed, 0x00f0_0000_0000_00ff)),
    ]
}

fn run(keyed: Keyed, announced: usize, operations: Vec<Operation>) {
    let mut pair = Pair::new(keyed);
    pair.dict.reserve(announced);
    for operation in operations {
        match operation {
            Operation::Set(key, value) => pair.set(key, value),
            Operation::Remove(key) => pair.remove(key),
            Operation::Find(key) => pair.check(key),
            Operation::SetRange(from, n) => (from..from + n).for_each(|key| pair.set(key, n)),
            Operation::RemoveRange(from, n) => (from..from + n).for_each(|key| pair.remove(key)),
        }
    }
    pair.check_all();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn small_dicts_agree(
        keyed in keyed(),
        announced in 0usize..200,
        operations in prop::collection::vec(operation(64), 0..200),
    ) {
        run(keyed, announced, operations);
    }

    #[test]
    fn large_dicts_agree(
        keyed in keyed(),
        announced in prop_oneof![Just(0), 1usize..6000],
        operations in prop::collection::vec(operation(3000), 0..40),
    ) {
        run(keyed, announced, operations);
    }
}

#[test]
fn a_million_operations_agree() {
    let mut rng = Rng(7);
    let mut pair = Pair::new(Keyed::fair(11));
    // The number of keys swings between few and many, so that everything grows and shrinks several times.
    for step in 0..1_000_000u64 {
        let keys = if step / 100_000 % 2 == 0 { 60_000 } else { 300 };
        let key = rng.next() % 60_000;
        match rng.next() % 8 {
            0..4 if key < keys => pair.set(key, step),
            0..4 => pair.remove(key),
            4..6 => pair.remove(key % (keys * 2)),
            _ => pair.check(key),
        }
        if step % 50_000 == 0 {
            pair.check_all();
        }
    }
    pair.check_all();
}

#[test]
fn memory_follows_load_down() {
    let mut pair = Pair::new(Keyed::fair(3));
    (0..100_000).for_each(|key| pair.set(key, 0));
    assert!(pair.dict.memory_bytes() < 13 * 100_000);
    (1_000..100_000).for_each(|key| pair.remove(key));
    pair.check_all();
    assert!(pair.dict.memory_bytes() < 40 * 1_000, "{:?}", pair.dict);
    (0..1_000).for_each(|key| pair.remove(key));
    pair.check_all();
    assert!(pair.dict.memory_bytes() <= 256, "{:?}", pair.dict);
}

#[test]
fn announced_keys_find_room() {
    for keys in [1, 7, 300, 359, 2_000, 100_000] {
        let mut pair = Pair::new(Keyed::fair(4));
        pair.dict.reserve(keys as usize);
        let reserved = pair.dict.memory_bytes();
        assert!(
            reserved <= 64 + 14 * keys as usize,
            "{keys}: {:?}",
            pair.dict
        );
        (0..keys).for_each(|key| pair.set(key, 0));
        pair.check_all();
        let grown = pair.dict.memory_bytes() - reserved;
        assert!(grown * 50 <= reserved, "{keys}: {:?}", pair.dict);
        // Too late: nothing happens.
        pair.dict.reserve(1_000_000);
        pair.check_all();
    }
}

#[test]
fn equal_hashes_work_and_leave_nothing_behind() {
    let mut pair = Pair::new(Keyed::masked(1, 0));
    (0..500).for_each(|key| pair.set(key, key));
    pair.check_all();
    assert!(pair.dict.memory_bytes() < 40 * 500, "{:?}", pair.dict);
    for key in (0..500).step_by(2) {
        pair.remove(key);
    }
    pair.check_all();
    (0..500).for_each(|key| pair.remove(key));
    pair.check_all();
    assert!(pair.dict.memory_bytes() <= 64, "{:?}", pair.dict);
}

#[test]
fn hashes_that_share_a_prefix_do_not_blow_up_the_directory() {
    // All positions begin with the same 24 bits.
    let mut pair = Pair::new(Keyed::masked(5, 0x0000_0000_ffff_ffff));
    (0..3_000).for_each(|key| pair.set(key, key));
    pair.check_all();
    assert!(
        pair.dict.memory_bytes() < 64 * 1024 + 80 * 3_000,
        "{:?}",
        pair.dict
    );
}

#[test]
fn drains_in_slices() {
    for keyed in [Keyed::fair(1), Keyed::masked(1, 0x0f)] {
        for n in [0, 1, 7, 300, 5_000] {
            let mut pair = Pair::new(keyed);
            (0..n).for_each(|key| pair.set(key, key));
            let mut drain = pair.dict.into_drain();
            let mut sum = 0;
            let mut slices = 0u64;
            loop {
                let before = drain.len();
                let more = drain.slice(10, &mut FreeNow, |item| sum += item.number());
                assert!(before - drain.len() <= 10);
                slices += 1;
                if !more {
                    break;
                }
            }
            assert_eq!(sum, (0..n).sum::<u64>());
            assert!(drain.is_empty());
            assert!(slices >= n / 10);
        }
    }
    // Dropped half-way: the leak checker of the sanitizer run watches.
    let mut pair = Pair::new(Keyed::fair(2));
    (0..5_000).for_each(|key| pair.set(key, key));
    let mut drain = pair.dict.into_drain();
    assert!(drain.slice(2_500, &mut FreeNow, drop));
}

#[test]
fn random_is_uniform() {
    // (keys, draws): chi-square over the keys; mean is keys - 1, deviation sqrt(2 (keys - 1)).
    let fair = Keyed::fair(9);
    // An eighth of the hashes in one half of the directory, so that depths differ.
    let skewed = Keyed::masked(9, 0x00ff_ffff_ffff_ffff);
    for (keyed, keys, keep) in [
        (fair, 1, 1),
        (fair, 40, 1),
        (fair, 1_000, 1),
        (skewed, 3_000, 1),
        (fair, 3_000, 7),
        (Keyed::masked(9, 0x3), 200, 1),
        (Keyed::lopsided(9), 3_000, 1),
    ] {
        let mut pair = Pair::new(keyed);
        (0..keys).for_each(|key| pair.set(key, key));
        (0..keys)
            .filter(|key| key % keep != 0)
            .for_each(|key| pair.remove(key));
        let mut rng = Rng(keys + 1);
        let mut counts: HashMap<u64, f64> = pair.model.keys().map(|key| (*key, 0.0)).collect();
        let draws = counts.len() * 200;
        for _ in 0..draws {
            let slot = pair.dict.random(|| rng.next()).expect("not empty");
            *counts
                .get_mut(&pair.dict.at(slot).number())
                .expect("a key of the dict") += 1.0;
        }
        let chi: f64 = counts.values().map(|n| (n - 200.0).powi(2) / 200.0).sum();
        let mean = counts.len() as f64 - 1.0;
        let deviation = (2.0 * mean).sqrt();
        assert!(
            (chi - mean).abs() <= 5.0 * deviation,
            "{keys} keys: chi-square {chi}, expected {mean} +- {deviation}"
        );
    }
    assert!(Dict::<Item>::new().random(|| 0).is_none());
}

#[derive(Clone, Debug)]
enum Change {
    Insert(u64, u64),
    Remove(u64, u64),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Keys below 1000 stay all the time; others come and go between the calls, so that segments grow, split, shrink, merge.
    #[test]
    fn scans_report_what_stays_exactly_once(
        keyed in keyed(),
        stay in 0u64..600,
        at_first in 0u64..6000,
        changes in prop::collection::vec(
            prop_oneof![
                (1000u64..7000, 0u64..3000).prop_map(|(from, n)| Change::Insert(from, n)),
                (1000u64..7000, 0u64..6000).prop_map(|(from, n)| Change::Remove(from, n)),
            ],
            1..20,
        ),
        min_items in 1usize..200,
        stripe in 0u64..256,
    ) {
        let keyed = keyed.in_stripe(stripe);
        let mut pair = Pair::new(keyed);
        (0..stay).chain(1000..1000 + at_first).for_each(|key| pair.set(key, key));
        let mut seen = HashMap::<u64, u32>::new();
        let mut changes = changes.iter().cycle();
        let mut cursor = stripe << POSITION_BITS;
        loop {
            let report = |item: &Item| *seen.entry(item.number()).or_default() += 1;
            let next = pair.dict.scan(cursor, min_items, hash_of, report);
            if next == 0 {
                break;
            }
            prop_assert_eq!(next >> POSITION_BITS, stripe, "the stripe passes through");
            prop_assert!(next > cursor, "the cursor advances");
            cursor = next;
            match changes.next() {
                Some(Change::Insert(from, n)) => (*from..from + n).for_each(|key| pair.set(key, 1)),
                Some(Change::Remove(from, n)) => (*from..from + n).for_each(|key| pair.remove(key)),
                None => {}
            }
        }
        for key in 0..stay {
            prop_assert_eq!(seen.get(&key), Some(&1), "key {}", key);
        }
        pair.check_all();
    }
}

#[test]
fn an_entry_stays_in_the_dict_when_its_change_unwinds() {
    let mut pair = Pair::new(Keyed::fair(6));
    (0..100).for_each(|key| pair.set(key, key));
    let hash = pair.keyed.hash(50);
    let slot = pair.dict.find(hash, &50u64.to_be_bytes()).expect("set");
    let change = std::panic::AssertUnwindSafe(|| {
        pair.dict.with_mut(slot, |item| {
            *item = Item::new(50, 1, hash);
            panic!("half-way");
        });
    });
    assert!(std::panic::catch_unwind(change).is_err());
    assert_eq!(pair.dict.at(slot).value(), 1, "the pointer was put back");
    pair.model.insert(50, 1);
    pair.check_all();
}

#[test]
#[cfg_attr(debug_assertions, should_panic = "a slot is used too late")]
fn a_stale_slot_is_noticed_in_debug_builds() {
    let mut pair = Pair::new(Keyed::fair(6));
    pair.set(1, 1);
    let slot = pair.dict.find(pair.keyed.hash(1), &1u64.to_be_bytes());
    pair.set(2, 2);
    pair.dict.at(slot.expect("set"));
}

#[test]
fn a_scan_call_is_bounded() {
    let mut pair = Pair::new(Keyed::fair(4));
    (0..50_000).for_each(|key| pair.set(key, key));
    let mut cursor = 0;
    let mut calls = 0;
    loop {
        let mut items = 0;
        cursor = pair.dict.scan(cursor, 10, hash_of, |_| items += 1);
        // Ten, and the rest of the last bucket's own entries.
        assert!(items <= 10 + 28);
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    assert!(calls > 50_000 / 38);
}
