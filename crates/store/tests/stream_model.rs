//! Streams beside std maps, by random operations on entries and groups; images never change.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Images, Rng, operations};
use dunlin_store::Entry;
use dunlin_store::stream::{self, BlockLimits, Id, Pending, Stream, StreamEntry, Trim, TrimTo};

const OPERATIONS: usize = 30_000;
/// Operations on one stream before the next is begun.
const LIFE: usize = 1_500;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Name = &'static [u8];

const GROUPS: [Name; 3] = [b"g", b"", b"other group"];
const CONSUMERS: [Name; 4] = [b"c", b"d", b"", b"a consumer"];

#[derive(Clone, Default, PartialEq, Debug)]
struct GroupModel {
    last_id: Id,
    consumers: BTreeSet<Name>,
    /// Consumer, time, count.
    pending: BTreeMap<Id, (Name, u64, u64)>,
}

#[derive(Clone, Default)]
struct Model {
    entries: BTreeMap<Id, Pairs>,
    last_id: Id,
    max_deleted: Id,
    added: u64,
    groups: BTreeMap<Name, GroupModel>,
}

fn shown(entry: StreamEntry<'_>) -> (Id, Pairs) {
    let pairs = entry.pairs().map(|(n, v)| (n.to_vec(), v.to_vec()));
    (entry.id, pairs.collect())
}

fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0 => rng.below(1_000_000).to_string().into_bytes(),
        1 => format!("-{}", rng.next()).into_bytes(),
        2 => Vec::new(),
        3 => vec![rng.next() as u8; rng.below(400)],
        _ => format!("value:{}", rng.below(50)).into_bytes(),
    }
}

fn pairs(rng: &mut Rng) -> Pairs {
    let shape = rng.below(6);
    let names: Vec<Vec<u8>> = match shape {
        0..4 => vec![b"temperature".to_vec(), b"7".to_vec()],
        4 => vec![b"temperature".to_vec()],
        _ => (0..1 + rng.below(4)).map(|_| text(rng)).collect(),
    };
    names.into_iter().map(|name| (name, text(rng))).collect()
}

fn new_id(rng: &mut Rng, last: Id) -> Id {
    let next = |ms: u64| Id::new(last.ms + ms, rng_seq(ms, last));
    match rng.below(10) {
        0 => next(1 + (rng.next() >> 20)),
        1..4 => next(1),
        4 => Id::new(last.ms, last.seq + 1 + (rng.next() >> 40)),
        _ => Id::new(last.ms, last.seq + 1),
    }
}

fn rng_seq(ms: u64, last: Id) -> u64 {
    if ms.is_multiple_of(3) { last.seq } else { 0 }
}

/// An id that is there, or lies near one.
fn some_id(rng: &mut Rng, model: &Model) -> Id {
    let at = rng.below(model.entries.len().max(1));
    let id = model.entries.keys().nth(at).copied().unwrap_or_default();
    match rng.below(6) {
        0 => id.next().unwrap_or(id),
        1 => id.previous().unwrap_or(id),
        2 => Id::new(rng.next(), rng.next()),
        _ => id,
    }
}

fn assert_same(entry: &Entry, model: &Model) {
    let stream = stream::of(entry).expect("a stream");
    stream.assert_consistent();
    assert_eq!(stream.len(), model.entries.len() as u64);
    assert_eq!(stream.last_id(), model.last_id);
    assert_eq!(stream.max_deleted_id(), model.max_deleted);
    assert_eq!(stream.entries_added(), model.added);
    assert_eq!(stream.first(), model.entries.keys().next().copied());
    assert_eq!(stream.last(), model.entries.keys().last().copied());
    let all: Vec<_> = stream.range(Id::MIN, Id::MAX).map(shown).collect();
    assert!(
        all.iter()
            .map(|(id, pairs)| (id, pairs))
            .eq(model.entries.iter())
    );
    let groups: BTreeMap<&[u8], GroupModel> = stream
        .groups()
        .map(|group| {
            let name = |number| {
                let name = group.consumer(number).name();
                *CONSUMERS
                    .iter()
                    .find(|n| **n == name)
                    .expect("a known name")
            };
            let pending = group.pending_from(Id::MIN);
            let shown = GroupModel {
                last_id: group.last_id,
                consumers: group
                    .consumers()
                    .map(|c| *CONSUMERS.iter().find(|n| **n == c.name()).expect("known"))
                    .collect(),
                pending: pending
                    .map(|p| (p.id, (name(p.consumer), p.delivered_ms, p.deliveries)))
                    .collect(),
            };
            (group.name(), shown)
        })
        .collect();
    assert_eq!(groups, model.groups);
}

