//! The tree beside a plain vector, by random operations; images of it never change.

use std::cmp::Ordering;
use std::collections::VecDeque;

use dunlin_structures::tree::{Probe, SortKey, Tree};

/// xorshift64*, Vigna 2014.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Mostly short, sometimes longer than a leaf.
    fn payload(&mut self) -> Vec<u8> {
        let len = match self.below(200) {
            0 => self.below(10_000),
            1..=10 => self.below(500),
            _ => self.below(24),
        };
        let first = self.next() as u8;
        (0..len).map(|at| first.wrapping_add(at as u8)).collect()
    }
}

fn assert_same(tree: &Tree<u32>, model: &[(u32, Vec<u8>)]) {
    tree.assert_consistent();
    assert_eq!(tree.len(), model.len());
    let forward = tree.iter().map(|(key, payload)| (key, payload.to_vec()));
    assert!(forward.eq(model.iter().cloned()));
    let backward = tree
        .iter()
        .rev()
        .map(|(key, payload)| (key, payload.to_vec()));
    assert!(backward.eq(model.iter().rev().cloned()));
}

fn random_operations(seed: u64, operations: usize, checks: usize) {
    let mut rng = Rng(seed | 1);
    let mut tree: Tree<u32> = Tree::new();
    let mut model: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut images = Vec::new();
    // Grows and shrinks in turns, at random places, at the ends, and by ranges.
    for step in 0..operations {
        let grows = (step * 6 / operations).is_multiple_of(2);
        let (key, payload) = (rng.next() as u32, rng.payload());
        match rng.below(100) {
            0..=1 if !model.is_empty() => {
                let from = rng.below(model.len());
                let most = if grows { 30 } else { 2_000 };
                let to = (from + rng.below(most)).min(model.len());
                tree.remove_range(from..to);
                model.drain(from..to);
            }
            2..=9 if !model.is_empty() => {
                let at = rng.below(model.len());
                tree.replace(at, key, &payload);
                model[at] = (key, payload);
            }
            10..=39 if !grows && !model.is_empty() => {
                let at = match rng.below(3) {
                    0 => 0,
                    1 => model.len() - 1,
                    _ => rng.below(model.len()),
                };
                tree.remove(at);
                model.remove(at);
            }
            _ => {
                let at = match rng.below(4) {
                    0 => 0,
                    1 => model.len(),
                    _ => rng.below(model.len() + 1),
                };
                tree.insert(at, key, &payload);
                model.insert(at, (key, payload));
            }
        }
        if step % (operations / checks) == 0 {
            assert_same(&tree, &model);
            let at = rng.below(model.len());
            let expected = model
                .get(at)
                .map(|(key, payload)| (*key, payload.as_slice()));
            assert_eq!(tree.get(at), expected);
            let to = at + rng.below(model.len() - at.min(model.len()));
            let range = tree.range(at..to).map(|(key, _)| key);
            assert!(range.eq(model[at..to].iter().map(|(key, _)| *key)));
            images.push((tree.clone(), model.clone()));
        }
    }
    for (image, frozen) in &images {
        assert_same(image, frozen);
    }
    while tree.shed() {
        tree.assert_consistent();
    }
    assert!(tree.is_empty());
}

#[test]
fn agrees_with_a_vector() {
    for seed in 1..30 {
        random_operations(seed, 3_000, 10);
    }
}

#[test]
fn long_runs_agree() {
    random_operations(99, 200_000, 6);
}

/// The place of a key and payload.
struct At<'a>(u32, &'a [u8]);

impl Probe<u32> for At<'_> {
    fn by_key(&self, key: u32) -> Ordering {
        key.cmp(&self.0)
    }
    fn by_payload(&self, payload: &[u8]) -> Ordering {
        payload.cmp(self.1)
    }
}

#[test]
fn positions_are_those_of_a_sorted_vector() {
    let mut rng = Rng(5);
    let mut tree = Tree::new();
    let mut model: Vec<(u32, Vec<u8>)> = Vec::new();
    for _ in 0..20_000 {
        // Few keys, so that payloads decide often.
        let entry = (rng.below(40) as u32, rng.payload());
        let (rank, found) = tree.position(&At(entry.0, &entry.1));
        let expected = model.partition_point(|other| *other < entry);
        assert_eq!(rank, expected);
        assert_eq!(
            found,
            model
                .get(rank)
                .map(|(key, payload)| (*key, payload.as_slice()))
        );
        if rng.below(3) == 0 && !model.is_empty() {
            let at = rng.below(model.len());
            tree.remove(at);
            model.remove(at);
        } else {
            tree.insert(rank, entry.0, &entry.1);
            model.insert(rank, entry);
        }
    }
    assert_same(&tree, &model);
}