/// Reads of ranges, against brute force.
fn check_range(rng: &mut Rng, stream: &Stream, model: &Model) {
    let (from, to) = (some_id(rng, model), some_id(rng, model));
    let max = 1 + rng.below(200);
    let expected: Vec<_> = model
        .entries
        .iter()
        .filter(|(id, _)| (from..=to).contains(*id))
        .map(|(id, pairs)| (*id, pairs.clone()))
        .collect();
    let found: Vec<_> = stream.range(from, to).map(shown).collect();
    assert_eq!(found, expected, "{from:?} {to:?}");
    let mut back: Vec<_> = stream.range_back(from, to).map(shown).collect();
    back.reverse();
    assert_eq!(back, expected, "{from:?} {to:?} backwards");
    assert_eq!(stream.count_range(from, to, max), expected.len().min(max));
    assert_eq!(
        stream.get(from).map(shown),
        model.entries.get(&from).map(|pairs| (from, pairs.clone()))
    );
}

struct World {
    entry: Entry,
    model: Model,
    limits: BlockLimits,
    now_ms: u64,
}

impl World {
    fn new(rng: &mut Rng) -> World {
        let entry = stream::entry(b"key", Box::new(Stream::new()), 0);
        World {
            entry,
            model: Model::default(),
            limits: BlockLimits {
                bytes: [0, 100, 4096][rng.below(3)],
                entries: [0, 1, 2, 10, 100][rng.below(5)],
            },
            now_ms: 1000,
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        let (model, stream) = (
            &mut self.model,
            stream::of_mut(&mut self.entry).expect("a stream"),
        );
        self.now_ms += rng.below(5) as u64;
        match rng.below(40) {
            0..18 => {
                let (id, pairs) = (new_id(rng, model.last_id), pairs(rng));
                let borrowed = pairs.iter().map(|(n, v)| (n.as_slice(), v.as_slice()));
                stream.append(id, borrowed, self.limits);
                model.entries.insert(id, pairs);
                model.last_id = id;
                model.added += 1;
            }
            18..23 => {
                let id = some_id(rng, model);
                assert_eq!(stream.delete(id), model.entries.contains_key(&id));
                if model.entries.remove(&id).is_some() {
                    model.max_deleted = model.max_deleted.max(id);
                }
            }
            23 if rng.below(4) == 0 => trim(rng, stream, model),
            24 => check_range(rng, stream, model),
            25 => {
                let name = GROUPS[rng.below(3)];
                let id = some_id(rng, model);
                let is_new = !model.groups.contains_key(name);
                assert_eq!(stream.add_group(name, id, None), is_new);
                model.groups.entry(name).or_insert(GroupModel {
                    last_id: id,
                    ..GroupModel::default()
                });
            }
            26 if rng.below(10) == 0 => {
                let name = GROUPS[rng.below(3)];
                let was_there = model.groups.remove(name).is_some();
                assert_eq!(stream.remove_group(name).is_some(), was_there);
            }
            27..40 => {
                let name = GROUPS[rng.below(3)];
                if model.groups.contains_key(name) {
                    group_step(rng, stream, model, name, self.now_ms);
                }
            }
            _ => {}
        }
    }
}

fn trim(rng: &mut Rng, stream: &mut Stream, model: &mut Model) {
    let approximate = rng.below(2) == 0;
    let to = match rng.below(2) {
        0 => TrimTo::Len(rng.below(model.entries.len() + 5) as u64),
        _ => TrimTo::MinId(some_id(rng, model)),
    };
    let trim = Trim {
        to,
        approximate,
        limit: if approximate { rng.below(60) as u64 } else { 0 },
    };
    let before = model.entries.len();
    let exactly = match to {
        TrimTo::Len(len) => before.saturating_sub(len as usize),
        TrimTo::MinId(min) => model.entries.range(..min).count(),
    };
    let (removed, _remains) = stream.trim(trim);
    if approximate {
        assert!(removed <= exactly as u64);
        assert!(trim.limit == 0 || removed <= trim.limit);
    } else {
        assert_eq!(removed, exactly as u64, "{trim:?}");
    }
    for _ in 0..removed {
        model.entries.pop_first();
    }
}

fn group_step(rng: &mut Rng, stream: &mut Stream, model: &mut Model, name: Name, now_ms: u64) {
    let shown = model.groups.get_mut(name).expect("looked for before");
    let who = CONSUMERS[rng.below(CONSUMERS.len())];
    let group = stream.group_mut(name).expect("as in the model");
    let is_new = shown.consumers.insert(who);
    let number = match group.find_consumer(who) {
        Some(number) => {
            assert!(!is_new);
            number
        }
        None => {
            assert!(is_new);
            group.add_consumer(who, now_ms).expect("there is none")
        }
    };
    let pending_ids: Vec<Id> = shown.pending.keys().copied().collect();
    let a_pending = |rng: &mut Rng| match pending_ids.len() {
        0 => Id::new(1, 1),
        len => pending_ids[rng.below(len)],
    };
    match rng.below(10) {
        0..4 => {
            let (max, noack) = (1 + rng.below(30), rng.below(5) == 0);
            let after = shown.last_id;
            let due = model.entries.range(after..).filter(|(id, _)| **id > after);
            let due: Vec<Id> = due.map(|(id, _)| *id).take(max).collect();
            let mut visited = Vec::new();
            let count = stream.deliver(name, number, max, now_ms, noack, |entry| {
                visited.push(entry.id);
            });
            assert_eq!(visited, due);
            assert_eq!(count, due.len());
            for id in due {
                shown.last_id = id;
                if !noack {
                    shown.pending.insert(id, (who, now_ms, 1));
                }
            }
        }
        4..7 => {
            let id = a_pending(rng);
            assert_eq!(group.acknowledge(id), shown.pending.remove(&id).is_some());
        }
        7 => {
            let id = a_pending(rng);
            let deliveries = rng.below(9) as u64;
            group.assign(Pending {
                id,
                delivered_ms: now_ms,
                deliveries,
                consumer: number,
            });
            shown.pending.insert(id, (who, now_ms, deliveries));
        }
        8 if rng.below(3) == 0 => {
            let theirs = shown.pending.values().filter(|(c, _, _)| *c == who).count();
            assert_eq!(group.remove_consumer(who), Some(theirs));
            shown.pending.retain(|_, (c, _, _)| *c != who);
            shown.consumers.remove(who);
        }
        _ => {
            let from = a_pending(rng);
            let theirs: Vec<Id> = group.consumer(number).pending_from(from).collect();
            let expected = shown.pending.range(from..);
            let expected = expected.filter(|(_, (c, _, _))| *c == who);
            assert_eq!(theirs, expected.map(|(id, _)| *id).collect::<Vec<_>>());
            group.last_id = from;
            shown.last_id = from;
        }
    }
}

#[test]
fn like_maps() {
    let mut rng = Rng::new(11);
    let mut world = World::new(&mut rng);
    let mut images = Images::new();
    for number in 1..=operations(OPERATIONS) {
        world.step(&mut rng);
        if rng.below(40) == 0 {
            images.take(&mut rng, &world.entry, world.model.clone(), assert_same);
        }
        if number % 100 == 0 {
            assert_same(&world.entry, &world.model);
        }
        if number % LIFE == 0 {
            world = World::new(&mut rng);
        }
    }
    assert!(images.taken > 100);
    images.check_all(assert_same);
}

/// Entries that all name the same fields do not name them each.
#[test]
fn names_are_shared() {
    let mut stream = Box::new(Stream::new());
    let limits = BlockLimits {
        bytes: 4096,
        entries: 100,
    };
    let name = [b'n'; 30];
    for ms in 1..=10_000 {
        let value = ms.to_string();
        let pairs = [(&name[..], value.as_bytes())];
        stream.append(Id::new(ms, 0), pairs.into_iter(), limits);
    }
    assert_eq!(stream.block_count(), 100);
    let entry = stream::entry(b"key", stream, 0);
    let per_entry = entry.outside_bytes() as f64 / 10_000.0;
    assert!(per_entry < 12.0, "{per_entry} bytes for an entry");
}