/// Entries come, go and move along paths, in a tree that grows to several levels and shrinks again.
#[test]
fn paths_lead_where_a_sorted_vector_says() {
    let mut rng = Rng(6);
    let mut tree: Tree<u32> = Tree::new();
    let mut model: Vec<(u32, Vec<u8>)> = Vec::new();
    let (mut kept, mut images) = (0, Vec::new());
    for step in 0..60_000 {
        let grows = step < 25_000;
        let few_keys = rng.below(2) == 0;
        let key = rng.below(if few_keys { 40 } else { 1 << 20 }) as u32;
        let new = (key, rng.payload());
        let Err(place) = model.binary_search(&new) else {
            continue;
        };
        let (path, behind) = tree.path(&At(new.0, &new.1));
        if let Some((key, payload)) = behind {
            assert_eq!((key, payload), (model[place].0, model[place].1.as_slice()));
        }
        match rng.below(10) {
            0..=5 if grows || model.is_empty() => {
                tree.insert_at(path, new.0, &new.1);
                model.insert(place, new);
            }
            6..=7 if !model.is_empty() => {
                // A move: the old one goes, the new one comes.
                let at = rng.below(model.len());
                let old = model.remove(at);
                let probes = [&At(old.0, &old.1), &At(new.0, &new.1)];
                let [from, mut to] = tree.paths(probes);
                assert_eq!(
                    tree.path(probes[0]),
                    (from, Some((old.0, old.1.as_slice())))
                );
                if tree.remove_at(from) {
                    kept += 1;
                    to = to.after_removal(from);
                    assert_eq!(to, tree.path(probes[1]).0);
                } else {
                    to = tree.path(probes[1]).0;
                }
                tree.insert_at(to, new.0, &new.1);
                let place = model.binary_search(&new).unwrap_err();
                model.insert(place, new);
            }
            8 if !model.is_empty() => {
                // Another key, where the one before leaves room for it.
                let at = rng.below(model.len());
                let (key, payload) = model[at].clone();
                let least = at.checked_sub(1).map_or(0, |before| model[before].0 + 1);
                if least < key {
                    tree.set_key_at(tree.path(&At(key, &payload)).0, least);
                    model[at].0 = least;
                    let (_, found) = tree.path(&At(least, &payload));
                    assert_eq!(found, Some((least, payload.as_slice())));
                }
            }
            _ if !model.is_empty() => {
                let at = rng.below(model.len());
                let (key, payload) = model.remove(at);
                tree.remove_at(tree.path(&At(key, &payload)).0);
            }
            _ => {}
        }
        if step % 10_000 == 0 {
            assert_same(&tree, &model);
            images.push((tree.clone(), model.clone()));
        }
    }
    assert!(kept > 1_000, "{kept} moves without another search");
    assert_same(&tree, &model);
    for (image, frozen) in &images {
        assert_same(image, frozen);
    }
    while let Some((key, payload)) = model.pop() {
        tree.remove_at(tree.path(&At(key, &payload)).0);
    }
    assert!(tree.is_empty());
    tree.assert_consistent();
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct KeyOnly(u64);

impl SortKey for KeyOnly {
    const HAS_PAYLOAD: bool = false;
}

#[test]
fn keys_alone_cost_little_more_than_themselves() {
    let mut tree = Tree::new();
    for at in 0..100_000u64 {
        tree.push(KeyOnly(at), &[]);
    }
    tree.assert_consistent();
    assert!(tree.iter().map(|(key, _)| key.0).eq(0..100_000));
    let bytes = tree.memory_bytes();
    assert!(bytes < 100_000 * 10, "{bytes} bytes for 100,000 keys of 8");
}

#[test]
fn appending_and_prepending_fill_the_leaves() {
    let mut tree = Tree::new();
    for at in 0..50_000u32 {
        tree.push((), &at.to_be_bytes());
        tree.insert(0, (), &at.to_be_bytes());
    }
    tree.assert_consistent();
    assert!(
        tree.leaf_count() < 100_000 / 128 + 10,
        "{} leaves",
        tree.leaf_count()
    );
}

#[test]
fn queues_in_either_direction_stay_as_small_as_what_is_in_them() {
    const LEN: usize = 1_000;
    for (at_head, pops_at_head) in [(false, true), (true, false), (true, true), (false, false)] {
        let mut rng = Rng(17);
        let mut tree: Tree<()> = Tree::new();
        let mut model = VecDeque::new();
        for step in 0..60_000 {
            // Its length moves up and down, by a leaf or so.
            if model.len() < LEN + rng.below(200) {
                let text = format!("{step:040}").into_bytes();
                tree.insert(if at_head { 0 } else { tree.len() }, (), &text);
                if at_head {
                    model.push_front(text);
                } else {
                    model.push_back(text);
                }
            } else if pops_at_head {
                tree.remove(0);
                model.pop_front();
            } else {
                tree.remove(tree.len() - 1);
                model.pop_back();
            }
            if step % 500 == 0 {
                tree.assert_consistent();
                let texts = tree.iter().map(|((), text)| text);
                assert!(texts.eq(model.iter().map(Vec::as_slice)));
                let (memory, payload) = (tree.memory_bytes(), tree.payload_bytes());
                assert!(
                    memory < payload * 3 / 2 + 8_192,
                    "{memory} for {payload} at {step}"
                );
            }
        }
    }
}

#[test]
fn a_long_payload_makes_no_room_for_others_of_its_kind() {
    let long = vec![7; 1 << 20];
    for at_head in [false, true] {
        let mut tree: Tree<()> = Tree::new();
        for _ in 0..20 {
            for payload in [&long[..], b"short"] {
                tree.insert(if at_head { 0 } else { tree.len() }, (), payload);
            }
        }
        tree.assert_consistent();
        let (memory, payload) = (tree.memory_bytes(), tree.payload_bytes());
        assert!(memory < payload + payload / 50, "{memory} for {payload}");
    }
}

#[test]
fn a_change_of_an_image_leaves_the_rest_shared() {
    let mut tree = Tree::new();
    for at in 0..100_000u32 {
        tree.push(at, &at.to_be_bytes());
    }
    let image = tree.clone();
    tree.replace(50_000, 50_000, b"changed");
    assert_eq!(
        image.get(50_000),
        Some((50_000, 50_000u32.to_be_bytes().as_slice()))
    );
    assert_eq!(tree.get(50_000), Some((50_000, b"changed".as_slice())));
}
